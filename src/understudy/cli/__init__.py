"""The commands: `understudy serve`, `keys`, `doctor`."""

from __future__ import annotations

import sys

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
        sys.exit(2)
