#!/usr/bin/env bash
# The speaker-clustering systems of ZHAW on TIMIT (LDC93S1, given by its path, never downloaded), from the
# corpus to their papers' table: egs/timit/run.sh --corpus DIR. Options and stages: --help.
exec "$(dirname "${BASH_SOURCE[0]}")/../../recipes/cluster_speakers.sh" timit "$@"
