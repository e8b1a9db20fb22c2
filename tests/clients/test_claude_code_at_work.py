"""Claude Code without a terminal, with real work: it writes files, runs commands, goes on with a session, compacts it.

Its tools are real: what the simulator asks for is done on this machine, in a temporary folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clients.claude_code import Project, Run
from documents.pdf_files import words
from pictures import png
from servers import RunningServer

pytestmark = pytest.mark.slow

MODELS = ["claude-sonnet-4-5", "claude-opus-5-5"]
GREETING = "Good morning, otter"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "email": {"type": "string"}},
    "required": ["name", "age", "email"],
    "additionalProperties": False,
}


@pytest.fixture
def project(claude: Path, server: RunningServer, tmp_path: Path) -> Project:
    return Project(claude, server, tmp_path)


def check_end(run: Run) -> None:
    result = run.result
    assert (result["subtype"], result["is_error"]) == ("success", False), result


def bash_commands(run: Run) -> list[str]:
    return [arguments["command"] for name, arguments in run.calls if name == "Bash"]


@pytest.mark.parametrize("model", MODELS)
def test_it_writes_a_file_runs_a_command_and_reports(project: Project, model: str) -> None:
    run = project.work(
        f'Write a file hello.txt with the text "{GREETING}", run `cat hello.txt` and report the output',
        "--model",
        model,
    )
    check_end(run)
    assert (project.folder / "hello.txt").read_text().strip() == GREETING
    assert any("cat hello.txt" in command for command in bash_commands(run)), run.calls
    assert GREETING in run.results[-1]
    assert GREETING in run.result["result"]


def test_it_reads_a_file_to_answer(project: Project) -> None:
    (project.folder / "notes.txt").write_text("The launch code is heron-42.\n")
    run = project.work("Read the file notes.txt and tell me what it says", "--model", MODELS[0])
    check_end(run)
    assert any("notes.txt" in json.dumps(arguments) for _, arguments in run.calls), run.calls
    assert "heron-42" in run.result["result"]


def test_it_runs_a_command(project: Project) -> None:
    run = project.work("Run `echo $((6 * 7))` and tell me what it printed", "--model", MODELS[0])
    check_end(run)
    assert bash_commands(run) == ["echo $((6 * 7))"], run.calls
    assert "42" in run.result["result"]


@pytest.mark.parametrize("model", MODELS)
def test_it_answers_by_a_json_schema(project: Project, model: str) -> None:
    run = project.work(
        "Extract: Ada Lovelace is 36 years old, mail ada@example.com",
        "--model",
        model,
        "--json-schema",
        json.dumps(PERSON),
    )
    check_end(run)
    assert run.result["structured_output"] == {"name": "Ada Lovelace", "age": 36, "email": "ada@example.com"}


def test_it_reads_a_picture(project: Project) -> None:
    """The picture comes back inside the tool's result."""
    (project.folder / "picture.png").write_bytes(png(64, 64))
    run = project.work("Read the file picture.png", "--model", MODELS[0])
    check_end(run)
    assert [name for name, _ in run.calls] == ["Read"], run.calls
    assert json.loads(run.results[0])[0]["type"] == "image"


def test_it_reads_a_pdf(project: Project) -> None:
    """The pages come back inside the tool's result, as a document."""
    (project.folder / "report.pdf").write_bytes(words("The tower is 330 metres high."))
    run = project.work("Read the file report.pdf and tell me what it says", "--model", MODELS[0])
    check_end(run)
    assert [name for name, _ in run.calls] == ["Read"], run.calls
    assert "document" in {block["type"] for block in json.loads(run.results[0])}
    assert "330" in run.result["result"]


def test_it_edits_a_file_it_has_read(project: Project) -> None:
    (project.folder / "colours.txt").write_text("door = red\n")
    run = project.work('Read colours.txt, then replace "red" with "blue" in it', "--model", MODELS[0])
    check_end(run)
    assert [name for name, _ in run.calls] == ["Read", "Edit"], run.calls
    assert (project.folder / "colours.txt").read_text() == "door = blue\n"


def test_it_works_with_its_safeguards_on(project: Project) -> None:
    """Permission mode `auto` sends `safeguards`, which a request has beside its tools."""
    run = project.work('Write a file a.txt with the text "one"', "--model", MODELS[1], "--permission-mode", "auto")
    check_end(run)
    assert (project.folder / "a.txt").read_text().strip() == "one"


def test_its_reminders_are_not_repeated(project: Project) -> None:
    """It adds reminders to tool results that are for the model alone."""
    run = project.work(f'Write a file hello.txt with the text "{GREETING}"', "--model", MODELS[0])
    check_end(run)
    assert "<system-reminder>" not in run.result["result"]


def test_it_counts_its_context(project: Project) -> None:
    """`/context` counts some thirty pieces at once."""
    run = project.work("/context", "--model", MODELS[0])
    check_end(run)
    assert "System tools" in run.result["result"]
    assert run.calls == []


def transcript(project: Project, session_id: str) -> list[dict[str, Any]]:
    """The lines Claude Code keeps of a session."""
    (kept,) = project.home.glob(f".claude/projects/*/{session_id}.jsonl")
    return [json.loads(line) for line in kept.read_text().splitlines()]


@pytest.mark.parametrize("model", MODELS)
def test_a_session_is_resumed(project: Project, model: str) -> None:
    """The signed thinking and the calls of the first run go back as history, and the cache knows their beginning."""
    first = project.work(f'Write a file hello.txt with the text "{GREETING}"', "--model", model)
    check_end(first)
    assert first.calls
    second = project.work("Run `cat hello.txt`", "--model", model, "--resume", first.session_id)
    check_end(second)
    assert second.session_id == first.session_id
    assert any("cat hello.txt" in command for command in bash_commands(second)), second.calls
    assert GREETING in second.result["result"]
    assert second.result["usage"]["cache_read_input_tokens"] > 5_000
    prompts = [line for line in transcript(project, first.session_id) if line["type"] == "user"]
    assert len(prompts) >= 4


def test_a_session_is_compacted_and_goes_on(project: Project) -> None:
    first = project.work(f'Write a file hello.txt with the text "{GREETING}"', "--model", MODELS[0])
    check_end(first)
    compacted = project.work("/compact", "--model", MODELS[0], "--resume", first.session_id)
    check_end(compacted)
    (boundary,) = [line for line in compacted.lines if line.get("subtype") == "compact_boundary"]
    assert boundary["compact_metadata"]["post_tokens"] < boundary["compact_metadata"]["pre_tokens"]
    after = project.work("hello", "--model", MODELS[0], "--resume", compacted.session_id)
    check_end(after)
    assert after.session_id == first.session_id


def test_a_summary_tells_what_the_session_was_about(project: Project) -> None:
    """Claude Code asks for a `<summary>` block, and asks once more if there is none."""
    first = project.work(f'Write a file hello.txt with the text "{GREETING}"', "--model", MODELS[0])
    compacted = project.work("/compact", "--model", MODELS[0], "--resume", first.session_id)
    summaries = [
        line["message"]["content"]
        for line in transcript(project, compacted.session_id)
        if line["type"] == "user" and line.get("isCompactSummary")
    ]
    assert len(summaries) == 1
    assert "hello.txt" in json.dumps(summaries[0])
