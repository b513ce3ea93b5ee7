"""Embedding networks, and ``build_network``."""

from __future__ import annotations

from inspect import signature
from typing import Any

from diarize.errors import ConfigError
from diarize.networks.blstm import BLSTM
from diarize.networks.cnn import CNN
from diarize.networks.frame_network import FrameNetwork
from diarize.networks.resnet import ResNet
from diarize.networks.tdnn import TDNN

Network = FrameNetwork | CNN | BLSTM
NETWORKS: dict[str, type[Network]] = {"resnet": ResNet, "tdnn": TDNN, "cnn": CNN, "blstm": BLSTM}


def build_network(family: str, **parameters: Any) -> Network:
    """A network with fresh weights: ``build_network("resnet", channels=[16, 32, 64], dim=192)``.

    Raises
    ------
    ConfigError
        For an unknown family or parameter (with the known ones), or an impossible value.
    """
    if family not in NETWORKS:
        raise ConfigError(f"unknown network '{family}'; known: {', '.join(NETWORKS)}")
    network = NETWORKS[family]
    known = signature(network).parameters
    for name in parameters:
        if name not in known:
            raise ConfigError(f"network '{family}': unknown setting '{name}'; known: {', '.join(known)}")
    try:
        return network(**parameters)
    except ValueError as error:
        raise ConfigError(f"network '{family}': {error}") from error
