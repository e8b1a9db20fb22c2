"""Recorded exchanges with code execution, sent to a server that runs code. See tests/recordings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from servers import RunningServer, clean_environment

REPLAY = Path(__file__).resolve().parents[3] / "shared" / "reference" / "recordings" / "replay.py"

KINDS = {"code_execution_20250522": 1, "code_execution_20260120": 17, "code_execution_20260521": 1}
"""Recorded exchanges of each version that pass. Those that do not bring thinking that another installation signed."""


@pytest.mark.skipif(not REPLAY.exists(), reason=f"the recorded exchanges are not here: {REPLAY}")
@pytest.mark.parametrize(
    "kind", [kind if number > 1 else pytest.param(kind, marks=pytest.mark.slow) for kind, number in KINDS.items()]
)
def test_recorded_exchanges_are_answered_alike(runs_code: RunningServer, tmp_path: Path, kind: str) -> None:
    found = tmp_path / "outcomes.json"
    command = [sys.executable, str(REPLAY), runs_code.url, runs_code.api_key, "--quiet", "--json", str(found)]
    command += ["--filter", f"tool:{kind}"]
    subprocess.run(command, capture_output=True, timeout=120, env=clean_environment(), check=False)
    rows = json.loads(found.read_text("utf-8"))
    assert [row["fails"] for row in rows if row["outcome"] == "fail"] == []
    assert Counter(row["outcome"] for row in rows)["pass"] >= KINDS[kind]
