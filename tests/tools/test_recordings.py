"""Recorded exchanges with code execution, sent to a server that runs code. See tests/recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.replaying import needs_recordings, replay
from servers import RunningServer

KINDS = {"code_execution_20250522": 1, "code_execution_20260120": 17, "code_execution_20260521": 1}
"""Recorded exchanges of each version that pass. Those that do not bring thinking that another installation signed."""


@needs_recordings
@pytest.mark.parametrize(
    "kind", [kind if number > 1 else pytest.param(kind, marks=pytest.mark.slow) for kind, number in KINDS.items()]
)
def test_recorded_exchanges_are_answered_alike(runs_code: RunningServer, tmp_path: Path, kind: str) -> None:
    judged = replay(runs_code, tmp_path, "--filter", f"tool:{kind}")
    assert judged.failed() == {}
    assert len(judged.passed()) >= KINDS[kind]
