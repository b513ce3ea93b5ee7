#!/usr/bin/env bash
# One speaker-clustering network with one seed: train it, embed the test speakers, score, report.
#
#   recipes/run_system.sh --exp DIR --config FILE --name NAME [--seed 1] [--steps N] [--train-set SET]
#                         [--set TABLE.SETTING=VALUE]... [--seconds S] [--test-shuffle none|segment|utterance]
#                         [--weights-of NAME [--snapshot N]] [--stage 3] [--stop-stage 5] [--force | --continue]
#
# Stages: 3 training, 4 embeddings and report.html, 5 scores.json and run.json. EXP holds data and features of
# recipes/cluster_speakers.sh; the result is EXP/NAME/seedN. --steps trains fewer batches than the config says;
# --weights-of takes the network of the run NAME of the same seed, or a snapshot of it, instead of training one.
# --force makes a finished run again; --continue trains its network further, to more --steps.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exp='' config='' name='' seed=1 steps='' train_set='' seconds='' shuffle=none weights_of='' snapshot='' stage=3 stop_stage=5 force='' further=''
sets=()
command="recipes/run_system.sh $*"
while [ $# -gt 0 ]; do
  case $1 in
    --exp) exp=$2; shift ;;
    --config) config=$2; shift ;;
    --name) name=$2; shift ;;
    --seed) seed=$2; shift ;;
    --steps) steps=$2; shift ;;
    --train-set) train_set=$2; shift ;;
    --set) sets+=(--set "$2"); shift ;;
    --seconds) seconds=$2; shift ;;
    --test-shuffle) shuffle=$2; shift ;;
    --weights-of) weights_of=$2; shift ;;
    --snapshot) snapshot=$2; shift ;;
    --stage) stage=$2; shift ;;
    --stop-stage) stop_stage=$2; shift ;;
    --force) force=yes ;;
    --continue) further=yes ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run_system.sh: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
[ -n "$exp" ] && [ -n "$config" ] && [ -n "$name" ] || { echo "run_system.sh: --exp, --config and --name are needed" >&2; exit 2; }
[ -f "$config" ] || { echo "run_system.sh: $config: no such file" >&2; exit 2; }

python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
# The C library keeps the memory of a batch for the next one; else a third of a CNN's time goes into page faults.
export MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_MMAP_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456
out=$exp/$name/seed$seed
setting() { sed -n "s/^$1 = [\"[]\{0,1\}\([^],\"]*\).*/\1/p" "$config"; }
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
[ -n "$train_set" ] || train_set=$(setting train)
if [ -n "$seconds" ]; then sets+=(--set "training.seconds=[$seconds, $seconds]"); else seconds=$(setting seconds); fi
[ -z "$steps" ] || sets+=(--set "training.n_steps=$steps")
layer=$(setting layer)
if [ -e "$out/run.json" ]; then
  [ -n "$force$further" ] ||
    { echo "run_system.sh: $out is finished; give --force to make it again, --continue to go on" >&2; exit 2; }
  rm -f "$out/run.json"
  [ -z "$force" ] || ! runs 3 || rm -rf "$out"
fi
trained=$exp/${weights_of:-$name}/seed$seed
weights=()
if [ -n "$snapshot" ]; then
  weights=(--weights "$(printf '%s/training/snapshots/%06d.safetensors' "$trained" "$snapshot")")
  [ -f "${weights[1]}" ] || { echo "$out: $trained was not trained for $snapshot batches; left out"; exit 0; }
fi
mkdir -p "$out"

if runs 3 && [ -z "$weights_of" ]; then
  "$python" recipes/train_embedding.py --features "$exp/features/$train_set" --config egs/timit/conf/features.toml "$config" \
    ${sets[@]+"${sets[@]}"} --held-out "$exp/data/$train_set/held_out" --out "$out/training" --seed "$seed"
fi

if runs 4; then
  for data in "$exp"/features/dev "$exp"/features/test_80 "$exp"/features/timit_sample; do
    [ -d "$data" ] || continue
    "$python" recipes/embed_parts.py --model "$trained/training/model" ${weights[@]+"${weights[@]}"} --data "$exp/data/$(basename "$data")" \
      --features "$data" --seconds "$seconds" --shuffle "$shuffle" --layers "$layer" --out "$out/embeddings/$(basename "$data")"
  done
  if [ -z "$weights_of" ]; then
    "$python" recipes/report_training.py --training "$out/training" --embeddings "$out/embeddings/test_80/$layer.npz" \
      --model "$out/training/model" --features "$exp/features/test_80" --seconds "$seconds" --title "$name, seed $seed"
  fi
fi

if runs 5; then
  recipes/score_run.sh "$exp" "$out" "$out/embeddings/%s/$layer.npz"
  read -r last took < <(tail -n 1 "$trained/training/curve.tsv" | cut -f 1,2 --output-delimiter=' ')
  "$python" recipes/write_run.py --command "$command" --config "$config" --seed "$seed" --steps "${snapshot:-$last}" \
    --seconds "$took" --paper-steps "$(setting n_steps)" --set "layer=$layer" --set "train=$train_set" --out "$out/run.json"
fi
