"""Hostile recordings, and a script that labels each of them beside a good one: docs/reliability.md.

    python tests/hostile_audio.py [--only TEXT] [--memory GIB] [--seconds N]

Each input is labelled in a process of its own with a limit of memory and time. The promise: a result or one
line of error, no traceback, nothing written by C libraries, and the good recording is labelled.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import av
import numpy as np
import soundfile
from command_line import call, demo_samples
from helpers import write_small_model

RATE = 16000
GOOD = "good.wav"

BY_SOUNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "sph": ("NIST", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
}
BY_AV = {
    "m4a": "aac",
    "mp4": "aac",
    "mkv": "flac",
    "webm": "libopus",
    "aac": "aac",
    "wma": "wmav2",
    "ts": "mp2",
}
RATES = {"libopus": 48000, "wmav2": 44100}
CONTAINERS = [*BY_SOUNDFILE, *BY_AV]

Make = Callable[[Path], Path]
"""Writes an input into a folder, and gives its path."""


@dataclass(frozen=True)
class Case:
    """An input, and what somebody does to it while it is read."""

    group: str
    name: str
    make: Make
    act: Callable[[Path], None] = lambda path: None


@cache
def sound_bytes(container: str) -> bytes:
    """Some speech in a container; with pictures in mp4."""
    speech = demo_samples(2.5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{container}"
        if container in BY_SOUNDFILE:
            format, subtype = BY_SOUNDFILE[container]
            soundfile.write(path, speech, RATE, format=format, subtype=subtype)
        else:
            write_av(path, speech, BY_AV[container], pictures=20 * (container == "mp4"))
        return path.read_bytes()


def write_av(path: Path, samples: np.ndarray, codec: str, pictures: int = 0, cover: bool = False) -> Path:
    """A file by FFmpeg, of mono samples at 16 kHz, pictures, or both."""
    with av.open(str(path), "w", format="mp4" if cover else None) as container:
        stream = None
        if len(samples):
            rate = RATES.get(codec, RATE)
            stream = container.add_stream(codec, rate=rate, layout="mono")
            stream.bit_rate = 64000
            resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        if pictures:
            video = container.add_stream("mjpeg" if cover else "mpeg4", rate=5)
            video.width = video.height = 32
            video.pix_fmt = "yuvj420p" if cover else "yuv420p"
        for start in range(0, len(samples), 1000):
            frame = av.AudioFrame.from_ndarray(
                samples[None, start : start + 1000], format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, start
            for converted in resampler.resample(frame):
                container.mux(stream.encode(converted))
        if stream is not None:
            container.mux(stream.encode(None))
        for number in range(pictures):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            picture.pts = number
            container.mux(video.encode(picture))
        if pictures:
            container.mux(video.encode(None))
    return path


def put(name: str, content: bytes | Callable[[], bytes], folder: Path) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content())
    return path


# ---- damage


def truncated() -> Iterator[Case]:
    """Every container, cut in ten places."""
    for container in CONTAINERS:
        for at in (1, 4, 12, 30, 44, 100, 0.05, 0.3, 0.7, 0.99):

            def cut(container: str = container, at: float = at) -> bytes:
                content = sound_bytes(container)
                return content[: int(at if isinstance(at, int) else at * len(content))]

            place = f"{at} bytes" if isinstance(at, int) else f"{at:.0%}"
            yield Case("truncated", f"{container} after {place}", partial(put, f"a.{container}", cut))


def flipped() -> Iterator[Case]:
    """Every container with flipped bits: ten in the header, one in a thousand bytes, one in thirty."""
    for container in CONTAINERS:
        for where in ("header", "header again", "some", "many"):

            def flip(container: str = container, where: str = where) -> bytes:
                content = bytearray(sound_bytes(container))
                random = np.random.default_rng([CONTAINERS.index(container), len(where)])
                most = 200 if where.startswith("header") else len(content)
                n = 10 if where.startswith("header") else len(content) // (1000 if where == "some" else 30)
                for place in random.integers(0, min(most, len(content)), n):
                    content[place] ^= 1 << random.integers(8)
                return bytes(content)

            yield Case("bits flipped", f"{container}, {where}", partial(put, f"a.{container}", flip))


def patch(container: str, mark: bytes, offset: int, form: str, value: float) -> bytes:
    """A file with a number written at an offset behind a mark."""
    content = bytearray(sound_bytes(container))
    struct.pack_into(form, content, content.index(mark) + offset, value)
    return bytes(content)


LIES = {
    "wav channels": ("wav", b"fmt ", 10, "<H", (0, 2, 3, 1024, 1025, 65535)),
    "wav rate": ("wav", b"fmt ", 12, "<I", (0, 1, 999, 2**31 - 1, 2**32 - 1)),
    "wav block": ("wav", b"fmt ", 20, "<H", (0, 1, 65535)),
    "wav bits": ("wav", b"fmt ", 22, "<H", (0, 1, 7, 8, 24, 255, 65535)),
    "wav encoding": ("wav", b"fmt ", 8, "<H", (0, 2, 0x11, 0x31, 0x55, 0xFFFE, 0xFFFF)),
    "wav length": ("wav", b"data", 4, "<I", (0, 1, 0x7FFFFFFF, 0xFFFFFFFF)),
    "wav chunk": ("wav", b"fmt ", 4, "<I", (0, 1, 0xFFFFFFFF)),
    "float wav bits": ("float.wav", b"fmt ", 22, "<H", (0, 16, 64, 65535)),
    "aiff channels": ("aiff", b"COMM", 8, ">H", (0, 2, 65535)),
    "aiff frames": ("aiff", b"COMM", 10, ">I", (0, 1, 2**32 - 1)),
    "aiff bits": ("aiff", b"COMM", 14, ">H", (0, 1, 255)),
    "aiff rate": ("aiff", b"COMM", 16, ">H", (0, 0x3FFF, 0x7FFF, 0xFFFF)),
    "w64 length": ("w64", b"data\xf3\xac", 16, "<Q", (0, 1, 2**63 - 1, 2**64 - 1)),
    "rf64 length": ("rf64", b"ds64", 16, "<Q", (0, 1, 2**63, 2**64 - 1)),
    "au offset": ("au", b".snd", 4, ">I", (0, 2**31, 2**32 - 1)),
    "au rate": ("au", b".snd", 16, ">I", (0, 1, 2**32 - 1)),
    "au channels": ("au", b".snd", 20, ">I", (0, 2**31, 2**32 - 1)),
    "caf rate": ("caf", b"desc", 12, ">d", (0.0, 1.0, 1e300, float("nan"), -16000.0)),
    "caf channels": ("caf", b"desc", 36, ">I", (0, 2**32 - 1)),
    "caf length": ("caf", b"data", 4, ">Q", (0, 2**63 - 1, 2**64 - 1)),
    "flac block": ("flac", b"fLaC", 8, ">H", (0, 16, 65535)),
    "flac rate": ("flac", b"fLaC", 18, ">H", (0, 0xFFFF)),
    "mp4 rate": ("m4a", b"mdhd", 16, ">I", (0, 1, 2**32 - 1)),
    "mp4 time to sample": ("m4a", b"stts", 12, ">I", (0, 2**32 - 1)),
    "mp4 sizes": ("m4a", b"stsz", 12, ">I", (0, 2**31, 2**32 - 1)),
    "mp4 chunks": ("m4a", b"stco", 12, ">I", (0, 2**32 - 1)),
    "mp4 movie": ("m4a", b"moov", -4, ">I", (0, 1, 8, 2**32 - 1)),
}
"""By name: container, mark, offset behind it, form and values of a number that is wrong."""


def lying() -> Iterator[Case]:
    """Headers that lie about length, rate, channels or bits."""
    for name, (container, mark, offset, form, values) in LIES.items():
        for value in values:
            content = partial(patch, container, mark, offset, form, value)
            yield Case("headers that lie", f"{name} {value}", partial(put, f"a.{container}", content))
    for field in ("channel_count -i", "sample_rate -i", "sample_n_bytes -i", "sample_count -i"):
        for value in ("0", "-1", "99999999999999", "x"):

            def sphere(field: str = field, value: str = value) -> bytes:
                head, samples = sound_bytes("sph")[:1024], sound_bytes("sph")[1024:]
                lines = [
                    f"{field} {value}" if line.startswith(field) else line
                    for line in head.decode().split("\n")
                ]
                return "\n".join(lines).encode()[:1024].ljust(1024) + samples

            yield Case("headers that lie", f"sph {field} {value}", partial(put, "a.sph", sphere))


# ---- samples


def samples() -> Iterator[Case]:
    """Samples that are no sound, too few, or too many."""
    speech = demo_samples(2.5)

    def written(name: str, values: np.ndarray, rate: int = RATE, **options: str) -> Make:
        def make(folder: Path) -> Path:
            soundfile.write(folder / name, values, rate, **options)
            return folder / name

        return make

    for value in (np.nan, np.inf, -np.inf, 3e38, 1e-45):
        damaged = speech.copy()
        damaged[RATE] = value
        yield Case("samples", f"one is {value}", written("a.wav", damaged, subtype="FLOAT"))
        yield Case("samples", f"all are {value}", written("a.wav", np.full(RATE, value), subtype="FLOAT"))
    yield Case("samples", "one is 1e308", written("a.wav", np.append(speech, 1e308), subtype="DOUBLE"))
    for container, (format, subtype) in BY_SOUNDFILE.items():
        for n in (0, 1):
            make = written(f"a.{container}", speech[:n], format=format, subtype=subtype)
            yield Case("samples", f"{container} with {n} samples", make)
    for rate in (1000, 999, 1_000_000, 1_000_001):
        yield Case("samples", f"at {rate} Hz", written("a.wav", speech, rate))
    for n in (33, 256, 1024):
        yield Case("samples", f"{n} channels", written("a.wav", np.repeat(speech[:RATE, None], n, axis=1)))
    yield Case(
        "samples",
        "8 kHz in 1000 joined files",
        partial(put, "a.wav", lambda: sound_bytes("wav")[:3244] * 1000),
    )
    yield Case(
        "samples", "two hours of silence, flac", written("a.flac", np.zeros(2 * 3600 * 8000, np.int16), 8000)
    )
    yield Case("samples", "a sparse wav of two hours", sparse_wav)
    yield Case("samples", "a length without end, 50 MB", partial(put, "a.wav", endless))


def sparse_wav(folder: Path) -> Path:
    """Two hours of zeros at 1000 Hz that take no space."""
    path = put("a.wav", patch("wav", b"fmt ", 12, "<I", 1000), folder)
    with path.open("r+b") as file:
        file.truncate(2 * 3600 * 1000 * 2)
    return path


def endless() -> bytes:
    """Noise behind a header without a length."""
    noise = np.random.default_rng(0).integers(-3000, 3000, 25_000_000, np.int16)
    return patch("wav", b"data", 4, "<I", 0xFFFFFFFF)[:44] + noise.tobytes()


# ---- other files, places, and files that change


def others() -> Iterator[Case]:
    """Files that are something else, and containers without sound."""
    random = np.random.default_rng(0)
    contents = {
        "zeros": bytes(10**6),
        "ones": b"\xff" * 10**6,
        "noise": random.bytes(10**6),
        "text": b"Dear diary,\n" * 9999,
        "html": b"<!DOCTYPE html><html><body>404</body></html>",
        "png": b"\x89PNG\r\n\x1a\n" + random.bytes(999),
        "zip": b"PK\x03\x04" + random.bytes(999),
        "pdf": b"%PDF-1.7\n" + random.bytes(999),
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n",
        "playlist of itself": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\na.wav\n#EXT-X-ENDLIST\n",
        "concat": b"ffconcat version 1.0\nfile a.wav\n",
        "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nHello\n",
        "script": b"#!/bin/sh\necho hello\n",
        "headers alone": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" * 10000,
        "ogg pages alone": b"OggS\0\2" + bytes(20) + b"\1" + b"OggS\0\0" * 10000,
        "mp3 headers alone": b"\xff\xfb\x90\x00" * 10000,
        "adts headers alone": b"\xff\xf1\x50\x80\x00\x1f\xfc" * 10000,
        "nested mp4": b"".join(struct.pack(">I4s", 8 * (5000 - i), b"moov") for i in range(5000)),
        "mp4 of length 0": struct.pack(">I4s4s", 12, b"ftyp", b"isom") + bytes(10000),
        "mkv header alone": b"\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska" + bytes(1000),
        "id3 of 256 MB": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + sound_bytes("mp3"),
    }
    for name, content in contents.items():
        for suffix in ("wav", "mp4"):
            yield Case("not audio", f"{name} as .{suffix}", partial(put, f"a.{suffix}", content))
    nothing = np.empty(0, np.float32)
    for suffix in ("mp4", "mkv", "mov"):
        yield Case(
            "not audio", f"pictures without sound, {suffix}",
            lambda folder, suffix=suffix: write_av(folder / f"a.{suffix}", nothing, "", pictures=20),
        )  # fmt: skip
    yield Case(
        "not audio", "a cover alone, m4a", lambda folder: write_av(folder / "a.m4a", nothing, "", 1, True)
    )
    cover = b"\0\0\0image/jpeg\0\3\0" + b"\xff\xd8\xff\xe0" + bytes(500)
    frame = b"APIC" + struct.pack(">I", len(cover)) + b"\0\0" + cover
    tag = b"ID3\3\0\0" + bytes([0, 0, len(frame) >> 7, len(frame) & 0x7F]) + frame
    yield Case("not audio", "a cover alone, mp3", partial(put, "a.mp3", tag))


def link(target: str, folder: Path) -> Path:
    """A link."""
    (folder / "a.wav").symlink_to(target)
    return folder / "a.wav"


def listen_at(folder: Path) -> Path:
    """A socket."""
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(folder):
        server.bind("a.wav")
    return folder / "a.wav"


def fifo(folder: Path) -> Path:
    """A named pipe that nobody writes to."""
    os.mkfifo(folder / "a.wav")
    return folder / "a.wav"


def named(name: str, folder: Path) -> Path:
    """A good recording with a bad name."""
    return put(name, sound_bytes("wav"), folder)


def places() -> Iterator[Case]:
    """Places that are no files, and names that are hard to print."""
    yield Case("places", "a named pipe", fifo)
    yield Case("places", "a socket", listen_at)
    for target in (
        "a.wav",
        "nowhere",
        "/dev/zero",
        "/dev/null",
        "/dev/random",
        "/proc/self/mem",
        ".",
        "/proc/self/fd/0",
    ):
        yield Case("places", f"a link to {target}", partial(link, target))
    yield Case("places", "a folder", lambda folder: (folder / "a.wav").mkdir() or folder / "a.wav")
    for name in (
        "a\nb.wav",
        "-rf.wav",
        "a\x1b[31m.wav",
        os.fsdecode(b"\xff\xfe.wav"),
        "%s%n.wav",
        "file:a.wav",
        " .wav",
    ):
        yield Case("places", f"the name {name!r}", partial(named, name))


def grow(path: Path) -> None:
    """Append to a file for two seconds."""
    content, end = sound_bytes("wav")[44:], time.monotonic() + 2
    while time.monotonic() < end:
        with path.open("ab") as file:
            file.write(content)
        time.sleep(0.02)


def replace(content: bytes, path: Path) -> None:
    """Put another file in its place, again and again, for two seconds."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for each in (content, sound_bytes("wav")):
            other = path.with_name("other")
            other.write_bytes(each)
            other.replace(path)
            time.sleep(0.01)


def shrink(path: Path) -> None:
    """Cut a file shorter and let it grow again, for two seconds."""
    whole, end = path.read_bytes(), time.monotonic() + 2
    while time.monotonic() < end:
        for n in (100, 44, 0, len(whole)):
            path.write_bytes(whole[:n])
            time.sleep(0.005)


def vanish(path: Path) -> None:
    """Remove a file while it is read."""
    time.sleep(0.05)
    path.unlink()


def changing() -> Iterator[Case]:
    """Files that change while they are read."""
    acts = {
        "grows": grow,
        "is replaced by a flac": partial(replace, sound_bytes("flac")),
        "is replaced by nothing": partial(replace, b""),
        "shrinks": shrink,
        "vanishes": vanish,
    }
    for container in ("wav", "flac", "ogg", "mkv"):
        content = sound_bytes(container)
        for name, act in acts.items():
            yield Case(
                "files that change", f"{container} {name}", partial(put, f"a.{container}", content), act
            )


def all_cases() -> Iterator[Case]:
    """All inputs, group by group."""
    for group in (truncated, flipped, lying, samples, others, places, changing):
        yield from group()


# ---- the script


def label(case: Case, model: Path, n_bytes: int, seconds: int) -> str:
    """What became of an input: "result", "error", or what promise was broken."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        soundfile.write(folder / GOOD, demo_samples(2.5), RATE)
        path = case.make(folder / "in")
        child = os.fork()
        if child == 0:
            _label_in_child(case, path, folder, model, n_bytes, seconds)
        actor = threading.Thread(target=quietly, args=(case.act, path))
        actor.start()
        _, status = os.waitpid(child, 0)
        actor.join()
        said = (folder / "stderr").read_text(errors="replace")
        return judge(status, said, path, (folder / "out" / "good.rttm").exists())


def judge(status: int, said: str, path: Path, labelled: bool) -> str:
    """The outcome by the wait status of the child, what it said on stderr, and what it left."""
    lines = said.splitlines()
    if "Traceback" in said:
        return f"traceback: {lines[-1]}"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return (
            "too slow"
            if number in (signal.SIGALRM, signal.SIGXCPU)
            else f"ended by {signal.Signals(number).name}"
        )
    code = os.waitstatus_to_exitcode(status)
    if path.is_dir() and code == 2 and len(lines) == 1:  # is refused before any work
        return "error"
    if not labelled:
        return f"the good recording is not labelled: {lines}"
    strange = [
        line
        for line in lines
        if not line.startswith(("diarize: ", "a", str(path)[:20], "'", "-", "%", " ", "file:"))
    ]
    if strange:
        return f"strange line: {strange[0]!r}"
    told = [line for line in lines if line.startswith("diarize: ")]
    if code == 2 and len(told) == 2:
        return "error"
    return "result" if code == 0 and not told else f"status {code} with {told}"


def quietly(act: Callable[[Path], None], path: Path) -> None:
    """Do something to a file that may be gone."""
    with contextlib.suppress(OSError):
        act(path)


def _label_in_child(case: Case, path: Path, folder: Path, model: Path, n_bytes: int, seconds: int) -> None:
    """Run the command in this process, with its stderr in a file, within the limits; never returns."""
    code = 1
    try:
        os.dup2(os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT), 2)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size + n_bytes, size + n_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        signal.alarm(30 * seconds)  # for an input that waits
        os.chdir(path.parent)
        done = call(
            *("run", folder / GOOD, "--model", model, "--threads", 1, "-o", folder / "out", "--"), path.name
        )
        os.write(2, done.err.encode(errors="backslashreplace"))
        code = done.status
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def main() -> None:
    """Label all inputs, print what is broken and the counts of each group."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="inputs whose group and name hold this text")
    parser.add_argument(
        "--memory", type=float, default=2.0, help="GiB beyond those at the start (default: 2)"
    )
    parser.add_argument(
        "--seconds", type=int, default=120, help="of the processor, for each input (default: 120)"
    )
    arguments = parser.parse_args()

    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        model = write_small_model(Path(folder))
        warm = put("warm.mkv", sound_bytes("mkv"), Path(folder))
        call("run", warm, "--model", model, "--threads", 1)  # loads what the children need
        for case in all_cases():
            if arguments.only not in f"{case.group}: {case.name}":
                continue
            started = time.perf_counter()
            outcome = label(case, model, round(arguments.memory * 2**30), arguments.seconds)
            taken = time.perf_counter() - started
            kept = outcome in ("result", "error")
            counts.setdefault(case.group, Counter())[outcome if kept else "broken"] += 1
            if not kept or taken > 20:
                print(f"{case.group}: {case.name}: {outcome} ({taken:.0f} s)", flush=True)
    print("| inputs | number | a result | one line of error | broken |\n|:---|---:|---:|---:|---:|")
    for group, outcomes in counts.items():
        cells = [sum(outcomes.values()), *(outcomes[name] for name in ("result", "error", "broken"))]
        print(f"| {group} | {' | '.join(map(str, cells))} |")
    if any(outcomes["broken"] for outcomes in counts.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
