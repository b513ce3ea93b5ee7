"""Errors in recognising known people, and in linking people across recordings, as Markdown tables.

    python benchmarks/known_voices.py --data FOLDER [FOLDER ...] --noise DIR --rooms DIR [--dev FOLDER]

FOLDER is a Kaldi data folder of clips with utt2spk and utt2group, of speakers on whom nothing was trained or
chosen. A side has some seconds of clips of one speaker, as it is, over the telephone, or from afar (in a
room, with noise 5 to 15 dB below); no clip is on both sides.

Identification: some speakers are known, the others are nobody known. Missed and wrong names are shares of the
tests of known speakers, false names a share of those of the others. Verification: pairs of one speaker that
are missed, and pairs of different speakers of one group, such as a language, that are accepted.

With --dev, the speakers on whom the model was calibrated, the threshold of all channels is compared with one
for each match of channels, which the same share of these speakers' pairs reaches.

Linking: conversations in two sets, of the same speakers but no clip in both. Precision and recall are of
pairs of speakers from both sets; links within a set count as wrong where the speakers differ.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
from printing import header, table

from diarize.audio import SAMPLE_RATE, Samples, find_audio, load_audio
from diarize.batch.result_voices import ResultVoices
from diarize.batch.voices import link_results
from diarize.config import load_config
from diarize.embedding.embedder import Embedder
from diarize.embedding.voices import voices_of
from diarize.errors import DiarizeError
from diarize.formats.kaldi import DataFolder, read_utt2spk, read_whole_recordings
from diarize.pipeline.diarizer import Diarizer
from diarize.pipeline.enrolment import embed_speakers
from diarize.pipeline.recognition import find_verifier
from diarize.segments import Turn
from diarize.speakers.enrolment import Verifier
from diarize.training.conversation_set import ConversationSet, Shape
from diarize.training.verifier import (
    MATCHES,
    Draw,
    EmbeddedClip,
    channel_copies,
    draw_sides,
    hear_clip,
    make_trials,
    score_trials,
)

SECONDS = ((3.0, 1.5), (3.0, 5.0), (10.0, 1.5), (10.0, 5.0), (10.0, 15.0), (30.0, 15.0))
"""Of the enrolled and of the tested side."""
Pair = tuple[float, float]
DRAWS, SPLITS = 3, 50
SHAPE = Shape(seconds=(60.0, 60.0), n_speakers=(2, 4), overlap=0.1, longest_phrase=10.0)
LEAST = 12.0
"""Seconds of clips that a speaker of the conversations has in each set."""


def embed_clips(
    folders: list[Path], embedder: Embedder, backgrounds: tuple[list[Samples], list[Samples]], seed: int
) -> tuple[dict[tuple[str, str], EmbeddedClip], dict[str, str], dict[str, str], dict[str, str]]:
    """The clips of data folders in every channel; the speaker, the group and the file of each."""
    clips: dict[tuple[str, str], EmbeddedClip] = {}
    speakers: dict[str, str] = {}
    groups: dict[str, str] = {}
    files: dict[str, str] = {}
    for folder in folders:
        data = read_whole_recordings(folder)
        speakers |= data.utt2spk
        files |= data.wav_scp
        groups |= read_utt2spk(folder / "utt2group")
    for number, clip in enumerate(speakers):
        random = np.random.default_rng((seed, number))
        for channel, samples in channel_copies(load_audio(files[clip]), *backgrounds, random):
            clips[clip, channel] = hear_clip(samples, embedder)
    return clips, speakers, groups, files


def draw_all(
    clips: dict[tuple[str, str], EmbeddedClip], speakers: dict[str, str], groups: dict[str, str]
) -> dict[Pair, list[Draw]]:
    """Sides of every pair of lengths for which there are more than three speakers."""
    draws = {seconds: draw_sides(clips, speakers, groups, seconds, DRAWS, seed=0) for seconds in SECONDS}
    return {seconds: each for seconds, each in draws.items() if len({draw.speaker for draw in each}) > 3}


def identify(verifier: Verifier, draws: list[Draw], match: tuple[str, str], n_known: int, rate: float) -> str:
    """Missed, wrong and false names in %, over random choices of the known speakers."""
    scores = score_trials(verifier, make_trials(draws, *match))
    speakers = np.array([draw.speaker for draw in draws])
    random, counts = np.random.default_rng(0), Counter[str]()
    for _ in range(SPLITS):
        names = random.permutation(np.unique(speakers))
        known = names[: min(n_known, len(names) // 2)]
        enrolled = np.array([random.choice(np.flatnonzero(speakers == name)) for name in known])
        needed = verifier.threshold(rate, len(known))
        # The draw that is enrolled is also tested, by its other side; other draws may share clips with it.
        for row, name in zip(enrolled, known, strict=True):
            found = scores[enrolled, row]
            best = known[found.argmax()] if found.max() > needed else None
            counts["known"] += 1
            counts["missed"] += best is None
            counts["wrong"] += best not in (None, name)
        others = np.flatnonzero(~np.isin(speakers, known))
        counts["others"] += len(others)
        counts["false"] += int((scores[np.ix_(enrolled, others)].max(axis=0) > needed).sum())
    missed, wrong = (100 * counts[key] / counts["known"] for key in ("missed", "wrong"))
    return f"{missed:.1f}, {wrong:.1f}, {100 * counts['false'] / counts['others']:.1f}"


def verify(verifier: Verifier, draws: list[Draw], match: tuple[str, str], rate: float) -> str:
    """Missed and false pairs in %."""
    trials = make_trials(draws, *match)
    accepted = score_trials(verifier, trials) > verifier.threshold(rate, 1)
    return f"{100 * (1 - accepted[trials.same].mean()):.1f}, {100 * accepted[trials.different].mean():.2f}"


def own_thresholds(
    verifier: Verifier, dev: dict[Pair, list[Draw]], test: dict[Pair, list[Draw]], rate: float
) -> list[list[str]]:
    """For each match of channels, errors at the common threshold, and at that of the match on dev.

    Missed and false pairs in %, means over the pairs of lengths.
    """
    rows = []
    for match in MATCHES:
        scores: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for name, draws in (("dev", dev), ("test", test)):
            for each in draws.values():
                trials = make_trials(each, *match)
                all_scores = score_trials(verifier, trials)
                scores.setdefault(name, []).append((all_scores[trials.same], all_scores[trials.different]))
        different = [others for _, others in scores["dev"]]
        weights = np.concatenate([np.full(len(each), 1 / len(each) / len(different)) for each in different])
        pooled = np.concatenate(different)
        order = np.argsort(-pooled)
        own = float(pooled[order][np.searchsorted(np.cumsum(weights[order]), rate)])
        cells = [" / ".join(dict.fromkeys(match)), f"{own:.2f}"]
        for needed in (verifier.threshold(rate, 1), own):
            for sides in scores.values():
                missed = np.mean([(same <= needed).mean() for same, _ in sides])
                false = np.mean([(others > needed).mean() for _, others in sides])
                cells.append(f"{100 * missed:.1f}, {100 * false:.2f}")
        rows.append(cells)
    return rows


def halves(data: DataFolder, seconds: dict[str, float]) -> list[DataFolder]:
    """Two data folders with the same speakers and different clips, for speakers who have enough in both."""
    own: dict[str, list[str]] = {}
    for clip, speaker in data.utt2spk.items():
        own.setdefault(speaker, []).append(clip)
    parts: list[dict[str, str]] = [{}, {}]
    for speaker, clips in own.items():
        both = [clips[0::2], clips[1::2]]
        if all(sum(seconds[clip] for clip in half) >= LEAST for half in both):
            for part, half in zip(parts, both, strict=True):
                part.update(dict.fromkeys(half, speaker))
    return [DataFolder({clip: data.wav_scp[clip] for clip in part}, part) for part in parts]


def true_speakers(found: list[Turn], reference: list[Turn]) -> dict[str, str]:
    """For each speaker found, the true speaker who has most of the time."""
    shared: dict[str, Counter[str]] = {}
    for turn in found:
        for true in reference:
            if (common := turn.segment.intersection(true.segment)) is not None:
                shared.setdefault(turn.speaker, Counter())[true.speaker] += common.duration
    return {speaker: times.most_common(1)[0][0] for speaker, times in shared.items()}


def link_table(
    diarizer: Diarizer,
    data: DataFolder,
    seconds: dict[str, float],
    rooms: list[Path],
    noises: list[Path],
    n: int,
) -> str:
    """Precision and recall of links, by whose turns they are and by the rate of false alarms."""
    results: dict[str, list[ResultVoices]] = {"reference": [], "diarize": []}
    truth: dict[str, dict[tuple[str, str], tuple[int, str]]] = {name: {} for name in results}
    for part, half in enumerate(halves(data, seconds)):
        conversations = ConversationSet(half, SHAPE, rooms, noises, seed=31 + part)
        for index in range(n):
            name, samples, reference = conversations(index)
            name = f"{part}_{name}"
            source = {"waveform": samples, "sample_rate": SAMPLE_RATE}
            windows = embed_speakers(source, reference, diarizer.embedder, diarizer.config)
            voices = voices_of(windows, diarizer.embedder.made_by, name)
            diarization = diarizer(source, recording=name)
            for kind, turns, table_of in (
                ("reference", reference, voices),
                ("diarize", diarization.turns, diarization.voices),
            ):
                results[kind].append(ResultVoices(Path(name), Path(), name, turns, table_of))
                for speaker, true in true_speakers(turns, reference).items():
                    truth[kind][name, speaker] = part, true
    rows = []
    for kind, rate in ((kind, rate) for kind in results for rate in (0.1, 0.01, 0.001)):
        linked = link_results(results[kind], find_verifier(diarizer.embedder), rate)
        rows.append([kind, f"{rate:.1%}", str(len(linked)), *count_links(linked, truth[kind])])
    columns = ["turns", "false alarms", "speakers", "people", "links", "precision", "recall"]
    return table(columns, rows, n_text=2)


def count_links(linked: list, truth: dict[tuple[str, str], tuple[int, str]]) -> list[str]:
    """People, links that count, their precision and recall in %."""
    right = wrong = missed = 0
    known = [each for each in linked if (each.recording, each.speaker) in truth]
    for one, other in combinations(known, 2):
        (part, true), (other_part, other_true) = (
            truth[each.recording, each.speaker] for each in (one, other)
        )
        together = one.person == other.person
        if true != other_true:
            wrong += together
        elif part != other_part:
            right += together
            missed += not together
    n_links = right + wrong
    precision, recall = right / max(n_links, 1), right / max(right + missed, 1)
    people = len({each.person for each in linked})
    return [str(people), str(n_links), f"{100 * precision:.1f}", f"{100 * recall:.1f}"]


def main() -> None:
    """Embed the clips, score, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--noise", type=Path, required=True, help="folder of noises")
    parser.add_argument("--rooms", type=Path, required=True, help="folder of impulse responses")
    parser.add_argument("--model", help="embedding model: a folder, or the name of a bundled one")
    parser.add_argument("--people", type=int, default=20, help="known people (default: %(default)s)")
    parser.add_argument("--conversations", type=int, default=16, help="in each set (default: %(default)s)")
    parser.add_argument("--dev", nargs="+", type=Path, metavar="FOLDER", help="development speakers")
    arguments = parser.parse_args()

    config = load_config()
    rate = config.known.false_alarms
    diarizer = Diarizer(arguments.model, config=config, threads=1)
    verifier = find_verifier(diarizer.embedder)
    noises, rooms = find_audio(arguments.noise), find_audio(arguments.rooms)
    backgrounds: tuple[list[Samples], list[Samples]] = ([*map(load_audio, noises)], [*map(load_audio, rooms)])
    clips, speakers, groups, files = embed_clips(arguments.data, diarizer.embedder, backgrounds, seed=9)
    draws = draw_all(clips, speakers, groups)

    print(
        header(
            f"Model {diarizer.embedder.made_by}, false alarms {rate:.1%}, at most {arguments.people} known"
        )
    )
    columns = ["enrolled", "tested", "speakers", *(" / ".join(dict.fromkeys(match)) for match in MATCHES)]
    for title, cell in (
        (
            "Identification: missed, wrong, false names in %",
            lambda d, m: identify(verifier, d, m, arguments.people, rate),
        ),
        ("Verification: missed, false pairs in %", lambda d, m: verify(verifier, d, m, rate)),
    ):
        rows = [
            [f"{first:g} s", f"{second:g} s", str(len({draw.speaker for draw in each}))]
            + [cell(each, match) for match in MATCHES]
            for (first, second), each in draws.items()
        ]
        print(f"## {title}\n\n{table(columns, rows, n_text=2)}")
    if arguments.dev:
        heard = embed_clips(arguments.dev, diarizer.embedder, backgrounds, seed=8)[:3]
        rows = own_thresholds(verifier, draw_all(*heard), draws, rate)
        both = [f"{threshold}, {name}" for threshold in ("common", "own") for name in ("dev", "test")]
        columns = ["channels", "own threshold, nats", *both]
        common = verifier.threshold(rate, 1)
        print(f"## Thresholds: missed, false pairs in %; common {common:.2f} nats\n\n{table(columns, rows)}")
    if arguments.conversations:
        seconds = {clip: float(clips[clip, "wideband"].seconds.sum()) for clip in speakers}
        everything = DataFolder(files, speakers)
        links = link_table(diarizer, everything, seconds, rooms, noises, arguments.conversations)
        print(f"## Linking, {arguments.conversations} conversations in each of two sets\n\n{links}")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"known_voices.py: {error}") from error
