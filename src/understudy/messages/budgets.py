"""Task budgets: the model is told how many tokens are left for what it is doing.

Source: https://platform.claude.com/docs/en/build-with-claude/task-budgets (2026-08). A budget is for one loop: from a
message of the user to the answer that ends the turn. It counts what the model writes and what tools bring, each once,
however often the client sends it. It is a hint; `max_tokens` is the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from understudy.engines.catalog import Model, public_models
from understudy.messages.counting.count import count_read, read_waiting
from understudy.messages.counting.prompt import Prompt
from understudy.tokens.pace import Pace
from understudy.wire.budgets import marker

_Block: TypeAlias = dict[str, Any]

LEAST: Final = 20_000
"""Tokens of the smallest budget, on every model that takes one."""

# Documented 2026-08; of the newer ones nothing is said, and they are taken to go on from there [guess].
_WITH_BUDGET: Final = frozenset(
    {
        "claude-opus-4-7",
        "claude-opus-4-8",
        "claude-opus-5",
        "claude-fable-5",
        "claude-mythos-5",
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
        "claude-fable-5-1",
        "claude-mythos-5-1",
        "claude-fable-5-2",
        "claude-mythos-5-2",
    }
)


def task_budget_of(request: _Block) -> _Block | None:
    config = cast("_Block", request.get("output_config") or {})
    return config.get("task_budget")


def task_budget_fault(budget: _Block, model: Model) -> str | None:
    """Both refusals are documented as a 400; the wording follows other texts about models [guess]."""
    if model not in public_models():
        return None
    if model.id not in _WITH_BUDGET:
        return "output_config.task_budget: task_budget is not supported for this model."
    if budget["total"] < LEAST:
        return f"output_config.task_budget.total: must be at least {LEAST} for this model."
    return None


@dataclass(frozen=True, slots=True)
class Countdown:
    """`request` has the countdown in it. `place` is the message with its last marker, None where no user has said
    anything; `left` what was left there before any answer."""

    request: _Block
    total: int
    place: int | None
    left: int

    async def going_on(self, request: _Block, model: Model) -> _Block:
        """The same for a request in which the answer has come further: the last marker says what is left now."""
        if self.place is None:
            return request
        messages = list(cast("list[_Block]", request["messages"]))
        left = self.left - sum(await _tokens(messages[self.place + 1 :], model))
        messages[self.place] = _marked(_unmarked(messages[self.place]), marker(left, self.total))
        return {**request, "messages": messages}


async def count_down(request: _Block, budget: _Block, model: Model) -> Countdown:
    """Tell the model of its budget: behind each message of the user and the last result of each turn."""
    total: int = budget["total"]
    remaining = budget.get("remaining")
    messages = list(cast("list[_Block]", request["messages"]))
    tokens = await _tokens(messages, model)
    turns = _user_turns(messages)
    begun = max((number for number, turn in enumerate(turns) if not turn.goes_on), default=0)
    if not turns:
        return Countdown(request, total, None, total)
    spent = place = 0
    left = total
    for number, turn in enumerate(turns):
        whole = total if number < begun or remaining is None else remaining
        if not turn.goes_on:
            spent = 0
        else:
            spent += sum(tokens[place + 1 : turn.last + 1])
        place, left = turn.last, whole - spent
        said = left - sum(tokens[place + 1 :]) if number == len(turns) - 1 else left
        messages[place] = _marked(messages[place], marker(said, total))
    return Countdown({**request, "messages": messages}, total, place, left)


@dataclass(frozen=True, slots=True)
class _UserTurn:
    """`last`: its last message. `goes_on`: it brings results, so the loop goes on."""

    last: int
    goes_on: bool


def _user_turns(messages: list[_Block]) -> list[_UserTurn]:
    turns: list[_UserTurn] = []
    before = ""
    for place, message in enumerate(messages):
        role = message["role"]
        if role == "user":
            results = any(block["type"] == "tool_result" for block in _blocks(message))
            # Neighbours are one turn.
            if before == "user":
                results = turns.pop().goes_on or results
            turns.append(_UserTurn(place, results))
        if role != "system":
            before = role
    return turns


def _blocks(message: _Block) -> list[_Block]:
    content = message.get("content")
    return cast("list[_Block]", content) if isinstance(content, list) else []


def _marked(message: _Block, said: str) -> _Block:
    text: _Block = {"type": "text", "text": said}
    content = message["content"]
    if isinstance(content, str):
        return {**message, "content": [{"type": "text", "text": content}, text] if content else [text]}
    blocks = list(_blocks(message))
    if blocks and blocks[-1]["type"] == "tool_result":
        # Behind it, it would end the assistant's turn, which waits for nothing but results.
        brought: str | list[_Block] = blocks[-1].get("content") or []
        if isinstance(brought, str):
            brought = [{"type": "text", "text": brought}]
        blocks[-1] = {**blocks[-1], "content": [*brought, text]}
        return {**message, "content": blocks}
    return {**message, "content": [*blocks, text]}


def _unmarked(message: _Block) -> _Block:
    """Without the marker that `_marked` has added."""
    blocks = list(_blocks(message))
    if blocks[-1]["type"] == "tool_result":
        blocks[-1] = {**blocks[-1], "content": blocks[-1]["content"][:-1]}
        return {**message, "content": blocks}
    return {**message, "content": blocks[:-1]}


async def _tokens(messages: list[_Block], model: Model) -> list[int]:
    """Those of each message."""
    prompt = Prompt({"messages": messages}, model)
    prompt.end_front()
    pace = Pace()
    counted: list[int] = []
    before = prompt.all_tokens()
    try:
        for message in messages:
            prompt.read_message(message)
            await read_waiting(prompt, pace)
            await count_read(prompt, pace)
            if pace.due():
                await pace.pause()
            # A summary takes the place of what was before it.
            after = prompt.all_tokens()
            counted.append(max(after - before, 0))
            before = after
    finally:
        pace.end()
    return counted
