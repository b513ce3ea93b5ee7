#!/usr/bin/env bash
# The experiments of egs/timit on a corpus with a folder for each speaker.
#
#   egs/voices/run.sh --corpus DIR [--stage 1] [--stop-stage 8] [OPTION]...
#
# DIR has <anything>/<speaker>/<recording>. With --recipe NAME as the first argument, the script makes a model, by
# egs/voices/NAME.sh: bundled, the embedding model that comes with diarize; activity, the network of speech and
# overlap; local, a network of local speakers; pairwise_kl, the BLSTM that comes with diarize; sets, networks that
# learn to cluster.
#
# Stages: 1 data folders, 2 features, 3 training, 4 embeddings, 5 scores and reports, 6 baselines and
# identification, 7 experiments, 8 RESULTS.md.
#
# shellcheck disable=SC2154  # options are declared as words
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [[ "${1-} ${2-}" =~ ^--recipe[=\ ](activity|bundled|local|pairwise_kl|sets)(\ |$) ]]; then
  [[ $1 == *=* ]] || shift
  exec "egs/voices/${BASH_REMATCH[1]}.sh" "${@:2}"
fi
. recipes/clustering.sh
options corpus='' exp=exp/clustering
parse_options egs/voices/run.sh "$@"
if runs 1; then need_corpus; fi
begin

# The speakers of conf/lists. For other corpora, a hash splits them: half to train, an eighth to dev, the rest to
# test. The first 80 % of a speaker's recordings are part A, the rest part B.
if at_stage 1 "speakers of train, dev and test"; then
  "$python" egs/voices/local/prepare_clustering.py --corpus "$corpus" --out "$exp/data"
  check_data "$exp/data/train_329" "$exp/data/dev" "$exp/data/test_80"
  add_noise
  make_synthetic egs/mini/local/make_corpus.py
fi

# The input of every network: 128 mels of 64 ms every 10 ms (recipes/conf/features.toml), by pack_features.py.
if at_stage 2 "features"; then
  pack_features train_100 train_synthetic train_329 dev test_80 timit_sample noisy all_speakers
fi

# Each network of recipes/conf with each seed, by run_system.sh: training (3), the mean of a layer over each part
# (4), clusterings of the parts (5). RESULTS.md here, 40 speakers, seed 1:
#
#                        MR, oracle cut  dominant sets  batches        previous
#   cnn-cross-entropy        8.75 %        1.25 %       1800 of 6579   gmm, 12.5 %
#   blstm-pairwise-kl        7.50 %        5.00 %       10000          cnn-cross-entropy
#   cnn-cosface              5.00 %        3.75 %       1078           blstm-pairwise-kl
#   cnn-sphereface          10.00 %        2.50 %       1078           cnn-cosface
#   blstm-arcface            8.75 %        7.50 %       1000           blstm-pairwise-kl
if at_stages 3 5 "training, embeddings, scores"; then
  run_networks "$first" "$last"
fi

# Systems that train no network, by run_baseline.sh: gmm 12.5 %, svm 23.75 %, mfcc-statistics 8.75 %, and the bundled
# model (resnet) 5.0 %. Identification of known speakers by held-out recordings, by identify_speakers.py.
if at_stage 6 "baselines and identification"; then
  run_baselines
  identify_speakers
fi

# MR over the length of a segment and over the length of the training (20 % after 500 batches, 5 % after 8,000, 7.5 %
# after 10,000); with shuffled frames; trained on synthetic voices (recipes/conf/experiments).
if at_stage 7 "experiments"; then
  run_experiments
fi

# Every figure beside its paper's: EXP/RESULTS.md. egs/voices/RESULTS.md was written from egs/voices/runs, which
# keep_runs.py made, with --out egs/voices/RESULTS.md --notes egs/voices/conf/results_notes.md.
if at_stage 8 "results"; then
  write_results
fi
conclude
