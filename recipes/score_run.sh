#!/usr/bin/env bash
# Score one run on every list of test speakers, with recipes/score_clustering.py.
#
#   recipes/score_run.sh --exp DIR --run DIR --files PATTERN
#
# EXP/data/lists has the lists; RUN gets scores.json; PATTERN is the path of a set's file, with %s for its name.
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. recipes/options.sh
options exp='' run='' files=''
parse_options recipes/score_run.sh "$@"
[[ -n $exp && -n $run && -n $files ]] || fail "--exp, --run and --files are needed"

file_of() { echo "${files/\%s/$1}"; }
others=()
[ ! -f "$(file_of dev)" ] || others+=(--dev "$(file_of dev)")
[ ! -f "$(file_of timit_sample)" ] || others+=(--set "timit_sample=$(file_of timit_sample)")
"${PYTHON:-.venv/bin/python}" -W ignore recipes/score_clustering.py --test "$(file_of test_80)" \
  ${others[@]+"${others[@]}"} --speakers "$exp"/data/lists/test_*.txt --out "$run/scores.json"
