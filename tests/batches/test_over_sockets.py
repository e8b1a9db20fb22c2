"""Batches with real clients over real sockets."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types.messages import MessageBatch

from clients.installs import ROOT, python_client, run
from rawhttp import connect, head, read_answer
from servers import RunningServer, ServerStarter, clean_environment

from .api import PARAMS, PATH

SCRIPT = Path(__file__).with_name("old_sdk_script.py")
REQUESTS: list[Any] = [{"custom_id": f"r{place}", "params": PARAMS} for place in range(5)]


@pytest.fixture
def client(server: RunningServer) -> Generator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as sdk:
        yield sdk


def ended(client: anthropic.Anthropic, batch_id: str) -> MessageBatch:
    deadline = time.monotonic() + 30
    while (batch := client.messages.batches.retrieve(batch_id)).processing_status != "ended":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return batch


def test_todays_sdk_makes_follows_reads_and_deletes_a_batch(client: anthropic.Anthropic, server: RunningServer) -> None:
    wrong: Any = {"custom_id": "wrong", "params": {"model": "claude-opus-5-5", "max_tokens": 8}}
    made = client.messages.batches.create(requests=[*REQUESTS, wrong])
    assert (made.request_counts.processing, made.results_url) == (6, None)
    assert (made.expires_at - made.created_at).total_seconds() == 86_400
    batch = ended(client, made.id)
    counts = batch.request_counts
    assert (counts.processing, counts.succeeded, counts.errored) == (0, 5, 1)
    assert batch.results_url == f"{server.url}{PATH}/{made.id}/results"
    results = {one.custom_id: one.result for one in client.messages.batches.results(made.id)}
    assert sorted(results) == sorted(["wrong", *(one["custom_id"] for one in REQUESTS)])
    answer, fault = results["r0"], results["wrong"]
    assert answer.type == "succeeded"
    assert answer.message.usage.service_tier == "batch"
    assert fault.type == "errored"
    assert fault.error.error.message == "messages: Field required"
    assert [one.id for one in client.messages.batches.list(limit=1)][:1] == [made.id]
    with pytest.raises(anthropic.BadRequestError):
        client.messages.batches.cancel(made.id)
    assert client.messages.batches.delete(made.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError, match=f"Message Batch {made.id} not found."):
        client.messages.batches.results(made.id)


def test_todays_sdk_cancels_a_batch_through_its_beta_paths(client: anthropic.Anthropic) -> None:
    batches = client.beta.messages.batches
    requests: list[Any] = [{"custom_id": f"r{place}", "params": PARAMS} for place in range(3_000)]
    made = batches.create(requests=requests)
    with pytest.raises(anthropic.AnthropicError, match="Has it finished processing"):
        batches.results(made.id)
    with pytest.raises(anthropic.BadRequestError, match="In progress batches cannot be deleted"):
        batches.delete(made.id)
    canceled = batches.cancel(made.id)
    assert (canceled.processing_status, canceled.request_counts.processing) == ("canceling", 3_000)
    batch = ended(client, made.id)
    counts = batch.request_counts
    assert counts.succeeded + counts.canceled == 3_000
    assert counts.canceled > 0
    assert len(list(batches.results(made.id))) == 3_000


def test_sdk_0_125_works_with_batches(server: RunningServer) -> None:
    python = python_client("anthropic-0.125")
    printed = run([str(python), str(SCRIPT), server.url, server.api_key], env=clean_environment(), timeout=60)
    told = json.loads(printed)
    assert told.pop("version").startswith("0.125.")
    for one in told.values():
        assert one["began"] == "in_progress"
        assert "cancel_initiated_at" in one["keys"]
        assert one["counts"] == {"processing": 0, "succeeded": 3, "errored": 0, "canceled": 0, "expired": 0}
        assert one["results"] == {"r0": "succeeded", "r1": "succeeded", "r2": "succeeded"}
        assert (one["listed"], one["late"], one["deleted"]) == (True, "BadRequestError", "message_batch_deleted")


def test_the_example_of_the_documentation_runs(server: RunningServer, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "batches.md").read_text("utf-8"), re.DOTALL)
    program = tmp_path / "example.py"
    code = code.replace("http://127.0.0.1:8484", server.url).replace("sk-understudy-api-…", server.api_key)
    program.write_text(code, "utf-8")
    printed = run([sys.executable, str(program)], env=clean_environment(), timeout=60)
    assert sorted(line.split()[0] for line in printed.splitlines()) == ["country-0", "country-1", "country-2"]


def test_a_body_that_breaks_off_leaves_nothing(serve: ServerStarter) -> None:
    server = serve()
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: 9000000", path=PATH.encode()))
        connection.sendall(b'{"requests":[{"custom_id":"a","params":{"x":"' + b"y" * 5_000_000 + b'"}},')
        time.sleep(0.2)
    deadline = time.monotonic() + 10
    folder = server.data_dir / "batches"
    while [path for path in folder.rglob("*") if path.is_file()]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    headers = {"x-api-key": server.api_key, "anthropic-version": "2023-06-01"}
    listed = httpx.get(server.url + PATH, headers=headers, trust_env=False)
    assert listed.json()["data"] == []


def test_a_byte_more_than_256_megabytes_is_refused_before_it_is_sent(server: RunningServer) -> None:
    length = b"content-length: %d" % (256 * 1024 * 1024 + 1)
    with connect(server) as connection:
        connection.sendall(head(server, length, path=PATH.encode()) + b"{")
        answer = read_answer(connection)
    assert (answer.status, answer.error()["type"]) == (413, "request_too_large")
