"""One call of code execution whose code may call tools: it runs, waits for results, and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from understudy.sandbox.interface import INPUT_DIR, OUTPUTS, Executed, SandboxError
from understudy.tools.programmatic.history import Recorded, calls_of, text_of_server
from understudy.tools.programmatic.lot import Place
from understudy.tools.programmatic.repl import Called, Ended, Function, Repl, Waits
from understudy.tools.protocol import ToolCall, ToolResult
from understudy.wire.ids import new_id
from understudy.wire.json_text import canonical_json, to_json
from understudy.wire.server_tools import RESULT_OF

CELL_SECONDS: Final = 90.0
"""For which a cell may run, without the time in which it waits for a client (code-execution-tool.md)."""
MOST_SERVER_CALLS: Final = 100
"""Calls of server tools that one cell may make [guess]."""

# Of a cell that took too long: "a normal code execution result with a non-zero return_code and a `detection_timeout`
# status message in its output". The words around it are ours.
_TIMED_OUT: Final = 124
_DETECTION: Final = "detection_timeout: the cell ran for {:g} seconds and was ended.\n"

_Block: TypeAlias = dict[str, Any]
CallServer: TypeAlias = Callable[[ToolCall], Awaitable[ToolResult]]
"""Runs a call of another tool of the request."""


@dataclass(slots=True)
class CellRun:
    """`messages` are the conversation as the client has it. `caller` is the type by which blocks name code as caller.
    `hides`: names of server tools whose calls the answer leaves out when the cell ends in it (`response_inclusion`).
    `nested` takes the blocks of calls of server tools, which later ones are judged by.

    `executed` is how the cell ended; None while it waits for its client. `searched`: what it printed may hold what web
    searches found.
    """

    place: Place
    call: ToolCall
    functions: Sequence[Function]
    messages: list[_Block]
    caller: str
    hides: frozenset[str]
    nested: list[_Block]
    seconds: float
    wait: float
    executed: Executed | None = None
    searched: bool = False
    _known: list[Recorded] = field(default_factory=list[Recorded])
    _held_back: list[_Block] = field(default_factory=list[_Block])
    _server_calls: int = 0
    _refused: int = 0

    async def steps(self, call_server: CallServer) -> AsyncGenerator[_Block]:
        """The blocks of the calls that the code makes. Raises SandboxError."""
        place = self.place
        recorded = calls_of(self.messages, self.call.id)
        repl = self._waiting_for(recorded)
        if repl is not None:
            await repl.answer(
                {
                    place.pending.pop(one.id).number: one.text
                    for one in recorded
                    if one.id in place.pending and one.text is not None
                }
            )
        else:
            # Where its code waited no longer, it is run again: what it was told before it is told again.
            self._known = [one for one in recorded if one.text is not None]
            repl = await self._begin()
        left = self.seconds
        clock = asyncio.get_running_loop().time
        waiting: list[Called] = []
        while True:
            began = clock()
            try:
                event = await repl.next(max(left, 0.0))
            except TimeoutError:
                await self._time_out()
                return
            left -= clock() - began
            if isinstance(event, Ended):
                place.cell = None
                place.pending.clear()
                self.searched = place.searched
                printed = await repl.program.printed()
                if printed.truncated:
                    # It may have been told that nobody reads any more.
                    await place.end_python()
                self.executed = Executed(printed.stdout, printed.stderr, event.return_code, truncated=printed.truncated)
                return
            answers: dict[int, str] = {}
            async for block in self._answered(event, waiting, answers, call_server):
                yield block
            if answers:
                await repl.answer(answers)
            elif event.settled:
                break
        if not waiting and not place.pending:
            raise SandboxError("The code waits for nothing.")
        for block in self._held_back:
            yield block
        # Those that nobody answered, since the conversation has them no more, are asked again.
        place.pending.update((new_id("toolu_"), called) for called in waiting)
        for block_id, called in place.pending.items():
            yield self._block("tool_use", block_id, called)

    def _waiting_for(self, recorded: Sequence[Recorded]) -> Repl | None:
        """The Python in which the code waits for some of these results. A request that is sent again has none of them:
        the code has gone on from there, and must not be waited for."""
        place = self.place
        if place.cell != self.call.id or place.repl is None or not place.repl.program.alive:
            return None
        return place.repl if any(one.id in place.pending and one.text is not None for one in recorded) else None

    async def _begin(self) -> Repl:
        place = self.place
        if place.cell is not None or (place.repl is not None and not place.repl.program.alive):
            # The code of another call waits there, which nobody goes on with; or it is gone.
            await place.end_python()
        if place.repl is None:
            place.repl = await Repl.start(place.sandbox)
        place.searched = place.searched or any(one.name == "web_search" for one in self._known)
        environment = {"OUTPUT_DIR": self.outputs, "INPUT_DIR": INPUT_DIR}
        await place.repl.begin(self.call.id, self.call.input["code"], self.functions, environment, self.wait)
        place.cell = self.call.id
        return place.repl

    @property
    def outputs(self) -> str:
        """The directory for what it gives to the user."""
        return f"{OUTPUTS}/{self.call.id}"

    async def _answered(
        self, event: Waits, waiting: list[Called], answers: dict[int, str], call_server: CallServer
    ) -> AsyncGenerator[_Block]:
        """Answer what can be answered here; what is the client's goes to `waiting`."""
        by_client = {function.name: function.by_client for function in self.functions}
        for called in event.calls:
            text = self._told_before(called)
            if text is not None:
                answers[called.number] = text
            elif by_client.get(called.name, True):
                waiting.append(called)
            elif self._server_calls >= MOST_SERVER_CALLS:
                self._refused += 1
                if self._refused > MOST_SERVER_CALLS:
                    raise SandboxError("The code calls tools without end.")
                error = f"{RESULT_OF[called.name]}_error"
                answers[called.number] = to_json({"type": error, "error_code": "too_many_requests"})
            else:
                self._server_calls += 1
                block = self._block("server_tool_use", new_id("srvtoolu_"), called)
                shown = called.name not in self.hides
                if shown:
                    yield block
                self.nested.append(block)
                messages = [*self.call.messages, {"role": "assistant", "content": self.nested}]
                result = await call_server(ToolCall(block["id"], called.name, called.input, messages=messages))
                self.place.searched = self.place.searched or called.name == "web_search"
                answer: _Block = {**result.block(block["id"]), "caller": block["caller"]}
                self.nested.append(answer)
                if shown:
                    yield answer
                else:
                    self._held_back += [block, answer]
                answers[called.number] = text_of_server(result.content if result.read is None else result.read)

    def _told_before(self, called: Called) -> str | None:
        key = canonical_json([called.name, called.input])
        known = next((one for one in self._known if one.key == key), None)
        if known is None:
            return None
        self._known.remove(known)
        return known.text

    def _block(self, kind: str, block_id: str, called: Called) -> _Block:
        return {
            "type": kind,
            "id": block_id,
            "name": called.name,
            "input": called.input,
            "caller": {"type": self.caller, "tool_id": self.call.id},
        }

    async def _time_out(self) -> None:
        place = self.place
        assert place.repl is not None
        self.searched = place.searched
        printed = await place.repl.program.printed()
        await place.end_python()
        self.executed = Executed(
            printed.stdout, printed.stderr + _DETECTION.format(self.seconds), _TIMED_OUT, truncated=printed.truncated
        )
