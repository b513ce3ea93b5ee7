#!/usr/bin/env bash
# The recipe of egs/voices on 16 synthetic voices, in about a minute. It needs no data.
#
#   egs/mini/run.sh [--stage 1] [--stop-stage 8] [OPTION]...
#
# All output is written to exp/mini. Stages: 1 corpus and data folders, 2 features, 3 training, 4 embeddings,
# 5 scores and report, 6 baselines and identification, 8 RESULTS.md.
#
# shellcheck disable=SC2154,SC2034  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. recipes/clustering.sh
options exp=exp/mini steps=30 seed=1
set=(network.hidden=64 training.batch_size=64 training.learning_rate=0.003 training.save_every=5)
default_systems=(blstm-pairwise-kl mfcc-statistics gmm)
parse_options egs/mini/run.sh "$@"
begin

if at_stage 1 "speakers of train, dev and test"; then
  "$python" egs/mini/local/make_corpus.py --out "$exp/corpus"
  "$python" egs/voices/local/prepare_clustering.py --corpus "$exp/corpus" --out "$exp/data"
  check_data "$exp/data/train_329" "$exp/data/dev" "$exp/data/test_80"
fi

if at_stage 2 "features"; then
  pack_features train_100 train_329 dev test_80
fi

if at_stages 3 5 "training, embeddings, scores"; then # a small network: MR 0 %
  run_networks "$first" "$last"
fi

if at_stage 6 "baselines and identification"; then # mfcc-statistics 0 %, gmm 0 %; no error in identification
  run_baselines
  identify_speakers
fi

if at_stage 8 "results"; then
  write_results
fi
conclude
