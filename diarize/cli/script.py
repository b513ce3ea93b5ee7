"""What every script of recipes/ and egs/ does around its main function."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from diarize.cli.signals import raised, status_of, told
from diarize.errors import DiarizeError

WRONG_INPUT = 2


def run_script(main: Callable[[], None]) -> None:
    """Call the main function of a script; what the library logs goes to stderr.

    A DiarizeError is one line on stderr, named after the script, and exit status 2; Ctrl-C is status 130,
    SIGTERM 143. Of several processes that torchrun started the first alone logs.
    """
    if not logging.getLogger().handlers:
        logging.basicConfig(format="%(message)s")
        is_first = os.environ.get("RANK", "0") == "0"
        logging.getLogger("diarize").setLevel(logging.INFO if is_first else logging.WARNING)
    name = Path(sys.argv[0]).name
    try:
        with raised():
            main()
    except DiarizeError as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(WRONG_INPUT) from None
    except KeyboardInterrupt as error:
        print(f"{name}: {told(error)}", file=sys.stderr)
        raise SystemExit(status_of(error)) from None
