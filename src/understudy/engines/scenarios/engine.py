"""An engine around another: what a scenario has an answer for never reaches the one behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from understudy.engines.engine import Engine, EngineEvent, EngineTurn
from understudy.engines.scenarios.answering import play
from understudy.engines.scenarios.matching import Asked
from understudy.engines.scenarios.model import MESSAGES_PATH, Answer, Fault
from understudy.engines.scenarios.store import Scenarios, Taken
from understudy.engines.scenarios.transport import CURRENT, Plan


class ScenarioEngine:
    """Costs a look at one attribute while no scenario is loaded.

    `decided` is what the scenario has for the first call, where it was asked before there was a turn.
    """

    def __init__(self, wrapped: Engine, scenarios: Scenarios, decided: Answer | None = None) -> None:
        self.name = wrapped.name
        self.wrapped = wrapped
        self._scenarios = scenarios
        self._decided = decided

    @property
    def active(self) -> bool:
        """Whether a scenario is loaded."""
        return self._scenarios.active

    def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        if not self._scenarios.active:
            return self.wrapped.run(turn)
        return self._run(turn)

    def going_on(self, decided: Answer) -> ScenarioEngine:
        """An engine for one request, of which `decide` has said what its first call is answered with."""
        return ScenarioEngine(self.wrapped, self._scenarios, decided)

    async def decide(self, request: dict[str, Any]) -> Answer:
        """What the scenario has for `request`, a body of the Messages API that need not be valid; it counts as asked.

        Waits as long as the answer's beginning is to be delayed. Raises the error that is answered instead, and leaves
        the connection's fault where the connection finds it.
        """
        plan = CURRENT.get()
        asked = self._asked(request, plan)
        streamed = bool(request.get("stream"))
        chance = self._scenarios.chance(asked)
        if chance is not None:
            if plan is not None:
                plan.received.rule = "chance"
            if chance.error is not None:
                raise chance.error.to_error()
            assert chance.fault is not None
            _set_fault(chance.fault, plan, streamed)
        taken = self._take(asked, plan)
        answer = taken.answer if taken is not None else Answer()
        if answer.reply is not None:
            reply = answer.reply(request)
            answer = Answer(text=reply) if isinstance(reply, str) else reply
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.error is not None:
            raise answer.error.to_error()
        if answer.fault is not None:
            _set_fault(answer.fault, plan, streamed)
        if plan is not None and answer.chunk_bytes is not None:
            plan.chunk_bytes = answer.chunk_bytes
        return answer

    async def _run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        answer, self._decided = self._decided, None
        if answer is None:
            answer = await self.decide(turn.request)
        events = play(answer, turn) if answer.scripted else self.wrapped.run(turn)
        async with aclosing(events):
            async for batch in events:
                yield batch

    def _asked(self, request: dict[str, Any], plan: Plan | None) -> Asked:
        if plan is None:
            return Asked(self._scenarios.number(MESSAGES_PATH), request)
        received = plan.received
        return Asked(self._scenarios.number(received.path), request, received.headers, received.method, received.path)

    def _take(self, asked: Asked, plan: Plan | None) -> Taken | None:
        taken = self._scenarios.take(asked)
        if taken is not None and plan is not None:
            plan.received.rule = taken.name
        return taken


def _set_fault(fault: Fault, plan: Plan | None, streamed: bool) -> None:
    """Tell the connection of it, or raise what comes instead of an answer."""
    if fault.kind == "error" and (fault.after_events == 0 or not streamed):
        raise fault.error.to_error()
    if plan is not None:
        plan.fault = fault
