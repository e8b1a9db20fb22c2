"""Exchanges recorded from Bedrock, sent to a server of ours. There are none of Vertex AI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recordings.test_recordings import EXCHANGES, REPLAY
from servers import RunningServer, clean_environment

pytestmark = pytest.mark.skipif(
    not (EXCHANGES.exists() and REPLAY.exists()),
    reason=f"the recorded exchanges are not here: {REPLAY} and {EXCHANGES.name} beside it are needed",
)

LEAST_PASSED = 17


def test_what_bedrock_was_asked_is_answered_as_it_was(server: RunningServer, tmp_path: Path) -> None:
    found = tmp_path / "outcomes.json"
    command = [sys.executable, str(REPLAY), server.url + "/bedrock", server.api_key, "--quiet", "--json", str(found)]
    command += ["--flavour", "bedrock,vertex", "--include-unsure"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean_environment(), check=False)
    assert done.returncode in {0, 1}, done.stderr[-4_000:]
    outcomes = json.loads(found.read_text("utf-8"))
    passed = [row["id"] for row in outcomes if row["outcome"] == "pass"]
    failed = {row["id"]: row["fails"] for row in outcomes if row["outcome"] == "fail"}
    assert len(passed) >= LEAST_PASSED, done.stdout[-2_000:]
    assert {check for fails in failed.values() for check, _ in fails} <= {"model"}, failed
    # In the first weeks of Claude 3 the size of its context stood in the model's name: `claude-3-sonnet-28k-20240229`.
    assert all("k-2024" in text for fails in failed.values() for _, text in fails), failed
