"""Containers need bubblewrap, which is no package of PyPI: root installs it, others are told to."""

from __future__ import annotations

from packages import have_program


def have_bubblewrap() -> None:
    """Fails the test where bubblewrap neither is nor can be had."""
    have_program("bwrap", "bubblewrap", "e2fsprogs")
