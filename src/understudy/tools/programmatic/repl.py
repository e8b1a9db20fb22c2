"""Python in a container that goes on from cell to cell, and whose code calls tools that run elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import orjson

from understudy.sandbox.interface import Program, Sandbox, SandboxError

MOST_AT_ONCE: Final = 100
"""Calls that wait for results at a time [guess]. The code may make more: they wait in the container."""
LONGEST_INPUT: Final = 1_000_000
"""Characters of a call's input, as JSON [guess]. Calls whose inputs have more together come one after the other."""

_CELLS: Final = Path(__file__).with_name("cells.py")
# Bytes of what the program says at a time: inputs of that length, of which JSON makes twelve bytes a character.
_LONGEST_FRAME: Final = 16 * 1024 * 1024
# Frames in a row that say nothing.
_MOST_EMPTY: Final = 1_000
# Recorded.
_CELL: Final = "/tmp/{}/cell.py"  # noqa: S108 -- in the container


@dataclass(frozen=True, slots=True)
class Function:
    """A tool that code may call. `shown` is the function's name in Python."""

    shown: str
    name: str
    description: str
    by_client: bool


@dataclass(frozen=True, slots=True)
class Called:
    """A call, as the code made it. `number` is the program's for it."""

    number: int
    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waits:
    """The code waits for results; of the calls it waits for, these are new. `settled`: it has had all results that were
    given, and can do nothing without more."""

    calls: Sequence[Called]
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """The cell is over. `return_code` is nought where all went well."""

    return_code: int


Event: TypeAlias = Waits | Ended


class Repl:
    """Belongs to the run that uses the container."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._buffer = bytearray()
        # Of the cell at hand: how often it was given results, and the calls without one.
        self._sent = 0
        self._waiting: dict[int, str] = {}
        self._names: dict[str, bool] = {}

    @classmethod
    async def start(cls, sandbox: Sandbox) -> Repl:
        """Raises SandboxError."""
        return cls(await sandbox.start(["python3", "-c", _program()]))

    async def begin(
        self, cell_id: str, code: str, functions: Sequence[Function], environment: Mapping[str, str], wait: float
    ) -> None:
        """Begin with a cell. `wait`: seconds for which code waits for a result of a tool that the client runs. Raises
        SandboxError."""
        self._sent = 0
        self._waiting.clear()
        self._names = {function.name: function.by_client for function in functions}
        await self._send(
            {
                "cell": {
                    "path": _CELL.format(cell_id),
                    "code": code,
                    "functions": [
                        [function.shown, function.name, function.description, function.by_client]
                        for function in functions
                    ],
                    "environment": dict(environment),
                    "at_once": MOST_AT_ONCE,
                    "longest": LONGEST_INPUT,
                    "wait": wait,
                }
            }
        )

    async def answer(self, results: Mapping[int, str]) -> None:
        """Give the code the results of its calls, by their numbers. What it does not wait for is left out. Raises
        SandboxError."""
        known = [(number, text) for number, text in results.items() if self._waiting.pop(number, None) is not None]
        if known:
            self._sent += 1
            await self._send({"results": known})

    async def next(self, seconds: float) -> Event:
        """What comes next of the cell. Raises TimeoutError when that takes longer, and SandboxError when the program is
        gone, or says what no cell says."""
        async with asyncio.timeout(seconds):
            return await self._next()

    async def _next(self) -> Event:
        for _ in range(_MOST_EMPTY):
            frame = await self._frame()
            ended = frame.get("ended")
            if isinstance(ended, int):
                return Ended(ended & 0xFF)
            calls = [self._called(call) for call in cast("list[Any]", frame.get("calls") or ())]
            settled = frame.get("seen") == self._sent
            if calls or settled:
                return Waits(calls, settled)
        raise _nonsense()

    def _called(self, call: Any) -> Called:
        try:
            number, name, text = call
            given = orjson.loads(text)
        except (TypeError, ValueError):
            raise _nonsense() from None
        if (
            number.__class__ is not int
            or number in self._waiting
            or name not in self._names
            or not isinstance(given, dict)
            or len(self._waiting) >= MOST_AT_ONCE
        ):
            raise _nonsense()
        self._waiting[number] = name
        return Called(number, name, cast("dict[str, Any]", given))

    async def _send(self, value: dict[str, Any]) -> None:
        # Halves of characters, which no text should have, are kept as Python writes them.
        data = json.dumps(value).encode()
        await self.program.send(len(data).to_bytes(4, "big") + data)

    async def _frame(self) -> dict[str, Any]:
        while True:
            # One that never stops speaking is not listened to alone.
            await asyncio.sleep(0)
            buffer = self._buffer
            if len(buffer) >= 4:
                end = 4 + int.from_bytes(buffer[:4], "big")
                if end > _LONGEST_FRAME:
                    raise _nonsense()
                if len(buffer) >= end:
                    found = _object(bytes(buffer[4:end]))
                    del buffer[:end]
                    return found
            piece = await self.program.receive()
            if not piece:
                raise SandboxError("Python has ended.")
            buffer += piece


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _nonsense() from None
    if not isinstance(value, dict):
        raise _nonsense()
    return cast("dict[str, Any]", value)


def _nonsense() -> SandboxError:
    return SandboxError("The code spoke in the place of the program that runs it.")


@cache
def _program() -> str:
    return _CELLS.read_text("utf-8")
