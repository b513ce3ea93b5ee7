"""``python -m diarize``: the same as the command ``diarize``."""

from diarize.cli.commands import main

if __name__ == "__main__":
    main()
