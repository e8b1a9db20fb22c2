"""Batches after they were made: read, listed, canceled, deleted, their results read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import update

from understudy.batches.tables import batch_chunks, batch_results, message_batches

from .api import HOST, NOBODY, PATH, BatchesApi, batches_api, error_of

ENDED = b'{"custom_id":"one","result":{"type":"canceled"}}\n{"custom_id":"two","result":{"type":"expired"}}\n'
_ROUTES = (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/results"))


@pytest.mark.each_database
async def test_a_batch_goes_from_progress_to_its_results_and_away(tmp_path: Path) -> None:
    async with batches_api(tmp_path / "data") as api:
        batch_id = (await api.create("one", "two"))["id"]
        assert (await api.ask("GET", f"/{batch_id}")).headers["retry-after"] == "10"
        canceling = (await api.ask("POST", f"/{batch_id}/cancel", body=b"{}")).json()
        assert canceling["processing_status"] == "canceling"
        assert canceling["cancel_initiated_at"] >= canceling["created_at"]
        assert canceling["request_counts"]["processing"] == 2
        assert canceling["results_url"] is None
        again = await api.ask("POST", f"/{batch_id}/cancel")
        assert again.json() == canceling

        await api.end(batch_id, ENDED, canceled=1, expired=1)
        answer = await api.ask("GET", f"/{batch_id}")
        assert "retry-after" not in answer.headers
        ended = answer.json()
        assert ended["processing_status"] == "ended"
        assert ended["ended_at"] >= ended["cancel_initiated_at"]
        counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 1, "expired": 1}
        assert ended["request_counts"] == counts
        assert ended["results_url"] == f"{HOST}{PATH}/{batch_id}/results"

        results = await api.ask("GET", f"/{batch_id}/results", accept="application/binary")
        assert results.headers["content-type"] == "application/x-jsonl"
        assert results.headers["content-disposition"] == f'attachment; filename="{batch_id}_results.jsonl"'
        assert results.body == ENDED
        assert (await api.ask("HEAD", f"/{batch_id}/results")).body == b""

        gone = await api.ask("DELETE", f"/{batch_id}")
        assert gone.json() == {"id": batch_id, "type": "message_batch_deleted"}
        await api.nothing_is_left()
        assert error_of(await api.ask("DELETE", f"/{batch_id}"))[0] == 404


async def test_what_cannot_be_done_now_is_refused(api: BatchesApi) -> None:
    batch_id = (await api.create())["id"]
    early = await api.ask("GET", f"/{batch_id}/results")
    assert error_of(early) == (404, "not_found_error", f"Message Batch {batch_id} has no available results.")
    running = "In progress batches cannot be deleted. Consider canceling the batch instead."
    assert error_of(await api.ask("DELETE", f"/{batch_id}")) == (400, "invalid_request_error", running)
    await api.ask("POST", f"/{batch_id}/cancel")
    assert error_of(await api.ask("DELETE", f"/{batch_id}")) == (400, "invalid_request_error", running)
    assert error_of(await api.ask("GET", f"/{batch_id}/results"))[0] == 404
    await api.end(batch_id)
    assert error_of(await api.ask("POST", f"/{batch_id}/cancel"))[:2] == (400, "invalid_request_error")
    assert (await api.retrieve(batch_id))["processing_status"] == "ended"


@pytest.mark.parametrize(("method", "path"), _ROUTES)
async def test_abuse_15_another_workspaces_batch_is_answered_as_one_that_never_was(
    api: BatchesApi, method: str, path: str
) -> None:
    batch_id = (await api.create())["id"]
    for state in ("in progress", "ended"):
        if state == "ended":
            await api.end(batch_id)
        foreign = await api.ask(method, f"/{batch_id}{path}", key="b")
        random = await api.ask(method, f"/{NOBODY}{path}", key="b")
        assert error_of(foreign) == (404, "not_found_error", f"Message Batch {batch_id} not found.")
        assert foreign.body.replace(batch_id.encode(), b"").replace(
            foreign.headers["request-id"].encode(), b""
        ) == random.body.replace(NOBODY.encode(), b"").replace(random.headers["request-id"].encode(), b"")
    assert (await api.ask("GET", key="b")).json() == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }
    for cursor in ("after_id", "before_id"):
        answer = await api.ask("GET", key="b", query=f"{cursor}={batch_id}")
        assert error_of(answer) == (400, "invalid_request_error", f"Invalid pagination cursor for '{cursor}'")
    assert (await api.retrieve(batch_id))["processing_status"] == "ended"


async def test_abuse_19_results_are_for_a_key_of_the_workspace_and_nobody_else(api: BatchesApi) -> None:
    batch_id = (await api.create())["id"]
    await api.end(batch_id, ENDED)
    url = (await api.retrieve(batch_id))["results_url"]
    assert url == f"{HOST}{PATH}/{batch_id}/results"
    for headers in ({}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}):
        answer = await api.call("GET", url.removeprefix(HOST), {"anthropic-version": "2023-06-01", **headers})
        assert (answer.status, answer.json()["error"]["type"]) == (401, "authentication_error")
        assert ENDED not in answer.body
    assert (await api.ask("GET", f"/{batch_id}/results", key="b")).status == 404
    assert (await api.ask("GET", f"/{batch_id}/results")).headers["cache-control"] == "private, no-store"


async def test_abuse_56_custom_ids_are_unique_and_plain_or_the_whole_batch_is_refused(api: BatchesApi) -> None:
    for ids in (["a", "b", "a"], ["a", "x" * 65], ["a", "b c"], ["a", "b\x00"], ["a", '"'], ["a", "é"], ["a", ""]):
        body = {"requests": [{"custom_id": custom_id, "params": {}} for custom_id in ids]}
        answer = await api.send(body)
        assert error_of(answer)[:2] == (400, "invalid_request_error")
        assert "custom_id" in error_of(answer)[2]
    await api.nothing_is_left()


async def test_results_come_back_byte_for_byte(api: BatchesApi) -> None:
    batch_id = (await api.create())["id"]
    odd = '{"custom_id":"one","text":"\\u2028 é 😀 \\u0000 \\r"}\n'.encode() * 20_000
    await api.end(batch_id, odd)
    assert (await api.ask("GET", f"/{batch_id}/results", accept_encoding="gzip, zstd")).body == odd


async def test_lists_are_newest_first_and_in_pages(api: BatchesApi) -> None:
    made = [(await api.create())["id"] for _ in range(5)][::-1]
    await api.create(key="b")
    page = (await api.ask("GET", query="limit=2")).json()
    assert [one["id"] for one in page["data"]] == made[:2]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, made[0], made[1])
    page = (await api.ask("GET", query=f"limit=3&after_id={made[1]}")).json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (made[2:], False)
    page = (await api.ask("GET", query=f"limit=2&before_id={made[4]}")).json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (made[2:4], True)
    assert (await api.ask("GET", query=f"after_id={made[4]}")).json()["data"] == []
    assert len((await api.ask("GET")).json()["data"]) == 5
    for query in ("limit=0", "limit=1001", "limit=x", "after_id=a&before_id=b", f"after_id={NOBODY}"):
        assert error_of(await api.ask("GET", query=query))[:2] == (400, "invalid_request_error")


async def test_the_address_in_answers_is_the_configured_one(data_dir: Path) -> None:
    async with batches_api(data_dir, public_url="https://api.example.com/claude") as api:
        batch_id = (await api.create())["id"]
        await api.end(batch_id)
        url = (await api.retrieve(batch_id, host="evil.example"))["results_url"]
        assert url == f"https://api.example.com/claude{PATH}/{batch_id}/results"


async def test_counts_and_results_are_told_at_the_end_only(api: BatchesApi) -> None:
    batch_id = (await api.create())["id"]
    async with api.db.begin() as connection:
        await connection.execute(update(message_batches).values(succeeded=1, results_blob="batches/x/y/results"))
    shown = await api.retrieve(batch_id)
    assert (shown["request_counts"]["processing"], shown["request_counts"]["succeeded"]) == (2, 0)
    assert shown["results_url"] is None
    assert (await api.ask("GET", f"/{batch_id}/results")).status == 404


# --- what is kept, and how long ---


async def test_results_are_archived_29_days_after_creation(api: BatchesApi) -> None:
    batch_id, other = (await api.create())["id"], (await api.create())["id"]
    await api.end(batch_id)
    api.clock.added = 29 * 86_400 - 60
    assert (await api.ask("GET", f"/{batch_id}/results")).status == 200
    api.clock.added += 61
    # Whether it was swept or not.
    for _ in range(2):
        shown = await api.retrieve(batch_id)
        assert shown["archived_at"][11:] == shown["created_at"][11:]
        assert (shown["processing_status"], shown["results_url"]) == ("ended", None)
        answer = await api.ask("GET", f"/{batch_id}/results")
        assert error_of(answer) == (404, "not_found_error", f"Message Batch {batch_id} has no available results.")
        await api.sweeper.archive()
    assert [name.split("/")[2] for name in await api.stored()] == [other]
    assert await api.sweeper.archive() == 0
    # One that runs on, whatever the reason, is left alone.
    assert (await api.retrieve(other))["archived_at"] is None
    assert (await api.ask("DELETE", f"/{batch_id}")).status == 200


@pytest.mark.each_database
async def test_the_sweeper_deletes_blobs_that_no_batch_needs(tmp_path: Path) -> None:
    async with batches_api(tmp_path / "data") as api:
        running, ended, ending = [(await api.create())["id"] for _ in range(3)]
        await api.end(ended)
        await api.service.blobs.put(f"batches/wrkspc_a/{ending}/results", b"half of them\n")
        await api.service.blobs.put(f"batches/wrkspc_a/{NOBODY}/requests", b"{}\n")
        await api.service.blobs.put(f"batches/wrkspc_b/{running}/requests", b"{}\n")
        await api.service.blobs.put("files/wrkspc_a/file_x", b"not of batches")
        assert await api.sweeper.sweep_orphans() == 0
        api.clock.added = 3 * 3_600
        # Requests of what has ended are of no use either.
        assert await api.sweeper.sweep_orphans() == 3
        assert sorted(await api.stored()) == sorted(
            [
                f"batches/wrkspc_a/{ended}/results",
                f"batches/wrkspc_a/{ending}/requests",
                f"batches/wrkspc_a/{ending}/results",
                f"batches/wrkspc_a/{running}/requests",
            ]
        )
        assert await api.service.blobs.read("files/wrkspc_a/file_x") == b"not of batches"
        assert await api.sweeper.archive() == 0


async def test_what_a_killed_execution_left_goes_with_its_batch(api: BatchesApi) -> None:
    batch_id = (await api.create())["id"]
    async with api.db.begin() as connection:
        values = {"batch_id": batch_id, "index": 0, "kind": "succeeded", "line": b"{}"}
        await connection.execute(batch_results.insert().values(values))
    await api.end(batch_id)
    assert (await api.ask("DELETE", f"/{batch_id}")).status == 200
    await api.nothing_is_left()
    assert await api.rows(batch_results) == 0


async def test_a_client_that_goes_away_leaves_all_of_its_batch_or_nothing(api: BatchesApi) -> None:
    body = b'{"requests":[{"custom_id":"a","params":{"x":"' + b"y" * 3_000_000 + b'"}}]}'
    for turns in range(0, 60, 4):
        task = asyncio.create_task(api.ask("POST", body=[body[:1_500_000], body[1_500_000:]]))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
    batches = (await api.ask("GET")).json()["data"]
    assert sorted(name.split("/")[2] for name in await api.stored()) == sorted(one["id"] for one in batches)
    assert await api.rows(batch_chunks) == len(batches)


async def test_missing_results_are_the_servers_fault(api: BatchesApi) -> None:
    batch_id = (await api.create())["id"]
    await api.end(batch_id)
    await api.service.blobs.delete([f"batches/wrkspc_a/{batch_id}/results"])
    answer = await api.ask("GET", f"/{batch_id}/results")
    assert (answer.status, answer.headers["x-should-retry"]) == (503, "false")


@pytest.mark.each_database
async def test_ids_that_are_none_are_not_found(tmp_path: Path) -> None:
    async with batches_api(tmp_path / "data") as api:
        for batch_id in ("é", "a\r\nx: y", "\x00", "' OR 1=1 --", "%", "x" * 5_000):
            for method, path in _ROUTES:
                answer = await api.ask(method, f"/{batch_id}{path}")
                assert error_of(answer) == (404, "not_found_error", f"Message Batch {batch_id} not found.")
            assert (await api.ask("GET", query=f"after_id={quote(batch_id)}")).status == 400
