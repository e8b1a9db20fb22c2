"""The Python that cells run in: what they share, how they call, and how they end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.tools.fakes import DirectorySandbox
from understudy.sandbox.interface import Printed, SandboxError
from understudy.tools.programmatic.repl import Called, Ended, Function, Repl

FUNCTIONS = [
    Function("get_weather", "get-weather", "The weather.", by_client=True),
    Function("web_fetch", "web_fetch", "A page.", by_client=False),
]


class Cells:
    """`made` are the calls of the last cell, in the order in which they came, one list for each time that it waited."""

    def __init__(self, repl: Repl, root: Path) -> None:
        self.repl = repl
        self.root = root
        self.made: list[list[Called]] = []

    async def run(
        self, code: str, answer: Callable[[Called], str] = lambda call: str(call.input)
    ) -> tuple[int, Printed]:
        self.made = []
        await self.repl.begin("srvtoolu_1", code, FUNCTIONS, {"OUTPUT_DIR": str(self.root / "out")}, 60)
        while not isinstance(event := await self.repl.next(10), Ended):
            self.made.append(list(event.calls))
            await self.repl.answer({call.number: answer(call) for call in event.calls})
        return event.return_code, await self.repl.program.printed()

    async def stdout(self, code: str) -> str:
        status, printed = await self.run(code)
        assert (status, printed.stderr) == (0, "")
        return printed.stdout


@pytest_asyncio.fixture
async def cells(tmp_path: Path) -> AsyncGenerator[Cells]:
    repl = await Repl.start(DirectorySandbox("container_1", tmp_path))
    yield Cells(repl, tmp_path)
    await repl.program.end()


async def test_cells_share_what_they_define(cells: Cells) -> None:
    await cells.stdout("import math\ndef half(x):\n    return x / 2\nclass A: pass")
    assert await cells.stdout("print(half(math.pi) > 1, A().__class__.__name__, __name__)") == "True A __main__\n"


@pytest.mark.parametrize(
    "call",
    [
        'print(await get_weather({"city": "Rome"}))',
        'print(await get_weather(city="Rome"))',
        'import asyncio\nasync def main():\n    print(await get_weather({"city": "Rome"}))\nasyncio.run(main())',
        'import asyncio\nprint(await asyncio.wait_for(get_weather({"city": "Rome"}), 5))',
        'async def f(): return await get_weather({"city": "Rome"})\nprint(await f())',
    ],
)
async def test_a_call_may_be_written_in_several_ways(cells: Cells, call: str) -> None:
    assert await cells.stdout(call) == "{'city': 'Rome'}\n"
    assert [(one.name, one.input) for one in cells.made[0]] == [("get-weather", {"city": "Rome"})]


async def test_loops_of_their_own_follow_each_other(cells: Cells) -> None:
    code = (
        "import asyncio\nasync def main():\n    return await get_weather({})\n"
        "print(asyncio.run(main()), asyncio.run(main()))"
    )
    assert await cells.stdout(code) == "{} {}\n"
    assert await cells.stdout("print(await get_weather({}))") == "{}\n"


async def test_calls_that_can_be_made_together_come_together(cells: Cells) -> None:
    code = (
        "import asyncio\n"
        "async def one(i):\n    await asyncio.sleep(0)\n    return await get_weather({'i': i})\n"
        "print(len(await asyncio.gather(*map(one, range(3)), web_fetch({'url': 'u'}))))"
    )
    assert await cells.stdout(code) == "4\n"
    assert [len(calls) for calls in cells.made] == [4]


async def test_more_calls_than_may_wait_come_by_and_by(cells: Cells) -> None:
    code = "import asyncio\nprint(len(await asyncio.gather(*(get_weather({'i': i}) for i in range(1050)))))"
    assert await cells.stdout(code) == "1050\n"
    assert [len(calls) for calls in cells.made] == [100] * 10 + [50]


async def test_calls_with_the_longest_inputs_come_one_after_the_other(cells: Cells) -> None:
    code = (
        "import asyncio\n"
        "long = [get_weather({'i': chr(0x1F600) * 999_000}) for _ in range(3)]\n"
        "print(await asyncio.gather(*long, get_weather({})))"
    )
    _, printed = await cells.run(code, lambda call: "x")
    assert printed == Printed("['x', 'x', 'x', 'x']\n", "")
    assert [len(calls) for calls in cells.made] == [1, 1, 2]


async def test_first_answers_go_on_while_others_wait(cells: Cells) -> None:
    code = (
        "import asyncio\n"
        "done = []\n"
        "async def one(i):\n    done.append(await get_weather({'i': i}))\n"
        "    done.append(await get_weather({'again': i}))\n"
        "await asyncio.gather(one(1), one(2))\nprint(len(done))"
    )
    assert await cells.stdout(code) == "4\n"
    assert [len(calls) for calls in cells.made] == [2, 2]


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("def f():\n    return 1 / 0\nf()", 1, 'File "/tmp/srvtoolu_1/cell.py", line 3, in <module>\n    f()'),
        ("print(", 1, "SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit(3)", 3, ""),
        ("raise SystemExit('enough')", 1, "enough\n"),
        ("await get_weather(5)", 1, "TypeError: get-weather takes one dict of arguments"),
        ("await get_weather({'x': object()})", 1, "is not JSON serializable"),
        ("await get_weather({'x': '\\ud800'})", 1, "UnicodeEncodeError"),
        ("raise KeyboardInterrupt", 1, "KeyboardInterrupt"),
        ("import sys\nsys.stdout = sys.stderr = None\nraise ValueError('x')", 1, "ValueError: x"),
    ],
)
async def test_what_goes_wrong_is_told_as_python_does(cells: Cells, code: str, status: int, told: str) -> None:
    ended, printed = await cells.run(code)
    assert ended == status
    assert told in printed.stderr
    # Nothing of the program that runs the cell.
    assert "in call" not in printed.stderr and "run_until_complete" not in printed.stderr


async def test_a_function_of_an_earlier_request_is_gone(cells: Cells) -> None:
    await cells.stdout("await get_weather({})")
    await cells.repl.begin("srvtoolu_2", "get_weather", FUNCTIONS[1:], {}, 60)
    event = await cells.repl.next(10)
    assert isinstance(event, Ended) and event.return_code == 1
    assert "NameError" in (await cells.repl.program.printed()).stderr


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02[]",
        b"\0\0\0\x01x",
        b'\0\0\0\x17{"calls":[[1,"f","{}"]]}'[:27],
        b'\0\0\0\x21{"calls":[[1,"get-weather","[]"]]}'[:37],
    ],
)
async def test_nonsense_ends_the_cell(cells: Cells, frame: bytes) -> None:
    with pytest.raises(SandboxError):
        await cells.run(
            f"import os\nfor one in range(3, 9):\n    try: os.write(one, {frame!r} * 2)\n    except OSError: pass"
        )
