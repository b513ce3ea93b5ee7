"""`Pipeline`: the diarizer with the calls of pyannote.audio's class of this name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from diarize.audio import Source
from diarize.audio.progress import Hook, Progress, ignore
from diarize.config import load_config
from diarize.machine.devices import find_device
from diarize.pipeline.diarizer import Diarizer

if TYPE_CHECKING:
    from pyannote.core import Annotation


class Pipeline:
    """A diarizer that is called as pyannote.audio's Pipeline is, and gives an Annotation of pyannote.core.

    Parameters
    ----------
    options
        Those of `Diarizer`: model, config, device, threads.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options

    @cached_property
    def diarizer(self) -> Diarizer:
        """The diarizer, which loads its models when it is first used."""
        return Diarizer(**self._options)

    @classmethod
    def from_pretrained(cls, preset: str = "default") -> Pipeline:
        """The pipeline of a preset: "default", "fast" or "strong". Nothing is downloaded.

        Raises
        ------
        ConfigError
            If there is no such preset.
        """
        return cls(config=load_config(preset=preset))

    def to(self, device: Any) -> Pipeline:
        """Move the embedding network to a device, ``torch.device("cuda")`` or its name; returns the pipeline.

        Raises
        ------
        ConfigError
            If there is no such device.
        """
        find_device(str(device))
        self._options["device"] = str(device)
        self.__dict__.pop("diarizer", None)  # it is loaded again
        return self

    def __call__(
        self,
        file: Source,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        hook: Callable[..., object] | None = None,
    ) -> Annotation:
        """The diarization of a recording.

        Parameters
        ----------
        file : path, open file, array, tensor or mapping
            What `Diarizer` takes; a mapping may have a `channel`, counted from 0 as pyannote does.
        num_speakers, min_speakers, max_speakers : int, optional
        hook : callable, optional
            Called as pyannote.audio does, for example its ProgressHook: with the name of a stage and its
            result, and with `file`, `total` and `completed`.

        Raises
        ------
        DiarizeError
            As a call of `Diarizer`.
        """
        channel = file.get("channel") if isinstance(file, Mapping) else None
        return self.diarizer(
            file,
            channel=None if channel is None else channel + 1,
            n_speakers=num_speakers,
            min_speakers=min_speakers,
            max_speakers=max_speakers,
            hook=ignore if hook is None else _as_ours(hook, file),
        ).to_pyannote()


def _as_ours(hook: Callable[..., object], file: Source) -> Hook:
    def report(stage: str, record: Any) -> None:
        if isinstance(record, Progress):
            hook(stage, None, file=file, total=record.total, completed=record.done)
        else:
            hook(stage, record, file=file)

    return report
