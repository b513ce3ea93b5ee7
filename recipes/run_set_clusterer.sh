#!/usr/bin/env bash
# Train a network that partitions sets of items with one seed, and score it: OUT/scores.json, OUT/run.json, OUT/model.
#
#   recipes/run_set_clusterer.sh --config FILE --out DIR [--seed 1] [--data PATH] [--dev PATH] [--test PATH]
#                                [--set TABLE.SETTING=VALUE]... [--device cpu] [--force]
#
# The paths are those of train_set_clusterer.py: "TABLE FOLDER", or a folder of packed features. A finished run is kept.
#
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. recipes/stages.sh
options config='' out='' seed=1 data='' dev='' test='' device=cpu
lists set
parse_options recipes/run_set_clusterer.sh "$@"
[[ -n $config && -n $out ]] || fail "--config and --out are needed"
if [ -e "$out/run.json" ]; then
  [ -n "$force" ] || { echo "$out: finished, kept"; exit 0; }
  rm -rf "$out"
fi
changes=() overrides=() rows=()
for each in ${set[@]+"${set[@]}"}; do changes+=(--set "$each") overrides+=(--override "$each"); done
for each in data dev test; do
  # shellcheck disable=SC2206  # a table and a folder are two words
  [ -z "${!each}" ] || rows+=("--$each" ${!each})
done
"$python" recipes/train_set_clusterer.py --config "$config" ${changes[@]+"${changes[@]}"} ${rows[@]+"${rows[@]}"} \
  --out "$out" --seed "$seed" --device "$device"
read -r last took < <(tail -n 1 "$out/curve.tsv" | cut -f 1,2 --output-delimiter=' ')
"$python" recipes/write_run.py --command "${0#"$PWD"/} $command" --config "$config" --seed "$seed" --steps "$last" \
  --seconds "$took" --out "$out/run.json" ${overrides[@]+"${overrides[@]}"}
