"""Batches worked off in this process: answers, errors, other tries, cancels and expiry on a clock of the test's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from installations import query
from understudy.batches.config import RunnerConfig
from understudy.engines.routing import Backend, Mapped, MappedTarget, Routing, Slots
from understudy.http.limiting import Admission, LimitedPart, Unlimited
from understudy.http.principal import Principal
from understudy.wire.errors import InternalError, OverloadedError, RateLimitError

from .making import asking, caller
from .rig import QUICK, ScriptedEngine, rig


def config(concurrency: int) -> RunnerConfig:
    return replace(QUICK, concurrency=concurrency)


@pytest.mark.each_database
async def test_every_request_has_its_answer_in_order_and_is_billed_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        batch_id = await made.make([asking(f"number {place}") for place in range(250)])
        made.runner()
        lines = await made.ended(batch_id)
        texts = [line["result"]["message"]["content"][0]["text"] for line in lines]
        assert texts == [f"Answer to number {place}" for place in range(250)]
        assert {line["result"]["message"]["usage"]["service_tier"] for line in lines} == {"batch"}
        assert (await made.row(batch_id))["ended_at"] == made.clock()
        await made.until(lambda: True)
        for _ in range(100):
            if await made.left() == (0, 0):
                break
            await asyncio.sleep(0.02)
        assert await made.left() == (0, 0)
    rows = query(tmp_path, 'SELECT count(*), count(DISTINCT request_id), min(service_tier) FROM "usage"')
    assert rows == [(250, 250, "batch")]
    assert query(tmp_path, "SELECT sum(requests) FROM usage_days") == [(250,)]


async def test_a_bad_request_is_an_errored_row_and_harms_no_other(tmp_path: Path) -> None:
    bad = [
        asking(stream=True),
        asking(model="claude-does-not-exist-9"),
        asking(max_tokens=0),
        asking(max_tokens=9_999_999),
        asking(speed="fast"),
        {"model": "claude-haiku-4-5"},
    ]
    texts = [
        ("invalid_request_error", '"stream=True" is not supported in the Message Batches API'),
        ("not_found_error", "model: claude-does-not-exist-9"),
        ("invalid_request_error", "max_tokens: must be greater than or equal to 1"),
        (
            "invalid_request_error",
            "max_tokens: 9999999 > 64000, which is the maximum allowed number of output tokens for "
            "claude-haiku-4-5-20251001",
        ),
        ("invalid_request_error", '"speed" is not supported in the Message Batches API'),
        ("invalid_request_error", "messages: Field required"),
    ]
    async with rig(tmp_path) as made:
        batch_id = await made.make([*bad, asking("fine")])
        made.runner()
        lines = await made.ended(batch_id)
    errors = [line["result"]["error"] for line in lines[:-1]]
    assert [(each["error"]["type"], each["error"]["message"]) for each in errors[:5]] == texts[:5]
    assert errors[5]["error"]["type"] == "invalid_request_error"
    assert errors[0] == {
        "type": "error",
        "error": {
            "details": {"error_visibility": "user_facing"},
            "type": "invalid_request_error",
            "message": texts[0][1],
        },
        "request_id": None,
    }
    assert lines[-1]["result"]["type"] == "succeeded"
    log = query(tmp_path, "SELECT method, status, path FROM request_log ORDER BY path")
    assert {(row[0], row[1]) for row in log} == {("BATCH", 200), ("BATCH", 400), ("BATCH", 404)}
    assert str(log[0][2]).endswith(f"{batch_id}/r0")
    assert query(tmp_path, 'SELECT count(*) FROM "usage"') == [(1,)]


async def test_the_header_for_long_output_raises_max_tokens_in_batches(tmp_path: Path) -> None:
    long = asking(model="claude-opus-5-5", max_tokens=300_000)
    async with rig(tmp_path) as made:
        with_header = await made.make([long], betas=["output-300k-2026-03-24"])
        without = await made.make([long])
        made.runner()
        assert (await made.ended(with_header))[0]["result"]["type"] == "succeeded"
        assert (await made.ended(without))[0]["result"]["type"] == "errored"


@pytest.mark.parametrize("error", [OverloadedError, RateLimitError, InternalError])
async def test_what_an_engine_cannot_do_now_is_tried_again_and_longer_each_time(
    tmp_path: Path, error: type[OverloadedError]
) -> None:
    failures = 3

    async def answer(text: str) -> str:
        nonlocal failures
        if text == "unlucky" and failures:
            failures -= 1
            raise error
        return text

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking("unlucky"), asking("lucky")])
        made.runner()
        for attempt, delay in ((1, 1.0), (2, 2.0), (3, 4.0)):
            assert await made.waits_until(batch_id, attempt) == made.clock() + delay
            made.clock.now += delay - 0.01
            await asyncio.sleep(0.08)
            assert engine.asked.count("unlucky") == attempt
            made.clock.now += 0.02
        await made.ended(batch_id)
        assert await made.counts(batch_id) == {"succeeded": 2}
    assert engine.asked.count("lucky") == 1
    assert query(tmp_path, 'SELECT count(*) FROM "usage"') == [(2,)]


async def test_what_always_breaks_inside_ends_as_an_error_after_some_tries(tmp_path: Path) -> None:
    async def answer(text: str) -> str:
        raise InternalError

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking("poison")])
        made.runner()
        async with asyncio.timeout(20):
            while (await made.row(batch_id))["status"] != "ended":
                made.clock.now += 60
                await asyncio.sleep(0.02)
        (line,) = await made.ended(batch_id)
    assert line["result"]["error"]["error"]["type"] == "api_error"
    assert len(engine.asked) == 8


async def test_an_engine_that_refuses_all_is_left_alone_after_a_few(tmp_path: Path) -> None:
    async def answer(text: str) -> str:
        raise OverloadedError(headers={"retry-after": "40"})

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        await made.make([asking(str(place)) for place in range(100)])
        made.runner(config(concurrency=2))
        await asyncio.sleep(0.3)
        assert len(engine.asked) < 10
        made.clock.now += 39
        await asyncio.sleep(0.1)
        first = len(engine.asked)
        assert first < 10
        made.clock.now += 2
        await made.until(lambda: len(engine.asked) > first)


async def test_who_has_reached_a_limit_waits_and_others_do_not(tmp_path: Path) -> None:
    class Refusing(Unlimited):
        open = False

        async def begin(self, caller: Principal, kind: LimitedPart = "messages", **more: object) -> Admission:  # type: ignore[override]
            if caller.workspace_id == "wrkspc_poor" and not self.open:
                error = RateLimitError("limit", headers={"retry-after": "5"})
                error.exceeded = "spend/tier"
                raise error
            return await super().begin(caller, kind)

    limits = Refusing()
    async with rig(tmp_path, limits=limits) as made:
        poor = await made.make([asking("a")] * 150, principal=caller("wrkspc_poor"))
        rich = await made.make([asking("b")] * 150, principal=caller("wrkspc_rich"))
        made.runner()
        await made.ended(rich)
        assert (await made.row(poor))["status"] == "in_progress"
        limits.open = True
        made.clock.now += 61
        await made.ended(poor)
        assert await made.counts(poor) == {"succeeded": 150}


async def test_cancel_lets_what_is_under_way_end_and_cancels_the_rest(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def answer(text: str) -> str:
        await gate.wait()
        return text

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking(str(place)) for place in range(230)])
        made.runner()
        await made.until(lambda: engine.at_once == 50)
        await made.cancel(batch_id)
        await asyncio.sleep(0.1)
        assert (await made.row(batch_id))["status"] == "canceling"
        gate.set()
        lines = await made.ended(batch_id)
    kinds = [line["result"] for line in lines]
    assert [kind["type"] for kind in kinds].count("succeeded") == 50
    assert kinds[-1] == {"type": "canceled"}
    assert len(engine.asked) == 50
    assert query(tmp_path, 'SELECT count(*) FROM "usage"') == [(50,)]


async def test_cancel_does_not_wait_for_requests_that_wait_for_a_place(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def answer(text: str) -> str:
        await gate.wait()
        return text

    engine = ScriptedEngine(answer)
    backend = Backend(engine, slots=Slots(3))
    routing = Routing(
        None, mapped=[Mapped("claude-haiku-4-5", (MappedTarget("own", "model"),))], backends={"own": backend}
    )
    async with rig(tmp_path, routing) as made:
        batch_id = await made.make([asking(str(place)) for place in range(40)])
        made.runner()
        await made.until(lambda: engine.at_once == 2)
        await asyncio.sleep(0.05)
        # The third place is for whoever comes.
        assert engine.most_at_once == 2
        await made.cancel(batch_id)
        await asyncio.sleep(0.1)
        gate.set()
        await made.ended(batch_id)
        assert await made.counts(batch_id) == {"succeeded": 2, "canceled": 38}


@pytest.mark.each_database
async def test_a_canceled_batch_that_nobody_works_on_ends_too(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        batch_id = await made.make([asking()] * 120)
        claims = await made.leases.claim("dead", made.clock(), made.clock() + 30, 1)
        assert len(claims) == 1
        await made.cancel(batch_id)
        made.runner()
        await asyncio.sleep(0.15)
        assert (await made.row(batch_id))["status"] == "canceling"
        made.clock.now += 31
        lines = await made.ended(batch_id)
        assert {line["result"]["type"] for line in lines} == {"canceled"}


async def test_what_is_not_answered_in_time_expires(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def answer(text: str) -> str:
        if text != "quick":
            await gate.wait()
        return text

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking("quick"), *([asking("slow")] * 149)])
        made.runner()
        await made.until(lambda: engine.at_once == 50)
        made.clock.now += 86_399.0
        await asyncio.sleep(0.1)
        assert engine.at_once == 50
        made.clock.now += 1.0
        lines = await made.ended(batch_id)
        assert engine.at_once == 0
        assert await made.counts(batch_id) == {"succeeded": 1, "expired": 149}
        assert lines[1]["result"] == {"type": "expired"}


async def test_nothing_is_begun_of_a_batch_that_has_expired_or_is_canceled(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with rig(tmp_path, engine) as made:
        late = await made.make([asking()] * 3, within=10)
        canceled = await made.make([asking()] * 3)
        await made.cancel(canceled)
        made.clock.now += 10
        made.runner()
        await made.ended(late)
        await made.ended(canceled)
        assert await made.counts(late) == {"expired": 3}
        assert await made.counts(canceled) == {"canceled": 3}
    assert engine.asked == []


async def test_a_cancel_after_the_last_answer_changes_no_result(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        batch_id = await made.make([asking()] * 5)
        runner = made.runner()
        async with asyncio.timeout(10):
            while (await made.left())[0] < 5 and (await made.row(batch_id))["status"] != "ended":
                await asyncio.sleep(0)
        await made.cancel(batch_id)
        runner.wake()
        await made.ended(batch_id)
        assert await made.counts(batch_id) == {"succeeded": 5}


async def test_workspaces_take_turns_however_long_the_queue_of_one_is(tmp_path: Path) -> None:
    order: list[str] = []

    async def answer(text: str) -> str:
        order.append(text)
        await asyncio.sleep(0.002)
        return text

    async with rig(tmp_path, ScriptedEngine(answer)) as made:
        await made.make([asking("long")] * 2_000, principal=caller("wrkspc_long"))
        short = await made.make([asking("short")] * 100, principal=caller("wrkspc_short"))
        made.runner(config(concurrency=4))
        await made.ended(short)
        assert order.count("long") < 500


async def test_while_others_are_served_few_requests_are_begun(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking()] * 400)
        made.traffic.under_way = 1
        made.runner()
        await made.until(lambda: bool(engine.asked))
        await asyncio.sleep(0.25)
        assert 5 < len(engine.asked) < 100
        made.traffic.under_way = 0
        await made.ended(batch_id)


async def test_a_runner_that_stops_gives_back_what_it_has_not_begun(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def answer(text: str) -> str:
        await gate.wait()
        return text

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking(str(place)) for place in range(200)])
        first = made.runner(config(concurrency=10))
        await made.until(lambda: engine.at_once == 10)
        stopping = asyncio.create_task(first.stop())
        await asyncio.sleep(0.05)
        gate.set()
        await stopping
        assert (await made.left())[0] == 10
        made.runner()
        await made.ended(batch_id)
        assert await made.counts(batch_id) == {"succeeded": 200}
    assert len(engine.asked) == len(set(engine.asked)) == 200


async def test_who_has_lost_a_chunk_writes_nothing_of_it(tmp_path: Path) -> None:
    gate = asyncio.Event()
    asked = 0

    async def answer(text: str) -> str:
        nonlocal asked
        asked += 1
        mine = asked
        if mine <= 20:
            await gate.wait()
        return f"{mine}"

    async with rig(tmp_path, ScriptedEngine(answer)) as made:
        batch_id = await made.make([asking()] * 20)
        # The first one stalls beyond its lease, and another takes over.
        made.runner(replace(QUICK, poll_interval=60.0))
        await made.until(lambda: asked == 20)
        made.clock.now += 31
        made.runner()
        await made.until(lambda: asked == 40)
        gate.set()
        lines = await made.ended(batch_id)
    answers = [int(line["result"]["message"]["content"][0]["text"]) for line in lines]
    assert min(answers) > 20
    assert query(tmp_path, 'SELECT count(*) FROM "usage"') == [(20,)]


async def test_few_large_requests_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.batches.claiming.MOST_BYTES", 100_000)
    gate = asyncio.Event()

    async def answer(text: str) -> str:
        await gate.wait()
        return "seen"

    engine = ScriptedEngine(answer)
    async with rig(tmp_path, engine) as made:
        batch_id = await made.make([asking("x " * 20_000) for _ in range(6)], chunk=1)
        made.runner()
        await made.until(lambda: engine.at_once == 3)
        await asyncio.sleep(0.2)
        assert engine.most_at_once == 3
        gate.set()
        await made.ended(batch_id)


async def test_results_are_kept_where_their_bill_cannot_be_written(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:

        async def broken(connection: object, records: object) -> object:
            raise ValueError("a row that no database takes")

        made.recorder.record_in = broken  # type: ignore[method-assign,assignment]
        batch_id = await made.make([asking()] * 3)
        made.runner()
        await made.ended(batch_id)
        assert await made.counts(batch_id) == {"succeeded": 3}
    assert query(tmp_path, 'SELECT count(*) FROM "usage"') == [(3,)]
    assert made.metrics.active_requests == 0
