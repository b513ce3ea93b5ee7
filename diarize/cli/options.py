"""Options that several commands share, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diarize.clustering import CLUSTERERS

Inputs = Annotated[
    list[str],
    typer.Argument(help="Recordings, folders of recordings, Kaldi data folders.", show_default=False),
]
Output = Annotated[
    str, typer.Option("--output", "-o", help="Folder, or for one recording a file; - for stdout.")
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        help="rttm, json, csv, srt, vtt, textgrid, eaf, audacity, lab; repeatable. "
        "Default: rttm and json; on stdout rttm; of a file its suffix.",
    ),
]
NumSpeakers = Annotated[int | None, typer.Option(min=1, help="Exact number of speakers, when it is known.")]
MinSpeakers = Annotated[
    int | None, typer.Option(min=1, help="At least this many, or as many as its speech allows.")
]
MaxSpeakers = Annotated[int | None, typer.Option(min=1, help="At most this many speakers.")]
ClustererName = Annotated[str | None, typer.Option(help=f"{', '.join(CLUSTERERS)}.")]
Threshold = Annotated[
    float | None, typer.Option(help="Merge distance of agglomerative clustering; higher merges more.")
]
ModelName = Annotated[
    str | None, typer.Option(help="Model folder, FILE.onnx, or a name that `diarize models` lists.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; the result does not depend on them.")]
Channel = Annotated[
    int | None,
    typer.Option(min=1, help="Channel, counted from 1; otherwise the mean of those that hold sound."),
]
Channels = Annotated[
    str | None,
    typer.Option(metavar="speakers", help="speakers: each channel is one speaker, as in calls."),
]
ChannelNames = Annotated[
    str | None,
    typer.Option(metavar="NAME,NAME", help="The channels' speakers; otherwise CHANNEL_1, CHANNEL_2, ..."),
]
Track = Annotated[
    int | None,
    typer.Option(min=1, help="Audio track of a file with several, counted from 1; otherwise the default."),
]
SpeechFile = Annotated[
    Path | None, typer.Option(help="RTTM, UEM or lab file (or a folder of them) that says where speech is.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any setting: --set speech.threshold=0.3 (repeatable)."),
]
AllowPipes = Annotated[bool, typer.Option("--allow-pipes", help="Run the commands that a wav.scp may hold.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell more on stderr.")]

OPTION_SETTINGS = {
    "num_speakers": "clustering.n_speakers",
    "min_speakers": "clustering.min_speakers",
    "max_speakers": "clustering.max_speakers",
    "clusterer": "clustering.method",
    "threshold": "clustering.threshold",
    "window": "embedding.window",
    "hop": "embedding.hop",
}
"""Options that are settings under a shorter name; where one is not given, the config decides."""


def as_settings(**options: Any) -> dict[str, Any]:
    """The values of such options by the names of their settings."""
    return {OPTION_SETTINGS[name]: value for name, value in options.items()}
