"""The simulator with the code execution tool: it writes and runs a small program for what is asked."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from understudy.engines.simulator.programs.tasks import edit_in, task_in

from .api import PYTHON_TOOL, TOOL, Api, Block


def result_of(message: Block) -> Block:
    return next(block["content"] for block in message["content"] if block["type"].endswith("_result"))


def said(message: Block) -> str:
    return message["content"][-1]["text"]


class TestSums:
    @pytest.mark.parametrize("tool", [TOOL, PYTHON_TOOL])
    async def test_a_product_is_worked_out_by_a_program(self, api: Api, tool: Block) -> None:
        message = await api.ask(
            "Use code execution to compute 123456789 * 987654321 and report the exact product.", tools=[tool]
        )
        assert result_of(message)["stdout"].strip() == "121932631112635269"
        assert said(message) == "The result is **121932631112635269**."

    async def test_a_fraction(self, api: Api) -> None:
        message = await api.ask("what is 65465-6544 * 65464-6+1.02255")
        assert said(message) == "The result is **-428330956**." or "-428330955.9" in said(message)

    async def test_mean_and_standard_deviation(self, api: Api) -> None:
        message = await api.ask(
            "Use the code execution tool to calculate the mean and standard deviation of "
            "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
        )
        assert "mean: 5.5" in said(message)
        assert "standard deviation: 3.02765" in said(message)

    async def test_division_by_nothing_is_reported(self, api: Api) -> None:
        message = await api.ask("Run this:\n```python\nprint(1 / 0)\n```")
        assert result_of(message)["return_code"] == 1
        assert "ZeroDivisionError" in said(message)


class TestFiles:
    async def test_a_csv_file_is_summed_up(self, api: Api) -> None:
        file_id = await api.upload("data.csv", b"item,value\napple,30\nbanana,70\n")
        content = [
            {"type": "text", "text": "Read the uploaded CSV file and report the sum of the `value` column."},
            {"type": "container_upload", "file_id": file_id},
        ]
        text = said(await api.ask(content))
        assert "2 rows; columns: item, value" in text
        assert "value: sum 100, mean 50, minimum 30, maximum 70" in text

    @pytest.mark.parametrize(
        "rows",
        [
            "Name,Amount\nTea,3.5\nCoffee,4",
            "| Name | Amount |\n|---|---|\n| Tea | 3.5 |\n| Coffee | 4 |",
            '[["Name", "Amount"], ["Tea", 3.5], ["Coffee", 4]]',
        ],
    )
    async def test_a_spreadsheet_with_the_given_rows(self, api: Api, rows: str) -> None:
        message = await api.ask(f"Create an Excel file prices.xlsx with these rows:\n\n{rows}")
        file, data = await api.file(result_of(message)["content"][0]["file_id"])
        assert file.filename == "prices.xlsx"
        assert "prices.xlsx: 3 rows, 2 columns" in said(message)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            texts = b"".join(archive.read(name) for name in archive.namelist())
        for word in (b"Name", b"Amount", b"Tea", b"Coffee", b"3.5"):
            assert word in texts

    @pytest.mark.parametrize("drawn", ["a bar chart of apples: 3, pears: 5, plums: 2", "a line plot of [1, 4, 9, 16]"])
    async def test_a_chart_is_a_picture(self, api: Api, drawn: str) -> None:
        message = await api.ask(f"Draw {drawn} and save it as chart.png.")
        file, data = await api.file(result_of(message)["content"][0]["file_id"])
        assert (file.filename, file.mime_type) == ("chart.png", "image/png")
        assert Image.open(io.BytesIO(data)).size[0] >= 400

    async def test_a_text_file(self, api: Api) -> None:
        message = await api.ask('Write a file notes.txt containing "milk and bread".')
        assert (await api.file(result_of(message)["content"][0]["file_id"]))[1] == b"milk and bread"


class TestChoosing:
    async def test_a_command_in_the_request_is_run(self, api: Api) -> None:
        message = await api.ask("Please run the command `echo one two | wc -w`.")
        assert result_of(message)["stdout"].strip() == "2"

    async def test_the_text_editor_is_used_when_it_is_named(self, api: Api) -> None:
        message = await api.ask(
            "Use the text editor to create /tmp/hello.txt with the text: Hello, world! Then use the text editor to "
            "view the file and tell me what it contains."
        )
        inputs = [block["input"] for block in message["content"] if block["type"] == "server_tool_use"]
        assert inputs == [
            {"command": "create", "path": "/tmp/hello.txt", "file_text": "Hello, world!"},
            {"command": "view", "path": "/tmp/hello.txt"},
        ]
        assert "Hello, world!" in said(message)

    @pytest.mark.parametrize(
        "asked", ["hello", "Write a haiku about rain.", "Who was born on 2024-01-05?", "What is the capital of Peru?"]
    )
    async def test_what_needs_no_code_is_answered_in_words(self, api: Api, asked: str) -> None:
        message = await api.ask(asked)
        assert [block["type"] for block in message["content"] if block["type"] != "thinking"] == ["text"]
        assert message["container"] is None

    async def test_asked_to_run_something_it_looks_around(self, api: Api) -> None:
        assert "Python 3" in said(await api.ask("Use code execution, please."))

    async def test_a_clients_tool_is_called_where_no_code_is_needed(self, api: Api) -> None:
        weather = {
            "name": "get_weather",
            "description": "The weather of a city.",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        }
        message = await api.ask("What is the weather in Paris?", tools=[TOOL, weather])
        assert message["content"][-1]["type"] == "tool_use"

    async def test_the_next_question_is_one_of_its_own(self, api: Api) -> None:
        first = await api.ask("Compute 17 * 3.")
        messages: list[Block] = [
            {"role": "user", "content": "Compute 17 * 3."},
            {"role": "assistant", "content": first["content"]},
            {"role": "user", "content": "Compute 18 * 3."},
        ]
        assert said(await api.ask("", messages=messages)) == "The result is **54**."


@pytest.mark.parametrize(
    "text", ["1." * 500_000, "1 and " * 100_000, "a " * 500_000, "(1," * 300_000, "```sh\n" * 100_000, "[[1," * 200_000]
)
def test_long_requests_are_read_in_little_time(text: str) -> None:
    began = time.process_time()
    task_in(("make an excel chart of " + text)[:20_000], [], [], must=False)
    task_in(("mean " + text)[:20_000], [], ["a-skill"], must=False)
    edit_in(("text editor create /a " + text)[:20_000])
    assert time.process_time() - began < 1


def test_programs_use_nothing_that_is_not_in_every_python() -> None:
    from understudy.engines.simulator.programs import written

    source = Path(written.__file__).read_text("utf-8")
    imported = {line.split()[1] for line in source.splitlines() if line.strip().startswith(("import ", "from "))}
    assert imported - {"__future__", "collections.abc", "typing", "understudy.engines.simulator.programs.rows"} <= {
        "csv,", "os", "os,", "statistics", "zipfile", "xml.sax.saxutils", "struct,", "openpyxl", "matplotlib",
        "matplotlib.pyplot",
    }  # fmt: skip
