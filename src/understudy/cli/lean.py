"""What a server does without.

structlog looks for rich and loads it where it finds it, for a console renderer that no server uses: 5 MB of memory.
rich is always there, since the commands' help and progress bars are made with it.
"""

from __future__ import annotations

import sys


def import_structlog_alone() -> None:
    """Import structlog as if rich were not installed; rich can be imported afterwards. Does nothing where either is
    loaded already."""
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # so that an import of it fails
    try:
        import structlog
    finally:
        del sys.modules["rich"]
    del structlog
