"""What holds for every engine, proven through the whole Messages API in front of it.

An engine is tried by a class of a few lines in test_conformance.py: what it can do, and how one is started.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings

from asgi import Answer
from engines.subjects import (
    ASK,
    EMAIL,
    OLD,
    PARTS,
    REMINDER,
    SITUATIONS,
    WEATHER,
    Can,
    Json,
    Leaving,
    Subject,
    answered_back,
    asking,
    comparable,
    turn_of,
    uncached,
)
from engines.wire import END
from invariants.canaries import CANARY
from invariants.test_canary_in_engines import FOUND
from invariants.test_errors import check_error
from invariants.test_every_kind import check_content
from streams import check_stream, parse_sse
from understudy.messages.fold import Fold
from whole_requests import rich_requests

# Seconds within which an engine must stop, and what a loaded machine may add.
STOPS_WITHIN = 0.2
SLACK = 0.3


class EngineConformance:
    """Override `can` and `running`. Tests are named by the invariant that they prove."""

    can: ClassVar[Can] = Can()
    examples: ClassVar[int] = 12
    # Tokens that an answer may have, where a test does not hang on them.
    most: ClassVar[int] = 2_000

    def running(self, *, slow: bool = False, patience: float = 30.0) -> AbstractAsyncContextManager[Subject]:
        """Start one. `slow`: its answers take seconds. `patience`: seconds it waits for its upstream."""
        raise NotImplementedError

    def tried(self) -> dict[str, Json]:
        """The situations that this engine need not refuse."""
        left = {
            name
            for name, able in (
                ("some tool", self.can.forced),
                ("one tool", self.can.forced),
                ("a form", self.can.formatted),
            )
            if not able
        }
        return {name: self.bounded(request) for name, request in SITUATIONS.items() if name not in left}

    def bounded(self, request: Json) -> Json:
        """With no more than `most` tokens; a budget of thinking has its own bounds."""
        if (request.get("thinking") or {}).get("type") == "enabled":
            return request
        return {**request, "max_tokens": min(request["max_tokens"], self.most)}

    def check_same(self, streamed: Json, whole: Json) -> None:
        """Invariant 2, where the same request gets the same answer."""
        if self.can.same:
            one, other = comparable(streamed), comparable(whole)
            if not self.can.told_thinking:
                for message in (one, other):
                    message["usage"].pop("output_tokens_details", None)
            assert one == other

    async def test_01_02_every_stream_passes_the_automaton_and_is_the_whole_answer(self) -> None:
        async with self.running() as subject:
            for name, request in self.tried().items():
                _, streamed = await subject.streamed(request)
                whole = await subject.post(request)
                assert whole.status == 200, (name, whole.body)
                message = whole.json()
                assert list(streamed) == list(message), name
                self.check_same(streamed, message)
                for each in (streamed, message):
                    check_content(request, each)
                    assert 0 < each["usage"]["output_tokens"] <= request["max_tokens"], name

    async def test_01_the_situations_are_what_they_are_called(self) -> None:
        """So that what is proven of them is proven of calls, thoughts and cut answers."""
        async with self.running() as subject:
            found = {name: (await subject.streamed(request))[1] for name, request in self.tried().items()}
        kinds = {name: [block["type"] for block in message["content"]] for name, message in found.items()}
        assert found["one token"]["stop_reason"] in {"max_tokens", "end_turn"}
        if self.can.calls:
            assert found["tools"]["stop_reason"] == "tool_use"
            assert kinds["one call"].count("tool_use") == 1
            assert found["a few tokens"]["stop_reason"] == "max_tokens"
            assert found["a stop sequence"]["stop_reason"] == "stop_sequence"
        if self.can.thinks:
            assert all("thinking" in kinds[name] for name in SITUATIONS if name.startswith("thinking"))

    async def test_04_what_is_answered_is_accepted_when_it_comes_back(self) -> None:
        async with self.running() as subject:
            for name, request in self.tried().items():
                if request.get("tool_choice"):
                    request = {**request, "tool_choice": {"type": "auto"}}
                for _ in range(2):
                    _, message = await subject.streamed(request)
                    request = answered_back(request, message)
                answer = await subject.post(request)
                assert answer.status == 200, (name, answer.body)

    def test_01_02_04_06_hold_for_generated_requests(self) -> None:
        refusals: list[str | None] = []
        with asyncio.Runner() as runner:
            running = self.running()
            subject = runner.run(running.__aenter__())

            @given(rich_requests())
            @settings(
                max_examples=self.examples,
                deadline=None,
                database=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            )
            def each(request: Json) -> None:
                refusals.append(runner.run(self._holds(subject, uncached(request))))

            try:
                each()
            finally:
                runner.run(running.__aexit__(None, None, None))
        assert refusals.count(None) * 4 >= len(refusals), refusals

    async def _holds(self, subject: Subject, request: Json) -> str | None:
        """Why the request is refused, None where it is not."""
        request = self.bounded(request)
        whole = await subject.post(request)
        if whole.status != 200:
            check_error(whole)
            assert whole.status == 400, whole.body
            assert (await subject.post({**request, "stream": True})).json()["error"] == whole.json()["error"]
            return whole.json()["error"]["message"]
        message = whole.json()
        _, streamed = await subject.streamed(request)
        self.check_same(streamed, message)
        check_content(request, message)
        if request.get("tool_choice"):
            request = {**request, "tool_choice": {"type": "auto"}}
        back = await subject.post(answered_back(request, message))
        assert back.status == 200, back.body
        return None

    async def test_05_what_a_client_says_reaches_the_prompt(self) -> None:
        marks = [f"{CANARY}-{number}" for number in range(5)]
        tools: list[Json] = [
            {"name": "f", "description": marks[1], "input_schema": {"type": "object", "title": marks[2]}},
            {"name": marks[3], "input_schema": {"type": "object"}},
        ]
        reached: list[str] = []
        async with self.running() as subject:
            for name, (_, messages) in FOUND.items():
                if name == "a page that was fetched":
                    continue  # of a server tool, which no engine is given
                marked = json.loads(json.dumps(messages).replace(CANARY, marks[0]))
                request = asking(system=[{"type": "text", "text": marks[4]}], tools=tools, messages=marked)
                subject.forget()
                answer = await subject.post(request)
                if answer.status == 400:
                    assert "messages" in answer.json()["error"]["message"], f"{name} is refused without being named"
                    continue
                assert answer.status == 200, answer.body
                assert [mark for mark in marks if mark not in subject.given] == [], name
                reached.append(name)
        assert len(reached) * 2 > len(FOUND)

    async def test_06_the_prompt_is_counted_as_declared(self) -> None:
        async with self.running() as subject:
            for name, request in self.tried().items():
                prompt = {
                    part: value for part, value in request.items() if part not in {"max_tokens", "stop_sequences"}
                }
                counted = await subject.api.post(prompt, "/v1/messages/count_tokens")
                events, message = await subject.streamed(request)
                count = counted.json()["input_tokens"]
                began, ended = (sum(usage[part] for part in PARTS) for usage in
                                (events[0]["message"]["usage"], message["usage"]))  # fmt: skip
                assert count == began > 0, name
                assert ended > 0
                if self.can.counting == "exact":
                    assert ended == count, name
                # What was said is what is billed.
                record = subject.api.records.kept[-1]
                assert (record.input_tokens or 0) + record.cache_read_input_tokens == ended
                assert record.output_tokens == message["usage"]["output_tokens"]

    async def test_09_tool_choice_is_minded_and_inputs_are_valid(self) -> None:
        choices: list[Json] = [{"type": "none"}, {"type": "auto", "disable_parallel_tool_use": True}]
        if self.can.forced:
            choices += [{"type": "any"}, {"type": "any", "disable_parallel_tool_use": True}]
            choices += [{"type": "tool", "name": name} for name in ("get_weather", "send_email", "create_reminder")]
        async with self.running() as subject:
            for ask in (ASK, "Remind me to water the plants on 2026-12-01", "Hello!"):
                for choice in choices:
                    request = asking(
                        ask, OLD, tools=[WEATHER, EMAIL, REMINDER], tool_choice=choice, max_tokens=self.most
                    )
                    whole = await subject.post(request)
                    assert whole.status == 200, whole.body
                    check_content(request, whole.json())

    async def test_09_a_form_is_kept_to_or_refused(self) -> None:
        async with self.running() as subject:
            request = {**SITUATIONS["a form"], "max_tokens": self.most}
            answer = await subject.post(request)
            if not self.can.formatted:
                assert (answer.status, "output_config" in answer.json()["error"]["message"]) == (400, True)
                return
            check_content(request, answer.json())
            assert answer.json()["stop_reason"] == "end_turn" or not self.can.calls

    @pytest.mark.parametrize("pieces", [1, 3])
    async def test_15_when_the_client_goes_the_engine_stops(self, pieces: int) -> None:
        async with self.running(slow=True) as subject:
            leaving = subject.api.app = Leaving(subject.api.app, pieces)  # pyright: ignore[reportAttributeAccessIssue]
            now = asyncio.get_running_loop().time
            await subject.api.post({**SITUATIONS["text"], "stream": True, "max_tokens": 2_000})
            assert leaving.left_at, "the answer was over before the client went"
            if subject.wire is not None:
                async with asyncio.timeout(STOPS_WITHIN + SLACK):
                    await subject.wire.left.wait()
            else:
                assert subject.watched.under_way == 0
            assert now() - leaving.left_at < STOPS_WITHIN + SLACK
            (record,) = subject.api.records.kept
            assert record.engine and record.input_tokens

    async def test_15_closing_an_answer_ends_it_at_once(self) -> None:
        async with self.running(slow=True) as subject:
            turn = await turn_of({**SITUATIONS["text"], "max_tokens": 2_000, "stream": True})
            batches = subject.engine.run(turn)
            await anext(batches)
            now = asyncio.get_running_loop().time
            began = now()
            await batches.aclose()
            assert now() - began < STOPS_WITHIN


class UpstreamConformance(EngineConformance):
    """For an engine that speaks to its model over a connection: `running` gives subjects with a wire."""

    rechunked: ClassVar[tuple[str, ...]] = ("text", "tools", "thinking and tools")

    @pytest.mark.parametrize("size", [1, 2, 7, 50])
    async def test_03_however_the_bytes_are_cut_the_message_is_the_same(self, size: int) -> None:
        async with self.running() as subject:
            assert subject.wire is not None
            for name in self.rechunked:
                subject.wire.size = None
                _, expected = await subject.streamed(SITUATIONS[name])
                subject.wire.size = size
                _, cut = await subject.streamed(SITUATIONS[name])
                assert comparable(cut) == comparable(expected), name

    @pytest.mark.parametrize("name", ["text", "tools", "thinking and tools"])
    async def test_10_an_upstream_that_breaks_at_any_event_is_an_error_and_no_end(self, name: str) -> None:
        request = {**SITUATIONS[name], "max_tokens": 1_200, "stream": True}
        async with self.running() as subject:
            wire = subject.wire
            assert wire is not None
            _, expected = await subject.streamed(request)
            count = wire.answered.count(END)
            assert count > 3
            broken = 0
            for events in range(count):
                wire.events = events
                broken += self._is_error(await subject.post(request), expected)
            assert broken >= count - 3, "only the last events may be missing"
            # It is not wedged.
            wire.whole()
            assert comparable((await subject.streamed(request))[1]) == comparable(expected)

    @pytest.mark.parametrize("name", ["text", "thinking and tools"])
    async def test_10_an_upstream_that_breaks_in_a_whole_answer_is_an_error(self, name: str) -> None:
        request = {**SITUATIONS[name], "max_tokens": 1_200}
        async with self.running() as subject:
            wire = subject.wire
            assert wire is not None
            expected = (await subject.post(request)).json()
            count = len(wire.answered)
            broken = 0
            for tenth in range(10):
                wire.most = count * tenth // 10
                broken += self._is_error(await subject.post(request), expected)
            assert broken >= 8, "only the very end may be missing"
            wire.whole()
            assert comparable((await subject.post(request)).json()) == comparable(expected)

    def _is_error(self, answer: Answer, expected: Json) -> bool:
        """Whether the answer is an error of the API. What is not is the whole message: nothing is cut in silence."""
        if answer.status != 200:
            assert answer.status >= 500, answer.body
            assert check_error(replace(answer, status=499))["type"] in {
                "api_error",
                "timeout_error",
                "overloaded_error",
            }
            return True
        if not answer.headers["content-type"].startswith("text/event-stream"):
            assert comparable(answer.json())["content"] == comparable(expected)["content"]
            return False
        events = parse_sse(answer.body)
        check_stream(events)
        if events[-1]["type"] == "error":
            assert events[-1]["request_id"] == answer.headers["request-id"]
            return True
        folded = Fold()
        folded.add_all(events)
        assert comparable(folded.message)["content"] == comparable(expected)["content"]
        return False

    @pytest.mark.parametrize("events", [0, 1, 4])
    async def test_10_an_upstream_that_says_nothing_more_is_given_up(self, events: int) -> None:
        async with self.running(patience=0.3) as subject:
            wire = subject.wire
            assert wire is not None
            wire.events, wire.stalls = events, True
            async with asyncio.timeout(5):
                answer = await subject.post({**SITUATIONS["text"], "stream": True})
            if answer.status == 200:
                assert parse_sse(answer.body)[-1]["error"]["type"] == "timeout_error"
            else:
                assert (answer.status, answer.json()["error"]["type"]) == (504, "timeout_error")

    async def test_10_an_upstream_that_is_not_there_is_an_error(self) -> None:
        async with self.running() as subject:
            wire = subject.wire
            assert wire is not None
            wire.events = 0
            for stream in (True, False):
                answer = await subject.post({**SITUATIONS["text"], "stream": stream})
                assert self._is_error(answer, {})
