"""Training: a tiny network learns tiny speakers, and an interruption leaves no trace."""

import math
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from helpers import unit_rows
from planted import (
    N_FRAMES,
    N_SPEAKERS,
    RATES,
    SENTENCES,
    clip_of,
    curve_without_seconds,
    pack_speakers,
    tiny_network,
)
from safetensors.torch import load_file

from diarize.errors import ConfigError, ModelError
from diarize.networks.resnet import ResNet
from diarize.networks.weights import load_weights, save_weights
from diarize.scoring.verification import equal_error_rate, make_trials
from diarize.training.augment import tilt
from diarize.training.checkpoints import read_curve
from diarize.training.contract import Facts, Objective
from diarize.training.embedding_training import build_sampler, input_frames, train_embedding
from diarize.training.loop import train
from diarize.training.objectives import objective_class, read_loss
from diarize.training.optimizers import TrainingConfig, build_optimizer, learning_rate_at
from diarize.training.packed import PackedFeatures
from diarize.training.samplers import SentenceSampler, SpeakerSampler

SPEAKERS = {
    "n_steps": 90, "n_speakers": 8, "n_segments": 2, "seconds": (0.4, 0.6), "learning_rate": 2e-2,
    "warm_up": 5, "save_every": 30, "average": 0.9,
}  # fmt: skip
KINDS = ("cross-entropy", "pairwise-kl", "angular-margin")


@pytest.fixture(scope="module")
def features(tmp_path_factory) -> PackedFeatures:
    return pack_speakers(tmp_path_factory.mktemp("features"))


def by_speakers(**changes) -> TrainingConfig:
    """Batches of speakers, for a resnet."""
    return TrainingConfig(**(SPEAKERS | changes))


def by_sentences(optimizer: str = "adam", **changes) -> TrainingConfig:
    """Batches of sentences, for a classifier."""
    return TrainingConfig(
        **(SENTENCES | {"optimizer": optimizer, "learning_rate": RATES[optimizer]} | changes)
    )


def table_of(**table):
    return read_loss(table, "test")


def loss_of(kind: str):
    margin = {"cos": 0.1, "scale": 10.0} if kind == "angular-margin" else {"margin": 2.0}
    return table_of(kind=kind, **margin)


def classifier(family: str, kind: str = "cross-entropy"):
    return tiny_network(family, "cosine" if kind == "angular-margin" else "linear")


def same_weights(network, other) -> bool:
    state = other.state_dict()
    return all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())


# Embeddings


def error_rate(network: ResNet) -> float:
    """The equal error rate on clips that were not trained on, each through another microphone."""
    random = np.random.default_rng(99)
    speakers = [str(speaker) for speaker in range(N_SPEAKERS) for _ in range(4)]
    mel = np.stack([tilt(clip_of(int(speaker), random), random) for speaker in speakers])
    with torch.no_grad():
        vectors = network.eval()(torch.from_numpy(mel)).numpy()
    trials, same = make_trials(speakers, ["all"] * len(speakers))
    return equal_error_rate((vectors[trials[:, 0]] * vectors[trials[:, 1]]).sum(axis=1), same)


@pytest.fixture(scope="module")
def trained(features, tmp_path_factory):
    """The folder and the network of a training that was not interrupted."""
    folder = tmp_path_factory.mktemp("trained")
    network = train_embedding(
        tiny_network(), features, by_speakers(), folder,
        on_checkpoint=lambda step, network: {"half": step / 2, "eval": float(not network.training)},
    )  # fmt: skip
    return folder, network


def test_the_loss_falls_and_unknown_clips_are_told_apart(trained):
    folder, network = trained
    curve = read_curve(folder / "curve.tsv")
    assert curve[-1]["arcface"] < 0.6 * curve[0]["arcface"]
    assert curve[-1]["prototypical"] < 0.6 * curve[0]["prototypical"]
    assert error_rate(tiny_network()) > 0.2
    assert error_rate(network) < 0.1
    assert not network.training


def test_the_curve_has_a_line_a_checkpoint(trained):
    curve = read_curve(trained[0] / "curve.tsv")
    expected = ["step", "seconds", "learning_rate", "arcface", "prototypical", "half", "eval"]
    assert list(curve[0]) == expected
    assert [line["step"] for line in curve] == [30, 60, 90]
    assert [line["half"] for line in curve] == [15, 30, 45]
    assert all(line["eval"] for line in curve), "the network is measured as it will be used"
    seconds = [line["seconds"] for line in curve]
    assert seconds == sorted(seconds)
    rates = [line["learning_rate"] for line in curve]
    cosine = [2e-2 * (0.5 + 0.5 * math.cos(math.pi * (step - 5) / 85)) + 1e-6 for step in (29, 59, 89)]
    np.testing.assert_allclose(rates, cosine, rtol=1e-5)


def test_a_finished_training_is_not_repeated(features, trained):
    folder, whole = trained
    curve = (folder / "curve.tsv").read_text()
    assert same_weights(train_embedding(tiny_network(), features, by_speakers(), folder), whole)
    assert (folder / "curve.tsv").read_text() == curve


def test_more_batches_at_a_constant_rate_go_on_from_fewer(features, tmp_path):
    def steps(n_steps: int) -> TrainingConfig:
        return by_speakers(n_steps=n_steps, schedule="constant", save_every=2)

    train_embedding(tiny_network(), features, steps(5), tmp_path / "parts")
    longer = train_embedding(tiny_network(), features, steps(8), tmp_path / "parts")
    assert same_weights(longer, train_embedding(tiny_network(), features, steps(8), tmp_path / "whole"))
    message = f"{tmp_path / 'parts'}: already has 8 batches, 5 requested; use another folder"
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        train_embedding(tiny_network(), features, steps(5), tmp_path / "parts")


@pytest.mark.parametrize("ends", [(5, 9), (1, 3, 8), (4, 8)])
def test_the_losses_of_an_extended_training_are_means_since_the_line_before(features, tmp_path, ends):
    """After an end that is no multiple of save_every, the sum of fewer steps was divided by save_every."""

    def steps(n_steps: int, save_every: int) -> TrainingConfig:
        return by_speakers(n_steps=n_steps, schedule="constant", save_every=save_every)

    train_embedding(tiny_network(), features, steps(ends[-1], 1), tmp_path / "each")
    each = read_curve(tmp_path / "each" / "curve.tsv")
    for end in ends:
        train_embedding(tiny_network(), features, steps(end, 4), tmp_path / "parts")
    first = 0
    lines = read_curve(tmp_path / "parts" / "curve.tsv")
    assert [line["step"] for line in lines] == sorted({*ends, *range(4, ends[-1] + 1, 4)})
    for line in lines:
        last = int(line["step"])
        for name in ("arcface", "prototypical"):
            expected = np.mean([other[name] for other in each[first:last]])
            np.testing.assert_allclose(line[name], expected, rtol=1e-4)
        first = last


def test_a_column_that_an_extended_training_adds_is_empty_before(split, tmp_path):
    training, held_out = split
    config = {"save_every": 5, "schedule": "constant"}
    loss = loss_of("cross-entropy")
    train_embedding(classifier("cnn"), training, by_sentences(n_steps=5, **config), tmp_path, loss=loss)
    longer = by_sentences(n_steps=10, **config)
    train_embedding(classifier("cnn"), training, longer, tmp_path, loss=loss, validation=held_out)
    first, second = read_curve(tmp_path / "curve.tsv")
    assert list(first) == list(second)
    assert np.isnan(first["validation_loss"])
    assert second["validation_loss"] > 0


def test_a_margin_that_grows_costs_less_at_first_and_the_same_in_the_end(features, tmp_path):
    def curve(name: str, ramp: int) -> list[float]:
        loss = table_of(margin=0.5, ramp=ramp, prototypical=0)
        config = by_speakers(n_steps=2, save_every=1, learning_rate=1e-9, warm_up=0)
        train_embedding(tiny_network(), features, config, tmp_path / name, loss=loss)
        return [line["arcface"] for line in read_curve(tmp_path / name / "curve.tsv")]

    at_once, growing = curve("at_once", 0), curve("growing", 2)
    assert growing[0] < at_once[0]
    assert growing[1] == pytest.approx(at_once[1], rel=1e-2)


def test_a_training_starts_from_the_averaged_weights_of_another(features, trained, tmp_path):
    start = trained[0] / "checkpoint.safetensors"
    still = by_speakers(n_steps=1, learning_rate=1e-12, warm_up=0, weight_decay=0.0, average=0.0)
    begun = train_embedding(tiny_network(), features, still, tmp_path / "new", start=start)
    for name, weight in trained[1].named_parameters():
        torch.testing.assert_close(begun.get_parameter(name), weight, atol=1e-5, rtol=1e-5)
    with pytest.raises(ModelError, match="written for another network or other speakers; start from another"):
        train_embedding(tiny_network(dim=16), features, still, tmp_path / "other", start=start)
    with pytest.raises(ModelError, match="no checkpoint or model folder to start from"):
        train_embedding(tiny_network(), features, still, tmp_path / "none", start=tmp_path / "none")


def test_a_training_starts_from_a_model_folder(trained, features, tmp_path):
    (tmp_path / "model").mkdir()
    save_weights(trained[1], tmp_path / "model" / "weights.safetensors")
    still = by_speakers(n_steps=1, learning_rate=1e-12, warm_up=0, weight_decay=0.0, average=0.0)
    # A wider margin is another objective, whose weights are not in the folder.
    loss = table_of(margin=0.4)
    begun = train_embedding(
        tiny_network(), features, still, tmp_path / "new", loss=loss, start=tmp_path / "model"
    )
    for name, weight in trained[1].named_parameters():
        torch.testing.assert_close(begun.get_parameter(name), weight, atol=1e-5, rtol=1e-5)
    with pytest.raises(ModelError, match="written for another network or other speakers; start from another"):
        train_embedding(tiny_network(dim=16), features, still, tmp_path / "b", start=tmp_path / "model")
    with pytest.raises(ModelError, match="no checkpoint or model folder to start from"):
        train_embedding(tiny_network(), features, still, tmp_path / "c", start=tmp_path / "new")


@pytest.mark.parametrize("change", [{"n_steps": 91}, {"seed": 2}, {"seconds": (0.4, 0.7)}])
def test_a_checkpoint_of_other_settings_is_refused(features, trained, change):
    path = trained[0] / "checkpoint.safetensors"
    message = f"{path}: written with other settings; remove it or use another folder"
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        train_embedding(tiny_network(), features, by_speakers(**change), trained[0])
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        train_embedding(tiny_network(), features, by_speakers(), trained[0], loss=table_of(margin=0.3))


def test_a_checkpoint_of_another_network_is_refused(features, trained):
    message = (
        r"checkpoint\.safetensors: written for another network or other speakers; remove it or use another"
    )
    with pytest.raises(ModelError, match=message):
        train_embedding(tiny_network(dim=16), features, by_speakers(), trained[0])


def test_the_seed_decides(features, tmp_path):
    def weights(folder: str, seed: int) -> torch.Tensor:
        short = by_speakers(n_steps=2, seed=seed)
        return train_embedding(tiny_network(), features, short, tmp_path / folder).embedding.weight

    first = weights("a", 1)
    assert torch.equal(first, weights("b", 1))
    assert not torch.equal(first, weights("c", 2))


def test_a_teacher_is_followed(features, tmp_path):
    """Its targets for the first speed are one direction a speaker: the network's vectors come near them."""
    directions = unit_rows(N_SPEAKERS, 8).astype(np.float32)
    targets = directions[np.arange(60) % N_SPEAKERS][:, None]  # (clips, speeds, dim)
    loss = table_of(distillation=20.0, prototypical=0)
    network = train_embedding(tiny_network(), features, by_speakers(), tmp_path, loss=loss, targets=targets)
    curve = read_curve(tmp_path / "curve.tsv")
    assert list(curve[0]) == ["step", "seconds", "learning_rate", "arcface", "distillation"]
    assert curve[-1]["distillation"] < 0.6 * curve[0]["distillation"]
    random = np.random.default_rng(3)
    mel = np.stack([clip_of(speaker, random) for speaker in range(N_SPEAKERS)])
    with torch.no_grad():
        cosines = (network(torch.from_numpy(mel)).numpy() * directions).sum(axis=1)
    assert cosines.mean() > 0.4


# Classifiers


@pytest.mark.parametrize(("family", "kind", "optimizer"), list(product(("cnn", "blstm"), KINDS, RATES)))
def test_every_optimizer_lowers_every_loss(features, tmp_path, family, kind, optimizer):
    schedule = "constant" if family == "cnn" else "cosine"
    config = by_sentences(optimizer, schedule=schedule, mixed_precision=optimizer == "adam")
    train_embedding(classifier(family, kind), features, config, tmp_path, loss=loss_of(kind))
    losses = [line[kind] for line in read_curve(tmp_path / "curve.tsv")]
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("family", ["cnn", "blstm"])
def test_unknown_clips_are_recognised(features, tmp_path, family):
    config = by_sentences(n_steps=120, learning_rate=5e-3, save_every=120)
    network = train_embedding(classifier(family), features, config, tmp_path, loss=loss_of("cross-entropy"))
    random = np.random.default_rng(99)
    mel = np.stack([clip_of(speaker, random, N_FRAMES) for speaker in range(N_SPEAKERS)])
    with torch.no_grad():
        recognised = network(torch.from_numpy(mel)).argmax(dim=1)
    assert (recognised == torch.arange(N_SPEAKERS)).float().mean() > 0.8


def test_a_step_of_sgd_is_the_gradient_times_the_rate(features, tmp_path):
    config = by_sentences("sgd", n_steps=1, learning_rate=0.5)
    trained = train_embedding(classifier("blstm"), features, config, tmp_path, loss=loss_of("cross-entropy"))
    network = classifier("blstm").train()
    batch = SentenceSampler(features, 24, (N_FRAMES, N_FRAMES), seed=1).batch(0)
    torch.manual_seed(1_000_003)  # of the dropout
    logits = network(torch.from_numpy(batch.mel))
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.speaker)).backward()
    for name, parameter in network.named_parameters():
        expected = parameter.detach() - 0.5 * parameter.grad
        torch.testing.assert_close(trained.get_parameter(name).detach(), expected, msg=name)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [0.05, 0.1, 0.1]), ("cosine", [0.05, 0.1, 0.1 * (0.5 + 0.5 * math.cos(math.pi / 2))])],
)
def test_the_rate_warms_up_and_then_follows_its_schedule(features, tmp_path, schedule, expected):
    config = by_sentences(
        "sgd", learning_rate=0.1, n_steps=4, warm_up=2, schedule=schedule, save_every=1, batch_size=2
    )
    train_embedding(classifier("blstm"), features, config, tmp_path, loss=loss_of("cross-entropy"))
    rates = [line["learning_rate"] for line in read_curve(tmp_path / "curve.tsv")]
    np.testing.assert_allclose(rates[:2] + rates[3:], expected, rtol=1e-4)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_every_cycle_of_the_rate_is_like_the_first(schedule):
    once = by_sentences("sgd", n_steps=5, warm_up=2, schedule=schedule)
    thrice = once.model_copy(update={"n_steps": 15, "cycles": 3})
    rates = [learning_rate_at(once, step) for step in range(5)]
    assert len(set(rates)) > 1
    assert [learning_rate_at(thrice, step) for step in range(15)] == 3 * rates


def test_the_optimizers_are_those_of_the_papers():
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    adadelta = build_optimizer(by_sentences("adadelta"), parameters).defaults
    assert (adadelta["rho"], adadelta["eps"], adadelta["lr"]) == (0.95, 1e-6, 1.0)
    nesterov = build_optimizer(by_sentences("nesterov"), parameters).defaults
    assert (nesterov["momentum"], nesterov["nesterov"]) == (0.9, True)
    assert build_optimizer(by_sentences("sgd"), parameters).defaults["momentum"] == 0
    adam = build_optimizer(by_sentences("adam", weight_decay=0.1), parameters).defaults
    assert (adam["betas"], adam["eps"], adam["weight_decay"]) == ((0.9, 0.999), 1e-8, 0.1)


def test_batches_are_of_speakers_or_of_sentences(features):
    sentences = build_sampler(features, by_sentences(shuffle="utterance"), (20, 30))
    assert isinstance(sentences, SentenceSampler)
    assert (sentences.batch_size, sentences.n_frames, sentences.shuffle) == (24, (20, 30), "utterance")
    speakers = build_sampler(features, by_speakers(shuffle="segment", augment=False), (20, 30))
    assert isinstance(speakers, SpeakerSampler)
    assert (speakers.n_speakers, speakers.shuffle, speakers.augment) == (8, "segment", False)


def test_frames_of_a_segment():
    assert input_frames(classifier("cnn"), 0.2, 100) == 20
    network = tiny_network()
    assert input_frames(network, 0.4, 100) == network.context + network.stride * (40 // network.stride - 1)


# Validation


@pytest.fixture(scope="module")
def split(features) -> tuple[PackedFeatures, PackedFeatures]:
    """Four clips of each speaker, and the fifth."""
    return features.select(features.clip < 48), features.select(features.clip >= 48)


def test_the_validation_loss_is_that_of_the_kept_weights(split, tmp_path):
    config = by_sentences(average=0.5, validation_batches=3, keep="best", batch_size=16)
    loss = loss_of("cross-entropy")
    best = train_embedding(classifier("cnn"), split[0], config, tmp_path, loss=loss, validation=split[1])
    losses = [line["validation_loss"] for line in read_curve(tmp_path / "curve.tsv")]
    assert losses[-1] < 0.8 * losses[0]
    sampler = SentenceSampler(split[1], 16, (N_FRAMES, N_FRAMES), seed=1)
    with torch.no_grad():
        by_hand = [
            torch.nn.functional.cross_entropy(
                best(torch.from_numpy(batch.mel)), torch.from_numpy(batch.speaker)
            )
            for batch in (sampler.batch(number) for number in range(3))
        ]
    assert min(losses) == pytest.approx(float(np.mean(by_hand)), rel=1e-4)


def test_a_loss_on_embeddings_is_validated_on_batches_of_speakers(split, tmp_path):
    config = by_speakers(n_steps=20, save_every=10, average=0.0, validation_batches=2)
    train_embedding(tiny_network(), split[0], config, tmp_path, validation=split[1])
    losses = [line["validation_loss"] for line in read_curve(tmp_path / "curve.tsv")]
    assert losses[1] < losses[0]


@pytest.mark.parametrize(
    ("changes", "told"), [({"patience": 2}, "patience"), ({"keep": "best"}, "keep = 'best'")]
)
def test_what_needs_a_validation_loss_is_refused_without_one(split, tmp_path, changes, told):
    with pytest.raises(ConfigError, match=f"'training.{told}' needs a validation loss"):
        train_embedding(tiny_network(), split[0], by_speakers(**changes), tmp_path)


def mislabelled(validation: PackedFeatures) -> PackedFeatures:
    """Clips under the next speaker's name: the more is learnt, the higher is the loss."""
    return replace(validation, speaker=(validation.speaker + 1) % N_SPEAKERS)


@pytest.mark.parametrize(("patience", "last"), [(0, 30), (1, 10), (3, 20)])
def test_patience_ends_a_training_and_the_best_weights_are_kept(split, tmp_path, patience, last):
    config = by_sentences(
        save_every=5, patience=patience, keep="best", learning_rate=2e-2, schedule="constant"
    )

    def run(folder, config=config):
        return train_embedding(
            classifier("blstm"), split[0], config, folder,
            loss=loss_of("cross-entropy"), validation=mislabelled(split[1]),
        )  # fmt: skip

    kept = run(tmp_path / "a")
    curve = read_curve(tmp_path / "a" / "curve.tsv")
    assert np.argmin([line["validation_loss"] for line in curve]) == 0, "or nothing is planted"
    assert curve[-1]["step"] == last
    five = run(tmp_path / "b", by_sentences(save_every=5, n_steps=5, learning_rate=2e-2, schedule="constant"))
    assert same_weights(kept, five)
    loaded = classifier("blstm")
    load_weights(loaded, tmp_path / "a" / "best.safetensors")
    assert same_weights(loaded, five)

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir() if path.suffix != ".tsv"}
    assert same_weights(run(tmp_path / "a"), five), "started again, it stays finished"
    assert read_curve(tmp_path / "a" / "curve.tsv") == curve
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_last_weights_are_kept_unless_the_best_are_asked_for(split, tmp_path):
    config = by_sentences(n_steps=10, save_every=5, learning_rate=2e-2)
    loss = loss_of("cross-entropy")
    last = train_embedding(
        classifier("blstm"), split[0], config, tmp_path, loss=loss, validation=mislabelled(split[1])
    )
    best = classifier("blstm")
    load_weights(best, tmp_path / "best.safetensors")
    assert not same_weights(last, best)


def test_snapshots_are_the_weights_on_the_way(features, tmp_path):
    config = by_sentences(snapshot_every=4, n_steps=12, save_every=5, average=0.5)
    loss = loss_of("cross-entropy")
    trained = train_embedding(classifier("cnn"), features, config, tmp_path / "a", loss=loss)
    snapshots = tmp_path / "a" / "snapshots"
    assert sorted(path.name for path in snapshots.iterdir()) == [
        f"{step:06d}.safetensors" for step in (4, 8, 12)
    ]
    for step, same in ((12, True), (8, False)):
        snapshot = classifier("cnn")
        load_weights(snapshot, snapshots / f"{step:06d}.safetensors")
        assert same_weights(snapshot, trained) is same


# KeyboardInterrupts


INTERRUPTED = [
    ("resnet", "embedding", by_speakers(n_steps=24, save_every=3)),
    ("resnet", "embedding", by_speakers(n_steps=24, save_every=3, shuffle="segment", optimizer="sgd")),
    ("cnn", "pairwise-kl", by_sentences("adadelta", save_every=3, mixed_precision=True)),
    ("cnn", "cross-entropy", by_sentences("nesterov", save_every=3, average=0.9, shuffle="utterance")),
    ("blstm", "angular-margin", by_sentences("adam", save_every=3, n_steps=29)),
    ("blstm", "pairwise-kl", by_sentences("adamw", save_every=3, clip_gradient=1.0, weight_decay=0.1)),
]


@pytest.mark.parametrize(("family", "kind", "config"), INTERRUPTED)
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(split, tmp_path, family, kind, config):
    steps = np.arange(config.save_every, config.n_steps, config.save_every)
    to_come = set(np.random.default_rng(len(str(config))).choice(steps, 4, replace=False).tolist())

    def measure(step: int, network) -> dict[str, float]:
        return {"half": step / 2, "eval": float(not network.training)}

    def interrupt(step: int, network) -> dict[str, float]:
        if step in to_come:
            to_come.remove(step)
            raise KeyboardInterrupt
        return measure(step, network)

    def run(folder, on_checkpoint):
        network = classifier(family, kind)
        if (folder / "checkpoint.safetensors").exists():
            for parameter in network.parameters():
                torch.nn.init.zeros_(parameter)  # the checkpoint's weights count, not these
        return train_embedding(
            network, split[0], config, folder,
            loss=loss_of(kind), validation=split[1], on_checkpoint=on_checkpoint,
        )  # fmt: skip

    whole = run(tmp_path / "whole", measure)
    resumed = None
    while resumed is None:
        try:
            resumed = run(tmp_path / "parts", interrupt)
        except KeyboardInterrupt:
            continue
    assert not to_come
    assert same_weights(resumed, whole)
    for name in ("checkpoint", "best"):
        ours, theirs = (load_file(tmp_path / part / f"{name}.safetensors") for part in ("parts", "whole"))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert curve_without_seconds(tmp_path / "parts") == curve_without_seconds(tmp_path / "whole")


# What cannot be


def refused(message: str, network, features, config, folder, **others) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        train_embedding(network, features, config, folder, **others)
    assert not list(folder.iterdir())


def test_more_speakers_a_batch_than_there_are_is_told(features, tmp_path):
    message = "a batch needs 13 speakers, but the features have 12; lower [training] n_speakers"
    refused(message, tiny_network(), features, by_speakers(n_speakers=13), tmp_path)


def test_a_prototypical_loss_on_batches_of_sentences_is_told(features, tmp_path):
    message = (
        "[loss] kind = 'embedding' compares segments of one speaker and needs [training] "
        "batches = 'speakers'; set it, or prototypical = 0"
    )
    refused(message, tiny_network(), features, by_speakers(batches="sentences"), tmp_path)


@pytest.mark.parametrize(("seconds", "said"), [((0.2, 0.3), "20 to 30"), ((0.25, 0.25), "25 to 25")])
def test_segments_that_a_cnn_does_not_take_are_told(features, tmp_path, seconds, said):
    message = (
        f"[training] seconds = {list(seconds)} are {said} frames, but [network] n_frames = 20; "
        "make them equal"
    )
    loss = loss_of("cross-entropy")
    refused(message, classifier("cnn"), features, by_sentences(seconds=seconds), tmp_path, loss=loss)


def test_a_speaker_that_is_held_out_whole_is_told(features, tmp_path):
    seen, unseen = features.select(features.speaker > 0), features.select(features.speaker == 0)
    message = "all sentences of a speaker are held out; keep sentences of every speaker for training"
    refused(
        message, classifier("blstm"), seen, by_sentences(), tmp_path,
        loss=loss_of("cross-entropy"), validation=unseen,
    )  # fmt: skip


def test_distillation_without_targets_is_a_mistake(features, tmp_path):
    with pytest.raises(ValueError, match="distillation needs targets, got None"):
        train_embedding(tiny_network(), features, by_speakers(), tmp_path, loss=table_of(distillation=1.0))


# Numbers that are not finite


class Growing(SentenceSampler):
    """Its batches of some numbers are not finite, or so large that a gradient is not."""

    broken_from, factor = 7, np.nan

    def batch(self, number):
        batch = super().batch(number)
        if number >= self.broken_from:
            batch.mel[:] *= self.factor
        return batch


class Cubic(Objective):
    """Where outputs are large, its loss is finite in float32 and its gradient is not."""

    def forward(self, outputs, batch, share=1.0):
        return {"cubic": 1e-30 * ((outputs - outputs.detach()) * 1e38 * 1e38).sum() + outputs.detach().mean()}


def test_a_loss_that_is_not_finite_ends_a_training_with_the_checkpoint_before_it(features, tmp_path):
    """It went on, and wrote weights that are no numbers."""
    sampler = Growing(features, 8, (N_FRAMES, N_FRAMES), seed=1)
    network = classifier("blstm")
    objective = objective_class("cross-entropy")(loss_of("cross-entropy"), Facts(N_SPEAKERS, N_SPEAKERS))
    config = by_sentences(n_steps=20, save_every=3, snapshot_every=2, average=0.5)
    message = (
        f"{tmp_path}: step 8: the loss 'cross-entropy' is nan; use another folder and a lower learning_rate"
    )
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        train(network, sampler, objective, config, tmp_path)
    assert [line["step"] for line in read_curve(tmp_path / "curve.tsv")] == [3, 6]
    assert len(list((tmp_path / "snapshots").iterdir())) == 3
    for path in tmp_path.rglob("*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(path).values()), path


def test_weights_that_are_not_finite_are_not_written(features, tmp_path):
    """A gradient may overflow though the loss of the batch did not."""
    sampler = SentenceSampler(features, 8, (N_FRAMES, N_FRAMES), seed=1)
    objective = Cubic(TrainingConfig())
    config = by_sentences(n_steps=1)
    message = f"{tmp_path}: step 1: the weights '.*' are not finite; use another folder"
    with pytest.raises(ModelError, match=f"^{message}"):
        train(classifier("blstm"), sampler, objective, config, tmp_path)
    assert not list(tmp_path.iterdir())


# Any layer


def test_a_loss_on_a_layer_trains_up_to_it_and_goes_on_after_an_interruption(features, tmp_path):
    """The layers behind it get no gradient: the optimizer has no state for them."""
    loss = table_of(layer="dense1", margin=0.1, prototypical=0)

    def steps(n_steps: int):
        return by_sentences("adam", n_steps=n_steps, schedule="constant", save_every=4, average=0.5)

    whole = train_embedding(classifier("cnn"), features, steps(30), tmp_path / "whole", loss=loss)
    train_embedding(classifier("cnn"), features, steps(7), tmp_path / "parts", loss=loss)
    assert same_weights(
        train_embedding(classifier("cnn"), features, steps(30), tmp_path / "parts", loss=loss), whole
    )
    losses = [line["arcface"] for line in read_curve(tmp_path / "whole" / "curve.tsv")]
    assert losses[-1] < 0.7 * losses[0]
    fresh = classifier("cnn")
    assert not torch.equal(whole.dense1.weight, fresh.dense1.weight)
    torch.testing.assert_close(whole.dense2.weight, fresh.dense2.weight)


# A GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("family", "kind"), [("cnn", "pairwise-kl"), ("blstm", "cross-entropy")])
@pytest.mark.parametrize("mixed_precision", [False, True])
def test_a_gpu_learns_the_same(split, tmp_path, family, kind, mixed_precision):
    config = by_sentences("adadelta", mixed_precision=mixed_precision)

    def interrupt(step: int, network) -> dict[str, float]:
        if step == 20:
            raise KeyboardInterrupt
        return {}

    def run(device: str, on_checkpoint=None):
        return train_embedding(
            classifier(family, kind), split[0], config, tmp_path / device,
            loss=loss_of(kind), validation=split[1], device=device, on_checkpoint=on_checkpoint,
        )  # fmt: skip

    with pytest.raises(KeyboardInterrupt):
        run("cuda", interrupt)
    assert next(run("cuda").parameters()).is_cuda
    run("cpu")
    # Another dropout: the losses are of the same size, not the same.
    gpu, cpu = ([line[kind] for line in read_curve(tmp_path / d / "curve.tsv")] for d in ("cuda", "cpu"))
    np.testing.assert_allclose(gpu, cpu, rtol=0.25)
