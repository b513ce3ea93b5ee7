"""A made-up TIMIT: 630 speakers' folders as LDC lays them out, a few of them with synthetic voices."""

import importlib.util
import re
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

REPOSITORY = Path(__file__).resolve().parent.parent
LISTS = REPOSITORY / "egs" / "timit" / "conf" / "lists"
N_WOMEN, N_MEN = 192, 438


def load_synthesis():
    """egs/mini/local/synthesis.py, which is no package."""
    path = REPOSITORY / "egs" / "mini" / "local" / "synthesis.py"
    spec = importlib.util.spec_from_file_location("synthesis", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["synthesis"] = module  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    return module


synthesis = load_synthesis()


def read_names(name: str) -> list[str]:
    """The speakers of one of the recipe's lists."""
    return re.findall(r"^[FM][A-Z]{3}\d$", (LISTS / f"{name}.txt").read_text(), re.MULTILINE)


def all_names() -> list[str]:
    """630 speakers, 192 women first: those of the lists, and made-up ones in place of the others."""
    known = sorted({name for path in LISTS.glob("*.txt") for name in read_names(path.stem)})
    names = []
    for sex, count in (("F", N_WOMEN), ("M", N_MEN)):
        listed = [name for name in known if name[0] == sex]
        made_up = (f"{sex}{a}Q{b}9" for a in "ABCDEFGHIJKLMNOPQRST" for b in "ABCDEFGHIJKLMNOPQRST")
        names += listed + [next(made_up) for _ in range(count - len(listed))]
    return names


def sentences(speaker: str, count: int = 10) -> list[str]:
    """SA1 SA2, three SI 630 apart and five SX 90 apart, as in TIMIT; those of MCCS0 and MRGG0 hold SX29."""
    number = zlib.crc32(speaker.encode())
    sx = 29 if speaker in ("MCCS0", "MRGG0") else 1 + number % 90
    si = 451 + number % 180
    names = ["SA1", "SA2", *(f"SX{sx + 90 * k}" for k in range(5)), *(f"SI{si + 630 * k}" for k in range(3))]
    return names[:count]


def folder_of(speaker: str) -> Path:
    """TRAIN/DR3/FALK0: the training list and the made-up speakers in TRAIN, the others in TEST."""
    training = speaker in read_names("train_100") or speaker.endswith("9")
    dialect = 1 + zlib.crc32(speaker.encode()) % 8
    return Path("TIMIT") / ("TRAIN" if training else "TEST") / f"DR{dialect}" / speaker


def write_sphere(path: Path, samples: np.ndarray) -> None:
    """NIST SPHERE, 16 bit, with LDC's header of 1024 bytes."""
    fields = [
        "NIST_1A",
        "   1024",
        f"sample_count -i {len(samples)}",
        "sample_n_bytes -i 2",
        "channel_count -i 1",
        "sample_byte_format -s2 01",
        f"sample_rate -i {synthesis.RATE}",
        "sample_coding -s3 pcm",
        "sample_sig_bits -i 16",
        "end_head",
    ]
    header = ("\n".join(fields) + "\n").encode().ljust(1024)
    path.write_bytes(header + np.round(samples * 2**15).astype("<i2").tobytes())


def write_riff(path: Path, samples: np.ndarray) -> None:
    """RIFF WAVE, 16 bit."""
    soundfile.write(path, np.round(samples * 2**15).astype(np.int16), synthesis.RATE, format="WAV")


def write_speaker(
    folder: Path, speaker: str, count: int = 10, form: str = "sphere", seconds: float = 2.5
) -> None:
    """A speaker's sentences; ``form``: sphere (SA1.WAV), riff (SA1.WAV), _riff (SA1_RIFF.WAV), both."""
    voice = synthesis.make_voice(speaker, female=speaker[0] == "F")
    folder.mkdir(parents=True, exist_ok=True)
    for sentence in sentences(speaker, count):
        samples = synthesis.say(voice, sentence, seconds)
        if form in ("sphere", "both"):
            write_sphere(folder / f"{sentence}.WAV", samples)
        if form == "riff":
            write_riff(folder / f"{sentence}.WAV", samples)
        if form in ("_riff", "both"):
            write_riff(folder / f"{sentence}_RIFF.WAV", samples)


def make_timit(
    folder: Path,
    complete: Mapping[str, int],
    forms: Mapping[str, str] | None = None,
    seconds: float = 2.5,
) -> Path:
    """The corpus, in ``folder``/TIMIT; returns that.

    Parameters
    ----------
    complete : dict
        Speakers with sound, each with how many sentences; all others have an empty folder.
    forms : dict, optional
        Speaker to the form of his files; the others' are SPHERE.
    seconds : float
        Of a sentence.
    """
    for speaker in {*all_names(), *complete}:
        (folder / folder_of(speaker)).mkdir(parents=True, exist_ok=True)
    for speaker, count in complete.items():
        write_speaker(
            folder / folder_of(speaker), speaker, count, (forms or {}).get(speaker, "sphere"), seconds
        )
    return folder / "TIMIT"
