"""The errors that a caller can meet: what is wrong, where, and what to do, in one line."""


class DiarizeError(Exception):
    """Something that the user gave is wrong; the message is one line and names the remedy."""


class AudioError(DiarizeError):
    """A recording cannot be opened, decoded or labelled."""


class FormatError(DiarizeError):
    """A file does not follow its format; the message names the file and the line."""


class ConfigError(DiarizeError):
    """A setting is unknown, or its value is impossible; the message lists what is known."""


class ModelError(DiarizeError):
    """A model folder is missing, incomplete, or does not fit its own config."""
