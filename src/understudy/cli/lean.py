"""What a server does without.

structlog looks for rich and loads it where it finds it, for a console renderer that no server uses: 5 MB of memory.
rich is always there, since the commands' help and progress bars are made with it.

SQLAlchemy's asyncio package loads its object-relational mapper, of which nothing is used here: 6 MB. uvicorn loads its
command line, and click with it: 1 MB.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType


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


_LEFT_OUT = {"sqlalchemy.ext.asyncio": ("session", "scoping"), "uvicorn": ("main",)}
"""Modules of packages that a server does without."""


class _StandIn(ModuleType):
    """Has whatever is imported from it: itself."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def import_libraries_alone() -> None:
    """Import SQLAlchemy's and uvicorn's packages without what a server leaves out, which is loaded when something of it
    is asked for by its name. Does nothing for a package that is loaded already."""
    for package, left_out in _LEFT_OUT.items():
        if package not in sys.modules:
            _import_without(package, left_out)


def _import_without(name: str, left_out: Sequence[str]) -> None:
    stand_ins = {f"{name}.{each}": _StandIn(f"{name}.{each}") for each in left_out}
    sys.modules.update(stand_ins)
    try:
        package = import_module(name)
    finally:
        for each in stand_ins:
            del sys.modules[each]
    later = {member: found.__name__ for member, found in vars(package).items() if found.__class__ is _StandIn}
    for member in later:
        delattr(package, member)

    def load(member: str) -> object:
        if member not in later:
            raise AttributeError(f"module {name!r} has no attribute {member!r}")
        for each, module in later.items():
            setattr(package, each, getattr(import_module(module), each))
        return getattr(package, member)

    package.__getattr__ = load  # type: ignore[method-assign]
