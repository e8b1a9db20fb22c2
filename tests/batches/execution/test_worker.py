"""`understudy worker` beside a server that leaves batches to it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from servers import ServerStarter

from .machines import WorkerProcess
from .making import asking

pytestmark = pytest.mark.slow


def test_a_worker_answers_what_a_server_leaves_to_it_and_tells_how_it_is(serve: ServerStarter, tmp_path: Path) -> None:
    server = serve(env={"UNDERSTUDY_BATCHES_RUN": "false"})
    worker = WorkerProcess(server.data_dir, {}, tmp_path / "worker.log", ("--metrics-port", "0", "--concurrency", "7"))
    with anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as client:
        requests: Any = [{"custom_id": f"r{place}", "params": asking("Hello")} for place in range(120)]
        batch = client.messages.batches.create(requests=requests)
        time.sleep(1.5)
        assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
        try:
            worker.start()
            deadline = time.monotonic() + 30
            while client.messages.batches.retrieve(batch.id).processing_status != "ended":
                assert time.monotonic() < deadline
                time.sleep(0.05)
            found = re.search(r"http://\S+(?=/metrics)", worker.output.read_text())
            assert found is not None
            told = httpx.get(found[0] + "/metrics", trust_env=False).text
            assert 'understudy_batch_requests_total{outcome="succeeded"} 120.0' in told
            assert httpx.get(found[0] + "/readyz", trust_env=False).status_code == 200
            assert httpx.post(found[0] + "/v1/messages", trust_env=False).status_code == 404
            assert worker.stop() == 0
        finally:
            worker.kill()
