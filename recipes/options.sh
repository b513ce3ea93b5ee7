# shellcheck shell=bash disable=SC2034  # what is declared here is used in the scripts
# The options of every shell script:
#
#   . recipes/options.sh
#   options corpus='' stop_stage=8 seed='1 2 3'    # --corpus DIR is $corpus, --stop-stage N is $stop_stage
#   flags force                                    # --force: $force is yes, otherwise empty
#   lists system                                   # --system NAME, repeatable: ${system[@]}
#   parse_options recipes/run_system.sh "$@"            # the script's path, and its arguments
#
# --name VALUE and --name=VALUE are equivalent. An option whose default is a number takes numbers. --help prints
# the comment at the head of the script, and of the files in ${help_files[@]}. An error is one line, and the
# exit status is 2. Afterwards $command is the command as given.

# Variables of this file begin with _, so an option may have any name.
help_files=()
_names=' ' _flags=' ' _lists=' ' _numbers=' ' _script=$0

fail() {
  echo "${_script##*/}: $1" >&2
  exit 2
}

options() {
  local _each _name _default
  for _each in "$@"; do
    _name=${_each%%=*} _default=${_each#*=}
    _names+="$_name "
    printf -v "$_name" '%s' "$_default"
    if [[ $_default =~ ^[0-9\ ]+$ ]]; then _numbers+="$_name "; fi
  done
}

flags() {
  local _name
  for _name in "$@"; do
    _flags+="$_name "
    printf -v "$_name" '%s' ''
  done
}

lists() {
  local _name
  for _name in "$@"; do
    _lists+="$_name "
    eval "$_name=()"
  done
}

# Check that each of the options has integers, or is empty.
need_numbers() {
  local _name _each
  for _name in "$@"; do
    for _each in ${!_name}; do
      [[ $_each =~ ^[0-9]+$ ]] || fail "--${_name//_/-}: a number is needed, got $_each; see --help"
    done
  done
}

need_folder() {
  [ -d "$1" ] || fail "$1: no such folder"
}

# Print the comment at the head of a file.
print_head() {
  local _line
  while IFS= read -r _line; do
    case $_line in
      '#!'* | '# shellcheck'*) ;;
      '#'*) _line=${_line#\#}; echo "${_line# }" ;;
      *) return 0 ;;
    esac
  done < "$1"
}

parse_options() {
  local _file _name _value
  _script=$1 command=$*
  shift
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        for _file in "$_script" ${help_files[@]+"${help_files[@]}"}; do print_head "$_file"; done
        exit 0
        ;;
      --*) ;;
      *) fail "unexpected argument $1; see --help" ;;
    esac
    _name=${1#--}
    _name=${_name%%=*}
    _name=${_name//-/_}
    if [[ $_flags == *" $_name "* && $1 != *=* ]]; then
      printf -v "$_name" yes
      shift
      continue
    fi
    [[ $_name =~ ^[a-z_]+$ && $_names$_lists == *" $_name "* ]] || fail "unknown option ${1%%=*}; see --help"
    case $1 in
      *=*) _value=${1#*=} ;;
      *)
        if [ $# -lt 2 ] || [[ $2 == --* ]]; then fail "$1 needs a value; see --help"; fi
        _value=$2
        shift
        ;;
    esac
    shift
    if [[ $_lists == *" $_name "* ]]; then
      eval "$_name+=(\"\$_value\")"
    else
      printf -v "$_name" '%s' "$_value"
    fi
  done
  # shellcheck disable=SC2086  # names are words
  need_numbers $_numbers
}
