#!/usr/bin/env bash
# The speaker-clustering systems of ZHAW on LibriSpeech (given by its path, never downloaded).
#
#   egs/librispeech/run.sh --corpus DIR [--stage 1] [--stop-stage 8] [OPTION]...
#
# DIR holds subsets beside each other: train-clean-100/19/198/19-198-0000.flac. Part A is the first 80 % of a
# speaker's recordings, sorted by chapter and file name, part B the rest. A hash of the speakers' names chooses half
# of them to train on. Stages and options are those of egs/voices/run.sh, which --help prints.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec egs/voices/run.sh --exp exp/librispeech "$@"
