"""The pass over `system` and `messages`: turns, texts, tool calls and their results, and where the rest is noted.

Neighbours of one role are one turn to the service. A system message in the middle of a conversation belongs to no turn,
so a tool's results may stand behind one that only carries settings.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from understudy.engines.catalog import Model
from understudy.wire.callers import calling_cell
from understudy.wire.known_bodies import UNKNOWN, KnownBody, Notes
from understudy.wire.server_tools import RESULT_OF

from .blocks import nested_blocks, other_block, tool_change, wrong_role
from .code_callers import result_fault
from .found import (
    EMPTY_TURN,
    SYSTEM_EMPTY,
    SYSTEM_FIRST,
    SYSTEM_KINDS,
    SYSTEM_PLACE,
    UNSUPPORTED_SYSTEM,
    Found,
)

Block = dict[str, Any]

_SYSTEM_KINDS = frozenset({"text", "tool_addition", "tool_removal"})
_DIRECTIVE = "the directive-only form (content: [] with output_config) is accepted at any position"


def walk_system(system: list[Block], found: Found, model: Model) -> None:
    """The top-level system prompt, given as blocks. As a string it may be empty [guess: nobody saw it refused]."""
    for place, block in enumerate(system):
        text = block["text"]
        cache_control = block.get("cache_control")
        if not text:
            found.empty_text("system", f"system.{place}", cache_control)
        elif not model.blank_text and text.isspace():
            found.blank_text("system")
        if cache_control is not None:
            found.breakpoint(f"system.{place}", cache_control)


class Walk(NamedTuple):
    """A pass up to some message of a known conversation; see `walk_messages`."""

    model: Model
    found: dict[str, Any]
    role: str
    start: int
    empty: bool
    others: bool
    before: int
    system: int
    calls: dict[str, bool]
    unpaired: str | None


def walks_of(known: KnownBody | None, model: Model, *, cited_user_text: bool) -> Notes:
    """How far earlier passes over the same messages, and all that is beside them, have come: notes of type Walk."""
    return Notes(known, ("rules", cited_user_text), lambda _, walk: walk.model is model)


def walk_messages(
    messages: list[Block],
    found: Found,
    model: Model,
    *,
    cited_user_text: bool,
    walks: Notes = UNKNOWN,
) -> None:
    """Every block of the conversation, once. `cited_user_text`: the API version lets a user's text have citations, and
    an assistant have documents. `walks`: what an earlier pass has seen is passed over."""
    blank_text = model.blank_text
    role, start, empty = "", 0, True  # of the turn at hand
    others = False  # whether that turn has anything but results of tools yet
    before = 0  # blocks of that turn in its earlier messages: pairing counts them as one message (observed)
    system = -1  # the last system message, until the message behind it is seen
    calls: dict[str, bool] = {}  # ids that the last assistant turn used, and whether a result was seen
    unpaired: str | None = None  # the first fault of this turn's results; a missing result goes before it
    first, walk = walks.first, cast("Walk | None", walks.begun)
    if walk is not None:
        _, _, role, start, empty, others, before, system, calls, unpaired = walk
        calls = calls.copy()

    def noted(at: int) -> None:
        seen = Walk(model, found.kept(), role, start, empty, others, before, system, calls.copy(), unpaired)
        walks.take(at, seen)

    for index, message in enumerate(messages[first:] if first else messages, first):
        if index in walks.worth:
            noted(index)
        said = message["role"]
        if said != role or system >= 0:
            if said == "system":
                if _system_message(found, message, index, first=not role, model=model):
                    system = index
                continue
            if system >= 0:
                if said != "assistant":
                    found.wrong_shape(
                        SYSTEM_PLACE,
                        f"messages.{system}: role 'system' must precede an 'assistant' message or end the array; "
                        + _DIRECTIVE,
                    )
                system = -1
        if said != role:
            if empty and role:
                _empty_turn(found, start, role, model)
            if role == "user":
                _end_of_user_turn(found, start, calls, unpaired, others)
                calls, unpaired = {}, None
            role, start, empty, others, before = said, index, True, False, 0
        content = message["content"]
        if not content:
            continue
        empty = False
        if content.__class__ is str:
            others = True
            before += 1
            if not blank_text and content.isspace():
                found.blank_text("messages")
            continue
        for place, block in enumerate(cast("list[Block]", content)):
            kind = block["type"]
            if kind == "text":
                others = True
                text = block["text"]
                if not text:
                    found.empty_text("messages", f"messages.{index}.content.{place}.text", block.get("cache_control"))
                elif not blank_text and text.isspace():
                    found.blank_text("messages")
                if not cited_user_text and role == "user" and block.get("citations"):
                    # By analogy with the sampling parameters, which the same version took away [guess].
                    found.wrong_block(
                        f"messages.{index}.content.{place}.text.citations: Extra inputs are not permitted"
                    )
            elif kind == "tool_use":
                tool_id = block["id"]
                if role != "assistant":
                    wrong_role(found, index, kind, "assistant")
                elif tool_id in calls:
                    # Within a turn: two turns with one id were answered.
                    found.wrong_pairing(f"messages.{start}.content.{before + place}: `tool_use` ids must be unique")
                else:
                    calls[tool_id] = False
                    cell = calling_cell(block)
                    if cell is not None:
                        found.called_by_code(tool_id, cell)
            elif kind == "tool_result":
                tool_id = block["tool_use_id"]
                answered = calls.get(tool_id)
                if role != "user":
                    wrong_role(found, index, kind, "user")
                elif answered is False:
                    # Results must come first in their turn: one behind other content does not count (documented).
                    calls[tool_id] = not others
                elif unpaired is None:
                    unpaired = _unpaired(start, before + place, tool_id, known=answered is not None)
                inner = block.get("content")
                if inner.__class__ is list:
                    path = f"messages.{index}.content.{place}.tool_result"
                    if found.code_calls and tool_id in found.code_calls:
                        fault = result_fault(path, cast("list[Block]", inner))
                        if fault is not None:
                            found.wrong_block(fault)
                    nested_blocks(found, path, cast("list[Block]", inner), model, cited_user_text=cited_user_text)
            else:
                others = True
                other_block(found, block, kind, role, index, place, model, documents_anywhere=cited_user_text)
            cache_control = block.get("cache_control")
            if cache_control is not None:
                found.breakpoint(f"messages.{index}.content.{place}", cache_control)
        before += len(content)

    if len(messages) in walks.worth:
        noted(len(messages))
    found.last_role, found.last_start, found.last_empty = role, start, empty
    found.ends_with_system = system >= 0
    if role == "user":
        if empty:
            _empty_turn(found, start, role, model)
        _end_of_user_turn(found, start, calls, unpaired, others)
    elif calls and not all(calls.values()):
        # There is no message after it to name; the service's index for this was not seen [guess].
        _missing(found, len(messages) - 1, calls)


def _system_message(found: Found, message: Block, index: int, *, first: bool, model: Model) -> bool:
    """A system message in the conversation. False for one that only carries settings: it may stand anywhere."""
    if not model.mid_conversation_system:
        found.wrong_shape(
            UNSUPPORTED_SYSTEM,
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" '
            "as an input message role.",
        )
        return True
    content: str | list[Block] | None = message.get("content")
    if message.get("clear_at") == "next_user_message":
        found.clears_system = True
    settings = message.get("output_config")
    if settings and settings.get("effort"):
        if found.efforts is None:
            found.efforts = []
        found.efforts.append((index, settings["effort"]))
    if not content:
        if settings:
            return False
        found.wrong_shape(SYSTEM_EMPTY, f"messages.{index}: system content must contain at least one block")
    elif isinstance(content, list):
        for place, block in enumerate(content):
            if block["type"] not in _SYSTEM_KINDS:
                found.wrong_shape(
                    SYSTEM_KINDS,
                    f"messages.{index}: role 'system' supports text, tool_addition, and tool_removal blocks only",
                )
            elif block["type"] == "text":
                if not block["text"]:
                    found.empty_text("messages", f"messages.{index}.content.{place}.text", block.get("cache_control"))
                elif not model.blank_text and block["text"].isspace():
                    found.blank_text("messages")
            else:
                tool_change(found, block, f"messages.{index}.content.{place}")
            # The documentation allows no breakpoint here, but Claude Code sends one and is answered.
            if block.get("cache_control") is not None:
                found.breakpoint(f"messages.{index}.content.{place}", block["cache_control"])
    elif not model.blank_text and content.isspace():
        found.blank_text("messages")
    if first:
        found.wrong_shape(
            SYSTEM_FIRST,
            f"messages.{index}: use the top-level 'system' parameter for the initial system prompt; {_DIRECTIVE}",
        )
    return True


def _empty_turn(found: Found, start: int, role: str, model: Model) -> None:
    # Both wordings were observed in 2026; the models that take system messages gave the first.
    if model.mid_conversation_system:
        text = f"messages.{start}: {role} messages must have non-empty content"
    else:
        text = (
            f"messages.{start}: all messages must have non-empty content except for the optional final assistant "
            "message"
        )
    found.wrong_shape(EMPTY_TURN, text)


def _unpaired(index: int, place: int, tool_id: str, *, known: bool) -> str:
    path = f"messages.{index}.content.{place}"
    if known:
        return (
            f"{path}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {tool_id}"
        )
    return (
        f"{path}: unexpected `tool_use_id` found in `tool_result` blocks: {tool_id}. Each `tool_result` block must "
        "have a corresponding `tool_use` block in the previous message."
    )


def _missing(found: Found, index: int, calls: dict[str, bool]) -> None:
    missing = ", ".join([tool_id for tool_id, answered in calls.items() if not answered])
    found.wrong_pairing(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}. Each "
        "`tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _end_of_user_turn(found: Found, start: int, calls: dict[str, bool], unpaired: str | None, others: bool) -> None:
    """`start` is the message after the assistant's turn, which is the one that a missing result is reported at."""
    if calls and not all(calls.values()):
        _missing(found, start, calls)
    elif unpaired is not None:
        found.wrong_pairing(unpaired)
    if found.waiting and others:
        # Anything but results of tools ends the assistant's turn, and its server tools can no longer run.
        tool_id, (index, name) = next(iter(found.waiting.items()))
        found.wrong_pairing(f"messages.{index}: {unresolved(tool_id, name)}")


def unresolved(tool_id: str, name: str) -> str:
    """A server tool whose result never came."""
    return f"`{name}` tool use with id `{tool_id}` was found without a corresponding `{RESULT_OF[name]}` block"
