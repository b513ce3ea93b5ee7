"""Several copies of a recording for a training: at other speeds, and augmented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from diarize.audio import load_audio
from diarize.audio.features import FeatureConfig, log_mel
from diarize.config import Settings
from diarize.training.augment import Augmenter, change_speed


class PackConfig(Settings):
    """The [pack] table: one copy for each speed, augmented or not."""

    speeds: tuple[float, ...] = (1.0, 1.0, 1.0, 0.9, 1.1)
    augmented: tuple[bool, ...] = (False, True, True, True, True)

    @field_validator("speeds")
    @classmethod
    def _are_speeds(cls, speeds: tuple[float, ...]) -> tuple[float, ...]:
        if not speeds or not all(0.1 <= speed <= 10 for speed in speeds):
            raise ValueError("input should be numbers from 0.1 to 10")
        return speeds

    @model_validator(mode="after")
    def _fit_together(self) -> PackConfig:
        if len(self.speeds) != len(self.augmented):
            raise ValueError("[pack] needs as many speeds as augmented")
        return self


class Copies:
    """The log-mel frames of each copy of a recording; they are the same in any process."""

    def __init__(
        self, pack_config: PackConfig, features: FeatureConfig, augmenter: Augmenter, seed: int
    ) -> None:
        self.pack_config, self.features, self.augmenter, self.seed = pack_config, features, augmenter, seed

    def __call__(self, recording: tuple[int, str]) -> list[tuple[float, NDArray[np.float16]]]:
        """(speed, log-mel (n_frames, n_mels)) for each copy of a recording, given its number and path."""
        number, path = recording
        samples = load_audio(path)
        made = []
        for copy, (speed, augmented) in enumerate(
            zip(self.pack_config.speeds, self.pack_config.augmented, strict=True)
        ):
            changed = samples if speed == 1.0 else change_speed(samples, speed)
            if augmented:
                changed = self.augmenter(changed, np.random.default_rng([self.seed, number, copy]))
            made.append((speed, log_mel(changed, self.features).astype(np.float16)))
        return made
