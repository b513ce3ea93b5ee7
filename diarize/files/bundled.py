"""The networks that come with the package."""

from pathlib import Path

BUNDLED = Path(__file__).parent.parent / "bundled"
ACTIVITY = BUNDLED / "activity"
"""No embedding model, but the network that finds speech and overlap."""
