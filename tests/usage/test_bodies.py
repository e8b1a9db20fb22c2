"""Prompts and answers that are kept, of a real server, and what is kept where nothing is asked for."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from installations import all_bytes
from servers import RunningServer, ServerStarter, start_server
from understudy.http.record import RequestRecord
from understudy.storage.blobs import Blobs
from understudy.usage.bodies import BodiesPruning, Keeping, RequestBodies
from understudy.usage.kept_bodies import Body, Capture, KeptBodies, blob_name, redacted
from understudy.wire.event_stream import encode_chunk, encode_exception
from understudy.wire.ids import new_id
from usage.reporting import ORGANIZATION
from usage_records import record

REQUESTS = "/_understudy/admin/requests"
KEPT = {"UNDERSTUDY_RETENTION_BODIES": "all", "UNDERSTUDY_RETENTION_BODIES_MAX_BYTES": "20000"}


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    server = start_server(tmp_path_factory.mktemp("bodies"), env=KEPT)
    yield server
    assert server.stop() == 0, server.printed()


def ask(server: RunningServer, text: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": text}], **more}
    given = {"x-api-key": server.api_key, "anthropic-version": "2023-06-01", **(headers or {})}
    return httpx.post(f"{server.url}/v1/messages", json=body, headers=given, trust_env=False)


def shown(server: RunningServer, request_id: str, *, waits_for: str | None = "response") -> Any:
    """The request as the admin sees it, once it and its bodies are written."""
    with httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key}, trust_env=False) as client:
        deadline = time.monotonic() + 10
        while True:
            answer = client.get(f"{REQUESTS}/{request_id}")
            if answer.status_code == 200 and (waits_for is None or answer.json()[waits_for] is not None):
                return answer.json()
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.02)


def test_a_request_is_shown_with_its_bodies_what_its_limits_said_and_its_times(keeping: RunningServer) -> None:
    answer = ask(keeping, "Keep this", headers={"accept-encoding": "gzip"})
    found = shown(keeping, answer.headers["request-id"])
    assert found["request"]["body"]["messages"] == [{"role": "user", "content": "Keep this"}]
    assert found["response"]["body"] == answer.json()
    assert found["request"]["is_truncated"] is found["response"]["is_truncated"] is False
    assert found["limits"] == {"exceeded": None, "refused": False}
    assert 0 < found["timings"]["time_to_first_token"] <= found["timings"]["duration"]
    assert (found["type"], found["status"], found["model"]) == ("request", 200, "claude-sonnet-5-5")


def test_of_a_stream_the_events_are_kept(keeping: RunningServer) -> None:
    answer = ask(keeping, "Stream this", stream=True)
    found = shown(keeping, answer.headers["request-id"])
    events = [event["type"] for event in found["response"]["events"]]
    assert (events[0], events[-1]) == ("message_start", "message_stop")
    assert len(events) == answer.text.count("\ndata: ")
    assert found["timings"]["output_tokens_per_second"] > 0


def test_an_error_that_named_a_model_is_kept_and_other_routes_are_not(keeping: RunningServer) -> None:
    refused = ask(keeping, "x" * 10, max_tokens=10**9)
    assert refused.status_code == 400
    found = shown(keeping, refused.headers["request-id"])
    assert found["response"]["body"] == refused.json()
    headers = {"x-api-key": keeping.admin_key, "anthropic-version": "2023-06-01"}
    made = httpx.post(
        f"{keeping.url}/v1/organizations/workspaces", json={"name": "Never kept"}, headers=headers, trust_env=False
    )
    found = shown(keeping, made.headers["request-id"], waits_for=None)
    assert found["request"] is found["response"] is None
    assert b"Never kept" not in b"".join(_stored(keeping))


def test_compressed_requests_are_read_and_long_ones_cut(keeping: RunningServer) -> None:
    body = b'{"model":"claude-sonnet-5-5","max_tokens":9,"messages":[{"role":"user","content":"zipped"}]}'
    headers = {"x-api-key": keeping.api_key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    answer = httpx.post(
        f"{keeping.url}/v1/messages",
        content=gzip.compress(body),
        headers={**headers, "content-encoding": "gzip"},
        trust_env=False,
    )
    assert shown(keeping, answer.headers["request-id"])["request"]["body"]["messages"][0]["content"] == "zipped"
    found = shown(keeping, ask(keeping, "é" * 30_000).headers["request-id"])["request"]
    assert found["is_truncated"] is True
    assert found["bytes"] > 60_000
    assert 19_000 < len(found["text"].encode()) <= 20_000


def test_keys_are_taken_out_of_what_is_kept(keeping: RunningServer) -> None:
    secret = "sk-ant-api03-" + "a1B2" * 10
    tools = [{"name": "t", "input_schema": {"type": "object", "description": f"Bearer {'tok3n' * 6}"}}]
    answer = ask(keeping, f"my key is {secret}", tools=tools, metadata={"user_id": "me"})
    found = shown(keeping, answer.headers["request-id"])
    assert found["request"]["body"]["messages"][0]["content"] == "my key is sk-[redacted]"
    stored = b"".join(_stored(keeping))
    assert secret.encode() not in stored
    assert b"tok3ntok3n" not in stored
    assert keeping.api_key.encode() not in stored


def _stored(server: RunningServer) -> list[bytes]:
    import zlib

    assert server.data_dir is not None
    paths = sorted((server.data_dir / "requests").rglob("req_*"))
    assert paths
    return [zlib.decompress(path.read_bytes()) for path in paths]


def test_a_scenario_takes_no_bodies_away(keeping: RunningServer) -> None:
    admin = {"x-api-key": keeping.admin_key}
    url = f"{keeping.url}/_understudy/scenarios"
    scenario = {"rules": [{"answer": {"text": "Scripted."}}]}
    httpx.post(url, json=scenario, headers=admin, trust_env=False).raise_for_status()
    answer = ask(keeping, "in a scenario")
    found = shown(keeping, answer.headers["request-id"])
    assert found["response"]["body"]["content"][0]["text"] == "Scripted."
    httpx.delete(url, headers=admin, trust_env=False).raise_for_status()
    after = ask(keeping, "and after it")
    assert shown(keeping, after.headers["request-id"])["response"]["body"] == after.json()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"authorization_token": "s3cr\\"et", "a": 1}', '{"authorization_token": "[redacted]", "a": 1}'),
        ('{"password":"cut off here', '{"password":"[redacted]"'),
        ('{"password":"cut at an escape\\', '{"password":"[redacted]"'),
        ('{"max_tokens": 5, "text": "password"}', '{"max_tokens": 5, "text": "password"}'),
        ("Authorization: Bearer abcdefghijklmnop==", "Authorization: Bearer [redacted]"),
        ("sk-short and sk-proj-0123456789abcdef", "sk-short and sk-[redacted]"),
    ],
)
def test_what_holds_a_credential_is_redacted(text: str, kept: str) -> None:
    assert redacted(text) == kept


async def test_of_bedrock_s_stream_the_events_are_kept_and_keys_in_them_are_not(tmp_path: Path) -> None:
    kept = KeptBodies(Blobs(None, tmp_path))
    bodies = RequestBodies(Log(), kept, Keeping())
    await bodies.start()
    events = [{"type": "ping"}, {"type": "content_block_delta", "text": "sk-ant-api03-" + "a1B2" * 10}]
    frames = b"".join(encode_chunk(orjson.dumps(event)) for event in events)
    frames += encode_exception("throttlingException", b'{"message":"slow down"}')
    whole, cut = record(), record()
    for one, most in ((whole, 10_000), (cut, len(frames) - 1)):
        capture = Capture(Body(10, "application/json"), Body(most, "application/vnd.amazon.eventstream"))
        capture.response.add(frames)
        bodies._captures[one.request_id] = capture  # pyright: ignore[reportPrivateUsage]
        bodies.record(one)
    await bodies.stop()
    found = (await kept.read(ORGANIZATION, whole.request_id))["response"]
    redacted = {"type": "content_block_delta", "text": "sk-[redacted]"}
    assert found["events"] == [{"type": "ping"}, redacted, {"message": "slow down"}]
    found = (await kept.read(ORGANIZATION, cut.request_id))["response"]
    assert found["is_truncated"] is True
    assert found["text"].count("data: ") == 2
    assert "a1B2" not in found["text"]


def test_by_default_nothing_is_kept_of_prompts_and_answers(serve: ServerStarter) -> None:
    server = serve()
    word = "canaryinthecoalmine"
    answer = ask(server, word)
    found = shown(server, answer.headers["request-id"], waits_for=None)
    assert found["request"] is found["response"] is None
    assert server.stop() == 0
    assert server.data_dir is not None
    assert not (server.data_dir / "requests").exists()
    assert word.encode() not in all_bytes(server.data_dir)


def test_another_organization_and_no_admin_see_nothing(keeping: RunningServer) -> None:
    answer = ask(keeping, "Whose is this")
    shown(keeping, answer.headers["request-id"])
    path = f"{keeping.url}{REQUESTS}/{answer.headers['request-id']}"
    assert httpx.get(path, headers={"x-api-key": keeping.api_key}, trust_env=False).status_code == 403
    for other in (new_id("req_"), "req_unknown", "..%2F..%2Froot.secret"):
        url = f"{keeping.url}{REQUESTS}/{other}"
        assert httpx.get(url, headers={"x-api-key": keeping.admin_key}, trust_env=False).status_code == 404


class Log:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.records: list[RequestRecord] = []

    def begin(self) -> None:
        pass

    def record(self, record: RequestRecord) -> None:
        self.records.append(record)


def _kept(bodies: RequestBodies, of: RequestRecord, request: bytes = b"{}", response: bytes = b"{}") -> None:
    capture = Capture(Body(1_000, "application/json"), Body(1_000, "application/json"))
    capture.request.add(request)
    capture.response.add(response)
    bodies._captures[of.request_id] = capture  # pyright: ignore[reportPrivateUsage]
    bodies.record(of)


def test_a_body_in_crumbs_takes_no_more_memory_than_it_has_bytes() -> None:
    body = Body(200_000)
    tracemalloc.start()
    try:
        for number in range(100_000):
            body.add(b"%02d" % (number % 100))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (body.kept, body.size) == (200_000, 200_000)
    assert kept < 400_000


async def test_errors_alone_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    kept, log = KeptBodies(Blobs(None, tmp_path)), Log()
    bodies = RequestBodies(log, kept, Keeping("errors"))
    await bodies.start()
    good = record(status=200)
    bad = record(status=529, error_type="overloaded_error")
    cut = record(status=200, error_type="overloaded_error")  # in the middle of a stream
    for one in (good, bad, cut):
        _kept(bodies, one)
    await bodies.stop()
    assert log.records == [good, bad, cut]
    found = [(await kept.read(ORGANIZATION, one.request_id))["request"] is not None for one in (good, bad, cut)]
    assert found == [False, True, True]


async def test_a_store_that_does_not_answer_costs_no_request_and_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "requests").write_text("in the way")
    bodies = RequestBodies(Log(), KeptBodies(Blobs(None, tmp_path)), Keeping())
    await bodies.start()
    for _ in range(5):
        _kept(bodies, record())
    await bodies.stop()
    assert bodies.dropped == 5
    assert len(caplog.records) == 1


async def test_bodies_of_days_gone_by_are_removed(tmp_path: Path) -> None:
    kept = KeptBodies(Blobs(None, tmp_path))
    now = time.time()
    request_id = new_id("req_")
    name = blob_name(ORGANIZATION, request_id)
    assert name is not None
    day = name.split("/")[1]
    for old in ("2026-01-01", "2025-12-31", day):
        await kept.blobs.put(name.replace(day, old), b"x")
    await kept.blobs.put("files/2020-01-01/kept", b"x")
    pruning = BodiesPruning(kept, 30, keeps=False, clock=lambda: now)
    await pruning.start()
    deadline = time.monotonic() + 5
    while len(list((tmp_path / "requests").rglob("req_*"))) > 1:
        assert time.monotonic() < deadline
        import asyncio

        await asyncio.sleep(0.01)
    await pruning.stop()
    assert (tmp_path / name).exists()
    assert (tmp_path / "files/2020-01-01/kept").exists()
