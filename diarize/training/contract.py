"""The interfaces that the training loop needs: batches, samplers and objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from diarize.config import Settings
from diarize.machine.devices import mixed_precision
from diarize.networks.contract import Outputs, layer_output


class Batch(Protocol):
    """The inputs of one call of the network, and what an objective needs to know about them."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The arguments of the network."""
        ...


B_co = TypeVar("B_co", bound=Batch, covariant=True)


class Sampler(Protocol[B_co]):
    """Batches by number."""

    def batch(self, number: int) -> B_co:
        """Batch number `number`, from 0. It depends on this number and the sampler's seed alone.

        An interrupted training therefore resumes with the same batches as without the interruption.
        """
        ...


class LossConfig(Settings):
    """The settings that every [loss] table has; each kind adds its own."""

    kind: str = Field("embedding", description="a name in diarize.training.objectives.OBJECTIVES")
    layer: str | None = Field(
        None, description="layer of the network whose output the loss takes; none: the last layer"
    )
    ramp: int = Field(
        0, ge=0, description="batches over which angular margins grow from 0 to their value; 0: at once"
    )

    @property
    def needs_speakers(self) -> bool:
        """Whether a batch must hold several segments of each of its speakers."""
        return False

    @property
    def needs_targets(self) -> bool:
        """Whether a teacher's embeddings are needed."""
        return False


class Objective(nn.Module, ABC):
    """The sum of named losses on a network's outputs, which is minimised. It may have weights of its own.

    Attributes
    ----------
    config : Settings
        The [loss] table. A checkpoint with other settings is refused.
    layer : str or None
        Name of the layer whose output ``forward`` receives; none: the output of the network.
    ramp : int
        Batches over which `share` grows to 1.
    """

    layer: str | None = None
    ramp: int = 0

    def __init__(self, config: Settings) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def forward(self, outputs: Tensor, batch: Any, share: float = 1.0) -> dict[str, Tensor]:
        """Each loss by its name, a scalar, for a batch and the network's outputs, in float32.

        `share`, from 0 to 1, is the share of each margin that is applied.
        """

    def losses(
        self, network: nn.Module, batch: Batch, share: float = 1.0, *, mixed: bool = False
    ) -> dict[str, Tensor]:
        """Each loss of a network on a batch; only the network runs in mixed precision."""
        device = next(network.parameters()).device
        with mixed_precision(device.type, mixed):
            outputs = layer_output(network, self.layer, *(each.to(device) for each in batch.inputs))
        named: dict[str, Tensor] = self(outputs.float(), batch, share)
        return named


@dataclass(frozen=True)
class Facts:
    """What an objective of a [loss] table may need to know about the network and the corpus.

    Attributes
    ----------
    dim : int
        Size of an output of the layer that the loss takes.
    n_speakers, n_segments : int
        Number of training speakers; segments of each speaker in a batch, in neighbouring rows.
    targets : (n_clips, n_speeds, dim) float32 or None
        A teacher's embeddings.
    """

    dim: int
    n_speakers: int
    n_segments: int = 2
    targets: NDArray[np.float32] | None = None


class NamedObjective(Objective):
    """An objective that a [loss] table chooses by its kind.

    Attributes
    ----------
    settings : type
        The settings of its [loss] table.
    takes : str
        The kind of output that the network must have if no layer is named; "anything": any kind.
    """

    settings: ClassVar[type[LossConfig]] = LossConfig
    takes: ClassVar[Outputs | Literal["anything"]] = "anything"

    def __init__(self, config: LossConfig, facts: Facts) -> None:
        super().__init__(config)
        self.layer, self.ramp, self.facts = config.layer, config.ramp, facts
