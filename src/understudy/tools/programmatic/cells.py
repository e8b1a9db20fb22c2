"""The program that runs Python cells in a container, and lets them call tools that run elsewhere.

It is run with `python3 -c` and imports nothing of this package. It talks over its standard input, a socket: frames of
four bytes of length and JSON. What it is sent is a cell, or results of calls; it says which calls wait once its code
can do nothing more without them, and how a cell has ended. `seen` in that is the number of frames with results that it
had.

Whatever else runs in the container can say the same things over that socket: nothing of it is trusted.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import linecache
import os
import sys
import traceback
import types
from typing import Any

# Turns of the event loop for which other tasks may still come to calls that are then made together.
_TURNS = 100
_PIECE = 1 << 20


class CallTimeoutError(TimeoutError):
    """A tool's result did not come in time."""


# As it is documented to be seen.
CallTimeoutError.__name__ = CallTimeoutError.__qualname__ = "TimeoutError"
CallTimeoutError.__module__ = "builtins"


class Calls:
    """The calls of one cell. `at_once`: how many may wait outside; others wait here. `longest`: characters of an input,
    and of all that are sent together.
    `wait`: seconds for a result of a tool that the client runs."""

    def __init__(self, control: int) -> None:
        self.control = control
        self.buffer = bytearray()
        self.number = self.seen = 0
        self.at_once, self.longest, self.wait = 1, 1, 1.0
        self.queued: list[tuple[int, str, str, bool, asyncio.Future[str]]] = []
        self.waiting: dict[int, asyncio.Future[str]] = {}
        self.attached: list[asyncio.AbstractEventLoop] = []
        self.settling = False

    # --- frames ---

    def send(self, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        view = memoryview(len(data).to_bytes(4, "big") + data)
        while view:
            view = view[os.write(self.control, view) :]

    def frames(self) -> list[dict[str, Any]]:
        """What has come, after waiting for some of it."""
        piece = os.read(self.control, _PIECE)
        if not piece:
            os._exit(0)
        self.buffer += piece
        found: list[dict[str, Any]] = []
        at = 0
        while len(self.buffer) - at >= 4:
            end = at + 4 + int.from_bytes(self.buffer[at : at + 4], "big")
            if len(self.buffer) < end:
                break
            found.append(json.loads(self.buffer[at + 4 : end]))
            at = end
        del self.buffer[:at]
        return found

    # --- calls ---

    def reset(self, cell: dict[str, Any]) -> None:
        self.at_once, self.longest, self.wait = cell["at_once"], cell["longest"], cell["wait"]
        self.queued.clear()
        self.waiting.clear()
        self.seen = 0

    async def call(self, name: str, value: Any, *, by_client: bool) -> str:
        if not isinstance(value, dict):
            raise TypeError(f"{name} takes one dict of arguments")
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        # Fails here for halves of characters, and not where it is read.
        text.encode()
        if len(text) > self.longest:
            raise ValueError(f"the arguments of {name} are too long")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        self.number += 1
        self.queued.append((self.number, name, text, by_client, future))
        self.attached = [one for one in self.attached if not one.is_closed()]
        if loop not in self.attached:
            loop.add_reader(self.control, self._read)
            self.attached.append(loop)
        self._settle_soon(loop)
        return await future

    def _read(self) -> None:
        for frame in self.frames():
            if "results" not in frame:
                continue
            self.seen += 1
            for number, text in frame["results"]:
                future = self.waiting.pop(number, None)
                if future is not None and not future.done():
                    loop = future.get_loop()
                    if not loop.is_closed():
                        loop.call_soon_threadsafe(_resolve, future, text)
        self._settle_soon(asyncio.get_running_loop())

    def _settle_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.settling:
            self.settling = True
            loop.call_soon(self._settle, loop, _TURNS)

    def _settle(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        """Say what waits when nothing else is to be done."""
        if turns and getattr(loop, "_ready", ()):
            loop.call_soon(self._settle, loop, turns - 1)
            return
        self.settling = False
        for number in [number for number, future in self.waiting.items() if future.done()]:
            del self.waiting[number]
        begun: list[list[Any]] = []
        length = taken = 0
        for number, name, text, by_client, future in self.queued:
            length += len(text)
            if len(self.waiting) >= self.at_once or (begun and length > self.longest):
                break
            taken += 1
            if future.done():
                length -= len(text)
                continue
            begun.append([number, name, text])
            self.waiting[number] = future
            if by_client:
                future.get_loop().call_later(self.wait, self._time_out, number, name)
        del self.queued[:taken]
        if self.waiting:
            flush()
            self.send({"calls": begun, "seen": self.seen})

    def _time_out(self, number: int, name: str) -> None:
        future = self.waiting.pop(number, None)
        if future is not None and not future.done():
            seconds = f"{self.wait:g}"
            future.set_exception(CallTimeoutError(f"Calling tool ['{name}'] timed out (no response after {seconds}s)."))
            self._settle_soon(asyncio.get_running_loop())


def _resolve(future: asyncio.Future[str], text: str) -> None:
    if not future.done():
        future.set_result(text)


def flush() -> None:
    streams: list[Any] = [sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__]
    for stream in streams:
        try:
            stream.flush()
        except Exception:  # noqa: S112 -- whatever the code has put in the place of it
            continue


def function_of(calls: Calls, shown: str, name: str, about: str, *, by_client: bool) -> Any:
    async def function(*given: Any, **named: Any) -> str:
        # One dict; arguments by their names are taken for one.
        value: Any = given[0] if given else {}
        if named:
            value = dict(value, **named)
        return await calls.call(name, value, by_client=by_client)

    function.__name__ = function.__qualname__ = shown
    function.__doc__ = about
    return function


class Cells:
    """Cells share what they define, and an event loop."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.loop = asyncio.new_event_loop()
        self.module = types.ModuleType("__main__")
        sys.modules["__main__"] = self.module
        self.functions: dict[str, Any] = {}

    def run(self, cell: dict[str, Any]) -> int:
        """The exit status."""
        space = self.module.__dict__
        for name, function in self.functions.items():
            if space.get(name) is function:
                del space[name]
        self.functions = {
            shown: function_of(self.calls, shown, name, about, by_client=by_client)
            for shown, name, about, by_client in cell["functions"]
        }
        space.update(self.functions)
        os.environ.update(cell["environment"])
        os.makedirs(os.environ.get("OUTPUT_DIR", "."), exist_ok=True)  # noqa: PTH103 -- no package of the container's
        path, code = cell["path"], cell["code"]
        linecache.cache[path] = (len(code), None, code.splitlines(keepends=True), path)
        status = 0
        try:
            compiled = compile(code, path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            if compiled.co_flags & inspect.CO_COROUTINE:
                asyncio.set_event_loop(self.loop)
                self.loop.run_until_complete(eval(compiled, space))  # noqa: S307 -- what it is for
            else:
                # Without a running loop, so that it may run one of its own.
                exec(compiled, space)  # noqa: S102
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else int(error.code is not None)
            if isinstance(error.code, str):
                _say(error.code + "\n")
        except CallTimeoutError as error:
            flush()
            _say(f"TimeoutError: {error}\n")
        except BaseException as error:
            status = 1
            _print(error, path)
        flush()
        return status & 0xFF


def _print(error: BaseException, path: str) -> None:
    """As Python does, without the frames of this program."""
    flush()
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != path:
        trace = trace.tb_next
    told = traceback.TracebackException(type(error), error, trace)
    own = main.__code__.co_filename
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if frame.filename != own])
    _say("".join(told.format()))


def _say(text: str) -> None:
    """To the errors, whatever the code has put in their place."""
    os.write(2, text.encode("utf-8", "backslashreplace"))


def main() -> None:
    # Programs that a cell starts must not speak in the place of this one.
    control = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.argv = [""]
    sys.path.insert(0, "")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
    calls = Calls(control)
    cells = Cells(calls)
    while True:
        for frame in calls.frames():
            if "cell" in frame:
                calls.reset(frame["cell"])
                status = cells.run(frame["cell"])
                calls.send({"ended": status, "seen": calls.seen})


if __name__ == "__main__":
    main()
