"""The command ``diarize``, also as ``python -m diarize``."""

from diarize.cli.signals import end_at_once


def main() -> None:
    """Run the command line."""
    end_at_once()  # also while the commands are imported
    from diarize.cli.commands import main

    main()


if __name__ == "__main__":
    main()
