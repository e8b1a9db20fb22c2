"""A conversation as upstream takes it: roles system, user, assistant and tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias, cast

from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import to_json
from understudy.wire.server_tools import ServerFunction, ends_with_result

from .content import Part, Path, Reader, content_of, named
from .dialects import Dialect
from .server_calls import Turn, as_calls
from .tools import Names

_Block: TypeAlias = dict[str, Any]

# They change what stands in `tools`, and say nothing to be read here.
_SILENT: Final = frozenset({"fallback", "redacted_thinking", "tool_addition", "tool_removal"})
_NO_IMAGES: Final[list[Part]] = []


def upstream_messages(
    request: _Block, reader: Reader, dialect: Dialect, names: Names, served: Sequence[ServerFunction] = ()
) -> list[_Block]:
    """`system` and `messages`. Calls of functions that are `served` here are calls like those of the client's tools.
    Raises InvalidRequestError for what cannot be said to the upstream."""
    translated: list[_Block] = []
    system = content_of(reader.all_parts(request.get("system"), "system"))
    if system:
        translated.append({"role": "system", "content": system})
    called: set[str] = set()
    turns = _turns(request)
    for turn in as_calls(turns, served) if served else turns:
        match turn.role:
            case "assistant":
                translated += _assistant(turn, reader, dialect, names, called)
            case "user":
                translated += _user(turn, reader, called)
            case _:
                content = content_of(_parts(turn.blocks, reader))
                if content:
                    translated.append({"role": turn.role, "content": content})
    return translated


def is_begun(request: _Block) -> bool:
    """Whether the last message is the beginning of the answer: not where it was paused for a tool that has run, or
    after a summary."""
    last = cast("list[_Block]", request["messages"])[-1]
    if last["role"] != "assistant" or ends_with_result(last):
        return False
    content: Any = last.get("content")
    return content.__class__ is not list or not content or content[-1]["type"] != "compaction"


def begun_by_client(request: _Block, dialect: Dialect) -> bool:
    """Whether the last message is the beginning of the answer. Refused where the upstream cannot go on with it."""
    messages = cast("list[_Block]", request["messages"])
    if not is_begun(request):
        return False
    if dialect.prefill is None:
        raise InvalidRequestError(
            f"messages.{len(messages) - 1}: the model behind `{request['model']}` cannot go on with an assistant "
            "message. The conversation must end with a user message."
        )
    return True


def _turns(request: _Block) -> list[Turn]:
    turns: list[Turn] = []
    for index, message in enumerate(cast("list[_Block]", request["messages"])):
        role, content = message["role"], message.get("content")
        if not content:
            continue
        if turns and not turns[-1].blocks:
            # Nothing but a summary stood there. What the user says next goes on from it in one turn.
            turns.pop()
        if not turns or turns[-1].role != role:
            turns.append(Turn(role, []))
        blocks = turns[-1].blocks
        if isinstance(content, str):
            blocks.append(((index, 0), {"type": "text", "text": content}))
            continue
        for place, block in enumerate(cast("list[_Block]", content)):
            if block["type"] != "compaction":
                blocks.append(((index, place), block))
            elif block.get("content") is not None:
                # All before it is ignored (compaction.md). It tells the model what came before, as a user would.
                turns = [Turn("user", [("", {"type": "text", "text": block["content"]})]), Turn(role, [])]
                blocks = turns[-1].blocks
    return turns


def _parts(blocks: list[tuple[Path, _Block]], reader: Reader) -> list[Part]:
    return [part for path, block in blocks if block["type"] not in _SILENT for part in reader.parts(block, path)]


def _assistant(turn: Turn, reader: Reader, dialect: Dialect, names: Names, called: set[str]) -> list[_Block]:
    thinking: list[str] = []
    calls: list[_Block] = []
    parts: list[Part] = []
    for path, block in turn.blocks:
        kind = block["type"]
        if kind == "tool_use":
            called.add(block["id"])
            name = names.upstream(block["name"], block.get("toolset_name"))
            function = {"name": name, "arguments": to_json(block["input"])}
            calls.append({"id": block["id"], "type": "function", "function": function})
        elif kind == "thinking":
            thinking.append(block["thinking"])
        elif kind not in _SILENT:
            parts += reader.parts(block, path)
    content = content_of(parts)
    message: _Block = {"role": "assistant", "content": content}
    if dialect.thinking_history is not None and any(thinking):
        message[dialect.thinking_history] = "\n\n".join(text for text in thinking if text)
    if calls:
        message["tool_calls"] = calls
    return [message] if content or len(message) > 2 else []


def _user(turn: Turn, reader: Reader, called: set[str]) -> list[_Block]:
    """Results first, one message each, as the upstream wants them behind their calls; then all else.

    A message with a result holds text only, so its images follow in the user's message.
    """
    results: list[_Block] = []
    parts: list[Part] = []
    for path, block in turn.blocks:
        if block["type"] != "tool_result":
            if block["type"] not in _SILENT:
                parts += reader.parts(block, path)
            continue
        said, images = block.get("content"), _NO_IMAGES
        text = said if isinstance(said, str) else ""
        if isinstance(said, list):
            inner = reader.all_parts(said, f"{named(path)}.tool_result.content")
            text = "\n\n".join(part for part in inner if isinstance(part, str))
            images = [part for part in inner if not isinstance(part, str)]
        if block.get("is_error"):
            text = f"Error:\n\n{text}" if text else "Error:"
        call = block["tool_use_id"]
        if call in called:
            results.append({"role": "tool", "tool_call_id": call, "content": text})
        elif text:
            # Its call stands before what a compaction left.
            parts.append(text)
        if images:
            parts += [f"Shown by the result of {call}:", *images]
    content = content_of(parts)
    return [*results, {"role": "user", "content": content}] if content else results
