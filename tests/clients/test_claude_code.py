"""Claude Code, the real program, without a terminal: `claude -p "hello"`.

Claude Code sends 50 to 90 KB a request: three system blocks, a dozen tools, thinking, context management, and messages
of role `system` to newer models. The program is a native binary that needs no Node.js of its own.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clients.nodejs import node_modules
from servers import RunningServer, clean_environment

pytestmark = pytest.mark.slow

TIMEOUT = 90.0

_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


@pytest.fixture(scope="module")
def claude() -> Path:
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = _MACHINES.get(platform.machine().lower())
    musl = "-musl" if system == "linux" and platform.libc_ver()[0] != "glibc" else ""
    package = f"claude-code-{system}-{machine}{musl}"
    program = node_modules() / "@anthropic-ai" / package / "claude"
    if system is None or machine is None or not program.is_file():
        pytest.fail(f"there is no Claude Code for {sys.platform} on {platform.machine()}: @anthropic-ai/{package}")
    return program


def ask(claude: Path, server: RunningServer, home: Path, *flags: str, **variables: str) -> str:
    """Run `claude -p hello` in an empty home and an empty project. Returns what it printed; it must end well."""
    project = home / "project"
    project.mkdir()
    env = {name: value for name, value in clean_environment().items() if not name.startswith(("CLAUDECODE", "XDG_"))}
    env |= {
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": server.api_key,
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
        **variables,
    }
    began = time.monotonic()
    try:
        done = subprocess.run(
            [str(claude), "-p", "hello", *flags],
            cwd=project,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"claude was not done within {TIMEOUT:.0f} s:\n{late.stdout!r}\n{late.stderr!r}")
    took = time.monotonic() - began
    assert done.returncode == 0, f"exit code {done.returncode} after {took:.1f} s:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def check_text(printed: str) -> None:
    assert re.search(r"\w{2,}", printed)
    assert "API Error" not in printed


QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-5-5", "claude-sonnet-5-5"])
def test_it_answers_hello(claude: Path, server: RunningServer, tmp_path: Path, model: str) -> None:
    check_text(ask(claude, server, tmp_path, "--model", model, **QUIET))


def test_it_answers_with_its_nonessential_traffic(claude: Path, server: RunningServer, tmp_path: Path) -> None:
    """It then asks `HEAD /api/hello` first."""
    check_text(ask(claude, server, tmp_path, "--model", "claude-sonnet-4-5"))


def test_it_answers_with_a_bearer_credential(claude: Path, server: RunningServer, tmp_path: Path) -> None:
    variables = {**QUIET, "ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": server.api_key}
    check_text(ask(claude, server, tmp_path, "--model", "claude-sonnet-4-5", **variables))


def test_it_reports_success_and_usage(claude: Path, server: RunningServer, tmp_path: Path) -> None:
    printed = ask(claude, server, tmp_path, "--model", "claude-sonnet-4-5", "--output-format", "json", **QUIET)
    result = json.loads(printed)
    assert (result["subtype"], result["is_error"], result["num_turns"]) == ("success", False, 1)
    check_text(result["result"])
    # The system prompt and the tools alone are thousands of tokens.
    usage = result["usage"]
    assert usage["input_tokens"] + usage["cache_creation_input_tokens"] + usage["cache_read_input_tokens"] > 5_000
    assert usage["output_tokens"] > 0


def test_it_discovers_the_models_of_a_gateway(claude: Path, server: RunningServer, tmp_path: Path) -> None:
    """It asks `GET /v1/models?limit=1000` beside its work, and keeps those it can offer."""
    variables = {"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
    check_text(ask(claude, server, tmp_path, "--model", "claude-sonnet-4-5", **variables))
    (kept,) = tmp_path.rglob("gateway-models.json")
    models = {model["id"]: model.get("display_name") for model in json.loads(kept.read_text())["models"]}
    assert models["claude-opus-5-5"] == "Claude Opus 5.5"
