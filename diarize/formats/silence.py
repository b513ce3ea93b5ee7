"""Labels that mean silence or speech and not a speaker. All are in lower case here."""

from __future__ import annotations

SILENCE = frozenset({
    "sil", "silence", "silent", "nonspeech", "non-speech", "non_speech", "noise",
    "#", "<sil>", "<p:>", "<eps>",
})  # fmt: skip
"""Silence in label files; every other label is speech ("speech", "sp", a speaker's name)."""

SILENT = SILENCE | {
    "0", "inactive", "n", "pau", "pause", "silencieux", "silencio", "silenzio", "sp", "stille", "u",
    "unvoiced", "voiceless",
}  # fmt: skip
"""Silence in tiers that mark speech and silence."""

SOUNDING = frozenset({
    "1", "active", "activity", "s", "sound", "sounding", "speaking", "speech", "utterance",
    "v", "voice", "voiced",
})  # fmt: skip
"""Speech in tiers that mark speech and silence."""

SILENT_WORDS = frozenset({
    "...", "<silence>", "#", "<eps>", "<p:>", "<pause>", "<sil>", "_", "pau", "sil", "silence", "silent",
    "sp",
})  # fmt: skip
"""Silence among words as well, where "noise" and "pause" may be spoken words."""

NOBODY = frozenset({"crosstalk", "noise", "overlap", "pause"})
"""Labels in a tier of speakers that name no speaker."""
