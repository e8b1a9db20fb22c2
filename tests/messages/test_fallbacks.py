"""`fallbacks`: where a model declines, the next one answers in the same message."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anthropic
import pytest

from asgi import Answer, InProcess
from servers import RunningServer
from streams import check_stream, parse_sse, without_ids, without_signatures
from understudy.engines.catalog import Model, public_models
from understudy.engines.engine import (
    BlockEnd,
    EngineEvent,
    EngineTurn,
    InputDelta,
    PromptUsage,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolUse,
)
from understudy.engines.simulator.plan import _REFUSAL as REFUSAL  # pyright: ignore[reportPrivateUsage]
from understudy.http.exchange import Exchange
from understudy.http.record import RequestRecord
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.fallbacks import NEWEST, asked_of, attempts_of
from understudy.messages.fold import Fold
from understudy.messages.turn import Turn
from understudy.tools.web.sealed import Sealed
from understudy.wire.errors import ApiError, InternalError, InvalidRequestError, OverloadedError, RateLimitError

FIRST, NEXT = "claude-opus-5-5", "claude-opus-5"
CREDIT = "fallback-credit-2026-07-01"
OLDER = "server-side-fallback-2026-06-01"
BIO = {"type": "refusal", "category": "bio", "explanation": "No."}
TOOL = {"name": "look", "input_schema": {"type": "object"}}

SAYS: list[EngineEvent] = [ThinkingDelta("On it.", 3), TextDelta("Done.", 2), Stop("end_turn", 5)]
DECLINES: list[EngineEvent] = [Stop("refusal", 0, BIO)]
DECLINES_LATE: list[EngineEvent] = [ThinkingDelta("Hm.", 2), TextDelta("First this. ", 4), Stop("refusal", 6, BIO)]
DECLINES_IN_A_CALL: list[EngineEvent] = [ToolUse("look", None, 5), InputDelta('{"a"', 2), Stop("refusal", 7, BIO)]
DECLINES_AFTER_A_CALL: list[EngineEvent] = [
    ToolUse("look", None, 5),
    InputDelta("{}", 2),
    BlockEnd(),
    Stop("refusal", 7, BIO),
]


class Played:
    """Answers by the model's id with these events, or this error after them; `turns` are what it was asked."""

    name = "played"

    def __init__(self, **of_models: Sequence[EngineEvent | ApiError]) -> None:
        self.of_models = {name.replace("_", "-"): events for name, events in of_models.items()}
        self.turns: list[EngineTurn] = []

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        self.turns.append(turn)
        for event in self.of_models[turn.model.id]:
            if isinstance(event, ApiError):
                raise event
            yield [event]


def played(first: Sequence[EngineEvent | ApiError], then: Sequence[EngineEvent | ApiError] = SAYS) -> Played:
    return Played(claude_opus_5_5=first, claude_opus_5=then)


def request(**more: Any) -> dict[str, Any]:
    return {
        "model": FIRST,
        "max_tokens": 100,
        "fallbacks": [{"model": NEXT}],
        "tools": [TOOL],
        "messages": [{"role": "user", "content": "Go."}],
        **more,
    }


async def ask(engine: Played, beta: str = NEWEST, **more: Any) -> tuple[Answer, InProcess]:
    api = InProcess(engine)
    return await api.post(request(**more), anthropic_beta=beta), api


async def streamed(engine: Played, **more: Any) -> list[dict[str, Any]]:
    events = parse_sse((await ask(engine, stream=True, **more))[0].body)
    check_stream(events)
    return events


def fold(events: list[dict[str, Any]]) -> dict[str, Any]:
    folded = Fold()
    folded.add_all(events)
    return folded.message


MARK = {
    "type": "fallback",
    "from": {"model": FIRST},
    "to": {"model": NEXT},
    "trigger": {"type": "refusal", "category": "bio"},
}


async def test_the_next_model_answers_where_the_first_declines() -> None:
    answer, api = await ask(played(DECLINES))
    message = answer.json()
    assert message["model"] == NEXT
    assert [block["type"] for block in message["content"]] == ["fallback", "thinking", "text"]
    assert message["content"][0] == MARK
    assert (message["stop_reason"], message["stop_details"]) == ("end_turn", None)
    first, last = message["usage"]["iterations"]
    assert (first["type"], first["model"], first["output_tokens"]) == ("message", FIRST, 0)
    assert (last["type"], last["model"], last["output_tokens"]) == ("fallback_message", NEXT, 5)
    assert message["usage"]["output_tokens"] == 5
    # Each attempt is billed by itself, at its own model's rates; a refusal without a word costs nothing.
    (record,) = api.records.kept
    assert (record.model, record.output_tokens, record.stop_reason) == (NEXT, 5, "end_turn")
    (declined,) = record.further
    assert (declined.model, declined.output_tokens, declined.stop_reason) == (FIRST, 0, "refusal")
    assert declined.request_id != record.request_id
    # In the request log it is no second request over HTTP.
    assert (declined.method, declined.path) == ("DECLINED", f"/v1/messages/{record.request_id}")
    assert (declined.status, declined.further) == (200, ())


async def test_a_stream_of_it_is_the_same_message() -> None:
    whole = (await ask(played(DECLINES)))[0].json()
    events = await streamed(played(DECLINES))
    assert events[0]["message"]["model"] == NEXT
    assert without_signatures(without_ids(fold(events))) == without_signatures(without_ids(whole))


async def test_what_was_said_before_a_decline_stays_in_a_stream_and_the_next_model_goes_on() -> None:
    engine = played(DECLINES_LATE)
    events = await streamed(engine)
    assert events[0]["message"]["model"] == FIRST
    message = fold(events)
    kinds = [block["type"] for block in message["content"]]
    assert kinds == ["thinking", "text", "fallback", "thinking", "text"]
    assert message["model"] == NEXT
    # "Only the partial output's `text` blocks", and no white space at their end.
    assert engine.turns[1].request["messages"][1:] == [
        {"role": "assistant", "content": [{"type": "text", "text": "First this."}]}
    ]
    iterations = events[-2]["usage"]["iterations"]
    assert [(one["type"], one["model"], one["output_tokens"]) for one in iterations] == [
        ("message", FIRST, 6),
        ("fallback_message", NEXT, 5),
    ]


async def test_what_was_said_before_a_decline_is_billed() -> None:
    _, api = await ask(played(DECLINES_LATE), stream=True)
    (record,) = api.records.kept
    assert [(one.model, one.output_tokens) for one in (record, *record.further)] == [(NEXT, 5), (FIRST, 6)]


async def test_a_whole_answer_leaves_out_what_was_said_before_a_decline() -> None:
    engine = played(DECLINES_LATE)
    message = (await ask(engine))[0].json()
    assert [block["type"] for block in message["content"]] == ["fallback", "thinking", "text"]
    assert message["usage"]["iterations"][0]["output_tokens"] == 6
    assert len(engine.turns[1].request["messages"]) == 1


async def test_a_decline_within_a_call_is_the_answer_of_a_stream_only() -> None:
    events = await streamed(played(DECLINES_IN_A_CALL))
    assert events[-2]["delta"]["stop_reason"] == "refusal"
    assert events[-2]["usage"]["iterations"][-1]["type"] == "message"
    assert (await ask(played(DECLINES_IN_A_CALL)))[0].json()["stop_reason"] == "end_turn"
    after = fold(await streamed(played(DECLINES_AFTER_A_CALL)))
    assert [block["type"] for block in after["content"]] == ["tool_use", "fallback", "thinking", "text"]
    assert after["stop_reason"] == "end_turn"


async def test_the_last_refusal_is_the_answer_where_all_decline() -> None:
    for message in (
        (await ask(played(DECLINES, DECLINES)))[0].json(),
        fold(await streamed(played(DECLINES, DECLINES))),
    ):
        assert (message["stop_reason"], message["model"]) == ("refusal", NEXT)
        assert message["content"] == [MARK]
        assert message["stop_details"] == {**BIO, "recommended_model": None}
        assert [one["type"] for one in message["usage"]["iterations"]] == ["message", "fallback_message"]


async def test_a_fallback_without_room_leaves_the_refusal_and_is_recommended() -> None:
    answer, api = await ask(played(DECLINES, [OverloadedError()]))
    message = answer.json()
    assert (answer.status, message["stop_reason"], message["model"]) == (200, "refusal", FIRST)
    assert message["content"] == []
    assert message["stop_details"] == {**BIO, "recommended_model": NEXT}
    assert [one["type"] for one in message["usage"]["iterations"]] == ["message"]
    (record,) = api.records.kept
    assert (record.model, record.stop_reason, record.further) == (FIRST, "refusal", ())
    events = await streamed(played(DECLINES_LATE, [OverloadedError()]))
    assert [block["type"] for block in fold(events)["content"]] == ["thinking", "text"]
    assert events[-2]["delta"]["stop_details"]["recommended_model"] == NEXT


class Counted:
    """An Admission that notes what it is settled with, by model."""

    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012
    service_tier = "standard"

    def __init__(self, model: str, ended: list[tuple[str, int | None]]) -> None:
        self._model = model
        self.exceeded = f"requests of {model}"
        self._ended: list[tuple[str, int | None]] | None = ended

    async def produced(self, output_tokens: int) -> None: ...

    async def finish(self, record: RequestRecord) -> None:
        if self._ended is not None:
            self._ended.append((self._model, record.output_tokens))
            self._ended = None


@pytest.mark.parametrize(
    ("refused", "then", "ended"),
    [
        # Each model's limits are charged with what that model has written.
        (None, SAYS, [(FIRST, 6), (NEXT, 5)]),
        (None, [OverloadedError()], [(FIRST, 6), (NEXT, None)]),
        (NEXT, SAYS, [(FIRST, 6)]),
    ],
)
async def test_every_attempt_counts_against_its_own_models_limits(
    monkeypatch: pytest.MonkeyPatch, refused: str | None, then: Any, ended: list[tuple[str, int | None]]
) -> None:
    settled: list[tuple[str, int | None]] = []

    async def begin(_: MessagesEndpoints, __: Exchange, turn: Turn) -> Counted:
        if turn.route.model.id == refused:
            raise RateLimitError
        return Counted(turn.route.model.id, settled)

    monkeypatch.setattr(MessagesEndpoints, "_begin", begin)
    ways: list[dict[str, Any]] = [{}, {"stream": True}]
    for more in ways:
        settled.clear()
        answer, api = await ask(played(DECLINES_LATE, then), **more)
        assert (answer.status, settled) == (200, ended)
        (record,) = api.records.kept
        for one in (record, *record.further):
            assert one.limit_exceeded == f"requests of {one.model}"
        if ended[-1][1] != 5:
            assert f'"recommended_model":"{NEXT}"'.encode() in answer.body.replace(b": ", b":")


async def test_the_last_refusals_credit_is_for_the_body_that_the_client_has_sent() -> None:
    last = "claude-opus-4-8"
    engine = played(DECLINES_LATE, DECLINES)
    engine.of_models[last] = SAYS
    api = InProcess(engine, credit=Sealed([("key", b"k" * 32)]))
    asked = request(stream=True, fallbacks=[{"model": NEXT, "thinking": {"type": "disabled"}}])
    refused = await api.post(asked, anthropic_beta=f"{NEWEST},{CREDIT}")
    token = parse_sse(refused.body)[-2]["delta"]["stop_details"]["fallback_credit_token"]

    async def redeem(**more: Any) -> Answer:
        again = {**asked, "model": last, "stream": False, "fallback_credit_token": token, **more}
        return await api.post({**again, "fallbacks": None}, anthropic_beta=f"{NEWEST},{CREDIT}")

    assert (await redeem()).json()["usage"]["fallback_credit"] == {"status": {"type": "redeemed"}}
    assert (await redeem(system="Another.")).status == 400


async def test_white_space_alone_is_nothing_to_go_on_from() -> None:
    engine = played([TextDelta(" \n", 1), Stop("refusal", 1, BIO)])
    await ask(engine, stream=True)
    assert len(engine.turns[1].request["messages"]) == 1


def test_there_are_none_in_batches() -> None:
    with pytest.raises(InvalidRequestError, match="Message Batches"):
        attempts_of(request(), model(FIRST), lambda _: None, "2026-10-21", [NEWEST], batch=True)


async def test_other_failures_of_models_are_answered_as_they_are() -> None:
    assert (await ask(played([OverloadedError()])))[0].status == 529
    assert (await ask(played(DECLINES, [InternalError()])))[0].status == 500
    late = [TextDelta("Now", 1), OverloadedError()]
    events = parse_sse((await ask(played(DECLINES, late), stream=True))[0].body)
    assert events[-1]["type"] == "error"
    answer, api = await ask(played(DECLINES, late))
    assert (answer.status, api.records.kept[0].model, api.records.kept[0].output_tokens) == (529, NEXT, 1)


async def test_without_a_decline_nothing_of_it_is_in_the_answer_but_the_call() -> None:
    message = (await ask(played(SAYS)))[0].json()
    assert message["model"] == FIRST
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert [one["type"] for one in message["usage"]["iterations"]] == ["message"]
    assert without_signatures(without_ids(fold(await streamed(played(SAYS))))) == without_signatures(
        without_ids(message)
    )


async def test_the_default_is_the_list_of_permitted_models() -> None:
    assert (await ask(played(DECLINES), fallbacks="default"))[0].json()["model"] == NEXT
    # A model that has none runs alone.
    engine = Played(claude_opus_4_8=DECLINES)
    message = (await ask(engine, fallbacks="default", model="claude-opus-4-8"))[0].json()
    assert (message["stop_reason"], len(engine.turns)) == ("refusal", 1)


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        ({"fallbacks": [{"model": NEXT}] * 4}, 400, "fallbacks: List should have at most 3 items"),
        ({"fallbacks": [{"model": "no-such"}]}, 404, "fallbacks.0.model: no-such"),
        ({"fallbacks": [{"model": FIRST}]}, 400, "fallbacks.0.model: claude-opus-5-5 is the same model"),
        ({"fallbacks": [{"model": NEXT}] * 2}, 400, "fallbacks.1.model: claude-opus-5 is the same model"),
        ({"fallbacks": [{"model": "claude-sonnet-5-5"}]}, 400, "not a permitted fallback for claude-opus-5-5"),
        ({"model": "claude-opus-4-8"}, 400, "claude-opus-4-8 does not support fallbacks"),
        ({"fallbacks": [{"model": NEXT, "max_tokens": 10**9}]}, 400, "fallbacks.0: max_tokens: 1000000000 >"),
        ({"fallbacks": [{"model": NEXT, "top_p": 1}]}, 400, "fallbacks.0.top_p: Extra inputs are not permitted"),
        ({"beta": OLDER, "fallbacks": "default"}, 400, f"requires the `{NEWEST}` value"),
        ({"beta": "effort-2025-11-24"}, 400, "fallbacks: Extra inputs are not permitted"),
    ],
)
async def test_what_may_not_be_a_fallback_is_refused_before_any_model_is_asked(
    more: dict[str, Any], status: int, told: str
) -> None:
    engine = played(SAYS)
    answer, _ = await ask(engine, **more)
    assert (answer.status, engine.turns) == (status, [])
    assert told in answer.json()["error"]["message"]


async def test_the_older_beta_takes_a_list() -> None:
    assert (await ask(played(DECLINES), OLDER))[0].json()["model"] == NEXT


def model(name: str) -> Model:
    return next(one for one in public_models() if one.id == name)


@pytest.mark.parametrize(
    ("of_request", "entry", "wanted"),
    [
        ({}, {}, {}),
        ({"max_tokens": 5}, {"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_tokens": 5}, {"max_tokens": None}, {"max_tokens": 5}),
        ({"thinking": {"type": "adaptive"}}, {}, {"thinking": {"type": "adaptive"}}),
        ({"thinking": {"type": "between_tools"}}, {}, {"thinking": {"type": "disabled"}}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {}, {}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"}},
            {},
            {"thinking": {"type": "adaptive", "display": "summarized"}},
        ),
        ({"thinking": {"type": "disabled"}}, {"thinking": None}, {}),
        ({}, {"thinking": {"type": "disabled"}}, {"thinking": {"type": "disabled"}}),
        ({"output_config": {"effort": "low"}}, {}, {"output_config": {"effort": "low"}}),
        ({"output_config": {"effort": "low"}}, {"output_config": {"effort": None}}, {}),
        ({"output_config": {"effort": "low"}}, {"output_config": None}, {}),
        (
            {"output_config": {"effort": "low"}},
            {"output_config": {"task_budget": {"type": "tokens", "total": 30_000}}},
            {"output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 30_000}}},
        ),
        ({"output_config": {"task_budget": {"type": "tokens", "total": 5}}}, {}, {}),
        ({"speed": "standard"}, {}, {}),
        ({}, {"speed": "fast"}, {"speed": "fast"}),
        ({"speed": "fast"}, {"speed": None}, {}),
    ],
)
def test_an_attempt_is_asked_what_its_entry_says_over_what_the_request_says(
    of_request: dict[str, Any], entry: dict[str, Any], wanted: dict[str, Any]
) -> None:
    given = {"model": FIRST, "fallbacks": [entry], "messages": [], **of_request}
    asked = asked_of(given, {"model": NEXT, **entry}, model(NEXT))
    assert asked == {"model": NEXT, "messages": [], **wanted}


async def test_thinking_of_both_sides_is_taken_back_with_the_block_between_them() -> None:
    engine = played([ThinkingDelta("Hm.", 2), Stop("refusal", 2, BIO)])
    content = fold(await streamed(engine))["content"]
    assert [block["type"] for block in content] == ["thinking", "fallback", "thinking", "text"]

    async def send_back(blocks: list[dict[str, Any]], name: str) -> Answer:
        messages = [
            {"role": "user", "content": "Go."},
            {"role": "assistant", "content": blocks},
            {"role": "user", "content": "On."},
        ]
        return (await ask(played(SAYS), model=name, messages=messages, fallbacks=None))[0]

    for name in (FIRST, NEXT):
        # As it came, and as the documentation advises: without the thinking of the model that declined.
        for blocks in (content, content[1:]):
            answer = await send_back(blocks, name)
            assert answer.status == 200, answer.body
        assert (await send_back([content[0], *content[2:]], name)).status == 400
        forged = {**content[2], "signature": content[2]["signature"][:-8] + "AAAAAAA="}
        assert (await send_back([*content[:2], forged, content[3]], name)).status == 400


@pytest.mark.parametrize("drops", [False, True])
async def test_thinking_after_a_fallback_that_thought_nothing_itself_stays_good(*, drops: bool) -> None:
    says: list[EngineEvent] = [TextDelta("Done.", 2), Stop("end_turn", 2)]
    messages: list[dict[str, Any]] = []

    async def talk(engine: Played) -> dict[str, Any]:
        messages.append({"role": "user", "content": "Go."})
        answer, _ = await ask(engine, messages=messages, stream=True)
        assert answer.status == 200, answer.body
        message = fold(parse_sse(answer.body))
        messages.append({"role": "assistant", "content": message["content"]})
        return message

    await talk(played(SAYS))
    fell_back = await talk(played([ThinkingDelta("Hm.", 2), Stop("refusal", 2, BIO)], says))
    assert [block["type"] for block in fell_back["content"]] == ["thinking", "fallback", "text"]
    await talk(played(SAYS))
    if drops:
        # "Drop": thinking of the model that declined.
        messages[3]["content"] = fell_back["content"][1:]
    await talk(played(SAYS))


async def test_a_fallback_that_fails_is_recorded_without_the_figures_of_the_model_before() -> None:
    engine = played([TextDelta("Now", 1), PromptUsage(9, 4), Stop("refusal", 1, BIO)], [InternalError()])
    _, api = await ask(engine)
    (record,) = api.records.kept
    assert (record.model, record.status, record.stop_reason) == (NEXT, 500, None)
    assert (record.input_tokens, record.cache_read_input_tokens) == (None, 0)
    assert (record.further[0].cache_read_input_tokens, record.further[0].stop_reason) == (4, "refusal")


async def test_transformations_come_at_the_end_only_where_another_model_went_on() -> None:
    binding = "thinking-binding-controls-2026-08-01"
    for then, told in ((SAYS, True), ([OverloadedError()], False)):
        api = InProcess(played(DECLINES_LATE, then))
        answer = await api.post(request(stream=True), anthropic_beta=f"{NEWEST},{binding}")
        events = parse_sse(answer.body)
        assert events[0]["message"]["input_transformations"] == []
        assert ("input_transformations" in events[-2]) is told


async def test_a_conversation_goes_on_after_a_fallback() -> None:
    content = fold(await streamed(played(DECLINES_LATE)))["content"]
    messages = [{"role": "user", "content": "Go."}, {"role": "assistant", "content": content}]
    answer, _ = await ask(played(SAYS), messages=[*messages, {"role": "user", "content": "On."}])
    assert answer.status == 200, answer.body


def test_the_official_sdk_reads_who_has_answered(server: RunningServer) -> None:
    client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    create: Any = client.beta.messages.create
    asked: dict[str, Any] = {
        "model": "claude-fable-5",
        "max_tokens": 60,
        "messages": [{"role": "user", "content": f"Say it. {REFUSAL}"}],
        "fallbacks": "default",
        "betas": [NEWEST],
    }
    whole = create(**asked)
    with client.beta.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    for message in (whole, final):
        assert message.model == NEXT
        assert message.content[0].type == "fallback"
        assert message.stop_reason != "refusal"
        iterations = message.usage.iterations or []
        assert [one.type for one in iterations] == ["message", "fallback_message"]
    alone = create(**{**asked, "fallbacks": anthropic.omit})
    assert alone.stop_reason == "refusal"
