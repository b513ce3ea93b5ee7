"""ELAN's annotation files (EAF 3.0), with a tier for each speaker. The recording is the file's name.

References
----------
EAF 3.0 schema, https://www.mpi.nl/tools/elan/EAFv3.0.xsd
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from xml.etree import ElementTree

from diarize.errors import FormatError
from diarize.files.text import LONGEST, File, Place, Text, shorten
from diarize.formats.rows import collect_turns, report_left_out, to_rows, to_tiers
from diarize.formats.tiers import Tier, find_speakers
from diarize.segments import Turn, normal_name

logger = logging.getLogger(__name__)

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
# The schema requires a date. It is fixed, so that the same turns always give the same bytes.
_DATE = "1970-01-01T00:00:00+00:00"


def parse(text: Text) -> list[Turn]:
    """The time-aligned annotations of each independent tier as turns. Times are those of the media file.

    A tier's speaker is its participant, otherwise its name or its labels (``tiers.py``). Dependent tiers
    (words, glosses, translations) are left out with a warning.

    Raises
    ------
    FormatError
        If this is not an ELAN file, has no speakers, or an annotation has impossible times.
    """
    if "<!ENTITY" in text.content:  # entities can expand to gigabytes; ELAN writes none
        raise text.error("defines XML entities, which ELAN files never do; save it again in ELAN")
    try:
        root = ElementTree.fromstring(text.content)
    except ElementTree.ParseError as error:
        what = str(error).partition(":")[0]
        raise FormatError(f"{text.path}, line {error.position[0]}: not XML ({what})") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise text.error(f"not an ELAN file (its root is {shorten(root.tag)!r})")
    return collect_turns(find_speakers(text, _tiers(text, root)))


def render(turns: Iterable[Turn], path: File = "") -> str:
    """The turns of one recording for ELAN; overlapping turns of one speaker are joined.

    The recording is not linked: in ELAN, Edit > Linked Files adds it.

    Raises
    ------
    FormatError
        If the turns are of several recordings.
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
    # Two time slots for each annotation, as ELAN writes them, in the order of their times.
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
    return declaration + ElementTree.tostring(root, encoding="unicode") + "\n"


def _tiers(text: Text, root: ElementTree.Element) -> list[Tier]:
    """The independent tiers with their annotations."""
    slots, origin = _slots(text, root), _origin(text, root)
    dependent = {
        kind.get("LINGUISTIC_TYPE_ID") for kind in root.iter("LINGUISTIC_TYPE") if kind.get("CONSTRAINTS")
    }
    tiers = []
    below: list[Place] = []
    unaligned: list[Place] = []
    for element in root.iter("TIER"):
        name = normal_name(element.get("TIER_ID") or "").strip()
        if element.get("PARENT_REF") or element.get("LINGUISTIC_TYPE_REF") in dependent:
            below.append(text.place(f"tier {shorten(name)!r}"))
            continue
        participant = normal_name(element.get("PARTICIPANT") or "").strip()
        spans = []
        for annotation in element.iter("ALIGNABLE_ANNOTATION"):
            place = text.place(
                f"annotation {shorten(annotation.get('ANNOTATION_ID') or '')!r} of tier {shorten(name)!r}"
            )
            start, end = (slots.get(annotation.get(f"TIME_SLOT_REF{side}")) for side in (1, 2))
            if not (name or participant):
                raise place.error("the tier has no name")
            if start is None or end is None:
                unaligned.append(place)
                continue
            if end < start:
                raise place.error(f"ends at {end / 1000:g}, not after its start {start / 1000:g}")
            # Annotations from before the beginning of the media file are cut off.
            start, end = (max(0.0, round(time + origin, 3)) / 1000 for time in (start, end))
            label = normal_name(annotation.findtext("ANNOTATION_VALUE") or "").strip()
            spans.append((place, start, end, label))
        tiers.append(Tier(name, spans, participant or None, blanks=True))
    report_left_out("dependent tiers", below)
    report_left_out("annotations without times", unaligned)
    return tiers


def _slots(text: Text, root: ElementTree.Element) -> dict[str | None, float]:
    """The time of each slot in milliseconds; slots without a time are spaced evenly between the others.

    ::

        0    ?    ?   900   ?        ->   0   300   600   900   (none)

    ELAN shows them like this. Slots before the first time start from 0; slots after the last time have none.
    """
    times: dict[str | None, float] = {}
    waiting: list[str | None] = []
    before = 0.0
    for slot in root.iter("TIME_SLOT"):
        name, value = slot.get("TIME_SLOT_ID"), slot.get("TIME_VALUE")
        if value is None or not value.strip():
            waiting.append(name)
            continue
        time = text.place(f"time slot {shorten(name or '')!r}").whole(
            value.strip(), "time in milliseconds", LONGEST * 1000
        )
        for index, unaligned in enumerate(waiting, start=1):
            times[unaligned] = before + (time - before) * index / (len(waiting) + 1)
        times[name], before, waiting = float(time), float(time), []
    return times


def _origin(text: Text, root: ElementTree.Element) -> int:
    """The time of the media file, in milliseconds, at the annotations' time 0.

    If several media files have different origins, the first audio file is used, otherwise the first file.
    """
    units = [header.get("TIME_UNITS") or "milliseconds" for header in root.iter("HEADER")]
    if units and units[0] != "milliseconds":
        raise text.error(f"its times are {shorten(units[0])}; save it with milliseconds")
    media = list(root.iter("MEDIA_DESCRIPTOR"))
    origins = []
    for one in media:
        place = text.place(f"media file {shorten(one.get('MEDIA_URL') or '')!r}")
        value = (one.get("TIME_ORIGIN") or "0").strip()
        time = place.whole(value.lstrip("+-"), "time origin in milliseconds", LONGEST * 1000)
        origins.append(-time if value.startswith("-") else time)
    if not origins:
        return 0
    sound = [n for n, one in enumerate(media) if (one.get("MIME_TYPE") or "").startswith("audio/")]
    chosen = sound[0] if sound else 0
    if len(set(origins)) > 1:
        url = media[chosen].get("MEDIA_URL") or ""
        logger.warning(
            "%s: media files begin at different times; times are those of %s", text.path, shorten(url)
        )
    return origins[chosen]


def _add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)
