#!/usr/bin/env bash
# The speaker-clustering systems of ZHAW on VoxCeleb (given by its path, never downloaded).
#
#   egs/voxceleb/run.sh --corpus DIR [--stage 1] [--stop-stage 8] [OPTION]...
#
# DIR holds VoxCeleb 1 or 2, WAV or M4A: dev/aac/id00012/21Uxsk56VDQ/00001.m4a. Part A is the first 80 % of a
# speaker's recordings, sorted by video and file name, part B the rest. A hash of the speakers' names chooses half
# of them to train on. Stages and options are those of egs/voices/run.sh, which --help prints.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec egs/voices/run.sh --exp exp/voxceleb "$@"
