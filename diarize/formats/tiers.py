"""The speakers in tiers of labelled intervals, for Praat and ELAN.

Most files have one tier for each speaker, with the speaker's name. The rules:

=========================================  ==============================================================
tier                                       read as
=========================================  ==============================================================
labels that all repeat the tier's name     turns of that speaker (what `diarize` writes)
"speaker", "diarization", ... or labels    labels are the speakers
that are all like SPEAKER_00
"Ann - words", "words@Ann"                 turns of Ann, once: words rather than phones
"words", "phones", "text", "tier 1", ...   no speakers
"silences", "vad", ... alone               speech, under its label ("sounding")
any other                                  turns of the speaker with the tier's name
=========================================  ==============================================================
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from diarize.files.text import Place, Text, shorten
from diarize.formats.rows import Found
from diarize.formats.silence import NOBODY, SILENT, SILENT_WORDS, SOUNDING
from diarize.formats.speaker_names import is_numbered_speaker

logger = logging.getLogger(__name__)

_WHO = """
diar diarisation diarization hablante hablantes locuteur locuteurs speaker speakers speaker_id speaker_ids
speaker_label speaker_labels spk spks spkr sprecher talker talkers turn turns who
"""
_SPEAKERS = frozenset(_WHO.split())
_TEXT = """
speech utterance utterances utt tx text transcript transcription transcriptions ortho orthography ort sentence
sentences phrase phrases ref words word wd mb morphemes syllables syllable syll phones phone phonemes phoneme
segments gloss glosses ge ps pos ft translation translations lemma notes note comment comments label labels
ipu ipus tokensalign phonalign tokens tones breaks
asr action actions code context event events eyes face gaze gesture gestures hand hands head mouth on_off
posture turn_type asr default tier ipa mau kan trn mas kas ort_mau kan_mau kan_mas ort_kas
"""
_NUMBERED = re.compile(r"(?:annotations?|item|layer|level|line|segmentation|tier|track|untitled)?_?[0-9]*")
_WORDS = tuple(_TEXT.split())  # the turns of a speaker come from the first of these that exists
_SOUNDS = (
    "activity detection pause pauses sad silence silences sound speech speech_activity vad voice voiced vuv"
)
_ACTIVITY = frozenset(_SOUNDS.split())


@dataclass(frozen=True)
class Tier:
    """A tier of a file.

    Parameters
    ----------
    name : str
    spans : list of (Place, float, float, str)
        Place in the file, start and end in seconds, and the label without blanks around it.
    speaker : str, optional
        The speaker, if the file names one (ELAN's participant).
    blanks : bool
        Whether an interval without a label is speech. It is in ELAN, where no interval marks a pause.
    """

    name: str
    spans: list[tuple[Place, float, float, str]]
    speaker: str | None = None
    blanks: bool = False


def find_speakers(text: Text, tiers: Sequence[Tier]) -> Iterator[Found]:
    """The turns of the tiers that have speakers. Tiers that are left out are logged.

    Raises
    ------
    FormatError
        If there are labels, and none of them belongs to a speaker.
    """
    filled = [
        tier for tier in tiers if tier.spans and (tier.blanks or any(label for *_, label in tier.spans))
    ]
    used = _choose(text, filled)
    if filled and not used:
        raise text.error(
            f"no speakers in {_names(filled)}; name tiers by speakers, or a tier 'speaker' with "
            "their names as labels"
        )
    left_out = [tier for tier in filled if not any(tier is other for other, _ in used)]
    if left_out:
        logger.warning("%s: tiers without speakers left out: %s", text.path, _names(left_out))
    for tier, who in used:
        speech = _speech_labels(tier, who)
        for place, start, end, label in tier.spans:
            if label in speech:
                yield place, text.recording, start, end, who or label or None


def _choose(text: Text, tiers: Sequence[Tier]) -> list[tuple[Tier, str | None]]:
    """The tiers to read, each with its speaker, or None if its labels are the speakers."""
    if all(tier.speaker is None and _repeats_its_name(tier) for tier in tiers):
        return [(tier, tier.name) for tier in tiers]
    named = [tier for tier in tiers if tier.speaker is None and _labels_are_speakers(tier)]
    if named:
        return [(tier, None) for tier in named]
    activity = [tier for tier in tiers if tier.speaker is None and _is_activity(tier)]
    chosen: list[tuple[Tier, str | None]] = []
    best: dict[str, tuple[int, Tier]] = {}
    for tier in tiers:
        who, kind = _split_name(tier.name)
        who = tier.speaker or who
        if who is None or any(tier is other for other in activity):
            continue
        if kind is None:
            chosen.append((tier, who))
        elif who not in best or kind < best[who][0]:
            best[who] = kind, tier
    whole = {who for _, who in chosen}
    chosen += [(tier, who) for who, (_, tier) in best.items() if who not in whole]
    if chosen:
        return chosen
    for tier in activity:
        what = _activity(text, tier)
        if _labels(tier):
            logger.warning(
                "%s: tier %r marks speech, not speakers; it becomes turns of %r",
                text.path,
                shorten(tier.name),
                shorten(what),
            )
        chosen.append((tier, what))
    return chosen


def _labels(tier: Tier) -> set[str]:
    return {label for _, _, _, label in tier.spans if label and label.lower() not in SILENT}


def _repeats_its_name(tier: Tier) -> bool:
    return {label for _, _, _, label in tier.spans if label} == {tier.name}


def _labels_are_speakers(tier: Tier) -> bool:
    labels = _labels(tier)
    numbered = all(map(is_numbered_speaker, labels)) and not _repeats_its_name(tier)
    return bool(labels) and (numbered or _word(tier.name) in _SPEAKERS)


def _is_activity(tier: Tier) -> bool:
    """Whether a tier marks speech and silence, by its name or, without a name, by its labels."""
    if re.sub(r"_?[0-9]+$", "", _word(tier.name)) in _ACTIVITY:
        return True
    unnamed = _NUMBERED.fullmatch(_word(tier.name)) is not None
    return unnamed and {label.lower() for label in _labels(tier)} <= SOUNDING


def _activity(text: Text, tier: Tier) -> str:
    """The label of speech in a tier that marks speech and silence.

    Raises
    ------
    FormatError
        If it has several labels and none is known to be silence.
    """
    labels = sorted(_labels(tier))
    if len(labels) > 1 and not {label.lower() for label in labels} <= SOUNDING:
        raise text.error(
            f"which labels of tier {shorten(tier.name)!r} are silence? it has {_some(labels)}; "
            "Praat's are 'silent' and 'sounding'"
        )
    return labels[0] if labels else tier.name


def _split_name(name: str) -> tuple[str | None, int | None]:
    """The speaker in a tier's name, and the rank of its kind: Ann, words for "Ann - words", "words@Ann"."""
    name = name.strip()
    if _word(name) in _WORDS:
        return None, _WORDS.index(_word(name))
    if _NUMBERED.fullmatch(_word(name)):
        return None, len(_WORDS)
    kind, at, who = name.partition("@")
    if at and who.strip() and re.fullmatch(r"[A-Za-z_-]+", kind):
        return who.strip(), _WORDS.index(_word(kind)) if _word(kind) in _WORDS else len(_WORDS)
    for mark in (" - ", "-", "/", ":", "_"):
        first, _, last = name.rpartition(mark)
        for who, kind in ((first, last), (last, first)):
            if who.strip() and _word(kind) in _WORDS and _word(who) not in _WORDS:
                return who.strip(), _WORDS.index(_word(kind))
    return name or None, None


def _word(name: str) -> str:
    return re.sub(r"[\s-]", "_", name.strip().lower())


def _speech_labels(tier: Tier, who: str | None) -> set[str]:
    labels = {label for _, _, _, label in tier.spans}
    known = bool(who) and {label.lower() for label in labels if label} <= SILENT | SOUNDING
    silent = SILENT if known else SILENT_WORDS if who else SILENT_WORDS | NOBODY
    speech = {label for label in labels if label in (who, tier.name) or label.lower() not in silent}
    return speech if tier.blanks else speech - {""}


def _names(tiers: Sequence[Tier]) -> str:
    return _some([tier.name for tier in tiers])


def _some(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(repr(shorten(name)) for name in names[:most]) + (" ..." if len(names) > most else "")
