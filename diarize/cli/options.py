"""Options that several commands share, with their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diarize.clustering import CLUSTERERS, TRAINED_CLUSTERERS

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Recordings, folders of recordings, and Kaldi data folders.",
        show_default=False,
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="Folder for the results or, for one recording, a file such as result.rttm; - for stdout.",
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Format of the results: rttm, json, csv, srt, vtt, textgrid, eaf, audacity or lab; repeatable. "
        "Default: rttm and json into a folder, rttm on stdout, the suffix's format into a file.",
    ),
]
NumSpeakers = Annotated[
    int | None, typer.Option(min=1, help="Exact number of speakers; by default, it is found.")
]
MinSpeakers = Annotated[
    int | None,
    typer.Option(min=1, help="At least this many speakers, or as many as the speech allows; default 1."),
]
MaxSpeakers = Annotated[
    int | None, typer.Option(min=1, help="At most this many speakers; no limit by default.")
]
ClustererName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"Clustering method: {', '.join([*CLUSTERERS, *TRAINED_CLUSTERERS])}; "
        "default: the first of these.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Merge distance at which agglomerative clustering stops; higher merges more. By default, the "
        "number of speakers is chosen without a threshold."
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Leave out turns whose confidence is below this; JSON lists them as doubtful. Default: 0.",
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Embedding model: a model folder, FILE.onnx, or a name that `diarize models` lists; default: "
        "the first of that list.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="Device for the embedding network: auto (cuda if available, otherwise cpu), cpu, cuda or mps.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1, help="Threads on the CPU; default: torch's number, usually the cores. No effect on results."
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        min=1,
        help="Processes that label recordings into a folder, each with its own models; the threads are "
        "divided between them.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Label recordings on the workers of a Dask cluster: the address of its scheduler, such as "
        "tcp://10.0.0.1:8786, or its file.json.",
        show_default=False,
    ),
]
JournalFolder = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FOLDER",
        help="Folder for the journal, where results go to a URL; default: that of the results.",
        show_default=False,
    ),
]
ShardName = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Label only part I of N equal parts of the recordings, for several runs into one folder.",
    ),
]
Channel = Annotated[
    int | None,
    typer.Option(
        min=1, help="Use one channel, counted from 1; default: the mean of the channels that hold sound."
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(metavar="speakers", help="speakers: each channel is one speaker, as in recorded calls."),
]
ChannelNames = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="With --channels speakers: the speaker of each channel; default: CHANNEL_1,CHANNEL_2,...",
    ),
]
Track = Annotated[
    int | None,
    typer.Option(
        min=1, help="Audio track of a file with several, counted from 1; default: the file's default track."
    ),
]
SpeechFile = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Known speech, which is then not detected: a file in RTTM, UEM or lab format, or a folder with "
        "a file for each recording.",
    ),
]
KnownVoices = Annotated[
    Path | None,
    typer.Option(
        "--known",
        metavar="FILE",
        help="Table of known voices, from `diarize enroll`; speakers who are these people get their names.",
    ),
]
SaveVoices = Annotated[
    bool,
    typer.Option(
        "--save-voices",
        help="Also write RECORDING.voices.parquet, an embedding of each speaker, for `diarize link` and "
        "`find`. It is biometric data.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Settings and networks by name: default, fast or strong; `diarize models` describes them.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file of settings, which override the defaults."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Set one setting, for example speech.threshold=0.3; overrides --config; repeatable.",
    ),
]
AllowPipes = Annotated[
    bool,
    typer.Option("--allow-pipes", help="Run commands in wav.scp of a Kaldi data folder; refused by default."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite existing results; by default, they are an error.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only errors: no progress, warnings or summary.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print more about the run on stderr.")]

OPTION_SETTINGS = {
    "num_speakers": "clustering.n_speakers",
    "min_speakers": "clustering.min_speakers",
    "max_speakers": "clustering.max_speakers",
    "clusterer": "clustering.method",
    "threshold": "clustering.threshold",
    "min_confidence": "turns.min_confidence",
    "window": "embedding.window",
    "hop": "embedding.hop",
}
"""Options that are short names of settings; without the option, the config decides."""


def as_settings(**options: Any) -> dict[str, Any]:
    """The values of these options, by the names of their settings."""
    return {OPTION_SETTINGS[name]: value for name, value in options.items()}
