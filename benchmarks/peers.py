"""aimock, a mock of the same API, measured in the same run: what a user would otherwise take for tests.

It is installed from `benchmarks/node`, which pins it, and answers from fixtures; it checks little, counts roughly and
keeps nothing in a database.
"""

from __future__ import annotations

import json
from pathlib import Path

from .node_packages import environment, installed, node
from .servers import Server, start_peer

_NODE = Path(__file__).with_name("node")
# The simulator's answers, about: 26 tokens whole, 100 deltas in a stream.
_WHOLE = "You asked about a server and how a request travels. " * 2
_CHUNK = 6
_DELTAS = 100


def start_aimock(directory: Path) -> Server:
    """Install it where it is not, and start it on a free port. Raises BenchmarkError."""
    script = installed(_NODE) / "@copilotkit" / "aimock" / "dist" / "cli.js"
    fixtures = directory / "aimock.json"
    answers = {"Be brief.": _WHOLE, "Write an essay": ("lorem ipsum dolor " * 40)[: _CHUNK * _DELTAS]}
    rules = [{"match": {"userMessage": said}, "response": {"content": text}} for said, text in answers.items()]
    fixtures.write_text(json.dumps({"fixtures": rules}), encoding="utf-8")

    def command(port: int) -> list[str]:
        told = ["--port", str(port), "--fixtures", str(fixtures), "--chunk-size", str(_CHUNK), "--log-level", "silent"]
        return [str(node()), str(script), *told]

    return start_peer("aimock", command, directory, environment(), ready_path="/health", api_key="aimock")
