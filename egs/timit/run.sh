#!/usr/bin/env bash
# The speaker-clustering systems of ZHAW on TIMIT (LDC93S1, given by its path, never downloaded), from the corpus
# to a table beside their papers' figures.
#
#   egs/timit/run.sh --corpus DIR [--stage 1] [--stop-stage 8] [OPTION]...
#
# Stages: 1 data folders, 2 features, 3 training, 4 embeddings, 5 scores and reports, 6 baselines and
# identification, 7 experiments, 8 RESULTS.md.
#
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. recipes/clustering.sh
options corpus='' exp=exp/timit
parse_options egs/timit/run.sh "$@"
if runs 1; then need_corpus; fi
begin

# Sets of speakers, each with two parts of eight and two sentences: train_100 and the test speakers of the papers of
# 2016 to 2018; train_590, all but test_40; train_462, the speakers of TRAIN; all_speakers; dev, for thresholds,
# without the speakers of train_100 and test_80.
if at_stage 1 "speakers of train, dev and test"; then
  "$python" egs/timit/local/prepare_data.py --corpus "$corpus" --out "$exp/data"
  check_data "$exp/data/train_590"
  check_data "$exp/data/train_100" "$exp/data/dev" "$exp/data/test_80"
  add_noise
  make_synthetic egs/mini/local/make_corpus.py
fi

# The input of every network: 128 mels of 64 ms every 10 ms (recipes/conf/features.toml), by pack_features.py.
if at_stage 2 "features"; then
  pack_features train_100 train_synthetic train_462 train_590 dev test_80 noisy all_speakers
fi

# Each network of recipes/conf with each seed, by run_system.sh: training (3), the mean of a layer over each part
# (4), clusterings of the parts (5). Figures of the papers for 40 speakers, MR at the best cut of the tree; the
# legacy rate of the first two papers is stricter:
#   cnn-cross-entropy    5 %, legacy        previous: gmm, 12.5 %
#   cnn-pairwise-kl      5 %, legacy        cnn-cross-entropy, 5 %; for 80 speakers 14 %, no previous figure
#   blstm-pairwise-kl    2.19 %             cnn-pairwise-kl
#   cnn-cosface          0 %, 462 speakers  blstm-pairwise-kl, 2.19 %
if at_stages 3 5 "training, embeddings, scores"; then
  run_networks "$first" "$last"
fi

# Systems that train no network: mixtures (12.5 % in the paper), one-class machines (6.25 %) and others, by
# run_baseline.sh. Identification of the known speakers by their last two sentences, by identify_speakers.py:
# in the papers, mixtures make 0 errors of 630, the CNN 3 %.
if at_stage 6 "baselines and identification"; then
  run_baselines
  identify_speakers
fi

# MR over the length of a segment and over the length of the training; with shuffled frames;
# trained on synthetic voices (recipes/conf/experiments).
if at_stage 7 "experiments"; then
  run_experiments
fi

# Every figure beside its paper's: EXP/RESULTS.md.
if at_stage 8 "results"; then
  write_results
fi
conclude
