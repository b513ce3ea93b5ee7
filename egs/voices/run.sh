#!/usr/bin/env bash
# The experiments of egs/timit on a folder-per-speaker corpus: egs/voices/run.sh --corpus DIR. DIR holds
# <anything>/<speaker>/<recording>. Options and stages: --help.
#
# With --recipe bundled it makes the model that comes with diarize, with --recipe activity the network that finds
# speech and overlapping speech: see egs/voices/bundled.sh and egs/voices/activity.sh.
here=$(dirname "${BASH_SOURCE[0]}")
if [ "${1-}" = --recipe ] && [[ "${2-}" =~ ^(bundled|activity)$ ]]; then exec "$here/$2.sh" "${@:3}"; fi
export EXP=exp/clustering PREPARE=egs/voices/local/prepare_clustering.py
exec "$here/../../recipes/cluster_speakers.sh" voices "$@"
