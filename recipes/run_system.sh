#!/usr/bin/env bash
# Run one speaker-clustering network with one seed: train it, embed the test speakers, score, report.
#
#   recipes/run_system.sh --exp DIR --config FILE --name NAME [--seed 1] [--steps N] [--train-set SET]
#                         [--set TABLE.SETTING=VALUE]... [--seconds S] [--test-shuffle none|segment|utterance]
#                         [--weights-of NAME [--snapshot N]] [--stage 3] [--stop-stage 5] [--device cpu]
#                         [--brief] [--force | --continue | --check]
#
# Stages: 3 training, 4 embeddings, 5 scores.json, run.json and report.html. EXP has the data and features
# that stages 1 and 2 of a corpus's run.sh make; the result is EXP/NAME/seedN. --steps overrides the config's
# number of batches. --train-set is by default the first of the config's sets that the corpus has. --weights-of
# uses the network of the run NAME with the same seed, or a snapshot of it, instead of a training. --continue
# extends the training of a finished run to more --steps. --brief scores the speakers of test_40 alone. --check only
# prints which settings of a finished run were others.
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. recipes/stages.sh
options exp='' config='' name='' seed=1 steps='' train_set='' seconds='' test_shuffle=none weights_of='' snapshot=''
options stage=3 stop_stage=5 device=cpu
flags continue check brief
lists set
parse_options recipes/run_system.sh "$@"
need_numbers steps snapshot
[[ -n $exp && -n $config && -n $name ]] || fail "--exp, --config and --name are needed"
[ -f "$config" ] || fail "$config: no such file"
trap '[ $? -eq 0 ] || echo "run_system.sh: $name, seed $seed: failed" >&2' EXIT

changes=()
for each in ${set[@]+"${set[@]}"} ${seconds:+"training.seconds=[$seconds, $seconds]"} ${steps:+"training.n_steps=$steps"}; do
  changes+=(--set "$each")
done
if [ -n "$check" ]; then
  exec "$python" recipes/compare_settings.py "$exp/$name/seed$seed/run.json" --config "$config" \
    ${changes[@]+"${changes[@]}"}
fi
settings=$("$python" recipes/print_settings.py "$config" ${changes[@]+"${changes[@]}"} \
  evaluation.train evaluation.layer training.seconds)
{ read -r -a train_sets; read -r layer; read -r length _; } <<< "$settings"
[ -n "$seconds" ] || seconds=$length
for each in "${train_sets[@]}"; do
  if [ -z "$train_set" ] && [ -d "$exp/data/$each" ]; then train_set=$each; fi
done
[ -n "$train_set" ] || train_set=${train_sets[0]} # if it is missing, the training reports it

out=$exp/$name/seed$seed
trained=$exp/${weights_of:-$name}/seed$seed
if [ -e "$out/run.json" ]; then
  [ -n "$force$continue" ] || fail "$out is finished; give --force to make it again, or --continue to extend it"
  rm -f "$out/run.json"
  [ -z "$force" ] || ! runs 3 || rm -rf "$out"
fi
weights=()
if [ -n "$snapshot" ]; then
  weights=(--weights "$(printf '%s/training/snapshots/%06d.safetensors' "$trained" "$snapshot")")
  [ -f "${weights[1]}" ] || { echo "$out: $trained was not trained for $snapshot batches; left out"; exit 0; }
fi
mkdir -p "$out"

if runs 3 && [ -z "$weights_of" ]; then
  "$python" recipes/train_embedding.py --features "$exp/features/$train_set" --config recipes/conf/features.toml "$config" \
    ${changes[@]+"${changes[@]}"} --held-out "$exp/data/$train_set/held_out" --out "$out/training" --seed "$seed" \
    --device "$device"
fi

sets=(dev test_80)
[ -n "$brief" ] || sets+=("${more_sets[@]}")
if runs 4; then
  for each in "${sets[@]}"; do
    [ -d "$exp/features/$each" ] || continue
    words=(--layers "$layer")
    [ "$each" != test_80 ] || words=(--sentences "$layer")
    "$python" recipes/embed_parts.py --model "$trained/training/model" ${weights[@]+"${weights[@]}"} \
      --data "$exp/data/$each" --features "$exp/features/$each" --seconds "$seconds" --shuffle "$test_shuffle" \
      "${words[@]}" --out "$out/embeddings/$each" --device "$device"
  done
fi

if runs 5; then
  words=(--layers "$out/embeddings/test_80")
  if [ -n "$brief" ]; then
    words+=(--brief)
  else
    words+=(--sentences "$out/embeddings/test_80/sentences/$layer.npz")
  fi
  recipes/score_run.sh --exp "$exp" --run "$out" --files "$out/embeddings/%s/$layer.npz" "${words[@]}"
  n_sentences=$(($(wc -l < "$exp/data/$train_set/utt2spk") - $(wc -l < "$exp/data/$train_set/held_out")))
  read -r last took < <(tail -n 1 "$trained/training/curve.tsv" | cut -f 1,2 --output-delimiter=' ')
  "$python" recipes/write_run.py --command "$command" --config "$config" --seed "$seed" --steps "${snapshot:-$last}" \
    --seconds "$took" --sentences "$n_sentences" --set "layer=$layer" --set "train=$train_set" --out "$out/run.json" \
    ${changes[@]+"${changes[@]/#--set/--override}"}
  if [ -z "$weights_of" ]; then # it tells what run.json does
    "$python" recipes/report_training.py --training "$out/training" --embeddings "$out/embeddings/test_80/$layer.npz" \
      --model "$out/training/model" --features "$exp/features/test_80" --seconds "$seconds" --title "$name, seed $seed"
  fi
fi
