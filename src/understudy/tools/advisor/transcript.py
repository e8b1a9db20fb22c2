"""The conversation as an advisor reads it: quoted, in segments that stay as they are when it goes on.

Each segment ends where the advisor is asked. "The advisor's prompt on the Nth call is the (N-1)th call's prompt with
one more segment appended" (advisor-tool.md), so all but the last can be read from a cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias, cast

from understudy.wire.advising import headed
from understudy.wire.budgets import is_marker
from understudy.wire.json_text import to_json
from understudy.wire.server_tools import CALLS

_Block: TypeAlias = dict[str, Any]

NAME: Final = "advisor"

# Of a part without a shape of its own: what says nothing to who reads it.
_UNREAD: Final = frozenset(
    {"cache_control", "caller", "citations", "encrypted_content", "encrypted_index", "file_id", "id", "signature"}
    | {"stop_reason", "tool_use_id", "type"}
)
_CALLS: Final = CALLS | {"tool_use"}


def segments(request: _Block, messages: Sequence[_Block], call_id: str) -> list[list[_Block]]:
    """The content blocks of each segment; the last ends at the call of this id. `request` has the system prompt and the
    tools, `messages` are all that was said."""
    transcript = _Transcript()
    transcript.front(request)
    for message in messages:
        if transcript.message(message, call_id):
            break
    return transcript.end()


class _Transcript:
    def __init__(self) -> None:
        self._segments: list[list[_Block]] = [[]]
        # What was said since the last block, in pieces: joined one by one, a long conversation would be copied for each
        # of its messages.
        self._said: list[str] = []
        # Names of what was called, by ids.
        self._called: dict[str, str] = {}

    def end(self) -> list[list[_Block]]:
        self._put_said()
        return self._segments

    def front(self, request: _Block) -> None:
        system = request.get("system")
        if system:
            self._say("system prompt", _text(system))
        for tool in cast("list[_Block]", request.get("tools") or []):
            named = tool.get("name") or tool.get("type") or ""
            said = {name: value for name, value in tool.items() if name not in {*_UNREAD, "name", "description"}}
            self._say(f"tool {named}", f"{tool.get('description') or ''}\n{to_json(said)}".strip())

    def message(self, message: _Block, call_id: str) -> bool:
        """Add a message. Returns whether the advisor is asked in it by the call of this id."""
        role, content = message["role"], message.get("content")
        if isinstance(content, str):
            self._say(role, content)
            return False
        for block in cast("list[_Block]", content or []):
            self._block(role, block)
            if block["type"] == "server_tool_use" and block["name"] == NAME:
                if block["id"] == call_id:
                    return True
                self._put_said()
                self._segments.append([])
        return False

    def _block(self, role: str, block: _Block) -> None:
        kind = block["type"]
        if kind == "text":
            if not (role == "user" and is_marker(block["text"])):
                self._say(role, block["text"])
        elif kind == "thinking":
            if block["thinking"]:
                self._say(f"{role} thinks", block["thinking"])
        elif kind in _CALLS:
            self._called[block["id"]] = block["name"]
            self._say(f"{role} calls {block['name']}", to_json(block["input"]) if block["input"] else "")
        elif "tool_use_id" in block:
            named = self._called.get(block["tool_use_id"], kind)
            self._result(f"result of {named}" + (" (error)" if block.get("is_error") else ""), block.get("content"))
        elif kind == "compaction":
            if block.get("content"):
                self._say("summary of what was before", block["content"])
        elif kind not in {"redacted_thinking", "fallback"}:
            self._other(role, block)

    def _result(self, head: str, content: object) -> None:
        if isinstance(content, list):
            self._say(head, "")
            for part in cast("list[_Block]", content):
                self._other(head, part)
        else:
            self._say(head, _text(content))

    def _other(self, head: str, block: _Block) -> None:
        kind, source = block["type"], block.get("source")
        if kind == "text":
            if not is_marker(block["text"]):
                self._say(head, block["text"])
        elif kind == "image" or (kind == "document" and cast("_Block", source)["type"] == "base64"):
            # What is seen cannot be quoted, so it is shown.
            self._say(f"{head}: {kind}", "")
            self._put_said()
            self._segments[-1].append({name: value for name, value in block.items() if name not in _UNREAD - {"type"}})
        else:
            self._say(f"{head}: {kind}", _text(block))

    def _say(self, head: str, text: str) -> None:
        self._said.append(headed(head, text))

    def _put_said(self) -> None:
        if self._said:
            self._segments[-1].append({"type": "text", "text": "".join(self._said)})
            self._said.clear()


def _text(content: object) -> str:
    """A content in words: its texts as they stand, anything else as JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_text(part) for part in cast("list[object]", content))
    if isinstance(content, dict):
        part = cast("_Block", content)
        return str(part["text"]) if part.get("type") in {"text", "advisor_result"} else to_json(_readable(part))
    return ""


def _readable(value: object) -> object:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _readable(item) for name, item in members.items() if name not in _UNREAD and item is not None}
    if isinstance(value, list):
        return [_readable(item) for item in cast("list[object]", value)]
    return value
