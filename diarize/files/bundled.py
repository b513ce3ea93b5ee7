"""The folders of the bundled networks."""

from pathlib import Path

BUNDLED = Path(__file__).parent.parent / "bundled"
ACTIVITY = BUNDLED / "activity"
"""The network of speech and overlap, which is not an embedding model."""
