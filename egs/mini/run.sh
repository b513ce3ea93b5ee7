#!/usr/bin/env bash
# A minute of the recipe of egs/voices, on 16 made-up voices: egs/mini/run.sh [--exp exp/mini]. Other options: --help.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

exp=exp/mini
for ((i = 1; i < $#; i++)); do
  if [ "${!i}" = --exp ]; then j=$((i + 1)) exp=${!j}; fi
done
"${PYTHON:-.venv/bin/python}" egs/mini/local/make_corpus.py --out "$exp/corpus"
PREPARE=../../voices/local/prepare_clustering.py recipes/cluster_speakers.sh mini --corpus "$exp/corpus" \
  --system blstm-pairwise-kl --system mfcc-statistics --system gmm --steps 40 --seed 1 "$@"
