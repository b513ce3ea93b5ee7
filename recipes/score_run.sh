#!/usr/bin/env bash
# Score one run on every list of test speakers, with recipes/score_clustering.py.
#
#   recipes/score_run.sh --exp DIR --run DIR --files PATTERN [--layers DIR] [--sentences FILE] [--brief]
#
# EXP/data/lists has the lists; RUN gets scores.json; PATTERN is the path of a set's file, with %s for its name.
# LAYERS has a file of test_80 for each layer. --brief scores the speakers of test_40 alone.
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. recipes/stages.sh
options exp='' run='' files='' sentences='' layers=''
flags brief
parse_options recipes/score_run.sh "$@"
[[ -n $exp && -n $run && -n $files ]] || fail "--exp, --run and --files are needed"

file_of() { echo "${files/\%s/$1}"; }
main=$exp/data/lists/test_40.txt
lists=("$exp"/data/lists/test_*.txt)
others=(--main "$main" ${sentences:+--sentences "$sentences"})
[ ! -f "$(file_of dev)" ] || others+=(--dev "$(file_of dev)")
for each in ${layers:+"$layers"/*.npz}; do
  name=${each##*/}
  others+=(--layer "${name%.npz}=$each")
done
if [ -n "$brief" ]; then
  lists=("$main")
  others+=(--compare)
else
  for each in "${more_sets[@]}"; do
    [ ! -f "$(file_of "$each")" ] || others+=(--set "$each=$(file_of "$each")")
  done
  others+=(--compare test_40 all_speakers)
fi
"$python" -W ignore recipes/score_clustering.py --test "$(file_of test_80)" \
  "${others[@]}" --speakers "${lists[@]}" --out "$run/scores.json"
