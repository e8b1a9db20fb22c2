"""What batches cost, in the reports and against limits of money."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anthropic
import httpx
import pytest

from servers import RunningServer, ServerStarter

from .making import asking

pytestmark = pytest.mark.slow


def ask_admin(server: RunningServer, path: str, **params: Any) -> dict[str, Any]:
    headers = {"x-api-key": server.admin_key, "anthropic-version": "2023-06-01"}
    answer = httpx.get(server.url + path, params=params, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def amounts(server: RunningServer, tier: str) -> Decimal:
    day = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
    report = ask_admin(server, "/v1/organizations/cost_report", starting_at=day, **{"group_by[]": ["description"]})
    found = [one for bucket in report["data"] for one in bucket["results"] if one["service_tier"] == tier]
    return sum((Decimal(one["amount"]) for one in found), Decimal(0))


def test_the_cost_report_has_batches_at_half_the_price(serve: ServerStarter) -> None:
    server = serve()
    with anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as client:
        for _ in range(4):
            client.messages.create(**asking("Write twenty words."))
        requests: Any = [{"custom_id": f"r{place}", "params": asking("Write twenty words.")} for place in range(4)]
        batch = client.messages.batches.create(requests=requests)
        deadline = time.monotonic() + 30
        while client.messages.batches.retrieve(batch.id).processing_status != "ended":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    while not amounts(server, "standard"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.3)
    assert amounts(server, "standard") == amounts(server, "batch") * 2 > 0
    metrics = httpx.get(server.url + "/metrics", trust_env=False).text
    assert 'understudy_batch_requests_total{outcome="succeeded"} 4.0' in metrics
    assert "understudy_batch_requests_running 0.0" in metrics
