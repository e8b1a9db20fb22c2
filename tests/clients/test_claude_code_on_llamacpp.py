"""Claude Code on models that llama.cpp runs on this machine.

What these models say is nonsense, so they get no tool that could do any harm: the protocol is what must hold.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from clients.claude_code import QUIET, environment
from servers import RunningServer, ServerStarter
from tests.gguf.models import model_file, scripted_model

pytestmark = pytest.mark.slow

# The context is what the model was made for: Claude Code's own prompt has some 20,000 tokens.
RUN = {"UNDERSTUDY_LLAMACPP_CONTEXT": "0", "UNDERSTUDY_LLAMACPP_THREADS": "2", "UNDERSTUDY_LLAMACPP_SLOTS": "2"}


def session(claude: Path, server: RunningServer, home: Path, *flags: str) -> list[dict[str, object]]:
    """What a session printed, a JSON object a line. It may give up, as with a model that never ends its turn."""
    flags = ("--output-format", "stream-json", "--verbose", "--tools", "Read", *flags)
    done = subprocess.run(
        [str(claude), "-p", "hello", *flags],
        cwd=home,
        env=environment(server, home, **QUIET, CLAUDE_CODE_MAX_OUTPUT_TOKENS="120"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    assert lines and lines[-1]["type"] == "result", f"{done.stdout}\n{done.stderr}"
    return lines


def answered(server: RunningServer) -> list[int]:
    """The statuses of the requests that a model was asked in."""
    logged = [json.loads(line) for line in server.printed().splitlines() if line.startswith("{")]
    return [line["status"] for line in logged if line.get("path") == "/v1/messages"]


def test_a_session_with_a_model_that_says_anything_keeps_the_protocol(
    claude: Path, serve: ServerStarter, tmp_path: Path
) -> None:
    server = serve("--model", str(model_file("tiny")), env=RUN)
    lines = session(claude, server, tmp_path)
    assert any(line["type"] == "assistant" for line in lines)
    statuses = answered(server)
    assert statuses and set(statuses) == {200}, server.printed()


def test_a_tool_is_called_and_its_result_is_told(claude: Path, serve: ServerStarter, tmp_path: Path) -> None:
    model = scripted_model("<tool_call>\n{}", after_tool_result="The file was read, and nothing is in it.")
    server = serve("--model", str(model), env=RUN)
    lines = session(claude, server, tmp_path)
    told = json.dumps(lines)
    assert '"type": "tool_use"' in told and '"name": "Read"' in told
    assert '"type": "tool_result"' in told
    assert "nothing is in it" in json.dumps(lines[-1]), lines[-1]
    assert set(answered(server)) == {200}, server.printed()
