#!/usr/bin/env bash
# A minute of the recipe of egs/voices, on 16 made-up voices: egs/mini/run.sh. Nothing is needed but the product;
# everything is written to exp/mini. Options and stages: --help.
MAKE_CORPUS=egs/mini/local/make_corpus.py PREPARE=egs/voices/local/prepare_clustering.py \
  SYSTEMS="blstm-pairwise-kl mfcc-statistics gmm" \
  exec "$(dirname "${BASH_SOURCE[0]}")/../../recipes/cluster_speakers.sh" mini \
  --steps 60 --seed 1 --set training.batch_size=64 --set training.learning_rate=0.003 --set training.save_every=10 \
  --experiments /dev/null "$@"
