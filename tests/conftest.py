"""What several test files share."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# On a machine that is busy with something else an example takes as long as it takes.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parent.parent

# A shell ignores SIGINT for what it runs in the background, and the commands that tests start would as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real speech that lies beside some checkouts; tests that need it skip without it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no folder of real speech at {folder}")
    return folder


@pytest.fixture(scope="session")
def demo_recording() -> Path:
    """The recording that ships with the repository: four synthetic voices, one minute."""
    return REPOSITORY / "egs" / "demo" / "meeting.flac"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The recipes go first: they take long, and at the end one process would be busy with them alone."""
    items.sort(key=lambda item: item.get_closest_marker("recipe") is None)
