"""When two e-mail addresses are one."""

from __future__ import annotations


def email_key(email: str) -> str:
    """What addresses are looked up by: case and what follows a plus sign make no difference.

    Source: the guide on user management (2026-08), which says so of the filter `email`.
    """
    local, _, domain = email.rpartition("@")
    return f"{local.partition('+')[0].casefold()}@{domain.casefold()}"


def same_address(one: str, other: str) -> bool:
    """Whether both reach the same mailbox for certain: only case differs."""
    return one.casefold() == other.casefold()
