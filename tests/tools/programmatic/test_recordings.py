"""Recorded exchanges in which code called tools. See tests/recordings."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from recordings.replaying import EXCHANGES, needs_recordings, replay
from servers import RunningServer

pytestmark = needs_recordings

FIRST, SECOND, FETCHED = "x5ad8e506e7cb", "xe3e9380bebab", "x63e92c6def2d"


def exchange(wanted: str) -> dict[str, Any]:
    with gzip.open(EXCHANGES, "rt", encoding="utf-8") as lines:
        return next(row for row in map(json.loads, lines) if row["id"] == wanted)


@pytest.mark.parametrize("recorded", [FIRST, FETCHED])
def test_recorded_exchanges_are_answered_alike(server: RunningServer, tmp_path: Path, recorded: str) -> None:
    (row,) = replay(server, tmp_path, "--filter", f"={recorded}").rows
    assert (row["outcome"], row["fails"]) == ("pass", [])


def test_a_recorded_conversation_goes_on_in_a_container_of_ours(server: RunningServer) -> None:
    """What the recorded container was told is told again to its code here: the next call is the recorded one."""
    recorded = exchange(SECOND)

    def ask(body: dict[str, Any]) -> dict[str, Any]:
        headers = {**recorded["request_headers"], "x-api-key": server.api_key}
        answer = httpx.post(f"{server.url}/v1/messages?beta=true", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    container = ask(exchange(FIRST)["request_body"])["container"]["id"]
    answered, expected = ask({**recorded["request_body"], "container": container}), recorded["response_body"]
    (block,), (known,) = answered["content"], expected["content"]
    assert {**block, "id": ""} == {**known, "id": ""}
    assert list(block) == list(known)
    assert answered["stop_reason"] == expected["stop_reason"]
    assert answered["usage"] == expected["usage"]
    assert answered.keys() >= expected.keys()
