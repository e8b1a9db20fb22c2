"""All examples of docs/testing-your-app.md run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import anthropic
import httpx
import pytest

from servers import RunningServer, clean_environment, start_server

PAGE = Path(__file__).parents[2] / "docs" / "testing-your-app.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def bash(beginning: str) -> str:
    (block,) = [block for block in blocks("bash") if beginning in block]
    return block.strip()


def write_files(directory: Path) -> list[str]:
    """Write the blocks that begin with a file's name, and return the names."""
    names: list[str] = []
    for block in [*blocks("python"), *blocks("TOML")]:
        named = re.match(r"# ([a-z_]+\.(?:py|toml))\n", block)
        if named:
            (directory / named[1]).write_text(block, "utf-8")
            names.append(named[1])
    return names


@pytest.mark.slow
def test_the_test_files_pass(tmp_path: Path) -> None:
    names = write_files(tmp_path)
    assert len(names) == 6
    exports = re.findall(r"(\w+)=(\S+)", bash("export "))
    environment = clean_environment(dict(exports))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--durations=8",
        "-p",
        "no:understudy",
        "-p",
        "understudy.testing.plugin",
    ]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "13 passed" in ended.stdout


def test_the_script_runs() -> None:
    (script,) = [block for block in blocks("python") if not block.startswith("# test_")]
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=clean_environment(), timeout=60
    )
    assert printed.stdout == "Hello!\n", printed.stderr


def ask(url: str, key: str, text: str, **more: object) -> httpx.Response:
    body = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": text}], **more}
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return httpx.post(f"{url}/v1/messages", json=body, headers=headers, trust_env=False)


def test_the_scenario_file_is_taken_by_a_server(tmp_path: Path) -> None:
    write_files(tmp_path)
    (variable, value, rest) = re.match(r"(\w+)=(\S+) (.*)", bash("SCENARIOS")).groups()  # type: ignore[union-attr]
    assert rest.startswith("understudy serve")
    server = start_server(tmp_path / "server", env={variable: str(tmp_path / value)})
    try:
        assert ask(server.url, server.api_key, "The weather?").json()["content"][0]["text"] == "Sunny."
        busy = ask(server.url, server.api_key, "Are you busy?")
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "2")
        _check_the_route(server)
    finally:
        server.kill()


def _check_the_route(server: RunningServer) -> None:
    words = shlex.split(bash("curl").replace("\\\n", " "))
    headers = dict(words[place + 1].split(": ") for place, word in enumerate(words) if word == "-H")
    headers["x-api-key"] = server.admin_key
    url = words[1].replace("http://127.0.0.1:8484", server.url)
    answer = httpx.post(url, headers=headers, content=words[words.index("-d") + 1], trust_env=False)
    assert answer.status_code == 200, answer.text
    assert ask(server.url, server.api_key, "The weather?").json()["content"][0]["text"] == "Sunny."


def test_what_is_recorded_is_replayed(server: RunningServer, tmp_path: Path) -> None:
    def run(command: str) -> tuple[subprocess.Popen[str], str]:
        words = shlex.split(command.replace("https://api.anthropic.com", server.url).replace("8485", "0"))
        assert words[0] == "understudy"
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=clean_environment()
        )
        assert process.stdout is not None
        return process, process.stdout.readline().split()[-1]

    answers: list[str] = []
    for command, key in ((bash("understudy record"), server.api_key), (bash("understudy replay"), "none")):
        process, url = run(command)
        try:
            client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
            message = client.messages.create(
                model="claude-sonnet-5-5", max_tokens=50, messages=[{"role": "user", "content": "Hello"}]
            )
            answers.append(message.to_json())
        finally:
            process.terminate()
            process.wait(20)
    assert answers[0] == answers[1]
    assert [file.name for file in tmp_path.iterdir()] == ["exchanges.jsonl"]
