# shellcheck shell=bash disable=SC2154  # options are declared as words
# Options of speaker clustering:
#   --exp DIR                     where everything is written
#   --system NAME                 only this system (repeatable); a finished one is refused without --force
#   --seed "1 2 3"                seeds of the networks
#   --steps N                     train for fewer batches than the papers
#   --set TABLE.SETTING=VALUE     change a setting of all trainings (repeatable)
#   --conf DIR                    folder of systems and experiments; default: recipes/conf
#   --nj N                        number of processes; networks trained at the same time
#   --device cuda                 where networks are trained and run; default: cpu
#   --results FILE                the page of results; default: EXP/RESULTS.md
#   --noise DIR, --rooms DIR      stage 1 also makes noisy copies of the recordings of test_40, with these background
#                                 recordings and impulse responses: a column of the results
# After an interruption, run the same command again: trainings resume, and finished results are kept. A system that
# fails does not stop the others: the table says that it was not run, and the exit status is 1.

# Common parts of each corpus's run.sh of speaker clustering: the options, and a function for each stage.
. recipes/stages.sh
help_files=(recipes/clustering.sh "${help_files[@]}")
options stage=1 stop_stage=8 nj=2 seed='1 2 3' steps='' device=cpu exp='' conf=recipes/conf results='' noise='' rooms=''
lists system set
failed=() # systems that failed
default_systems=() # the systems of a run without --system; none: all of --conf

# Check the options, and find the systems to run: $networks, $baselines and $identified.
begin() {
  local each seeds made number
  need_numbers steps
  need_stages 8
  chosen=()
  for each in ${system[@]+"${system[@]}"}; do chosen+=(--system "$each"); done
  if [ ${#chosen[@]} -eq 0 ]; then
    for each in ${default_systems[@]+"${default_systems[@]}"}; do chosen+=(--system "$each"); done
  fi
  networks=$(list_systems networks)
  baselines=$(list_systems baselines)
  identified=$(list_systems identified)
  for each in ${system[@]+"${system[@]}"}; do
    made='' seeds=$seed
    if is_one_of "$each" "$baselines"; then
      ! runs 6 || made=yes
      seeds=1
    elif [ "$stage" -le 5 ] && [ "$stop_stage" -ge 3 ]; then
      made=yes
    fi
    for number in $seeds; do
      if [ -n "$made" ] && [ -z "$force" ] && [ -e "$exp/$each/seed$number/run.json" ]; then
        fail "$exp/$each/seed$number is finished; give --force to make it again"
      fi
    done
  done
  mkdir -p "$exp"
  rm -f "$exp/jobs.txt"
}

list_systems() {
  "$python" recipes/list_systems.py "$1" --conf "$conf" ${chosen[@]+"${chosen[@]}"}
}

is_one_of() {
  [[ " ${2//$'\n'/ } " == *" $1 "* ]]
}

# Whether the run in a folder is finished and must be kept. A command $2... prints
# the settings that have changed.
finished() {
  local changed
  if [ ! -e "$1/run.json" ] || [ -n "$force" ]; then return 1; fi
  changed=$([ $# -eq 1 ] || "${@:2}")
  echo "$1: finished, kept${changed:+; its settings were others ($changed), --force makes it again}"
}

# Print the end of a recipe's run: its exit status is 1 if a system failed.
conclude() {
  [ ${#failed[@]} -eq 0 ] || {
    echo "${_script##*/}: failed, see above: ${failed[*]}; run the command again to resume" >&2
    exit 1
  }
}

# Stage 1: noisy copies of the recordings of test_40, with --noise or --rooms.
add_noise() {
  [ -z "$noise$rooms" ] || "$python" recipes/add_noise.py --data "$exp/data/test_80" \
    --speakers "$exp/data/lists/test_40.txt" ${noise:+--noise "$noise"} ${rooms:+--rooms "$rooms"} --out "$exp/data/noisy"
}

# Stage 1: as many synthetic voices as train_100 has speakers, by the script $1 (conf/experiments/synthetic.toml).
make_synthetic() {
  "$python" "$1" --out "$exp/synthetic" --seconds 3.5 \
    --speakers "$(wc -l < "$exp/data/lists/train_100.txt")" --data "$exp/data/train_synthetic"
}

# Stage 2: the features of each set that exists.
pack_features() {
  local each
  need_made "$exp/data" 1
  for each in "$@"; do
    [ ! -d "$exp/data/$each" ] || "$python" recipes/pack_features.py --data "$exp/data/$each" \
      --config recipes/conf/features.toml --out "$exp/features/$each" --nj "$nj"
  done
}

# Add a line to the list of jobs for each seed: name, system, options of run_system.sh.
add_job() {
  local number each line name=$1
  local words=()
  for number in $seed; do
    words=(--exp "$exp" --name "$name" --config "$conf/$2.toml" --seed "$number" ${steps:+--steps "$steps"})
    for each in ${set[@]+"${set[@]}"}; do words+=(--set "$each"); done
    words+=("${@:3}")
    finished "$exp/$name/seed$number" recipes/run_system.sh "${words[@]}" --check && continue
    line=$(printf ' %q' "${words[@]}" --device "$device" ${force:+--force})
    echo "${line# }" >> "$exp/jobs.txt"
  done
}

# Run the list of jobs, --nj at a time. A job that fails leaves the others alone.
run_jobs() {
  if [ -s "$exp/jobs.txt" ] && ! xargs -P "$nj" -L 1 recipes/run_system.sh < "$exp/jobs.txt"; then
    failed+=("$1")
  fi
  rm -f "$exp/jobs.txt"
}

# Stages 3 to 5: each network with each seed, stages $1 to $2 of run_system.sh.
run_networks() {
  local each seeds words=()
  need_made "$exp/features" 2
  if [ "$1" -le 3 ] && [ -z "$force" ]; then
    for each in ${set[@]+"${set[@]}"} ${steps:+"training.n_steps=$steps"}; do words+=(--set "$each"); done
    read -r -a seeds <<< "$seed"
    "$python" recipes/estimate_space.py --exp "$exp" --conf "$conf" ${chosen[@]+"${chosen[@]}"} \
      --seeds "${#seeds[@]}" ${words[@]+"${words[@]}"}
  fi
  for each in $networks; do add_job "$each" "$each" --stage "$1" --stop-stage "$2"; done
  run_jobs "a network"
}

# Stage 6: each baseline.
run_baselines() {
  local each
  need_made "$exp/data" 1
  for each in $baselines; do
    finished "$exp/$each/seed1" "$python" recipes/compare_settings.py "$exp/$each/seed1/run.json" \
      --config "$conf/$each.toml" ||
      recipes/run_baseline.sh --exp "$exp" --config "$conf/$each.toml" --name "$each" --nj "$nj" ||
      failed+=("$each")
  done
}

# Stage 6: identify the speakers of held-out recordings, by each trained network and by mixtures.
identify_speakers() {
  local each number trained out train
  for each in $identified; do
    if ! is_one_of "$each" "$networks"; then
      out=$exp/identification/$each/seed1
      finished "$out" && continue
      if "$python" recipes/identify_speakers.py --data "$exp/data/all_speakers" --out "$out/scores.json"; then
        "$python" recipes/write_run.py --command "$command" --out "$out/run.json"
      else
        failed+=("identification by $each")
      fi
      continue
    fi
    for number in $seed; do
      trained=$exp/$each/seed$number out=$exp/identification/$each/seed$number
      if ! [ -e "$trained/run.json" ] || finished "$out"; then continue; fi
      train=$("$python" recipes/print_settings.py "$trained/run.json" train)
      if "$python" recipes/identify_speakers.py --data "$exp/data/$train" --features "$exp/features/$train" \
        --model "$trained/training/model" --out "$out/scores.json"; then
        "$python" recipes/write_run.py --command "$command" --seed "$number" --out "$out/run.json"
      else
        failed+=("identification by $each")
      fi
    done
  done
}

# Stage 7: the runs of each experiment of --conf.
run_experiments() {
  local name network words lines
  need_made "$exp/features" 2
  lines=$(list_systems experiments)
  while read -r name network words; do
    # shellcheck disable=SC2086  # options are words
    [ -z "$name" ] || add_job "experiments/$name" "$network" --brief $words
  done <<< "$lines"
  run_jobs "an experiment"
}

# Stage 8: the page of results.
write_results() {
  "$python" recipes/write_results.py --exp "$exp" --conf "$conf" --out "${results:-$exp/RESULTS.md}"
}
