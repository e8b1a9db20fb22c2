"""A prompt cache that an engine has a say in: what is reported as read was cached by the ledger, and was truly reused.

The ledger decides what may be read, for it knows who cached what and for how long. The engine says how many tokens of
the prompt it did not compute again. Of the entries that live, the longest that the engine reused whole is what is read;
what lies behind it is written anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from understudy.messages.caching.ledger import Entry, Ledger
from understudy.messages.counting import MESSAGES, SYSTEM, Mark
from understudy.messages.counting.tools import in_prompt_order

SLACK: Final = 16
"""Tokens by which an engine may fall short of an entry it reused: it computes the last ones again, to go on from them,
and where two texts meet their tokens may differ."""


async def confirmed(ledger: Ledger, keys: Sequence[bytes], reused: int) -> Entry | None:
    """The longest living entry of which an engine that reused `reused` tokens reused all. `keys`: longest first.

    No entry is renewed by it: what the engine did not reuse was not read.
    """
    rest = list(keys)
    while rest:
        entry = await ledger.look(rest, renew=False)
        if entry is None or entry.tokens <= reused + SLACK:
            return entry
        del rest[: rest.index(entry.key) + 1]
    return None


def prefixes(request: dict[str, Any], marks: Iterable[Mark]) -> list[dict[str, Any]]:
    """For each mark, the fields of a Messages request that ends there, to be laid over `request`."""
    return [_prefix(request, mark) for mark in marks]


def _prefix(request: dict[str, Any], mark: Mark) -> dict[str, Any]:
    messages = cast("list[dict[str, Any]]", request["messages"])
    if mark.level == MESSAGES:
        last = messages[mark.place]
        content = last["content"]
        if isinstance(content, list):
            content = cast("list[Any]", content)[: mark.block + 1]
        return {"messages": [*messages[: mark.place], {**last, "content": content}]}
    system = cast("str | list[Any]", request.get("system") or [])
    if mark.level == SYSTEM:
        return {"messages": [], "system": system[: mark.place + 1] if isinstance(system, list) else system}
    tools = in_prompt_order(request.get("tools") or [])
    return {"messages": [], "system": [], "tools": tools[: mark.place + 1]}
