#!/usr/bin/env bash
# Learning to cluster on speech: sets of 20 embeddings or snippets of at most five speakers, and the network of the
# clusterer `learned`.
#
#   egs/voices/run.sh --recipe sets --corpus DIR [--stage 1] [--stop-stage 5] [--nj 2] [--seed "1 2 3"] [--steps N]
#                     [--exp exp/sets] [--set TABLE.SETTING=VALUE]... [--device cpu] [--force]
#
# Stages: 1 data folders, and embeddings of their windows, 2 networks on sets of 20 embeddings, 3 the paper's network on
# snippets, only if --device is not cpu, 4 the network of the clusterer, with seed 1, 5 EXP/RESULTS.md. The embeddings are
# those of the bundled model. Result of stage 4: EXP/windows/seed1/model, for --set clustering.options.network='"FOLDER"'.
#
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. recipes/stages.sh
options corpus='' stage=1 stop_stage=5 nj=2 seed='1 2 3' steps='' device=cpu exp=exp/sets conf=recipes/conf/sets
lists set
parse_options egs/voices/sets.sh "$@"
need_numbers steps
need_stages 5
if runs 1; then need_corpus; fi

# Train the system $1 with each of the seeds $2. $3 is the data, with SET for the name of a set.
run_seeds() {
  local number each rows=() changes=()
  for each in ${set[@]+"${set[@]}"} ${steps:+"training.n_steps=$steps"}; do changes+=(--set "$each"); done
  for each in data:train_4 dev:dev test:test; do rows+=("--${each%:*}" "${3//SET/${each#*:}}"); done
  for number in $2; do
    recipes/run_set_clusterer.sh --config "$conf/$1.toml" --out "$exp/$1/seed$number" --seed "$number" \
      "${rows[@]}" ${changes[@]+"${changes[@]}"} --device "$device" ${force:+--force}
  done
}

# At most four recordings of each training speaker with four or more. Windows of 1.5 s every 0.75 s of their speech.
if at_stage 1 "data folders and embeddings"; then
  "$python" egs/voices/local/prepare_data.py --corpus "$corpus" --out "$exp/data"
  "$python" recipes/choose_recordings.py --data "$exp/data/train" --out "$exp/data/train_4" --least 4 --most 4
  for each in train_4 dev test; do
    [ -f "$exp/data/$each.npz" ] || "$python" -m diarize embed "$exp/data/$each" -o "$exp/data/$each.npz" --quiet
  done
fi

if at_stage 2 "networks on embeddings"; then
  for each in embeddings embeddings-euclidean embeddings-mahalanobis embeddings-full; do
    run_seeds "$each" "$seed" "$exp/data/SET.npz $exp/data/SET"
  done
fi

if [ "$device" != cpu ] && at_stage 3 "the paper's network on snippets"; then
  for each in train_4 dev test; do
    [ -f "$exp/features/$each/index.npz" ] || "$python" recipes/pack_features.py --data "$exp/data/$each" \
      --config "$conf/snippets.toml" --out "$exp/features/$each" --nj "$nj"
  done
  run_seeds snippets "$seed" "$exp/features/SET"
fi

if at_stage 4 "the network of the clusterer"; then
  run_seeds windows 1 "$exp/data/SET.npz $exp/data/SET"
fi

if at_stage 5 "results"; then
  "$python" recipes/write_set_results.py --exp "$exp" --conf "$conf" --kind embeddings snippets windows --out "$exp/RESULTS.md"
fi
