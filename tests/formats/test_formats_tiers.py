"""Tiers of Praat and ELAN: which are speakers, whose labels are, and what is left out."""

import logging
import re
from pathlib import Path

import pytest

from diarize.errors import FormatError
from diarize.formats import read_turns
from diarize.segments import Turn

DATA = Path(__file__).parent.parent / "data"


def spans(turns: list[Turn]) -> list[tuple[float, float, str]]:
    return [(turn.segment.start, turn.segment.end, turn.speaker) for turn in turns]


def grid(path: Path, tiers: dict[str, list[str]]) -> Path:
    """A short TextGrid with intervals of one second."""
    end = max(map(len, tiers.values()))
    lines = ['"ooTextFile"', '"TextGrid"', f"0 {end} <exists> {len(tiers)}"]
    for name, labels in tiers.items():
        lines.append(f'"IntervalTier" "{name}" 0 {end} {len(labels)}')
        lines += [f'{i} {i + 1} "{label}"' for i, label in enumerate(labels)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_silence_of_praat_is_no_turn(caplog: pytest.LogCaptureFixture) -> None:
    path = DATA / "praat_silences.TextGrid"
    with caplog.at_level(logging.WARNING):
        assert spans(read_turns(path)) == [(1, 4, "sounding")]
    assert caplog.messages == [
        f"{path}: tier 'silences' marks speech, not speakers; it becomes turns of 'sounding'"
    ]


def test_labels_of_a_tier_of_speakers_are_the_speakers() -> None:
    assert spans(read_turns(DATA / "one_speaker_tier.TextGrid")) == [
        (0, 1, "SPEAKER_00"),
        (1, 4, "SPEAKER_01"),
        (4, 5, "SPEAKER_00"),
    ]


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ({"Speakers": ["Ann", "", "Bob"]}, [(0, 1, "Ann"), (2, 3, "Bob")]),
        ({"x": ["spk1", "Speaker 2", "sil"]}, [(0, 1, "spk1"), (1, 2, "Speaker 2")]),
        (
            {"speaker": ["Ann", "Bob"], "words": ["a", "b"], "phones": ["a", "b"]},
            [(0, 1, "Ann"), (1, 2, "Bob")],
        ),
        (
            {"Ann": ["hello", "", "yes"], "Bob": ["", "sp", "no"]},
            [(0, 1, "Ann"), (2, 3, "Ann"), (2, 3, "Bob")],
        ),
        ({"Ann": ["silent", "sounding"], "Bob": ["sounding", "silent"]}, [(0, 1, "Bob"), (1, 2, "Ann")]),
        ({"Ann": ["noise", "a pause", "pause", "silent"]}, [(0, 1, "Ann"), (1, 2, "Ann"), (2, 3, "Ann")]),
        ({"Ann - words": ["a", "", "b"], "Ann - phones": ["x", "", "y"]}, [(0, 1, "Ann"), (2, 3, "Ann")]),
        ({"Ann-words": ["a"], "Ann": ["a"], "Bob-phones": ["x"]}, [(0, 1, "Ann"), (0, 1, "Bob")]),
        ({"words@Ann": ["a", "<p:>"], "gloss@Ann": ["x", "x"]}, [(0, 1, "Ann")]),
        ({"silences": ["silent", "utt", "silent"]}, [(1, 2, "utt")]),
        ({"VAD": ["0", "1"], "words": ["", "a"]}, [(1, 2, "1")]),
        ({"silences": ["silent", "sounding"], "Ann": ["", "hi"]}, [(1, 2, "Ann")]),
        ({"silences": ["silent", "silent"]}, []),
        ({"tier 1": ["silent", "sounding"]}, [(1, 2, "sounding")]),
        ({"SPEAKER_00": ["SPEAKER_00"], "Bob": ["hello"]}, [(0, 1, "Bob"), (0, 1, "SPEAKER_00")]),
        ({"words": ["words", ""], "sil": ["", "sil"]}, [(0, 1, "words"), (1, 2, "sil")]),
    ],
)
def test_what_a_tier_is(
    tiers: dict[str, list[str]], expected: list[tuple[float, float, str]], tmp_path: Path
) -> None:
    assert spans(read_turns(grid(tmp_path / "a.TextGrid", tiers))) == expected


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ({"tier1": ["hello", "there"], "2": ["x"]}, "no speakers in 'tier1', '2'; name tiers by speakers"),
        ({"": ["hello"]}, "no speakers in ''; name tiers by speakers"),
        ({"words": ["a"], "phones": ["b"]}, "no speakers in 'words', 'phones'; name tiers by speakers"),
        ({"ORT-MAU": ["a"], "KAN-MAU": ["a"], "MAU": ["b"]}, "no speakers in 'ORT-MAU', 'KAN-MAU', 'MAU'"),
        ({"Transcription": ["so you go"]}, "no speakers in 'Transcription'; name"),
        (
            {"silences": ["muet", "parole"]},
            "which labels of tier 'silences' are silence? it has 'muet', 'parole'",
        ),
    ],
)
def test_tiers_without_speakers_are_refused(
    tiers: dict[str, list[str]], message: str, tmp_path: Path
) -> None:
    path = grid(tmp_path / "a.TextGrid", tiers)
    with pytest.raises(FormatError, match=re.escape(f"{path}: {message}")):
        read_turns(path)


def test_what_is_left_out_of_a_textgrid_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = grid(tmp_path / "a.TextGrid", {"Ann": ["a", "b"], "words": ["a", "b"]})
    text = (
        path.read_text(encoding="utf-8").replace("<exists> 2", "<exists> 3").replace('1 2 "b"', '1 1 "b"', 1)
    )
    path.write_text(f'{text}\n"TextTier" "clicks" 0 2 1 0.5 "x"', encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert spans(read_turns(path)) == [(0, 1, "Ann")]
    assert [message.split(": ", 1)[1] for message in caplog.messages] == [
        "points left out: 1, the first in line 10",
        "tiers without speakers left out: 'words'",
        "turns of duration 0 left out: 1, the first in line 6",
    ]


# ELAN


def eaf(path: Path, slots: list[int | None], tiers: str, media: str = "") -> Path:
    times = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="t{i}"/>'
        if time is None
        else f'<TIME_SLOT TIME_SLOT_ID="t{i}" TIME_VALUE="{time}"/>'
        for i, time in enumerate(slots)
    )
    path.write_text(
        f'<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds">{media}</HEADER>'
        f"<TIME_ORDER>{times}</TIME_ORDER>{tiers}"
        '<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="sub" CONSTRAINTS="Included_In"/></ANNOTATION_DOCUMENT>',
        encoding="utf-8",
    )
    return path


def tier(attributes: str, *spans: tuple[int, int], label: str = "hi") -> str:
    annotations = (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{i}" TIME_SLOT_REF1="t{a}" TIME_SLOT_REF2="t{b}">'
        f"<ANNOTATION_VALUE>{label}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
        for i, (a, b) in enumerate(spans)
    )
    return f"<TIER {attributes}>{''.join(annotations)}</TIER>"


@pytest.mark.parametrize("name", ["elan_unaligned_slot.eaf", "elan_word_tier.eaf"])
def test_words_are_no_speaker_and_times_are_those_of_the_media_file(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert spans(read_turns(DATA / name)) == [(1.5, 3, "Ann"), (3.5, 5, "Bob")]
    assert caplog.messages == [f"{DATA / name}: dependent tiers left out: 1, the first in tier 'words@Ann'"]


def test_slots_without_a_time_lie_evenly_between_their_neighbours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spans_of_slots = tier('TIER_ID="Ann"', (0, 1), (1, 2), (3, 4), (4, 5), (5, 6))
    path = eaf(tmp_path / "a.eaf", [None, 300, None, None, 900, 900, None], spans_of_slots)
    with caplog.at_level(logging.WARNING):
        assert spans(read_turns(path)) == [(0.15, 0.3, "Ann"), (0.3, 0.5, "Ann"), (0.7, 0.9, "Ann")]
    assert [message.split(": ", 1)[1] for message in caplog.messages] == [
        "annotations without times left out: 1, the first in annotation 'a4' of tier 'Ann'",
        "turns of duration 0 left out: 1, the first in annotation 'a3' of tier 'Ann'",
    ]


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        (tier('TIER_ID="x" PARTICIPANT="Ann"', (0, 1)), ["Ann"]),
        (tier('TIER_ID="Ann"', (0, 1)) + tier('TIER_ID="w" LINGUISTIC_TYPE_REF="sub"', (0, 1)), ["Ann"]),
        (tier('TIER_ID="tx@Ann" PARTICIPANT="Ann"', (0, 1)) + tier('TIER_ID="ft@Ann"', (0, 1)), ["Ann"]),
        (tier('TIER_ID="Ann"', (0, 1), label="") + tier('TIER_ID="empty"'), ["Ann"]),
        (tier('TIER_ID="speaker"', (0, 1), label="Bob"), ["Bob"]),
        (tier('TIER_ID="words@A"', (0, 1)), ["A"]),
    ],
)
def test_who_speaks_in_a_tier_of_elan(tiers: str, expected: list[str], tmp_path: Path) -> None:
    turns = read_turns(eaf(tmp_path / "a.eaf", [0, 1000], tiers))
    assert [turn.speaker for turn in turns] == expected


def test_a_tier_of_nobody_is_refused(tmp_path: Path) -> None:
    path = eaf(tmp_path / "a.eaf", [0, 1000], tier('TIER_ID="default"', (0, 1)))
    with pytest.raises(FormatError, match="no speakers in 'default'; name tiers by speakers"):
        read_turns(path)


@pytest.mark.parametrize(
    ("media", "start"),
    [
        ('<MEDIA_DESCRIPTOR MIME_TYPE="audio/x-wav" TIME_ORIGIN="250"/>', 1.25),
        ('<MEDIA_DESCRIPTOR MIME_TYPE="audio/x-wav"/>', 1.0),
        (
            '<MEDIA_DESCRIPTOR MIME_TYPE="video/mp4" TIME_ORIGIN="250"/>'
            '<MEDIA_DESCRIPTOR MIME_TYPE="audio/x-wav"/>',
            1.0,
        ),
        ('<MEDIA_DESCRIPTOR MIME_TYPE="audio/x-wav" TIME_ORIGIN="-1500"/>', 0.0),
    ],
)
def test_the_time_origin_of_the_sound_counts(media: str, start: float, tmp_path: Path) -> None:
    path = eaf(tmp_path / "a.eaf", [1000, 2000], tier('TIER_ID="Ann"', (0, 1)), media)
    assert read_turns(path)[0].segment.start == start


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ({"Ann_words": ["hi", ""], "Ann_phones": ["h", "i"]}, [(0, 1, "Ann")]),
        ({"words - Ann": ["hi", ""], "phones - Ann": ["h", "i"]}, [(0, 1, "Ann")]),
        ({"Ann-speech": ["hi", ""], "Ann-gesture": ["nod", "nod"]}, [(0, 1, "Ann")]),
        ({"vuv": ["U", "V", "U"]}, [(1, 2, "V")]),
        ({"Speakers": ["Ann", "pause", "overlap"]}, [(0, 1, "Ann")]),
        ({"speakers": ["0", "1", "1"]}, [(0, 1, "0"), (1, 2, "1"), (2, 3, "1")]),
        ({"silences2": ["silent", "sounding"]}, [(1, 2, "sounding")]),
    ],
)
def test_tiers_of_nobody_are_no_speakers(tiers, expected, tmp_path):
    assert spans(read_turns(grid(tmp_path / "a.TextGrid", tiers))) == expected


def test_a_tier_of_gestures_alone_is_refused(tmp_path):
    with pytest.raises(FormatError, match="no speakers in 'gesture'"):
        read_turns(grid(tmp_path / "a.TextGrid", {"gesture": ["nod", "wave"]}))
