#!/usr/bin/env bash
# Make the bundled network of speaker clustering, a BLSTM with the pairwise Kullback-Leibler loss, and its figures.
#
#   egs/voices/run.sh --recipe pairwise_kl --corpus DIR [--stage 1] [--stop-stage 3] [--nj 2] [--seed 1] [--steps N]
#                     [--exp exp/clustering] [--force]
#
# Stages: 1 training, which is stages 1 to 5 of egs/voices/run.sh for the system blstm-pairwise-kl, 2 weights of 8
# bits and back end, 3 equal error rates and card. A finished training is kept.
# Result: EXP/pairwise-kl. diarize/bundled/pairwise-kl is a copy of it.
# After an interruption, run the same command again: the training resumes.
#
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. recipes/stages.sh
options corpus='' stage=1 stop_stage=3 nj=2 seed=1 steps='' exp=exp/clustering
parse_options egs/voices/pairwise_kl.sh "$@"
need_stages 3
need_corpus
trained=$exp/blstm-pairwise-kl/seed$seed
made=$exp/pairwise-kl
if [ -e "$made" ] && [ -z "$force" ] && runs 3; then
  fail "$made exists; give --force to make it again, or another --exp"
fi

# recipes/conf/blstm-pairwise-kl.toml on 100 speakers.
if at_stage 1 "training"; then
  if [ -e "$trained/run.json" ] && [ -z "$force" ]; then
    echo "$trained: finished, kept"
  else
    egs/voices/run.sh --corpus "$corpus" --exp "$exp" --stop-stage 5 --nj "$nj" --system blstm-pairwise-kl --seed "$seed" \
      ${steps:+--steps "$steps"} ${force:+--force}
  fi
fi

# The back end learns from windows of the clips that the model voices is trained on.
if at_stage 2 "weights of 8 bits, back end"; then
  need_made "$trained/training/model" 1
  "$python" egs/voices/local/prepare_data.py --corpus "$corpus" --out "$exp/clips"
  if [ -d "$corpus/timit_sample" ]; then # licence: evaluation only
    "$python" egs/voices/local/prepare_data.py --corpus "$corpus" --out "$exp/clips" --only timit_sample
  fi
  rm -rf "$made.tmp"
  "$python" recipes/shrink_model.py --model "$trained/training/model" --out "$made.tmp"
  "$python" recipes/train_backend.py --data "$exp/clips/train" --skip speech_commands speechocean762 vctk \
    --model "$made.tmp"
fi

if at_stage 3 "error rates on unseen speakers, card"; then
  need_made "$made.tmp" 2
  sets=("$exp/clips/test")
  [ ! -d "$exp/clips/unseen" ] || sets+=("$exp/clips/unseen")
  "$python" recipes/score_verification.py --data "${sets[@]}" --model "$made.tmp" --out "$made.scores.json"
  cat egs/voices/conf/pairwise_kl_about.toml >> "$made.tmp/config.toml"
  cat egs/voices/conf/pairwise_kl_card.md "$made.scores.md" > "$made.tmp/MODEL_CARD.md"
  rm -rf "$made"
  mv "$made.tmp" "$made"
  echo "done: $made"
fi
