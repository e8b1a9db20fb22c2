"""Whether a rule is for a request, and if not, why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, cast

import orjson

from understudy.engines.scenarios.model import MESSAGES_PATH, When

_EMPTY: Final[dict[str, Any]] = {}


@dataclass(slots=True)
class Asked:
    """A request as the rules see it. `number` counts those of its path from 1; header names are in lower case."""

    number: int
    body: dict[str, Any] = field(default_factory=lambda: _EMPTY)
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    method: str = "POST"
    path: str = MESSAGES_PATH

    def describe(self) -> str:
        if not self.body:
            return f"{self.method} {self.path}"
        return (
            f"{self.method} {self.path} (model {self.body.get('model')}, last user text {_short(last_text(self.body))})"
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _blocks(content: Any) -> list[dict[str, Any]]:
    # What an upstream is to judge comes here as it is.
    return (
        [block for block in cast("list[Any]", content) if isinstance(block, dict)] if isinstance(content, list) else []
    )


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(block.get("text")) for block in _blocks(content) if block.get("type") == "text"]


def _last_turn(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of the last user turn: neighbours of one role are one turn."""
    turn: list[dict[str, Any]] = []
    for message in reversed(_blocks(body.get("messages"))):
        if message.get("role") == "user":
            turn.insert(0, message)
        elif turn:
            break
    return turn


def last_text(body: dict[str, Any]) -> str:
    """The text of the last user turn."""
    return "\n".join(text for message in _last_turn(body) for text in _texts(message.get("content")))


def _tool_results(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        block
        for message in _last_turn(body)
        for block in _blocks(message.get("content"))
        if block.get("type") == "tool_result"
    ]


def _answered_tools(body: dict[str, Any]) -> set[str]:
    """Names of the tools whose results the last user turn brings."""
    wanted = {str(block.get("tool_use_id")) for block in _tool_results(body)}
    return {
        str(block.get("name"))
        for message in _blocks(body.get("messages"))
        for block in _blocks(message.get("content"))
        if block.get("type") == "tool_use" and str(block.get("id")) in wanted
    }


def _tools(body: dict[str, Any]) -> set[str]:
    return {str(tool.get("name")) for tool in _blocks(body.get("tools"))}


def at_path(value: Any, path: str) -> Iterator[Any]:
    """What stands at `path` in a JSON value; `*` stands for every item."""
    found: list[Any] = [value]
    for step in path.split("."):
        found = [inner for one in found for inner in _step(one, step)]
    yield from found


def _step(value: Any, step: str) -> Iterable[Any]:
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        if step in known:
            return (known[step],)
        return tuple(known.values()) if step == "*" else ()
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if step == "*":
            return items
        place = int(step) if re.fullmatch(r"-?\d{1,9}", step) else len(items)
        return items[place : place + 1 or None] if -len(items) <= place < len(items) else ()
    return ()


def _same(found: Any, wanted: Any) -> bool:
    # In JSON true is not 1.
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def why_not(when: When, asked: Asked) -> str | None:
    """The first condition that does not hold, as a reader of the scenario would say it; None when all hold."""
    body = asked.body
    for name in _CHECKS:
        if name in when.model_fields_set:
            wanted = getattr(when, name)
            if wanted is not None and not _CHECKS[name](wanted, asked):
                shown = "" if name == "predicate" else f" {_short(wanted) if isinstance(wanted, str) else wanted}"
                return f"{name}{shown} does not hold"
    for header, pattern in when.header.items():
        value = asked.headers.get(header.lower())
        if value is None or not fnmatchcase(value, pattern):
            return f"header {header} is not {pattern!r}"
    for path, wanted in when.json_.items():
        if not any(_same(found, wanted) for found in at_path(body, path)):
            return f"json {path} is not {orjson.dumps(wanted).decode()}"
    return None


def _is_nth(wanted: Any, asked: Asked) -> bool:
    return asked.number in wanted if isinstance(wanted, tuple) else asked.number == wanted


_CHECKS: Final[dict[str, Callable[[Any, Asked], bool]]] = {
    "path": lambda wanted, asked: fnmatchcase(asked.path, wanted),
    "method": lambda wanted, asked: asked.method == wanted.upper(),
    "nth": _is_nth,
    "model": lambda wanted, asked: fnmatchcase(str(asked.body.get("model")), wanted),
    "stream": lambda wanted, asked: bool(asked.body.get("stream")) is wanted,
    "text": lambda wanted, asked: last_text(asked.body) == wanted,
    "text_contains": lambda wanted, asked: wanted in last_text(asked.body),
    "text_matches": lambda wanted, asked: re.search(wanted, last_text(asked.body)) is not None,
    "system_contains": lambda wanted, asked: wanted in "\n".join(_texts(asked.body.get("system"))),
    "system_matches": lambda wanted, asked: re.search(wanted, "\n".join(_texts(asked.body.get("system")))) is not None,
    "has_tool": lambda wanted, asked: wanted in _tools(asked.body),
    "tool_result_for": lambda wanted, asked: wanted in _answered_tools(asked.body),
    "tool_result_contains": lambda wanted, asked: any(
        wanted in text for block in _tool_results(asked.body) for text in _texts(block.get("content"))
    ),
    "predicate": lambda wanted, asked: bool(wanted(asked.body)),
}
