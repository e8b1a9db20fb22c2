"""A conversation as upstream takes it: roles system, user, assistant and tool."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, TypeAlias, cast

from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import to_json
from understudy.wire.server_tools import ServerFunction, ends_with_result

from .content import Part, Path, Reader, content_of, named
from .dialects import Dialect
from .history import Beginning, History, Sayable
from .server_calls import Turn, as_calls
from .tools import Names

_Block: TypeAlias = dict[str, Any]

# They change what stands in `tools`, and say nothing to be read here.
_SILENT: Final = frozenset({"fallback", "redacted_thinking", "tool_addition", "tool_removal"})
_NO_IMAGES: Final[list[Part]] = []
_CALL: Final = "tool_use"
_ALONE: Final = frozenset({"image", "redacted_thinking", "text"})
_SPEAKERS: Final = frozenset({"assistant", "user"})
# [guess] How a user's message says what is not the user's: models that write code have met these tags.
_REMINDER: Final = "<system-reminder>\n{}\n</system-reminder>"


def upstream_messages(
    request: _Block,
    reader: Reader,
    dialect: Dialect,
    names: Names,
    served: Sequence[ServerFunction] = (),
    history: History | None = None,
    known: Beginning | None = None,
) -> list[Sayable]:
    """`system` and `messages`. Calls of functions that are `served` here are calls like those of the client's tools.
    `known`: how the conversation begins, of the `history` that is to learn of it. Raises InvalidRequestError for what
    cannot be said to the upstream."""
    translated: list[Sayable] = []
    system = content_of(reader.all_parts(request.get("system"), "system"))
    if system:
        translated.append({"role": "system", "content": system})
    if served:
        history = known = None
    messages = cast("list[_Block]", request["messages"])
    turns: list[Turn] | None = None
    if known is not None:
        turns = _turns_after(known, messages, names, dialect)
        if turns is None:
            known = None
    if turns is None:
        turns = _turns(messages, dialect)
    if served:
        turns = as_calls(turns, served)
    # In order, each once.
    called: dict[str, None] = {}
    begun = 0
    if known is not None:
        begun = len(known.messages)
        translated += known.upstream
        called = dict.fromkeys(known.called)
    # Up to where the next turn of the conversation will be the same: its last word of the assistant.
    keeps = 0
    if history is not None and (known is not None or history.comes_again(messages)):
        keeps = _kept(turns, begun, names)
    before = len(translated)
    for place, turn in enumerate(turns, 1):
        if len(turn.blocks) == 1 and turn.blocks[0][1]["type"] == "text":
            text = turn.blocks[0][1]["text"]
            if text:
                translated.append({"role": turn.role, "content": text})
        else:
            match turn.role:
                case "assistant":
                    translated += _assistant(turn, reader, dialect, names, called)
                case "user":
                    translated += _user(turn, reader, called)
                case _:
                    content = content_of(_parts(turn.blocks, reader))
                    if content:
                        translated.append({"role": turn.role, "content": content})
        if place == keeps and history is not None:
            blocks = [block for each in turns[:keeps] for _, block in each.blocks]
            used = [() if known is None else known.names, [block["name"] for block in blocks if block["type"] == _CALL]]
            new = cast("list[_Block]", translated[before:])
            made = history.note(known, messages[: begun + keeps], new, called, dict.fromkeys(chain(*used)))
            if made is not None:
                translated[before:] = made
    return translated


def _turns_after(known: Beginning, messages: list[_Block], names: Names, dialect: Dialect) -> list[Turn] | None:
    """What follows on a known beginning; None where it says something else now."""
    # Their names were the upstream's own, unless a tool of this request is in the way.
    if any(names.upstream(name) != name for name in known.names):
        return None
    begun = len(known.messages)
    turns = _turns(messages, dialect, begun)
    if not turns:
        # Nothing follows, or nothing of it counts; a summary would have left a turn.
        return turns if begun == len(messages) else None
    # One of the same role goes on with what was said; a summary takes its place.
    first = turns[0]
    return None if first.role == known.messages[-1]["role"] or not first.blocks or first.blocks[0][0] == "" else turns


def _kept(turns: Sequence[Turn], begun: int, names: Names) -> int:
    """How many turns can be noted with what they say, each of which is a message of its own: up to the last one of the
    assistant before which nothing hangs on anything but itself. `begun`: messages before them."""
    last = next((place for place in range(len(turns), 0, -1) if turns[place - 1].role == "assistant"), 0)
    for place, turn in enumerate(turns[:last]):
        # One in which nothing but a summary stood is none, if the next is of the same role.
        if turn.role not in _SPEAKERS or not turn.blocks:
            return 0
        for path, block in turn.blocks:
            if path == "" or path[0] != begun + place or not _stands_alone(block, names):
                return 0
    return last


def _stands_alone(block: _Block, names: Names) -> bool:
    """Whether what a block says hangs on nothing but the block, and on calls before it."""
    kind = block["type"]
    if kind == _CALL:
        return not block.get("toolset_name") and names.upstream(block["name"]) == block["name"]
    if kind == "tool_result":
        content = block.get("content")
        return content.__class__ is not list or all(
            part["type"] in _ALONE for part in cast("list[_Block]", content or ())
        )
    return kind in _ALONE or kind == "thinking"


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


def _turns(messages: Sequence[_Block], dialect: Dialect, begun: int = 0) -> list[Turn]:
    """Those of the messages behind the first `begun`."""
    turns: list[Turn] = []
    as_user = dialect.late_system == "user"
    for index in range(begun, len(messages)):
        message = messages[index]
        role, content = message["role"], message.get("content")
        if not content:
            continue
        if role == "system" and as_user and index:
            role, content = "user", _reminder(content)
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


def _reminder(content: str | list[_Block]) -> list[_Block]:
    """What a system message says, to stand in a user's."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [
        {**block, "text": _REMINDER.format(block["text"])} if block["type"] == "text" else block for block in blocks
    ]


def _parts(blocks: list[tuple[Path, _Block]], reader: Reader) -> list[Part]:
    return [part for path, block in blocks if block["type"] not in _SILENT for part in reader.parts(block, path)]


def _assistant(turn: Turn, reader: Reader, dialect: Dialect, names: Names, called: dict[str, None]) -> list[_Block]:
    thinking: list[str] = []
    calls: list[_Block] = []
    parts: list[Part] = []
    for path, block in turn.blocks:
        kind = block["type"]
        if kind == _CALL:
            called[block["id"]] = None
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


def _user(turn: Turn, reader: Reader, called: dict[str, None]) -> list[_Block]:
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
