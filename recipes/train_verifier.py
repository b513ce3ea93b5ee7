#!/usr/bin/env python3
"""Train a model's verifier: scores of known voices, calibrated to a rate of false alarms.

TRAIN and DEV are Kaldi data folders of clips with utt2spk, of different speakers; DEV has utt2group, the
speakers to distinguish from each other, such as those of a language. If TRAIN has utt2corpus, each corpus is
centred on its own mean. A model folder gets verifier.safetensors; FILE.onnx gets FILE.verifier.safetensors
beside it. Models whose weights lie in a package, and joined models, need --out.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from diarize.audio import SAMPLE_RATE, Samples, find_audio, load_audio
from diarize.cli.script import run_script
from diarize.config import EmbeddingConfig
from diarize.embedding.embedder import Embedder
from diarize.errors import DiarizeError
from diarize.formats.kaldi import read_corpora, read_utt2spk, read_whole_recordings
from diarize.segments import Segment
from diarize.speakers.enrolment import save_verifier, verifier_file
from diarize.speakers.plda import Backend, centre_groups, learn_backend
from diarize.speech.windows import sliding_windows
from diarize.training.verifier import (
    MATCHES,
    channel_copies,
    draw_sides,
    fit_verifier,
    hear_clip,
    make_trials,
)

SHORTEST = 0.8  # of a window's length; the only window of a shorter clip is left out
LONGEST = 5.0  # seconds of a training clip
MOST_CLIPS = 4  # of a training speaker
SECONDS = ((3.0, 1.5), (3.0, 5.0), (10.0, 1.5), (10.0, 5.0), (10.0, 15.0), (30.0, 15.0))  # enrolled, tested
DRAWS = 3  # of each development speaker

Backgrounds = tuple[list[Samples], list[Samples]]


def learn(
    folder: Path, skip: list[str], embedder: Embedder, backgrounds: Backgrounds
) -> tuple[np.ndarray, Backend]:
    """The mean embedding and the back end of training speakers, each of whose clips is in two channels."""
    data = read_whole_recordings(folder)
    corpora = read_corpora(folder, data.utt2spk)
    own = defaultdict(list)
    for clip, speaker in data.utt2spk.items():
        if corpora[clip] not in skip:
            own[speaker].append(clip)
    random = np.random.default_rng(5)
    chosen = [
        clips[i]
        for clips in own.values()
        if len(clips) > 1
        for i in random.permutation(len(clips))[:MOST_CLIPS]
    ]
    window, hop = EmbeddingConfig().window, EmbeddingConfig().hop
    vectors, heard, channels = [], [], []
    for number, clip in enumerate(chosen):
        samples = load_audio(data.wav_scp[clip])[: round(LONGEST * SAMPLE_RATE)]
        windows = sliding_windows([Segment(0.0, len(samples) / SAMPLE_RATE)], window, hop)
        windows = [each for each in windows if each.duration > SHORTEST * window]
        copies = list(channel_copies(samples, *backgrounds, np.random.default_rng((7, number))))
        for channel, copy in (copies[0], copies[1 + number % 2]):
            if windows:
                vectors.append(embedder.windows([copy], windows))
                heard += [clip] * len(windows)
                channels += [channel] * len(windows)
    X, channel = np.concatenate(vectors).astype(np.float64), np.array(channels)
    centre = np.mean([X[channel == each].mean(axis=0) for each in np.unique(channel)], axis=0)
    centred = centre_groups(X, [corpora[clip] for clip in heard])
    speakers = [data.utt2spk[clip] for clip in heard]
    try:
        backend = learn_backend(centred, speakers, np.char.add(np.array(heard), channel), n_dims=X.shape[1])
    except ValueError as error:
        raise DiarizeError(f"{folder}: {error}") from error
    print(f"{folder}: {len(X)} windows of {len(set(speakers))} speakers, in three channels")
    return centre, backend


def main() -> None:
    """Learn, calibrate, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=Path, required=True, help="Kaldi data folder with utt2spk")
    parser.add_argument(
        "--dev", type=Path, required=True, help="Kaldi data folder with utt2spk and utt2group"
    )
    parser.add_argument("--noise", type=Path, required=True, help="folder of noises")
    parser.add_argument("--rooms", type=Path, required=True, help="folder of impulse responses")
    parser.add_argument("--model", required=True, help="model folder, FILE.onnx, or a name")
    parser.add_argument("--out", type=Path, help="folder for verifier.safetensors (default: the model)")
    parser.add_argument(
        "--skip", nargs="+", default=[], metavar="CORPUS", help="corpora of TRAIN to leave out, if present"
    )
    arguments = parser.parse_args()

    out = arguments.out or Path(arguments.model)
    verifier_file(out).unlink(missing_ok=True)  # one of other weights would be refused
    embedder = Embedder(arguments.model, device="cpu", threads=1)
    backgrounds = tuple(
        [load_audio(path) for path in find_audio(each)] for each in (arguments.noise, arguments.rooms)
    )
    dev = read_whole_recordings(arguments.dev)
    groups = read_utt2spk(arguments.dev / "utt2group")
    centre, backend = learn(arguments.train, arguments.skip, embedder, backgrounds)
    clips = {
        (clip, channel): hear_clip(samples, embedder)
        for number, clip in enumerate(dev.utt2spk)
        for channel, samples in channel_copies(
            load_audio(dev.wav_scp[clip]), *backgrounds, np.random.default_rng((8, number))
        )
    }
    conditions = [
        make_trials(draws, *match)
        for seconds in SECONDS
        if (draws := draw_sides(clips, dev.utt2spk, groups, seconds, DRAWS, seed=0))
        for match in MATCHES
    ]
    if not conditions:
        raise DiarizeError(f"{arguments.dev}: no speaker has {sum(SECONDS[0]):g} s of speech in two clips")
    verifier = fit_verifier(centre, backend, conditions)
    save_verifier(verifier, out, embedder.model.fingerprint)
    window, session, scale, offset = verifier.law
    print(f"{verifier_file(out)}: w {window:g} s, c {session:g}, a {scale:.3f}, b {offset:.2f}")
    for share, score in verifier.tail:
        print(f"{share:.1%} of the pairs of different speakers reach {score:.2f} nats")


if __name__ == "__main__":
    run_script(main)
