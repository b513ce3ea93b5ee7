# shellcheck shell=bash disable=SC2154,SC2034  # options are declared as words
# Options of every recipe:
#   --stage N, --stop-stage N   first and last stage
#   --force                     make finished results again

. recipes/options.sh
help_files+=(recipes/stages.sh)
flags force

more_sets=(timit_sample noisy all_speakers) # clustered besides dev and test_80, where they exist
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
# The C library keeps the memory of a batch for the next one. Otherwise page faults take a fifth to a third of a
# training.
export MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_MMAP_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456

trap 'exit 130' INT # of a script that starts others: Ctrl-C ends all of them

# Check that the stages from --stage to --stop-stage are within 1 to $1, and that there is a Python to run them.
need_stages() {
  if [ "$stage" -lt 1 ] || [ "$stop_stage" -gt "$1" ] || [ "$stage" -gt "$stop_stage" ]; then
    fail "no stages from $stage to $stop_stage; there are 1 to $1"
  fi
  command -v "$python" > /dev/null || fail "$python: not found; run make demo first, which installs it"
}

# Check that a path is there, which stage $2 makes.
need_made() {
  [ -e "$1" ] || fail "$1: missing; run stage $2 first"
}

# Check that --corpus is given and is a folder.
need_corpus() {
  [ -n "$corpus" ] || fail "--corpus is missing; see --help"
  need_folder "$corpus"
}

# Check the recordings of data folders, the sets of one training: check_data DIR/train DIR/dev DIR/test.
# An error, such as an unreadable recording or one in two sets, ends the recipe.
check_data() {
  "$python" -m diarize check --quick "$@"
}

# Whether a stage is to be run.
runs() {
  [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]
}

# The same, and print it: at_stage 2 "features".
at_stage() {
  runs "$1" || return 1
  echo "== stage $1: $2 ($(date +%H:%M:%S))"
}

# The same for several stages, of which $first to $last are to be run: at_stages 3 5 "training, embeddings, scores".
at_stages() {
  first=$((stage > $1 ? stage : $1)) last=$((stop_stage < $2 ? stop_stage : $2))
  [ "$first" -le "$last" ] || return 1
  echo "== stage $first to $last: $3 ($(date +%H:%M:%S))"
}

# Whether a setting of a TOML file is present and not 0: is_set conf/bundled.toml loss.distillation.
is_set() {
  local value
  value=$("$python" recipes/print_settings.py "$1" "$2=0") || exit
  [ "$value" != 0 ]
}
