#!/usr/bin/env bash
# Score one run on every list of test speakers there is, by recipes/score_clustering.py.
#
#   recipes/score_run.sh EXP RUN PATTERN      # PATTERN: the file of a set, with %s for the set's name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -eq 3 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 2; }
exp=$1 run=$2 pattern=$3
file() { echo "${pattern/\%s/$1}"; }
options=()
[ ! -f "$(file dev)" ] || options+=(--dev "$(file dev)")
[ ! -f "$(file timit_sample)" ] || options+=(--set "timit_sample=$(file timit_sample)")
"${PYTHON:-.venv/bin/python}" -W ignore recipes/score_clustering.py --test "$(file test_80)" ${options[@]+"${options[@]}"} \
  --speakers "$exp"/data/lists/test_*.txt --out "$run/scores.json"
