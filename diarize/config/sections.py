"""Every setting of the pipeline, with its default, unit and meaning.

A TOML file has one table for each section. Tables and settings may be left out::

    [speech]
    threshold = 0.3
    [clustering]
    method = "spectral"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from diarize.config.validation import Settings
from diarize.segments import MOST_SPEAKERS

DETECTOR_THRESHOLDS = {"local": 0.5, "silero": 0.5, "activity": 0.9, "energy": 0.5}
"""The threshold of each detector, used where ``speech.threshold`` is not given."""


def _at_least_a_frame(seconds: float) -> float:
    if seconds < 0.01:
        raise ValueError("input should be at least 0.01")
    return seconds


class SpeechConfig(Settings):
    """Speech detection (``speech/``). docs/choices.md says how the defaults were chosen."""

    detector: Literal["local", "silero", "activity", "energy"] = Field(
        "silero",
        description="local: a network that distinguishes the speakers of windows, and finds overlap; silero: "
        "Silero's network; activity: the bundled network on top of it; energy: loud sound, without a network",
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="speech begins where the probability reaches this; lower finds more. None: 0.5, with "
        "activity 0.9",
    )
    release: float = Field(
        0.25, ge=0, description="speech ends this far below the threshold (but not below 0.01)"
    )
    min_speech: float = Field(0.1, ge=0, description="seconds; shorter speech is dropped")
    min_silence: float = Field(0.3, ge=0, description="seconds; shorter pauses are bridged")
    padding: float = Field(0.05, ge=0, description="seconds added on each side of speech")
    overlap: float = Field(
        0.7,
        ge=0,
        le=1,
        description="where the overlap probability reaches this value, the other speaker who is nearest in "
        "time gets a turn as well; not with energy; 1 disables it",
    )
    mixed: float = Field(
        0.6,
        ge=0,
        le=1,
        description="frames whose overlap probability reaches this value are excluded from embeddings, "
        "unless less than 0.2 s of a window would remain; not with energy; 1 disables the exclusion",
    )
    model: str | None = Field(
        None,
        description="folder of a network of speech and overlap, or a third-party network as FILE.onnx; "
        "none: the bundled one. With the detector local, of local speakers; none: pyannet",
    )

    window: float = Field(
        10.0, ge=1, le=60, description="seconds; local: the window in which speakers are distinguished"
    )
    hop: float = Field(
        2.5, ge=0.02, description="seconds between the starts of these windows; lower is slower"
    )
    silero_weight: float = Field(
        0.0,
        ge=0,
        le=1,
        description="local: weight of Silero's probability of speech; the network's has the rest",
    )

    @property
    def onset(self) -> float:
        """The threshold in use: the given one, otherwise the detector's default."""
        return DETECTOR_THRESHOLDS[self.detector] if self.threshold is None else self.threshold


class ChannelsConfig(Settings):
    """Recordings in which each channel is one speaker (``speech/channels.py``, ``speech/crosstalk.py``)."""

    crosstalk: bool = Field(
        True,
        description="removes from a channel what it holds of the other channels' speakers; false keeps it",
    )
    margin: float = Field(
        9.0,
        ge=0,
        description="dB; a channel's own speaker is this much louder than cross-talk, or a quarter of the "
        "channels' separation if that is less; lower finds more overlap",
    )


class EmbeddingConfig(Settings):
    """The embedding network, and the windows that are embedded (``embedding/``)."""

    model: str | None = Field(
        None,
        description="a model folder, FILE.onnx, or a name that `diarize models` lists; none: the bundled "
        "network",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="of the networks of this project; bfloat16 is faster on a processor with AVX512_BF16 or "
        "AMX and on a GPU, and is float32 elsewhere, so results depend on the machine",
    )
    window: float = Field(
        1.5,
        gt=0,
        description="seconds; length of a window; longer windows separate speakers better, shorter ones "
        "follow quick changes",
    )
    hop: float = Field(
        0.75,
        ge=0.01,
        description="seconds between the starts of windows; without resegmentation, borders between "
        "speakers are exact to about half of it",
    )

    _long_enough = field_validator("window")(_at_least_a_frame)


class ClusteringConfig(Settings):
    """From embeddings to speakers (``clustering/``)."""

    method: str = Field("agglomerative", description="a name in diarize.clustering.CLUSTERERS")
    evidence: bool = Field(
        True,
        description="the evidence of the model's back end chooses the number, for every method; false: the "
        "method chooses, as it always does without a back end",
    )
    centre: bool = Field(
        False,
        description="without evidence: the recording's mean is subtracted from the embeddings; for networks "
        "whose embeddings all point one way, such as a CNN or BLSTM",
    )
    speaker_cost: float = Field(0.0, description="nats; with evidence: cost of a speaker; higher finds fewer")
    long_speaker_cost: float = Field(
        8.0,
        ge=0,
        description="nats; with evidence: extra cost of a speaker in long recordings, times the natural "
        "logarithm of their length in units of seconds_in_full; higher finds fewer there",
    )
    second_speaker_rate: float = Field(
        2.5,
        ge=0,
        description="nats/s; with evidence: what several speakers must gain over one for each second of "
        "speech beyond 25 s; higher keeps long monologues whole, and merges two similar speakers",
    )
    overlap_gain: float = Field(
        40.0,
        ge=0,
        description="nats/s; with evidence: by how much each second of overlapping speech lowers what "
        "several speakers must gain over one",
    )
    novelty_limit: float | None = Field(1.5, ge=0, description="with a verifier: above it, a warning follows")
    one_person_weight: float = Field(
        10.0,
        ge=0,
        description="with evidence and a verifier: where the two most alike of three speakers or more may be "
        "one person, a partition costs this many times the verifier's nats; higher finds fewer speakers",
    )
    seconds_a_sample: float = Field(
        3.5,
        gt=0,
        description="seconds; with evidence: this much speech counts as one independent window; higher "
        "finds fewer speakers",
    )
    seconds_in_full: float = Field(
        60.0,
        gt=0,
        description="seconds; with evidence: beyond this duration, the total weight of the windows grows "
        "with the cube root of their duration; higher finds more speakers in long recordings",
    )
    threshold: float | None = Field(None, description="threshold of agglomerative; higher merges more")
    n_speakers: int | None = Field(
        None,
        ge=1,
        le=MOST_SPEAKERS,
        description="exact number of speakers; an error where there are fewer windows of speech",
    )
    min_speakers: int = Field(
        1,
        ge=1,
        le=MOST_SPEAKERS,
        description="at least this many speakers; where there are fewer windows of speech, each is a "
        "speaker, with a warning",
    )
    max_speakers: int | None = Field(None, ge=1, le=MOST_SPEAKERS, description="at most this many speakers")
    options: dict[str, Any] = Field(default_factory=dict, description="further parameters of the clusterer")

    @model_validator(mode="before")
    @classmethod
    def _spell(cls, values: Any) -> Any:
        return spell_numbers(values) if isinstance(values, Mapping) else values


class ResegmentationConfig(Settings):
    """Who speaks in short windows, once the speakers are found (``resegmentation.py``)."""

    enabled: bool = Field(
        True,
        description="for models with a back end; false: turns follow the windows that were clustered",
    )
    window: float = Field(0.75, gt=0, description="seconds; length of a window")
    hop: float = Field(
        0.25,
        ge=0.01,
        description="seconds between the starts of windows; borders between speakers are exact to about "
        "half of it",
    )
    change_cost: float = Field(
        2.0, ge=0, description="nats; cost of a change of speaker; higher makes fewer and longer turns"
    )
    local_weight: float = Field(
        1.0,
        ge=0,
        description="nats/s; with the detector local: weight of the local speakers beside the embeddings of "
        "these windows",
    )

    _long_enough = field_validator("window")(_at_least_a_frame)


class TurnConfig(Settings):
    """From labelled windows to turns (``turns.py``)."""

    smoothing: int = Field(
        1, ge=1, le=101, description="odd; majority vote over this many neighbouring windows; 1: none"
    )
    min_turn: float = Field(
        0.0, ge=0, description="seconds; a shorter turn goes to the longer neighbour that touches it"
    )
    min_gap: float = Field(
        0.7,
        ge=0,
        description="seconds; silences up to this long are closed where the same speaker speaks before "
        "and after",
    )
    min_confidence: float = Field(
        0.0,
        ge=0,
        le=1,
        description="turns whose confidence is below this are left out, and are doubtful turns of the JSON "
        "result; for models with a back end",
    )

    @field_validator("smoothing")
    @classmethod
    def _is_odd(cls, n: int) -> int:
        if n % 2 == 0:
            raise ValueError("input should be odd")
        return n


class KnownConfig(Settings):
    """Known voices (``speakers/enrolment.py``)."""

    false_alarms: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="share of speakers who are nobody known and get a name all the same; lower names fewer",
    )


class Config(Settings):
    """All settings of the pipeline."""

    speech: SpeechConfig = SpeechConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    clustering: ClusteringConfig = Field(default_factory=ClusteringConfig)  # its options can be changed
    resegmentation: ResegmentationConfig = ResegmentationConfig()
    turns: TurnConfig = TurnConfig()
    channels: ChannelsConfig = ChannelsConfig()
    known: KnownConfig = KnownConfig()


def spell_numbers(table: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of clustering, with ``num_speakers`` renamed to ``n_speakers``."""
    values = dict(table)
    if "num_speakers" in values:
        number = values.pop("num_speakers")
        if values.setdefault("n_speakers", number) != number:
            raise ValueError("n_speakers and num_speakers are one setting; give one of them")
    return values
