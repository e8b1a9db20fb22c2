"""A server that remembers what conversations began with says exactly what one that does not says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator, Hashable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi import Answer, InProcess
from generated import in_process
from messages.judging import TOOL, assistant, message, result, text, use, user
from streams import without_ids
from understudy.wire.known_bodies import KnownBodies, KnownBody
from whole_requests import rich_requests

COUNT = "/v1/messages/count_tokens"

# Turns that keep the rules behind some others and break them behind the rest.
TURNS: list[dict[str, Any]] = [
    user("What is the weather in Paris?"),
    user(text("And in Rome?")),
    user(result("toolu_1", "sunny")),
    user(result("toolu_1", [text("rain"), text("")])),
    user(result("toolu_2", "snow"), text("go on")),
    user(text("cached", cache_control={"type": "ephemeral"})),
    user(text("an hour", cache_control={"type": "ephemeral", "ttl": "1h"})),
    user(""),
    user("   "),
    assistant(text("Let me look."), use("toolu_1")),
    assistant(use("toolu_1"), use("toolu_2")),
    assistant("It is sunny."),
    assistant({"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}, text("so")),
    assistant(""),
    message("system", "Be brief."),
    {"role": "tool", "content": "x"},
    {"role": "user"},
    {"role": "user", "content": [{"type": "nothing"}]},
    {"role": "user", "content": "x", "name": "extra"},
    {"role": "user", "content": [{"type": "text"}]},
]
# No body is as long as this.
NEVER = 1 << 40
# Long enough to be cached.
SYSTEM = "word " * 5_000
CACHED = {"cache_control": {"type": "ephemeral"}}
FRONTS: list[dict[str, Any]] = [
    {"system": "s" * 300},
    {"system": SYSTEM, "tools": [TOOL]},
    {"system": SYSTEM, **CACHED},
    {"system": [{"type": "text", "text": SYSTEM, **CACHED}], "tools": [TOOL]},
    {
        "system": [{"type": "text", "text": SYSTEM}],
        "tools": [{**TOOL, "description": SYSTEM, **CACHED}],
        "tool_choice": {"type": "auto"},
    },
    {"system": [{"type": "text", "text": SYSTEM, **CACHED}], **CACHED},
]
MODELS = ("claude-sonnet-4-5", "claude-opus-4-8", "claude-haiku-4-5")


class Watched(KnownBodies):
    """`found`: all bodies that were known."""

    def __init__(self, shortest: int) -> None:
        super().__init__(shortest)
        self.found: list[KnownBody] = []

    def find(self, text: bytes, owner: Hashable) -> KnownBody | None:
        known = super().find(text, owner)
        if known is not None:
            self.found.append(known)
        return known


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def said(answer: Answer) -> Any:
    body = answer.json()
    body.pop("request_id", None)
    return answer.status, without_ids(body) if body.get("type") == "message" else body


@given(
    turns=st.lists(st.sampled_from(TURNS), min_size=1, max_size=8),
    branches=st.lists(
        st.tuples(st.integers(0, 8), st.lists(st.sampled_from(TURNS), max_size=2)), min_size=2, max_size=4
    ),
    model=st.sampled_from(MODELS),
    front=st.sampled_from(FRONTS),
    version=st.sampled_from(("2023-06-01", "2026-10-21")),
)
@settings(in_process, max_examples=min(in_process.max_examples, 300))
def test_every_turn_is_judged_and_counted_the_same(
    runner: asyncio.Runner,
    turns: list[dict[str, Any]],
    branches: list[tuple[int, list[dict[str, Any]]]],
    model: str,
    front: dict[str, Any],
    version: str,
) -> None:
    bodies = Watched(shortest=0)
    knowing, other = InProcess(bodies=bodies), InProcess(bodies=KnownBodies(shortest=NEVER))

    async def both(messages: list[dict[str, Any]], path: str) -> None:
        body = {"model": model, **front, "messages": messages}
        if path != COUNT:
            body["max_tokens"] = 40
        knew = said(await knowing.post(body, path, anthropic_version=version))
        assert knew == said(await other.post(body, path, anthropic_version=version))

    async def converse() -> None:
        conversations = [turns[: place + 1] for place in range(len(turns))]
        conversations += [[*turns[: max(1, len(turns) - back)], *more] for back, more in branches]
        for messages in [conversations[0], *conversations]:
            await both(messages, "/v1/messages")
            await both(messages, COUNT)

    runner.run(converse())
    assert_unchanged(bodies)


def agent_turn(number: int, *, marked: bool) -> list[dict[str, Any]]:
    """A call, its result, which may be a breakpoint, and what is said of it."""
    call = f"toolu_{number}"
    told = result(call, [text(f"{number} degrees, " * 30)], **(CACHED if marked else {}))
    return [assistant(text("Let me look."), use(call)), user(told), user(f"And the town number {number + 1}?")]


@pytest.mark.parametrize("front", FRONTS[1:])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("marked", [False, True])
async def test_the_conversation_of_an_agent_reads_and_writes_the_same_cache(
    front: dict[str, Any], model: str, marked: bool
) -> None:
    bodies = Watched(shortest=0)
    knowing, other = InProcess(bodies=bodies), InProcess(bodies=KnownBodies(shortest=NEVER))
    front = {"model": model, "tools": [TOOL], **front}
    read = 0
    # Every turn takes the breakpoint of the one before away; some are taken back.
    for number in (0, 1, 2, 3, 4, 5, 4, 5, 6, 2, 3, 4):
        before = [turn for place in range(number) for turn in agent_turn(place, marked=False)]
        messages = [user("How is the weather in town number 0?"), *before, *agent_turn(number, marked=marked)]
        for said_on in (messages, [*messages, assistant("It is warm."), user("Thank you.")]):
            for path, body in (("/v1/messages", {**front, "max_tokens": 40}), (COUNT, front)):
                answer = said(await knowing.post({**body, "messages": said_on}, path))
                assert answer == said(await other.post({**body, "messages": said_on}, path))
                assert answer[0] == 200, answer
                read += answer[1].get("usage", {}).get("cache_read_input_tokens", 0)
    assert len(bodies.found) > 20
    assert (read > 0) is (marked or "cache_control" in str(front))
    assert_unchanged(bodies)


@given(request_=rich_requests(), more=st.lists(st.sampled_from(TURNS), min_size=1, max_size=3))
@settings(in_process, max_examples=min(in_process.max_examples, 300))
def test_what_is_remembered_stays_as_it_came(
    runner: asyncio.Runner, request_: dict[str, Any], more: list[dict[str, Any]]
) -> None:
    bodies = Watched(shortest=0)
    api = InProcess(bodies=bodies)

    async def converse() -> None:
        for count in (0, 0, *range(len(more) + 1)):
            messages = [*request_["messages"], *more[:count]]
            await api.post({"metadata": {"user_id": "u" * 200}, **request_, "messages": messages})

    runner.run(converse())
    assert_unchanged(bodies)


def assert_unchanged(bodies: Watched) -> None:
    assert bodies.found
    for known in bodies.found:
        assert json.loads(b"".join((known.head, *known.segments, known.tail))) == known.body
