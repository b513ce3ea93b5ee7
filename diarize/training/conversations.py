"""Conversations with known turns, made from clips of single speakers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from diarize.audio import SAMPLE_RATE, Samples
from diarize.errors import DiarizeError
from diarize.segments import Segment, Turn, merge_turns
from diarize.training.augment import change_speed, set_level

PAUSE_MEDIAN, PAUSE_SPREAD, LONGEST_PAUSE = 0.4, 0.8, 3.0  # lognormal; seconds, nepers, seconds
GOES_ON = 0.2
FADE = 80  # samples: 5 ms
FASTER, BRIGHTER = 0.03, 0.25  # of a repeated phrase: changes in speed, and the share of the previous sample


@dataclass(frozen=True)
class Phrase:
    """Speech of one speaker without a long pause: samples, and the segments of speech in them, in seconds."""

    samples: Samples
    speech: tuple[Segment, ...]


@dataclass(frozen=True)
class Placed:
    """A phrase of a speaker that starts at a time of the conversation, in seconds."""

    start: float
    speaker: str
    phrase: Phrase

    @property
    def end(self) -> float:
        """Seconds."""
        return self.start + self.phrase.speech[-1].end


def cut_phrases(samples: Samples, speech: Iterable[Segment], longest: float) -> list[Phrase]:
    """The phrases in a clip (n_samples,) whose `speech` is known; each begins and ends with speech.

    A phrase holds as many segments of speech as fit into `longest` seconds, at least one.
    """
    groups: list[list[Segment]] = []
    for segment in speech:
        if groups and segment.end - groups[-1][0].start <= longest:
            groups[-1].append(segment)
        else:
            groups.append([segment])
    phrases = []
    for group in groups:
        first = group[0].start
        piece = samples[round(first * SAMPLE_RATE) : round(group[-1].end * SAMPLE_RATE)].copy()
        ramp = np.linspace(0, 1, FADE, dtype=np.float32)
        piece[:FADE] *= ramp
        piece[-FADE:] *= ramp[::-1]
        phrases.append(Phrase(piece, tuple(Segment(s.start - first, s.end - first) for s in group)))
    return phrases


def speakers_by_corpus(
    speaker_of: Mapping[str, str], corpora: Mapping[str, str], n_speakers: int
) -> list[list[str]]:
    """The speakers of each corpus that has at least `n_speakers`, from both by utterance."""
    found: dict[str, set[str]] = {}
    for utterance, speaker in speaker_of.items():
        found.setdefault(corpora[utterance], set()).add(speaker)
    return [sorted(names) for _, names in sorted(found.items()) if len(names) >= n_speakers]


def choose_speakers(
    names: list[str], load: Callable[[str], list[Phrase]], n_speakers: int, seconds: float, random: Generator
) -> dict[str, list[Phrase]]:
    """Random speakers with at least ``seconds`` of speech each, and their phrases in random order.

    Raises
    ------
    DiarizeError
        If there are not enough such speakers.
    """
    chosen: dict[str, list[Phrase]] = {}
    for name in random.permutation(names).tolist():
        phrases = load(name)
        if sum(segment.duration for phrase in phrases for segment in phrase.speech) >= seconds:
            chosen[name] = [phrases[i] for i in random.permutation(len(phrases))]
        if len(chosen) == n_speakers:
            return chosen
    raise DiarizeError(
        f"only {len(chosen)} speakers have {seconds:.1f} s of speech, {n_speakers} are needed; "
        "lower --speakers or --seconds, or give more clips"
    )


def take_turns(
    speakers: dict[str, list[Phrase]],
    seconds: float,
    overlap: float,
    random: Generator,
    *,
    goes_on: float = GOES_ON,
    pause: float = PAUSE_MEDIAN,
    dominant: float = 0.0,
) -> list[Placed]:
    """A conversation of at most about ``seconds``: each speaker once, then at random with unequal weights.

    After a pause, `pause` seconds in the median, any of them speaks with probability `goes_on`, otherwise
    another than before. The first of `speakers` speaks as long as their share of the speech is below
    `dominant`.

    ::

        A  |======|                     |=====|
        B           |==========|
        C      pause         |=====|            begins early if the overlap is below its share
    """
    waiting = {name: list(phrases) for name, phrases in speakers.items()}
    talkative = dict(zip(speakers, random.dirichlet(np.full(len(speakers), 2.0)), strict=True))
    first_round = random.permutation(list(speakers)).tolist()
    placed: list[Placed] = []
    silent_until, said = dict.fromkeys(speakers, 0.0), dict.fromkeys(speakers, 0.0)
    spoken = overlapped = now = 0.0
    while any(waiting.values()) and now < seconds:
        able = [name for name in speakers if waiting[name]]
        last = placed[-1] if placed else None
        others = [name for name in able if last is None or name != last.speaker]
        first = next(iter(speakers))
        if first_round:
            speaker = first_round.pop()
        elif dominant and waiting[first]:
            rest = [name for name in others if name != first]
            behind = said[first] < dominant * sum(said.values())
            speaker = first if behind or not rest else str(random.choice(rest))
        elif others and random.random() >= goes_on:
            weights = np.array([talkative[name] for name in others])
            speaker = str(random.choice(others, p=weights / weights.sum()))
        else:
            speaker = str(random.choice(able))
        phrase = waiting[speaker].pop()
        shift = min(random.lognormal(np.log(pause), PAUSE_SPREAD), LONGEST_PAUSE)
        if last and last.speaker != speaker and overlapped < overlap * spoken:
            common = min(last.phrase.speech[-1].duration, phrase.speech[0].duration)
            shift = -random.uniform(0.2, 0.6) * common
        start = round(max(now + shift, silent_until[speaker] + 0.1), 3)
        placed.append(Placed(start, speaker, phrase))
        overlapped += max(0.0, now - start)
        duration = sum(segment.duration for segment in phrase.speech)
        said[speaker] += duration
        spoken += duration - max(0.0, now - start)
        now = silent_until[speaker] = placed[-1].end
    return placed


def say_again(phrase: Phrase, random: Generator) -> Phrase:
    """The phrase a little faster or slower, and with more or less treble, as if spoken another time."""
    samples = change_speed(phrase.samples, 1 + random.uniform(-FASTER, FASTER))
    tone = random.uniform(-BRIGHTER, BRIGHTER)
    samples = samples + tone * np.concatenate([[0], samples[:-1]]).astype(np.float32)
    stretch = len(samples) / len(phrase.samples)
    return Phrase(samples, tuple(Segment(s.start * stretch, s.end * stretch) for s in phrase.speech))


def interject(placed: list[Placed], share: float, longest: float, random: Generator) -> list[Placed]:
    """The conversation with interjections: short words of one speaker during the speech of another.

    Each phrase of the conversation gets one with probability `share`: a segment of speech of at most
    `longest` seconds, cut from another phrase of a different speaker of the conversation::

        A  |===========|           |=====|
        B       |=|         |====|
    """
    words = {
        name: [word for one in placed if one.speaker == name for word in _words(one.phrase, longest)]
        for name in dict.fromkeys(one.speaker for one in placed)
    }
    added: list[Placed] = []
    for one in placed:
        others = [name for name, own in words.items() if name != one.speaker and own]
        if not others or random.random() >= share:
            continue
        speaker = others[random.integers(len(others))]
        word = words[speaker][random.integers(len(words[speaker]))]
        room = one.phrase.speech[-1].end - word.speech[-1].end
        start = one.start + max(0.0, random.uniform(0, 1) * room)
        end = start + word.speech[-1].end
        if all(
            end <= other.start or other.end <= start
            for other in [*placed, *added]
            if other.speaker == speaker
        ):
            added.append(Placed(round(start, 3), speaker, word))
    return [*placed, *added]


def _words(phrase: Phrase, longest: float) -> list[Phrase]:
    """The segments of a phrase as phrases, cut after `longest` seconds."""
    pieces = [Segment(s.start, min(s.end, s.start + longest)) for s in phrase.speech]
    return [one for piece in pieces for one in cut_phrases(phrase.samples, [piece], longest)]


def mix(placed: Iterable[Placed], level: Mapping[str, float], background: Samples) -> Samples:
    """The background (n_samples,) plus the conversation, each speaker at a `level` in dB of full scale."""
    mixture = background.copy()
    for one in placed:
        start = round(one.start * SAMPLE_RATE)
        clip = set_level(one.phrase.samples, level[one.speaker])[: max(0, len(mixture) - start)]
        mixture[start : start + len(clip)] += clip
    return mixture


def turns_of(placed: list[Placed], recording: str) -> list[Turn]:
    """The turns of a conversation."""
    return merge_turns(
        Turn(recording, Segment(one.start + segment.start, one.start + segment.end), one.speaker)
        for one in placed
        for segment in one.phrase.speech
    )
