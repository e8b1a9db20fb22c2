"""Claude Code without a terminal: `claude -p "hello"`.

Claude Code sends 50 to 90 KB a request: three system blocks, a dozen tools, thinking, context management, and messages
of role `system` to newer models.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from clients.claude_code import QUIET, Project
from servers import RunningServer

pytestmark = pytest.mark.slow


@pytest.fixture
def project(claude: Path, server: RunningServer, tmp_path: Path) -> Project:
    return Project(claude, server, tmp_path)


def check_text(printed: str) -> None:
    assert re.search(r"\w{2,}", printed)
    assert "API Error" not in printed


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-5-5", "claude-sonnet-5-5"])
def test_it_answers_hello(project: Project, model: str) -> None:
    check_text(project.ask("hello", "--model", model, **QUIET))


def test_it_answers_with_its_nonessential_traffic(project: Project) -> None:
    """It then asks `HEAD /api/hello` first."""
    check_text(project.ask("hello", "--model", "claude-sonnet-4-5"))


def test_it_answers_with_a_bearer_credential(project: Project) -> None:
    variables = {**QUIET, "ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": project.server.api_key}
    check_text(project.ask("hello", "--model", "claude-sonnet-4-5", **variables))


def test_it_reports_success_and_usage(project: Project) -> None:
    printed = project.ask("hello", "--model", "claude-sonnet-4-5", "--output-format", "json", **QUIET)
    result = json.loads(printed)
    assert (result["subtype"], result["is_error"], result["num_turns"]) == ("success", False, 1)
    check_text(result["result"])
    # The system prompt and the tools alone are thousands of tokens.
    usage = result["usage"]
    assert usage["input_tokens"] + usage["cache_creation_input_tokens"] + usage["cache_read_input_tokens"] > 5_000
    assert usage["output_tokens"] > 0


def test_it_discovers_the_models_of_a_gateway(project: Project) -> None:
    """It asks `GET /v1/models?limit=1000` beside its work, and keeps those it can offer."""
    variables = {"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
    check_text(project.ask("hello", "--model", "claude-sonnet-4-5", **variables))
    (kept,) = project.home.rglob("gateway-models.json")
    models = {model["id"]: model.get("display_name") for model in json.loads(kept.read_text())["models"]}
    assert models["claude-opus-5-5"] == "Claude Opus 5.5"
