#!/usr/bin/env bash
# Run one speaker-clustering system that trains no network: compare the test speakers' parts, and score.
#
#   recipes/run_baseline.sh --exp DIR --config FILE --name NAME [--set baseline.SETTING=VALUE]... [--nj 2]
#
# EXP has the data that stage 1 of a corpus's run.sh makes; systems with a training use train_100. The result is
# EXP/NAME/seed1: a table for each set, scores.json and run.json.
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. recipes/stages.sh
options exp='' config='' name='' nj=2
lists set
parse_options recipes/run_baseline.sh "$@"
[[ -n $exp && -n $config && -n $name ]] || fail "--exp, --config and --name are needed"
[ -f "$config" ] || fail "$config: no such file"

out=$exp/$name/seed1
changes=()
for each in ${set[@]+"${set[@]}"}; do changes+=(--set "$each"); done
compare() { # data folder $1, table $2, and more options
  "$python" recipes/compare_utterances.py --config "$config" ${changes[@]+"${changes[@]}"} --data "$exp/data/$1" \
    --train "$exp/data/train_100" --nj "$nj" --out "$out/$2.npz" "${@:3}"
}
only_parts=$("$python" recipes/print_settings.py "$config" baseline.only_parts=false)
for each in dev test_80 "${more_sets[@]}"; do
  if [ "$each" = all_speakers ] && [ "$only_parts" = true ]; then continue; fi
  [ ! -d "$exp/data/$each" ] || compare "$each" "$each"
done
sentences=()
if [ "$only_parts" = false ]; then
  compare test_80 sentences --sentences
  [ ! -f "$out/sentences.npz" ] || sentences=(--sentences "$out/sentences.npz")
fi
recipes/score_run.sh --exp "$exp" --run "$out" --files "$out/%s.npz" ${sentences[@]+"${sentences[@]}"}
"$python" recipes/write_run.py --command "$command" --config "$config" --seconds "$SECONDS" --out "$out/run.json" \
  ${changes[@]+"${changes[@]/#--set/--override}"}
