"""Claude Code in its modes for the clouds: it is told a cloud's base URL, and does a whole task with its tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clients.claude_code import Project
from servers import RunningServer, ServerStarter

pytestmark = pytest.mark.slow

ACCESS_KEY, SECRET = "UNDERSTUDYTESTKEY001", "a-secret-for-tests/of+this~repository"
CONFIG = f"""
[[clouds.aws_keys]]
access_key_id = "{ACCESS_KEY}"
secret_access_key = "{SECRET}"
"""
GREETING = "Good morning, otter"
SCRIPT = f"echo '{GREETING}'"
TASK = f'Write a file hello.sh with the text "{SCRIPT}", run `sh hello.sh` and report the output'


def variables(mode: str, server: RunningServer) -> dict[str, str]:
    bedrock = {
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "ANTHROPIC_BEDROCK_BASE_URL": server.url + "/bedrock",
        "AWS_REGION": "us-east-1",
        # No file of the developer's own.
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    return {
        "signed": {**bedrock, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
        "bearer": {**bedrock, "AWS_BEARER_TOKEN_BEDROCK": server.api_key},
        "vertex": {
            "CLAUDE_CODE_USE_VERTEX": "1",
            "ANTHROPIC_VERTEX_BASE_URL": server.url + "/vertex/v1",
            "ANTHROPIC_VERTEX_PROJECT_ID": "a-project",
            "CLOUD_ML_REGION": "us-east5",
            "CLAUDE_CODE_SKIP_VERTEX_AUTH": "1",
            "ANTHROPIC_AUTH_TOKEN": server.api_key,
        },
        "foundry": {
            "CLAUDE_CODE_USE_FOUNDRY": "1",
            "ANTHROPIC_FOUNDRY_BASE_URL": server.url + "/foundry/anthropic",
            "ANTHROPIC_FOUNDRY_API_KEY": server.api_key,
        },
    }[mode]


def requests(server: RunningServer) -> list[tuple[str, int]]:
    """Path and status of each request, by the server's log."""
    lines = [json.loads(line) for line in server.printed(1_000_000).splitlines() if line.startswith("{")]
    return [(line["path"], line["status"]) for line in lines if line["event"] == "request"]


@pytest.mark.parametrize(
    ("mode", "model", "path"),
    [
        ("signed", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "/bedrock/model/{}/invoke-with-response-stream"),
        ("bearer", "us.anthropic.claude-opus-5-5", "/bedrock/model/{}/invoke-with-response-stream"),
        (
            "vertex",
            "claude-sonnet-4-5@20250929",
            "/vertex/v1/projects/a-project/locations/us-east5/publishers/anthropic/models/{}:streamRawPredict",
        ),
        ("foundry", "claude-opus-4-8", "/foundry/anthropic/v1/messages"),
    ],
)
def test_it_does_a_task(claude: Path, serve: ServerStarter, tmp_path: Path, mode: str, model: str, path: str) -> None:
    config = tmp_path / "understudy.toml"
    config.write_text(CONFIG, "utf-8")
    server = serve("--config", str(config))
    project = Project(claude, server, tmp_path)
    run = project.work(TASK, "--model", model, **variables(mode, server))
    assert (run.result["subtype"], run.result["is_error"]) == ("success", False), run.result
    assert (project.folder / "hello.sh").read_text().strip() == SCRIPT
    assert [name for name, _ in run.calls][:2] == ["Write", "Bash"], run.calls
    assert GREETING in run.results[-1]
    assert GREETING in run.result["result"]
    # What was served last is in the log when the server has ended.
    assert server.stop() == 0
    asked = requests(server)
    assert [status for where, status in asked if where == path.format(model)].count(200) >= 2, asked
    assert {status for _, status in asked} == {200}, asked
