"""Train a network that partitions sets of items, score it on sets of test, and write it as a folder.

Writes OUT/curve.tsv, with the loss on sets of dev, and OUT/checkpoint.safetensors during the training; at the
end OUT/model (config.toml, weights.safetensors) and OUT/scores.json. If it is started again, it resumes from
the checkpoint.

The sets of [sets] kind = "points" need no data. Those of embeddings and windows are drawn from tables of
`diarize embed` and the Kaldi data folders that were embedded, those of snippets from folders of
recipes/pack_features.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.embedding.models import write_config
from diarize.errors import ConfigError
from diarize.experiments.set_scores import random_labels, score_sets
from diarize.files.text import write_text
from diarize.networks import build_cluster_network
from diarize.networks.cluster_network import most_likely_clusters
from diarize.networks.weights import save_weights
from diarize.training.activity_training import read_training
from diarize.training.cluster_training import (
    ClusterLossConfig,
    ClusterObjective,
    share_within,
    train_clustering,
)
from diarize.training.set_kinds import DEV_SEED, TEST_SEED, held_out_sets, load_rows, make_sets, read_sets
from diarize.training.sets import SetSampler

TEST_BATCH = 25
UNUSED = ("batches", "n_speakers", "n_segments", "augment", "shuffle", "seconds")
"""Settings of a [training] table that concern batches of segments."""


def main() -> None:
    """Read the command line, train, score, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="TOML: [sets] [network] [loss] [training]")
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.SETTING=VALUE", help="overrides the config"
    )
    for name, what in (("data", "training"), ("dev", "the validation loss"), ("test", "the scores")):
        parser.add_argument(
            f"--{name}",
            type=Path,
            nargs="+",
            metavar=("PATH", "FOLDER"),
            help=f"rows for {what}: a folder of packed features, or a table and the data folder embedded",
        )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n-sets", type=int, default=300, help="sets of the scores (default: %(default)s)")
    parser.add_argument("--start-from", dest="start", type=Path, metavar="PATH", help="initial weights")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--seed", type=int, help="overrides the config's seed")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    source = str(arguments.config)
    tables = load_tables(arguments.config, RECIPE_TABLES, arguments.set)
    sets = read_sets(tables["sets"], source)
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    loss = validate(ClusterLossConfig, tables["loss"], f"{source}: [loss]")
    config = read_training({**tables["training"], **seed}, source, UNUSED, "a batch has sets of items")
    if config.seed in (TEST_SEED, DEV_SEED):
        raise ConfigError(f"{source}: seed {config.seed} is that of the sets of dev or test; choose another")
    torch.manual_seed(config.seed)
    network = build_cluster_network(tables["network"], f"{source}: [network]")
    if sets.n_most > network.n_most:
        raise ConfigError(
            f"{source}: [sets] n_most = {sets.n_most} is more than the {network.n_most} clusters of [network]"
        )
    if network.n_items is not None and set(sets.n_items) != {network.n_items}:
        raise ConfigError(
            f"{source}: [sets] n_items = {list(sets.n_items)}, but [network] takes {network.n_items}; "
            "make them equal"
        )
    rows = {
        name: load_rows(sets, *[*given, None][:2]) if (given := getattr(arguments, name)) else None
        for name in ("data", "dev", "test")
    }
    train, dev, test = (
        make_sets(each, size, network.n_inputs, number, rows[name])
        for name, each, size, number in (
            ("data", sets, config.batch_size, config.seed),
            ("dev", held_out_sets(sets), config.batch_size, DEV_SEED),
            ("test", held_out_sets(sets), TEST_BATCH, TEST_SEED),
        )
    )
    trained = train_clustering(
        network,
        train,
        dev,
        ClusterObjective(loss, share_within(train)),
        config,
        arguments.out,
        device=arguments.device,
        start=arguments.start,
    )
    folder = arguments.out / "model"
    save_weights(trained.cpu().half(), folder / "weights.safetensors")
    write_config(folder, {"sets": tables["sets"], "network": tables["network"]})
    scores = score(trained.float(), test, arguments.n_sets, sets.n_most)
    write_text(json.dumps(scores, indent=1) + "\n", arguments.out / "scores.json")
    rate, information = scores["misclassification_rate"], scores["normalized_mutual_information"]
    print(f"{folder}: written; {scores['n_sets']} sets: MR {100 * rate:.2f} %, NMI {information:.3f}")


@torch.inference_mode()
def score(network: torch.nn.Module, test: SetSampler, n_sets: int, n_most: int) -> dict[str, Any]:
    """The scores of the most likely clusters, and of random ones, on the first `n_sets` sets."""
    random = np.random.default_rng(TEST_SEED)
    pairs, by_chance = [], []
    for number in range(-(-n_sets // TEST_BATCH)):
        batch = test.batch(number)
        found = most_likely_clusters(network(*batch.inputs)).numpy()
        pairs += zip(batch.labels, found, strict=True)
        by_chance += [(true, random_labels(true, n_most, random)) for true in batch.labels]
    return {**score_sets(pairs[:n_sets]), "random": score_sets(by_chance[:n_sets])}


if __name__ == "__main__":
    run_script(main)
