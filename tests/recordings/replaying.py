"""The recorded exchanges, which are kept outside the repository with the program that replays them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from servers import RunningServer, clean_environment

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "recordings"
EXCHANGES = RECORDINGS / "exchanges.jsonl.gz"
REPLAY = RECORDINGS / "replay.py"

needs_recordings = pytest.mark.skipif(
    not (EXCHANGES.exists() and REPLAY.exists()),
    reason=f"the recorded exchanges are not here: {REPLAY} and {EXCHANGES.name} beside it are needed",
)


class Judged(NamedTuple):
    """`rows`: what became of each exchange, as the program writes it down."""

    rows: list[dict[str, Any]]
    printed: str

    def passed(self) -> list[str]:
        return [row["id"] for row in self.rows if row["outcome"] == "pass"]

    def failed(self) -> dict[str, list[list[str]]]:
        """By an exchange's id its failures, pairs of check and text."""
        return {row["id"]: row["fails"] for row in self.rows if row["outcome"] == "fail"}


def replay(server: RunningServer, directory: Path, *options: str, below: str = "", timeout: float = 120) -> Judged:
    """Replay what `options` choose. `below`: where on the server it is asked."""
    found = directory / "outcomes.json"
    command = [sys.executable, str(REPLAY), server.url + below, server.api_key, "--quiet", "--json", str(found)]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=timeout, env=clean_environment(), check=False
    )
    # 1 says that something failed, which is for the tests to judge.
    assert done.returncode in {0, 1}, done.stderr[-4_000:]
    return Judged(json.loads(found.read_text("utf-8")), done.stdout)
