"""The text editor of the container: view, create and str_replace.

The results' shapes are recorded (2026-04); the errors' texts are ours, only the codes are documented.
"""

from __future__ import annotations

from posixpath import basename, join, normpath
from typing import Any, Final, Literal, TypeAlias, cast

from understudy.files.media_types import HEAD, sniffed
from understudy.sandbox.interface import HOME, PathError, QuotaError, Sandbox
from understudy.tools.code_execution.functions import EDITOR
from understudy.tools.code_execution.reading import TooLargeError, exists, read
from understudy.tools.protocol import ToolCall, ToolResult
from understudy.wire.server_tools import RESULT_OF

ErrorCode: TypeAlias = Literal[
    "invalid_tool_input", "unavailable", "too_many_requests", "execution_time_exceeded", "file_not_found"
]

_RESULT: Final = RESULT_OF[EDITOR]
_OF_RESULT: Final = "text_editor_code_execution_{}_result"

# Bytes of a file that can be shown or edited [guess].
_MOST_TEXT: Final = 1024 * 1024
# Files of a directory that are named, and lines around an edit, as in a unified diff (recorded: 7 for 1).
_MOST_NAMES: Final = 500
_CONTEXT: Final = 3


class _WrongError(Exception):
    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code


def editor_error(code: str, message: str | None = None) -> ToolResult:
    content = {"type": f"{_RESULT}_error", "error_code": code, "error_message": message}
    return ToolResult(_RESULT, content)


async def edit(sandbox: Sandbox, call: ToolCall) -> ToolResult:
    """Run a call of the text editor. What goes wrong is in the result."""
    given = call.input
    try:
        path = _path(given)
        match given.get("command"):
            case "view":
                kind, content = "view", await _view(sandbox, path, given.get("view_range"))
            case "create":
                kind, content = "create", await _create(sandbox, path, given)
            case "str_replace":
                kind, content = "str_replace", await _replace(sandbox, path, given)
            case _:
                raise _WrongError("invalid_tool_input", "command must be view, create or str_replace.")
    except _WrongError as error:
        return editor_error(error.code, str(error))
    except QuotaError as error:
        return editor_error("unavailable", str(error))
    return ToolResult(_RESULT, {"type": _OF_RESULT.format(kind), **content})


def _path(given: dict[str, Any]) -> str:
    path = given.get("path")
    if not isinstance(path, str) or not path or "\0" in path:
        raise _WrongError("invalid_tool_input", "path must be the path of a file.")
    return normpath(join(HOME, path))


def _text_of(given: dict[str, Any], name: str, default: str | None = None) -> str:
    text = given.get(name, default)
    if not isinstance(text, str):
        raise _WrongError("invalid_tool_input", f"{name} must be a text.")
    return text


async def _bytes(sandbox: Sandbox, path: str) -> bytes:
    try:
        return await read(sandbox, path, _MOST_TEXT)
    except PathError:
        raise _WrongError("file_not_found", f"There is no file at {path}.") from None
    except TooLargeError:
        raise _WrongError("invalid_tool_input", f"The file at {path} is too large to be shown.") from None


def _decoded(data: bytes, path: str) -> str:
    if b"\0" in data[:HEAD]:
        raise _WrongError("invalid_tool_input", f"The file at {path} is not a text.")
    return data.decode("utf-8", "replace")


async def _view(sandbox: Sandbox, path: str, view_range: object) -> dict[str, Any]:
    try:
        data = await _bytes(sandbox, path)
    except _WrongError as error:
        listed = await _directory(sandbox, path) if error.code == "file_not_found" else None
        if listed is None:
            raise
        return _shown("\n".join(listed), len(listed), 1, len(listed))
    kind = sniffed(data[:HEAD])
    if kind is not None:
        # [guess] The result's type has image and PDF beside text, but how they are written there is not known, and most
        # models here see neither.
        raise _WrongError("invalid_tool_input", f"The file at {path} is of type {kind}: read it with a program.")
    text = _decoded(data, path)
    lines = text.split("\n")
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    total = len(lines)
    if view_range is None:
        return _shown(text, total, 1, total)
    first, last = _range(view_range, total)
    return _shown("\n".join(lines[first - 1 : last]), last - first + 1, first, total)


def _shown(content: str, lines: int, start: int, total: int) -> dict[str, Any]:
    return {"file_type": "text", "content": content, "num_lines": lines, "start_line": start, "total_lines": total}


def _range(given: object, total: int) -> tuple[int, int]:
    pair = cast("list[Any]", given) if isinstance(given, list) else []
    if len(pair) != 2 or not all(number.__class__ is int for number in pair):
        raise _WrongError("invalid_tool_input", "view_range must be two line numbers.")
    first, last = pair
    last = total if last == -1 else min(last, total)
    if not 1 <= first <= last:
        raise _WrongError("invalid_tool_input", f"view_range must lie within the file's {total} lines.")
    return first, last


async def _directory(sandbox: Sandbox, path: str) -> list[str] | None:
    """The paths of the files in a directory; None where there is none."""
    try:
        found = await sandbox.files(path)
    except PathError:
        return None
    names = [file.path for file in found[:_MOST_NAMES]]
    more = len(found) - len(names)
    return [*names, *([f"... and {more} more"] if more else [])] or None


async def _create(sandbox: Sandbox, path: str, given: dict[str, Any]) -> dict[str, Any]:
    text = _text_of(given, "file_text")
    there = await exists(sandbox, path)
    await _write(sandbox, path, text)
    return {"is_file_update": there}


async def _write(sandbox: Sandbox, path: str, text: str) -> None:
    try:
        await sandbox.put(path, text.encode("utf-8", "replace"))
    except PathError as error:
        raise _WrongError("invalid_tool_input", str(error) or f"{basename(path)} cannot be written there.") from None


async def _replace(sandbox: Sandbox, path: str, given: dict[str, Any]) -> dict[str, Any]:
    old, new = _text_of(given, "old_str"), _text_of(given, "new_str", "")
    if not old:
        raise _WrongError("invalid_tool_input", "old_str must not be empty.")
    data = await _bytes(sandbox, path)
    _decoded(data, path)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _WrongError("invalid_tool_input", f"The file at {path} is not a text in UTF-8.") from None
    times = text.count(old)
    if times != 1:
        found = "does not stand in the file" if not times else f"stands in the file {times} times"
        raise _WrongError("invalid_tool_input", f"old_str {found}; it must stand there exactly once.")
    changed = text.replace(old, new)
    await _write(sandbox, path, changed)
    return _difference(text.split("\n"), changed.split("\n"))


def _difference(before: list[str], after: list[str]) -> dict[str, Any]:
    """The one hunk of a unified diff: numbers of lines are from 1."""
    first = 0
    while first < min(len(before), len(after)) and before[first] == after[first]:
        first += 1
    same = 0
    while same < min(len(before), len(after)) - first and before[-1 - same] == after[-1 - same]:
        same += 1
    gone, come = before[first : len(before) - same], after[first : len(after) - same]
    start = max(first - _CONTEXT, 0)
    end = len(before) - same
    # The empty line behind the last line break is none.
    following = before[end : end + _CONTEXT]
    if end + len(following) == len(before) and following and not following[-1]:
        following.pop()
    around = [f" {line}" for line in before[start:first]], [f" {line}" for line in following]
    kept = len(around[0]) + len(around[1])
    return {
        "old_start": start + 1,
        "old_lines": kept + len(gone),
        "new_start": start + 1,
        "new_lines": kept + len(come),
        "lines": [*around[0], *(f"-{line}" for line in gone), *(f"+{line}" for line in come), *around[1]],
    }
