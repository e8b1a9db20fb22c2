"""Claude Code does a whole task on models that are somewhere else: behind an OpenAI-compatible server, and behind a
second Understudy that is the first one's Claude upstream.

Its tools are real: what a model asks for is done on this machine, in a temporary folder.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from clients.claude_code import Project, Run
from fake_openai import Json, Reply, call, calls, chunk, fake_openai, said, stream, texts, usage
from servers import RunningServer, ServerStarter

pytestmark = pytest.mark.slow

GREETING = "Good morning, otter"
SCRIPT = f"echo '{GREETING}'"
TASK = f'Write a file hello.sh with the text "{SCRIPT}", run `sh hello.sh` and report the output'

EVERYTHING = """
[models]
simulator = false

[[models.map]]
name = "*"
targets = [{{ engine = "elsewhere", model = "{model}" }}]

[engines.elsewhere]
kind = "{kind}"
base_url = "{base_url}"
api_key = "{api_key}"
{more}
"""


def configured(path: Path, **names: str) -> str:
    path.write_text(EVERYTHING.format(**{"model": "*", "more": "", **names}), "utf-8")
    return str(path)


def check_task(project: Project, run: Run) -> None:
    assert (run.result["subtype"], run.result["is_error"]) == ("success", False), run.result
    assert (project.folder / "hello.sh").read_text().strip() == SCRIPT
    assert [name for name, _ in run.calls][:2] == ["Write", "Bash"], run.calls
    assert any("sh hello.sh" in arguments.get("command", "") for _, arguments in run.calls), run.calls
    assert GREETING in run.results[-1]
    assert GREETING in run.result["result"]


def piecewise(name: str, arguments: Json, prompt: int) -> Reply:
    """A thought, a word, and a call whose input comes in small pieces."""
    text = json.dumps(arguments)
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    return stream(
        chunk({"role": "assistant", "reasoning": "The next step is clear."}),
        *texts("I call ", f"{name}."),
        calls(call(0, "call_1", name, "")),
        *(calls(call(0, arguments=piece)) for piece in pieces),
        chunk(finish_reason="tool_calls"),
        chunk(usage=usage(prompt, 20, prompt // 2)),
    )


def worker(body: Json) -> Reply:
    """A model that does the task, step by step, by what stands in the conversation."""
    prompt = len(json.dumps(body)) // 4
    offered = {tool["function"]["name"] for tool in body.get("tools") or []}
    if not {"Write", "Bash"} <= offered:
        # One of the questions that Claude Code asks beside its work.
        return said("A greeting", prompt=prompt)
    results = [told(message["content"]) for message in body["messages"] if message["role"] == "tool"]
    if not results:
        folder = re.search(r"working directory: (\S+)", json.dumps(body["messages"]), re.IGNORECASE)
        assert folder is not None, "the prompt does not say where the work is done"
        where = folder[1].partition("\\n")[0]
        return piecewise("Write", {"file_path": f"{where}/hello.sh", "content": SCRIPT + "\n"}, prompt)
    if len(results) == 1:
        return piecewise("Bash", {"command": "sh hello.sh", "description": "Run the script"}, prompt)
    return said("It printed: ", results[-1].strip(), prompt=prompt)


def told(content: Any) -> str:
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-5-5"])
async def test_it_does_a_task_through_an_openai_compatible_server(
    claude: Path, serve: ServerStarter, tmp_path: Path, model: str
) -> None:
    async with fake_openai(script=worker) as fake:
        config = configured(
            tmp_path / "understudy.toml", kind="openai", base_url=fake.url, api_key="a key of the upstream",
            model="qwen", more='dialect = "vllm"',
        )  # fmt: skip
        server = await asyncio.to_thread(serve, "--config", config)
        project = Project(claude, server, tmp_path)
        run = await asyncio.to_thread(project.work, TASK, "--model", model)
        check_task(project, run)
        assert all(body["model"] == "qwen" for body in fake.bodies)
    # What the upstream counted is what Claude Code was told.
    used = run.result["usage"]
    assert used["cache_read_input_tokens"] > 1_000
    assert used["input_tokens"] > 1_000


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-5-5"])
def test_it_does_a_task_through_a_second_understudy(
    claude: Path, server: RunningServer, serve: ServerStarter, tmp_path: Path, model: str
) -> None:
    config = configured(tmp_path / "understudy.toml", kind="claude", base_url=server.url, api_key=server.api_key)
    first = serve("--config", config)
    project = Project(claude, first, tmp_path)
    run = project.work(TASK, "--model", model)
    check_task(project, run)
    # The second one's prompt cache, through the first.
    assert run.result["usage"]["cache_read_input_tokens"] > 1_000
