"""All settings, in one place: see docs/settings.md.

- ``sections``: every setting of the pipeline
- ``loading``: how they are loaded
- ``validation``: groups of settings; a wrong one raises an error of one line
- ``changes``: settings that differ
- ``toml``: reads and writes TOML
- ``registry``: classes by name
"""

from diarize.config.loading import (
    MODEL_TABLES,
    RECIPE_TABLES,
    load_config,
    load_tables,
)
from diarize.config.sections import (
    DETECTOR_THRESHOLDS,
    ChannelsConfig,
    ClusteringConfig,
    Config,
    EmbeddingConfig,
    ResegmentationConfig,
    SpeechConfig,
    TurnConfig,
)
from diarize.config.toml import (
    load_toml,
)
from diarize.config.validation import (
    Settings,
    check_order,
    validate,
)

__all__ = [
    "DETECTOR_THRESHOLDS",
    "MODEL_TABLES",
    "RECIPE_TABLES",
    "ChannelsConfig",
    "ClusteringConfig",
    "Config",
    "EmbeddingConfig",
    "ResegmentationConfig",
    "Settings",
    "SpeechConfig",
    "TurnConfig",
    "check_order",
    "load_config",
    "load_tables",
    "load_toml",
    "validate",
]
