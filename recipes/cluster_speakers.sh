#!/usr/bin/env bash
# Speaker clustering from a corpus to the table of the papers; egs/timit/run.sh and others call it.
#
#   egs/.../run.sh --corpus DIR [--system NAME]... [--stage 1] [--stop-stage 8] [--nj 2] [--seed "1 2 3"]
#                  [--steps N] [--set TABLE.SETTING=VALUE]... [--experiments FILE] [--exp DIR] [--results FILE] [--force]
#
# Stages: 1 data folders, 2 features, 3 training, 4 embeddings and reports, 5 scores, 6 baselines and
# identification, 7 experiments, 8 RESULTS.md. Without --system: every network of egs/timit/conf, every baseline
# and every experiment. --steps trains fewer batches than the papers did, --set changes a setting of all trainings,
# --experiments gives another list than egs/timit/conf/experiments.txt. Interrupted, run it again: trainings go
# on where they were, what is finished is kept (a system named by --system is refused without --force).
#
# A run.sh may set EXP, the default of --exp; PREPARE, its script of stage 1; MAKE_CORPUS, a script that makes the corpus before; and SYSTEMS,
# what is run without --system.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

egs=$1 corpus='' stage=1 stop_stage=8 nj=2 seeds="1 2 3" steps='' exp=${EXP:-exp/$1} results='' force=
systems=() sets=()
conf=egs/timit/conf
experiments=$conf/experiments.txt
command="egs/$1/run.sh ${*:2}"
shift
fail() { echo "run.sh: $1" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --force) force=yes; shift; continue ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
  esac
  [ $# -gt 1 ] || fail "$1 is an unknown option or lacks its value; see --help"
  case $1 in
    --corpus) corpus=$2 ;;
    --system) systems+=("$2") ;;
    --stage) stage=$2 ;;
    --stop-stage) stop_stage=$2 ;;
    --nj) nj=$2 ;;
    --seed) seeds=$2 ;;
    --steps) steps=$2 ;;
    --set) sets+=(--set "$2") ;;
    --experiments) experiments=$2 ;;
    --exp) exp=$2 ;;
    --results) results=$2 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift 2
done
networks=(cnn-cross-entropy cnn-pairwise-kl cnn-cosface cnn-sphereface
  blstm-pairwise-kl blstm-pairwise-kl-reshape blstm-pairwise-kl-speakers blstm-arcface)
baselines=(mfcc-statistics gmm svm anchor-gmm resnet)
chosen=" ${systems[*]-} "
[ ${#systems[@]} -gt 0 ] || chosen=" ${SYSTEMS:-${networks[*]} ${baselines[*]}} "

python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
trains() { [ "$stage" -le 5 ] && [ "$stop_stage" -ge 3 ]; }
say() { echo "== stage $1: $2 ($(date +%H:%M:%S))"; }
wanted() { [[ $chosen == *" $1 "* ]]; }
is_in() { [[ " ${*:2} " == *" $1 "* ]]; }
finished() { # folder of a run: whether to leave it as it is
  [ -e "$1/run.json" ] && [ -z "$force" ] && echo "$1: finished, kept"
}
job() { # name config options...: a line of the list of jobs, for each seed
  local seed line name=$1 config=$conf/$2.toml
  local options=("${@:3}")
  # A corpus has one of the two large sets.
  if grep -q '^train = "train_590"' "$config" && [ ! -d "$exp/data/train_590" ]; then options+=(--train-set train_329); fi
  for seed in $seeds; do
    finished "$exp/$name/seed$seed" && continue
    line=$(printf ' %q' --exp "$exp" --name "$name" --config "$config" --seed "$seed" ${steps:+--steps "$steps"} \
      ${force:+--force} ${sets[@]+"${sets[@]}"} ${options[@]+"${options[@]}"})
    echo "${line# }" >> "$exp/jobs.txt"
  done
}
run_jobs() { # the list of jobs, --nj at a time
  if [ -s "$exp/jobs.txt" ] && ! xargs -P "$nj" -L 1 recipes/run_system.sh < "$exp/jobs.txt"; then
    echo "run.sh: a network failed, see above; run it again to go on" >&2
    exit 1
  fi
  rm -f "$exp/jobs.txt"
}
test_sets() { for set in dev test_80 timit_sample; do [ ! -d "$exp/data/$set" ] || echo "$set"; done; }

for number in "$stage" "$stop_stage" "$nj" ${steps:+"$steps"} $seeds; do
  [[ $number =~ ^[0-9]+$ ]] || fail "a number is needed, got $number; see --help"
done
[ -f "$experiments" ] || [ "$experiments" = /dev/null ] || fail "$experiments: no such file"
for system in $chosen; do
  is_in "$system" "${networks[@]}" "${baselines[@]}" || fail "unknown system $system; known: ${networks[*]} ${baselines[*]}"
done
if [ -n "${MAKE_CORPUS-}" ]; then
  corpus=$exp/corpus
elif runs 1; then
  [ -n "$corpus" ] || fail "--corpus is missing; see --help"
  [ -d "$corpus" ] || fail "$corpus: no such folder"
fi
for system in ${systems[@]+"${systems[@]}"}; do
  made_by=trains own_seeds=$seeds
  ! is_in "$system" "${baselines[@]}" || made_by="runs 6" own_seeds=1
  for seed in $own_seeds; do
    if $made_by && [ -z "$force" ] && [ -e "$exp/$system/seed$seed/run.json" ]; then
      fail "$exp/$system/seed$seed is finished; give --force to make it again"
    fi
  done
done
mkdir -p "$exp"
rm -f "$exp/jobs.txt"

if runs 1; then
  say 1 "speakers of train, dev and test"
  [ -z "${MAKE_CORPUS-}" ] || "$python" "$MAKE_CORPUS" --out "$corpus"
  "$python" "${PREPARE:-egs/$egs/local/prepare_data.py}" --corpus "$corpus" --out "$exp/data"
fi

if runs 2; then
  say 2 "features"
  for set in train_100 train_329 train_590 $(test_sets); do
    [ ! -d "$exp/data/$set" ] || "$python" recipes/pack_features.py --data "$exp/data/$set" \
      --config $conf/features.toml --out "$exp/features/$set" --nj "$nj"
  done
fi

if trains; then
  first=$((stage > 3 ? stage : 3)) last=$((stop_stage < 5 ? stop_stage : 5))
  say "$first to $last" "training, embeddings, scores"
  for network in "${networks[@]}"; do
    ! wanted "$network" || job "$network" "$network" --stage "$first" --stop-stage "$last"
  done
  run_jobs
fi

if runs 6; then
  say 6 "baselines and identification"
  for baseline in "${baselines[@]}"; do
    out=$exp/$baseline/seed1
    if ! wanted "$baseline" || finished "$out"; then continue; fi
    started=$SECONDS
    for set in $(test_sets); do
      "$python" recipes/compare_utterances.py --system "$baseline" --data "$exp/data/$set" --train "$exp/data/train_100" \
        --nj "$nj" --out "$out/$set.npz"
    done
    recipes/score_run.sh "$exp" "$out" "$out/%s.npz"
    "$python" recipes/write_run.py --command "$command" --seconds $((SECONDS - started)) --out "$out/run.json"
  done
  for seed in $seeds; do
    network=$exp/cnn-cross-entropy/seed$seed out=$exp/identification/cnn/seed$seed
    if ! wanted cnn-cross-entropy || ! [ -e "$network/run.json" ] || finished "$out"; then continue; fi
    set=$(sed -n 's/^ "train": "\(.*\)".*/\1/p' "$network/run.json")
    "$python" recipes/identify_speakers.py --system cnn --data "$exp/data/$set" --features "$exp/features/$set" \
      --model "$network/training/model" --out "$out/scores.json"
    "$python" recipes/write_run.py --command "$command" --seed "$seed" --out "$out/run.json"
  done
  out=$exp/identification/gmm/seed1
  if wanted gmm && ! finished "$out"; then
    "$python" recipes/identify_speakers.py --system gmm --data "$exp/data/train_100" --out "$out/scores.json"
    "$python" recipes/write_run.py --command "$command" --out "$out/run.json"
  fi
fi

if runs 7; then
  say 7 "experiments"
  while read -r experiment network options; do
    # shellcheck disable=SC2086  # options are words
    if [[ $experiment != \#* ]] && wanted "$network"; then job "experiments/$experiment" "$network" $options; fi
  done < "$experiments"
  run_jobs
fi

if runs 8; then
  say 8 "results"
  "$python" recipes/write_results.py --exp "$exp" --paper $conf/paper.toml --out "${results:-$exp/RESULTS.md}"
fi
