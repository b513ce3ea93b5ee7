#!/usr/bin/env bash
# Speaker clustering from a corpus to the table of the papers; egs/timit/run.sh and others call it.
#
#   egs/.../run.sh --corpus DIR [--system NAME]... [--stage 1] [--stop-stage 8] [--nj 2] [--seed "1 2 3"]
#                  [--steps N] [--exp DIR] [--results FILE] [--force]
#
# Stages: 1 data folders, 2 features, 3 training, 4 embeddings and reports, 5 scores, 6 baselines and
# identification, 7 experiments, 8 RESULTS.md. Without --system: every network of egs/timit/conf, every baseline
# and every experiment. --steps trains fewer batches than the papers did. Interrupted, run it again: trainings go
# on where they were, what is finished is kept (named by --system, it is refused without --force).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

egs=$1 corpus='' stage=1 stop_stage=8 nj=2 seeds="1 2 3" steps='' exp=exp/$1 results='' force=
systems=()
command="egs/$1/run.sh ${*:2}"
shift
while [ $# -gt 0 ]; do
  case $1 in
    --corpus) corpus=$2; shift ;;
    --system) systems+=("$2"); shift ;;
    --stage) stage=$2; shift ;;
    --stop-stage) stop_stage=$2; shift ;;
    --nj) nj=$2; shift ;;
    --seed) seeds=$2; shift ;;
    --steps) steps=$2; shift ;;
    --exp) exp=$2; shift ;;
    --results) results=$2; shift ;;
    --force) force=yes ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
conf=egs/timit/conf
networks=(cnn-cross-entropy cnn-pairwise-kl cnn-cosface cnn-sphereface
  blstm-pairwise-kl blstm-pairwise-kl-reshape blstm-pairwise-kl-speakers blstm-arcface)
baselines=(mfcc-statistics gmm svm anchor-gmm)
known=" ${networks[*]} ${baselines[*]} "
for system in ${systems[@]+"${systems[@]}"}; do
  [[ $known == *" $system "* ]] || { echo "run.sh: unknown system $system; known:$known" >&2; exit 2; }
done
if [ "$stage" -le 1 ]; then
  [ -n "$corpus" ] || { echo "run.sh: --corpus is missing; see --help" >&2; exit 2; }
  [ -d "$corpus" ] || { echo "run.sh: $corpus: no such folder" >&2; exit 2; }
fi

python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
say() { echo "== stage $1: $2 ($(date +%H:%M:%S))"; }
wanted() { [ ${#systems[@]} -eq 0 ] || [[ " ${systems[*]} " == *" $1 "* ]]; }
finished() { # folder of a run: whether to leave it as it is
  [ -e "$1/run.json" ] && [ -z "$force" ] || return 1
  [ ${#systems[@]} -eq 0 ] || { echo "run.sh: $1 is finished; give --force to make it again" >&2; exit 2; }
  echo "$1: finished, kept"
}
job() { # name config options...: a line of the list of jobs, for each seed
  local seed name=$1 config=$2
  shift 2
  for seed in $seeds; do
    finished "$exp/$name/seed$seed" || echo "--exp $exp --name $name --config $conf/$config.toml --seed $seed" \
      "${steps:+--steps $steps} ${force:+--force} $*" >> "$exp/jobs.txt"
  done
}
run_jobs() { # the list of jobs, --nj at a time
  [ ! -s "$exp/jobs.txt" ] || xargs -P "$nj" -L 1 recipes/run_system.sh < "$exp/jobs.txt"
  rm -f "$exp/jobs.txt"
}
test_sets() { for set in dev test_80 timit_sample; do [ ! -d "$exp/data/$set" ] || echo "$set"; done; }
mkdir -p "$exp"
rm -f "$exp/jobs.txt"

if runs 1; then
  say 1 "speakers of train, dev and test"
  "$python" "egs/$egs/local/${PREPARE:-prepare_data.py}" --corpus "$corpus" --out "$exp/data"
fi

if runs 2; then
  say 2 "features"
  for set in train_100 train_590 $(test_sets); do
    [ ! -d "$exp/data/$set" ] || "$python" recipes/pack_features.py --data "$exp/data/$set" \
      --config $conf/features.toml --out "$exp/features/$set" --nj "$nj"
  done
fi

if [ "$stage" -le 5 ] && [ "$stop_stage" -ge 3 ]; then
  say "$((stage > 3 ? stage : 3)) to $((stop_stage < 5 ? stop_stage : 5))" "training, embeddings, scores"
  for network in "${networks[@]}"; do
    ! wanted "$network" || job "$network" "$network" --stage "$((stage > 3 ? stage : 3))" --stop-stage "$stop_stage"
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
    if ! wanted cnn-cross-entropy || ! [ -d "$network/training/model" ] || finished "$out"; then continue; fi
    "$python" recipes/identify_speakers.py --system cnn --data "$exp/data/train_100" --features "$exp/features/train_100" \
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
  done < $conf/experiments.txt
  run_jobs
fi

if runs 8; then
  say 8 "results"
  "$python" recipes/write_results.py --exp "$exp" --paper $conf/paper.toml --out "${results:-$exp/RESULTS.md}"
fi
