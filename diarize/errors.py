"""The errors that a caller can meet. Each message says what is wrong, where, and what to do, in one line."""


class DiarizeError(Exception):
    """The user's input is wrong; the message is one line and names the remedy."""


class AudioError(DiarizeError):
    """A recording cannot be opened, decoded or labelled."""


class FormatError(DiarizeError):
    """A file does not follow its format; the message names the file and the line."""


class ConfigError(DiarizeError):
    """A setting is unknown, or its value is impossible; the message lists the known settings."""


class ModelError(DiarizeError):
    """A model folder is missing or incomplete, or its weights do not fit its config.toml."""


class OutputError(DiarizeError):
    """A file cannot be written: no permission, a full disk, or something else of that name."""
