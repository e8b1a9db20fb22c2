"""Exchanges recorded from Bedrock, sent to a server of ours. There are none of Vertex AI."""

from __future__ import annotations

from pathlib import Path

from recordings.replaying import needs_recordings, replay
from servers import RunningServer

pytestmark = needs_recordings

LEAST_PASSED = 17


def test_what_bedrock_was_asked_is_answered_as_it_was(server: RunningServer, tmp_path: Path) -> None:
    judged = replay(server, tmp_path, "--flavour", "bedrock,vertex", "--include-unsure", below="/bedrock")
    failed = judged.failed()
    assert len(judged.passed()) >= LEAST_PASSED, judged.printed[-2_000:]
    assert {check for fails in failed.values() for check, _ in fails} <= {"model"}, failed
    # In the first weeks of Claude 3 the size of its context stood in the model's name: `claude-3-sonnet-28k-20240229`.
    assert all("k-2024" in text for fails in failed.values() for _, text in fails), failed
