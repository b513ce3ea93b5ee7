"""``python -m diarize``: the same as the command ``diarize``."""

from diarize.cli import main

if __name__ == "__main__":
    main()
