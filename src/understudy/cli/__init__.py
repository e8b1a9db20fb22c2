"""The commands: `understudy serve`, `keys`, `doctor`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from understudy.cli.lean import import_structlog_alone

# Here, since worker processes come by no other module of the commands.
import_structlog_alone()


def main() -> None:
    """Run the command line. Settings that cannot be used end it with a sentence and status 2."""
    from understudy.cli.commands import app
    from understudy.settings import SettingsError

    try:
        app()
    except SettingsError as error:
        print(f"understudy: {error}", file=sys.stderr)
        end(2)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        end(ended.code or 0)


def end(code: int) -> NoReturn:
    """End the process with `code`, whatever the object store's threads are at.

    They drop what they hold of Python's a moment after their work is done, and abort the process when Python is being
    taken down by then. No one can wait for them.
    """
    if "obstore" not in sys.modules:
        sys.exit(code)
    import atexit
    import logging

    logging.shutdown()
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # The reader has gone: what Python says by 120.
            code = code or 120
    os._exit(code)
