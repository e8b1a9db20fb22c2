"""The official SDK against a server that runs code in real containers, as far as this machine can."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any

import anthropic
import openpyxl  # pyright: ignore[reportMissingModuleSource, reportMissingTypeStubs]
import psutil
import pytest
from PIL import Image

from clients.installs import run
from servers import RunningServer, ServerStarter, clean_environment
from tests.gguf.models import scripted_model

from .real import MODEL, PYTHON, TOOLS, asked, client, results

PRODUCT = "Use code execution to compute 123456789 * 987654321 and report the exact product."


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("tools", [TOOLS, PYTHON])
def test_a_product_is_computed(runs_code: RunningServer, tools: Any, *, streamed: bool) -> None:
    sdk = client(runs_code)
    wanted: Any = {"model": MODEL, "max_tokens": 2_000, "tools": tools, "messages": asked(PRODUCT)}
    if streamed:
        with sdk.messages.stream(**wanted) as stream:
            message = stream.get_final_message()
    else:
        message = sdk.messages.create(**wanted)
    assert results(message)[0].stdout.strip() == "121932631112635269"
    assert "121932631112635269" in message.content[-1].text  # pyright: ignore[reportAttributeAccessIssue]
    assert message.container is not None
    assert message.usage.server_tool_use is not None


@pytest.mark.parametrize("streamed", [False, True])
def test_a_file_that_a_program_wrote_is_downloaded(runs_code: RunningServer, *, streamed: bool) -> None:
    sdk = client(runs_code)
    chart = asked("Draw a bar chart of apples: 3, pears: 5 and save it as chart.png.")
    wanted: Any = {"model": MODEL, "max_tokens": 4_000, "tools": TOOLS, "messages": chart}
    if streamed:
        with sdk.messages.stream(**wanted) as stream:
            message = stream.get_final_message()
    else:
        message = sdk.messages.create(**wanted)
    (file,) = results(message)[0].content
    described = sdk.files.retrieve_metadata(file.file_id)
    assert (described.filename, described.mime_type, described.downloadable) == ("chart.png", "image/png", True)
    assert Image.open(io.BytesIO(sdk.files.download(file.file_id).read())).format == "PNG"


def test_an_uploaded_file_is_read_and_the_container_kept(runs_code: RunningServer) -> None:
    sdk = client(runs_code)
    file = sdk.files.upload(file=("data.csv", b"item,value\napple,30\nbanana,70\n", "text/csv"))
    upload = {"type": "container_upload", "file_id": file.id}
    first = sdk.messages.create(
        model=MODEL, max_tokens=2_000, tools=TOOLS, messages=asked("Sum up the CSV file.", upload)
    )
    assert "value: sum 100" in results(first)[0].stdout
    assert first.container is not None
    again = asked("Run the command `cat /files/input/data.csv`.")
    second = sdk.messages.create(
        model=MODEL, max_tokens=2_000, tools=TOOLS, container=first.container.id, messages=again
    )
    assert results(second)[0].stdout == "item,value\napple,30\nbanana,70\n"
    assert second.container is not None
    assert second.container.id == first.container.id


def test_a_foreign_container_is_unknown(runs_code: RunningServer) -> None:
    with pytest.raises(anthropic.NotFoundError):
        client(runs_code).messages.create(
            model=MODEL,
            max_tokens=16,
            tools=TOOLS,
            container="container_011CNha8iCJcU1wXNR6q4V8w",
            messages=asked("hello"),
        )


def _commands_of(pid: int, word: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline"]):
        if word in " ".join(process.info["cmdline"] or ()):
            found.append(process)
    return [process for process in found if process.pid != pid]


def test_a_client_that_goes_away_ends_the_command(runs_code: RunningServer) -> None:
    word = f"91{time.time_ns() % 1_000_000_000}"
    body = {
        "model": MODEL,
        "max_tokens": 2_000,
        "stream": True,
        "tools": TOOLS,
        "messages": asked(f"Run the command `sleep {word}`."),
    }
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {runs_code.api_key}\r\nanthropic-version: 2023-06-01\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection(runs_code.address, timeout=10) as connection:
        connection.sendall(head.encode() + data)
        until = time.monotonic() + 10
        while not _commands_of(0, f"sleep {word}"):
            assert time.monotonic() < until, "the command was not begun"
            time.sleep(0.02)
    gone = time.monotonic()
    while _commands_of(0, f"sleep {word}"):
        assert time.monotonic() < gone + 5, "the command goes on"
        time.sleep(0.02)


def test_pings_come_while_a_command_runs(runs_code: RunningServer) -> None:
    sdk = client(runs_code)
    wanted: Any = {
        "model": MODEL,
        "max_tokens": 2_000,
        "tools": TOOLS,
        "messages": asked("Run the command `sleep 1.5`."),
    }
    with sdk.messages.with_streaming_response.create(**wanted, stream=True) as response:
        kinds = [line.removeprefix("event: ") for line in response.iter_lines() if line.startswith("event: ")]
    stop = kinds.index("content_block_stop")
    assert kinds[stop:].count("ping") >= 2


# What the scripted model says, whatever it is asked: no model of random weights may be given a command to run.
CALLS = {
    "by itself": (
        '<tool_call>\n{"code":"print(6 * 7)"}\n</tool_call>',
        {"type": "auto", "disable_parallel_tool_use": True},
    ),
    "forced": ('"print(6 * 7)"}\n</tool_call>', {"type": "tool", "name": "code_execution"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", CALLS)
def test_a_model_of_this_machine_has_its_program_run(serve: ServerStarter, runs_code: RunningServer, how: str) -> None:
    del runs_code
    sentence, choice = CALLS[how]
    model = scripted_model(sentence, after_tool_result="It printed a number.")
    sdk = client(serve("--model", str(model), env={"UNDERSTUDY_LLAMACPP_CONTEXT": "4096"}))
    for streamed in (False, True):
        wanted: Any = {
            "model": "claude-haiku-4-5",
            "max_tokens": 100,
            "tools": PYTHON,
            "tool_choice": choice,
            "messages": asked("go"),
        }
        if streamed:
            with sdk.messages.stream(**wanted) as stream:
                message = stream.get_final_message()
        else:
            message = sdk.messages.create(**wanted)
        assert [block.type for block in message.content] == ["server_tool_use", "code_execution_tool_result", "text"]
        assert message.content[0].input == {"code": "print(6 * 7)"}  # pyright: ignore[reportAttributeAccessIssue]
        assert results(message)[0].stdout == "42"
        assert message.stop_reason == "end_turn"


ROWS = [["Quarter", "Total"], ["Q1", 1200]]


def _uploaded_skill(sdk: anthropic.Anthropic, name: str) -> Any:
    """A skill with a script that makes a spreadsheet of ROWS."""
    book: Any = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    template = io.BytesIO()
    book.save(template)
    text = f"""---
name: {name}
description: Makes the report of a quarter as a spreadsheet.
---

# The report

```bash
bash make.sh
```
"""
    script = 'cp template.xlsx "$OUTPUT_DIR/report.xlsx" && echo "report.xlsx is made"\n'
    parts: dict[str, bytes] = {
        "SKILL.md": text.encode(),
        "make.sh": script.encode(),
        "template.xlsx": template.getvalue(),
    }
    return sdk.skills.create(files=[(f"{name}/{path}", data) for path, data in parts.items()])


def _asked_with_skill(sdk: anthropic.Anthropic, skill: Any, *, streamed: bool, **more: Any) -> Any:
    """The message that is answered with the skill at hand."""
    container: Any = {"skills": [{"type": "custom", "skill_id": skill.id, "version": "latest"}]}
    if streamed:
        with sdk.messages.stream(container=container, **more) as stream:
            message: Any = stream.get_final_message()
    else:
        message = sdk.messages.create(container=container, **more)
    (used,) = message.container.skills
    assert (used.skill_id, used.version) == (skill.id, skill.latest_version_id)
    return message


def _rows(sdk: anthropic.Anthropic, message: Any) -> list[list[Any]]:
    """Of the spreadsheet that the last call has made."""
    (file,) = results(message)[-1].content
    book: Any = openpyxl.load_workbook(io.BytesIO(sdk.files.download(file.file_id).read()))
    return [[cell.value for cell in row] for row in book.active]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_skill_is_uploaded_used_and_its_file_opened(runs_code: RunningServer, *, streamed: bool) -> None:
    sdk = client(runs_code)
    name = f"quarter-report-{streamed}".lower()
    skill = _uploaded_skill(sdk, name)
    request = asked(f"Use the {name} skill to make the report.")
    message = _asked_with_skill(
        sdk, skill, streamed=streamed, model=MODEL, max_tokens=4_000, tools=TOOLS, messages=request
    )
    assert _rows(sdk, message) == ROWS


@pytest.mark.slow
def test_a_model_of_this_machine_uses_a_skill(serve: ServerStarter, runs_code: RunningServer) -> None:
    del runs_code
    # The call is forced: what the model says is the rest of it.
    model = scripted_model('"cd /skills/quarter-report; bash make.sh"}\n</tool_call>', after_tool_result="It is made.")
    sdk = client(serve("--model", str(model), env={"UNDERSTUDY_LLAMACPP_CONTEXT": "4096"}))
    skill = _uploaded_skill(sdk, "quarter-report")
    for streamed in (False, True):
        message = _asked_with_skill(
            sdk,
            skill,
            streamed=streamed,
            model="claude-haiku-4-5",
            max_tokens=100,
            tools=TOOLS,
            tool_choice={"type": "tool", "name": "code_execution"},
            messages=asked("Make the report."),
        )
        assert [block.type for block in message.content] == [
            "server_tool_use",
            "bash_code_execution_tool_result",
            "text",
        ]
        assert message.content[-1].text == "It is made."
        assert _rows(sdk, message) == ROWS


def test_a_batch_runs_code(runs_code: RunningServer) -> None:
    sdk = client(runs_code)
    requests: Any = [
        {
            "custom_id": f"of-{number}",
            "params": {
                "model": MODEL,
                "max_tokens": 2_000,
                "tools": TOOLS,
                "messages": asked(f"Run the command `echo {number} | tee $OUTPUT_DIR/number.txt`."),
            },
        }
        for number in range(3)
    ]
    batch = sdk.messages.batches.create(requests=requests)
    until = time.monotonic() + 30
    while sdk.messages.batches.retrieve(batch.id).processing_status != "ended":
        assert time.monotonic() < until, "the batch does not end"
        time.sleep(0.1)
    places: set[str] = set()
    for one in sdk.messages.batches.results(batch.id):
        result: Any = one.result
        assert result.type == "succeeded"
        (ran,) = results(result.message)
        assert ran.stdout == f"{one.custom_id.removeprefix('of-')}\n"
        assert sdk.files.download(ran.content[0].file_id).read().decode() == ran.stdout
        places.add(result.message.container.id)
    assert len(places) == len(requests)


def test_the_directory_of_uploads_is_there_without_any(runs_code: RunningServer) -> None:
    message = client(runs_code).messages.create(
        model=MODEL, max_tokens=2_000, tools=TOOLS, messages=asked("Run the command `ls $INPUT_DIR`.")
    )
    (result,) = results(message)
    assert (result.stdout, result.stderr, result.return_code) == ("", "", 0)


def test_the_example_of_the_documentation_runs(runs_code: RunningServer, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "code-execution.md").read_text("utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    block = block.replace("http://127.0.0.1:8484", runs_code.url).replace("sk-understudy-api-…", runs_code.api_key)
    (tmp_path / "example.py").write_text(block, "utf-8")
    run([sys.executable, "example.py"], env=clean_environment(), cwd=tmp_path, timeout=60)
    assert Image.open(tmp_path / "chart.png").format == "PNG"


def test_the_data_directory_is_not_seen_from_a_container(runs_code: RunningServer) -> None:
    message = client(runs_code).messages.create(
        model=MODEL,
        max_tokens=2_000,
        tools=TOOLS,
        messages=asked(f"Run the command `ls {runs_code.data_dir} 2>&1; cat /etc/shadow 2>&1; true`."),
    )
    assert "understudy.db" not in results(message)[0].stdout
    assert "root:" not in results(message)[0].stdout
