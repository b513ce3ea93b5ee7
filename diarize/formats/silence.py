"""Labels that say whether anybody speaks, rather than who. All are written here in lower case."""

from __future__ import annotations

SILENCE = frozenset({
    "sil", "silence", "silent", "nonspeech", "non-speech", "non_speech", "noise",
    "#", "<sil>", "<p:>", "<eps>",
})  # fmt: skip
"""No speech in label files; every other label is speech ("speech", "sp", a speaker's name)."""

SILENT = SILENCE | {
    "0", "inactive", "n", "pau", "pause", "silencieux", "silencio", "silenzio", "sp", "stille", "u",
    "unvoiced", "voiceless",
}  # fmt: skip
"""No speech in tiers that tell speech from silence."""

SOUNDING = frozenset({
    "1", "active", "activity", "s", "sound", "sounding", "speaking", "speech", "utterance",
    "v", "voice", "voiced",
})  # fmt: skip
"""Speech in such tiers."""

SILENT_WORDS = frozenset({
    "...", "<silence>", "#", "<eps>", "<p:>", "<pause>", "<sil>", "_", "pau", "sil", "silence", "silent",
    "sp",
})  # fmt: skip
"""No speech among words, too: "noise" and "pause" may be spoken."""

NOBODY = frozenset({"crosstalk", "noise", "overlap", "pause"})
"""Labels of a tier of speakers that are nobody's."""
