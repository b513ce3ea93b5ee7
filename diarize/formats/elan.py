"""ELAN's annotation files (EAF 3.0): a tier a speaker. The recording is the file's name.

References
----------
EAF 3.0 schema, https://www.mpi.nl/tools/elan/EAFv3.0.xsd
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from diarize.errors import FormatError
from diarize.formats.rows import to_rows, to_tiers
from diarize.formats.text import read_text, write_text
from diarize.segments import Segment, Turn

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
# The schema demands a date; a fixed one, so that the same turns always give the same bytes.
_DATE = "1970-01-01T00:00:00+00:00"


def read_eaf(path: str | Path) -> list[Turn]:
    """The time-aligned annotations of each tier as turns. The tier's participant, else its name, speaks.

    Raises
    ------
    FormatError
        When the file cannot be read, is not ELAN's, or an annotation has no possible times.
    """
    try:
        root = ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        what = str(error).partition(":")[0]
        raise FormatError(f"{path}, line {error.position[0]}: not XML ({what})") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise FormatError(f"{path}: no ELAN file (its root is {root.tag!r})")
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE", "") for slot in root.iter("TIME_SLOT")}
    turns = []
    for tier in root.iter("TIER"):
        speaker = (tier.get("PARTICIPANT") or tier.get("TIER_ID") or "").strip()
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            where = f"{path}: annotation {annotation.get('ANNOTATION_ID')!r} of tier {tier.get('TIER_ID')!r}"
            times = [slots.get(annotation.get(f"TIME_SLOT_REF{end}"), "") for end in (1, 2)]
            if not all(time.isascii() and time.isdigit() for time in times):
                raise FormatError(f"{where} is not aligned to times; align it in ELAN")
            start, end = (int(time) / 1000 for time in times)
            if end <= start:
                raise FormatError(f"{where} ends at {end:g}, not after its start {start:g}")
            if not speaker:
                raise FormatError(f"{where}: the tier has no name")
            turns.append(Turn(Path(path).stem, Segment(start, end), speaker))
    return sorted(turns)


def write_eaf(turns: Iterable[Turn], path: str | Path) -> None:
    """Write the turns of one recording for ELAN; overlapping turns of one speaker are joined.

    The recording is not linked: in ELAN, Edit > Linked Files adds it.

    Raises
    ------
    FormatError
        For turns of several recordings.
    DiarizeError
        When the file cannot be written.
    """
    tiers = to_tiers(to_rows(turns, holder="an ELAN file"))
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "",
            "DATE": _DATE,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    _add(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    order = _add(root, "TIME_ORDER")
    # Two slots an annotation, as ELAN writes them, in the order of their times.
    spans = [(speaker, span) for speaker, spans in tiers.items() for span in spans]
    boundaries = sorted(
        (time, index, side) for index, (_, span) in enumerate(spans) for side, time in enumerate(span)
    )
    slots = {}
    for number, (time, index, side) in enumerate(boundaries, start=1):
        slots[index, side] = f"ts{number}"
        _add(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{number}", TIME_VALUE=str(time))
    elements = {
        speaker: _add(root, "TIER", LINGUISTIC_TYPE_REF="turns", PARTICIPANT=speaker, TIER_ID=speaker)
        for speaker in tiers
    }
    for index, (speaker, _) in enumerate(spans):
        annotation = _add(
            _add(elements[speaker], "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            ANNOTATION_ID=f"a{index + 1}",
            TIME_SLOT_REF1=slots[index, 0],
            TIME_SLOT_REF2=slots[index, 1],
        )
        _add(annotation, "ANNOTATION_VALUE").text = speaker
    _add(
        root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID="turns", TIME_ALIGNABLE="true"
    )
    ElementTree.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    write_text(declaration + ElementTree.tostring(root, encoding="unicode") + "\n", path)


def _add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)
