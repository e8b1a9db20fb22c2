"""Invariant 5: what a client writes reaches the model, or is refused by name, or stands in `wire/not_prompted`."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeAlias

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import get_type_hints

from asgi import InProcess
from every_block import (
    ASSISTANT_BLOCKS,
    CALLS,
    COMPACTION,
    RESULTS,
    SYSTEM_BLOCKS,
    TOOLS,
    USER_BLOCKS,
    everything,
    text,
)
from generated import LONG, text_requests
from invariants.canaries import (
    CANARY,
    MODEL,
    OLD_MODEL,
    OPENING_BETAS,
    misshapen,
    model_of,
    names,
    prompt_texts,
    prompted,
    refusal,
    unbuilt,
    wrong_in_system,
)
from invariants.request_leaves import Leaf, leaves, places_in
from invariants.situations import SITUATIONS
from messages.judging import assistant, result, use, user
from understudy.engines.catalog import Model
from understudy.messages.context import edit_context
from understudy.messages.counting import count, count_prompt
from understudy.wire.not_prompted import CLEARED, COMPACTED, DEFERRED, EARLIER_TURN, NOT_PROMPTED
from understudy.wire.requests.params import MessageCountTokensParams, MessageCreateParams

Request: TypeAlias = dict[str, Any]

ALWAYS = [row for row in NOT_PROMPTED if not row.when]


@cache
def outcomes() -> dict[str, str]:
    """What becomes of a text at each place: `prompted`, `refused` or `left out`."""
    found: dict[str, str] = {}
    for leaf in leaves():
        if leaf.kind == "text" and not (misshapen(leaf.make(CANARY)) is None and wrong_in_system(leaf.make(CANARY))):
            outcome = _outcome(leaf)
            assert found.setdefault(leaf.path, outcome) == outcome, leaf.path
    return found


def _outcome(leaf: Leaf) -> str:
    request = leaf.make(CANARY)
    message = refusal(request)
    if message is None:
        return "prompted" if prompted(request) else "left out"
    assert names(message, leaf.path), f"{leaf.path} is refused without being named: {message}"
    return "refused"


def paths(outcome: str) -> list[str]:
    return [path for path, found in outcomes().items() if found == outcome]


class TestEveryType:
    def test_every_text_is_read_or_refused_or_stands_in_the_table(self) -> None:
        unknown = [path for path in paths("left out") if not any(row.matches(path) for row in ALWAYS)]
        assert unknown == []
        assert len(paths("prompted")) > 150

    def test_what_the_table_says_is_never_read_is_never_read(self) -> None:
        assert [path for path in paths("prompted") if any(row.matches(path) for row in ALWAYS)] == []

    def test_every_row_is_needed_and_no_two_say_the_same(self) -> None:
        matches = {path: [row.path for row in ALWAYS if row.matches(path)] for path in paths("left out")}
        assert {path: rows for path, rows in matches.items() if len(rows) > 1} == {}
        assert {row.path for row in ALWAYS} == {row for rows in matches.values() for row in rows}

    def test_every_row_is_a_sentence(self) -> None:
        assert all(row.instead.endswith((".", ").")) and row.instead[0].isupper() for row in NOT_PROMPTED)

    def test_a_field_of_fixed_words_takes_no_other_and_says_so(self) -> None:
        silent: list[tuple[str, str | None]] = []
        for leaf in leaves():
            if leaf.kind == "fixed":
                message = misshapen(leaf.make(CANARY))
                if message is None or not names(message, leaf.path):
                    silent.append((leaf.path, message))
        assert silent == []

    def test_what_count_tokens_takes_is_what_messages_take(self) -> None:
        counted, created = (
            get_type_hints(cls, include_extras=True) for cls in (MessageCountTokensParams, MessageCreateParams)
        )
        assert {name: created.get(name) for name in counted} == counted

    def test_the_walk_finds_the_texts_that_are_written_out_by_hand(self) -> None:
        """So that a leaf that the walk over the types misses is not missed by the places in a request alike."""
        walked = outcomes().keys()
        found = {place.path for place in places_in(everything())}
        assert found - walked == set()
        assert len(found) > 100

    async def test_of_two_schemas_for_the_answer_none_is_dropped(self) -> None:
        schemas = [{"type": "object", "title": title, "additionalProperties": False} for title in ("a", CANARY)]
        formats = [{"type": "json_schema", "schema": schema} for schema in schemas]
        request = {"model": MODEL.id, "max_tokens": 16, "messages": [user("hi")]}
        request |= {"output_config": {"format": formats[0]}, "output_format": formats[1]}
        answer = await InProcess().post(request, anthropic_beta="structured-outputs-2025-11-13")
        assert answer.status == 400
        assert "output_format" in answer.json()["error"]["message"]

    async def test_what_is_not_built_is_refused_by_the_endpoint_too(self) -> None:
        api = InProcess()
        answered: list[str] = []
        for leaf in leaves():
            request = leaf.make("a")
            if leaf.kind == "fixed" or unbuilt(request) is None:
                continue
            request["messages"] = request["messages"] or [user("hi")]
            request.update(model=MODEL.id, max_tokens=16)
            answer = await api.post(request, anthropic_beta=",".join(OPENING_BETAS))
            if answer.status != 400:
                answered.append(leaf.path)
        assert answered == []


async def test_the_texts_looked_at_are_those_that_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []

    async def gather(texts: list[str], pace: object) -> int:
        counted.extend(texts)
        return 0

    monkeypatch.setattr(count, "count_texts", gather)
    request = everything()
    del request["messages"][:2]  # what is dropped for a compaction may have been counted before
    await count_prompt(request, MODEL)
    assert sorted(counted) == sorted(prompt_texts(request))


class TestSituations:
    """A text that is read otherwise, and the one situation in which it is not."""

    def check(self, when: str, path: str, request: Request, otherwise: Request, model: Model = MODEL) -> None:
        assert any(row.when == when and row.matches(path) for row in NOT_PROMPTED)
        assert prompted(otherwise, model)
        assert not prompted(request, model)

    def test_what_a_summary_stands_for(self) -> None:
        before, after = user(CANARY), [user("and now?")]
        summary = {"type": "compaction", "content": "a summary"}
        failed = {"type": "compaction", "content": None}
        request, otherwise = ({"messages": [before, assistant(block), *after]} for block in (summary, failed))
        self.check(COMPACTED, "messages.*.content", request, otherwise)

    def test_a_tool_that_waits_to_be_found(self) -> None:
        tool = {"name": "f", "description": CANARY, "input_schema": {"type": "object"}, "defer_loading": True}
        conversation = [user("go"), assistant(use("t1", "search")), user(result("t1", "nothing"))]
        found = [*conversation[:2], user(result("t1", [{"type": "tool_reference", "tool_name": "f"}]))]
        request, otherwise = ({"tools": [tool], "messages": messages} for messages in (conversation, found))
        self.check(DEFERRED, "tools.*.custom.description", request, otherwise)

    def test_thinking_of_an_earlier_turn(self) -> None:
        thought = {"type": "thinking", "thinking": CANARY, "signature": "c2ln"}
        messages = [user("go"), assistant(thought, use()), user(result())]
        request, otherwise = {"messages": [*messages, assistant("done"), user("and now?")]}, {"messages": messages}
        self.check(EARLIER_TURN, "messages.*.content.*.thinking.thinking", request, otherwise, OLD_MODEL)
        assert prompted(request, MODEL)

    @pytest.mark.parametrize("where", ["content", "input"])
    async def test_what_an_edit_cleared(self, where: str) -> None:
        call = use() | ({"input": {"k": CANARY}} if where == "input" else {})
        request: Request = {
            "model": MODEL.id,
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "messages": [user("go"), assistant(call), user(result(content=CANARY if where == "content" else "ok"))],
            "context_management": {
                "edits": [
                    {
                        "type": "clear_tool_uses_20250919",
                        "trigger": {"type": "tool_uses", "value": 0},
                        "keep": {"type": "tool_uses", "value": 0},
                        "clear_tool_inputs": True,
                    }
                ]
            },
        }
        if where == "content":
            request["messages"][-1]["content"][0]["content"] += " and more words" * 20

        async def tokens(given: Request) -> int:
            return await count_prompt(given, MODEL)

        edited = await edit_context(request, MODEL, tokens)
        assert edited.applied_edits
        assert edited.applied_edits[0]["cleared_tool_uses"] == 1
        self.check(CLEARED, f"messages.*.content.*.tool_result.{where}", edited.request, request)


# --- requests of any kind ---

_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large]
some = settings(max_examples=3_000 if LONG else 200, deadline=None, suppress_health_check=_SUPPRESSED)

# A container_upload is not built, and the rest of what is not built is looked at by its type.
_BY_ROLE: Final[dict[str, list[Request]]] = {
    "user": [*USER_BLOCKS, *RESULTS],
    "assistant": [*ASSISTANT_BLOCKS, *CALLS, text("an answer"), COMPACTION, {"type": "compaction", "content": None}],
    "system": SYSTEM_BLOCKS,
}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Requests of a valid shape that hold blocks and tools of all kinds, in no order that makes sense."""
    request = draw(text_requests())
    for role in draw(st.lists(st.sampled_from(sorted(_BY_ROLE)), max_size=6)):
        content = draw(st.lists(st.sampled_from(_BY_ROLE[role]), min_size=1, max_size=24))
        place = draw(st.integers(0, len(request["messages"])))
        request["messages"].insert(place, {"role": role, "content": content})
    tools = draw(st.lists(st.sampled_from(TOOLS), max_size=6, unique_by=id))
    if tools:
        request["tools"] = tools
    if draw(st.booleans()):
        request["output_config"] = everything()["output_config"]
    # No block twice as one object: a word put into one would be in both.
    return orjson.loads(orjson.dumps(request))


@some
@given(requests(), st.randoms(use_true_random=False))
def test_no_company_keeps_a_text_out_of_the_prompt(request_body: Request, chance: Any) -> None:
    places = list(places_in(request_body))
    model = model_of(request_body["model"])
    for place in chance.sample(places, min(len(places), 6)):
        changed = place.added(request_body, CANARY)
        outcome = outcomes()[place.path]
        if outcome == "refused" or misshapen(changed) is not None:
            continue
        situations = [when for when, holds in SITUATIONS.items() if holds(changed, place, model)]
        excused = [row for row in NOT_PROMPTED if row.when in situations and row.matches(place.path)]
        assert prompted(changed, model) == (outcome == "prompted" and not excused), place


def test_every_situation_of_the_table_is_tried() -> None:
    assert {row.when for row in NOT_PROMPTED if row.when} == set(SITUATIONS)
