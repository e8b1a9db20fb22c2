"""The Messages API with the advisor tool, in process: an engine that is scripted, or the simulator."""

from __future__ import annotations

from typing import Any

from asgi import InProcess
from streams import check_stream, parse_sse
from understudy.engines.engine import Engine
from understudy.engines.scenarios.engine import ScenarioEngine
from understudy.engines.scenarios.model import Answer, Rule, ToolCall, When
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.http.limiting import UNLIMITED, Limits
from understudy.messages.fold import Fold
from understudy.settings import SimulatorSettings
from understudy.tools.advisor.seals import MOST_BYTES
from understudy.tools.advisor.session import Advisor
from understudy.tools.running import ServerTools
from understudy.tools.web.sealed import Sealed

Block = dict[str, Any]

BETA = "advisor-tool-2026-03-01"
MODEL = "claude-haiku-4-5-20251001"
ADVISING = "claude-opus-4-8"
REDACTED = "claude-opus-5"
TOOL: Block = {"type": "advisor_20260301", "name": "advisor", "model": ADVISING}
SEALED = Sealed([("key", b"a" * 32)], MOST_BYTES)
ASKED = "Build a worker pool. Get a second opinion on the plan."
CALL = Answer(tool_calls=(ToolCall(name="advisor"),))


class AdvisedApi:
    """`api` is called; `scenarios` script its engine, which is else the simulator."""

    def __init__(self, engine: Engine | None = None, *, timeout: float = 10.0, limits: Limits = UNLIMITED) -> None:
        self.scenarios = Scenarios(100)
        self.bodies: list[Block] = []
        wrapped = ScenarioEngine(engine or SimulatorEngine(SimulatorSettings()), self.scenarios)
        tools = ServerTools([Advisor(SEALED, timeout)])
        self.api = InProcess(wrapped, tools=tools, advice=SEALED, limits=limits)

    def executor(self, *answers: Answer, model: str = "claude-haiku-*") -> None:
        """What the model says that has the tool, one answer a call."""
        self.scenarios.add(Rule(when=When(model=model), answer=answers))

    def advisor(self, *answers: Answer, model: str = "claude-opus-*") -> None:
        """What the one says that is asked; `bodies` are what it is sent."""

        def heard(body: Block) -> bool:
            self.bodies.append(body)
            return True

        self.scenarios.add(Rule(when=When(model=model, predicate=heard), answer=answers))

    async def post(self, body: Block, beta: str | None = BETA) -> Any:
        answer = await self.api.post(body, **({} if beta is None else {"anthropic_beta": beta}))
        return answer.status, answer.json() if not body.get("stream") else answer.body

    async def ask(self, content: Any = ASKED, **more: Any) -> Block:
        status, message = await self.post(asking(content, **more))
        assert status == 200, message
        return message

    async def stream(self, content: Any = ASKED, **more: Any) -> list[Block]:
        """The events of the answer, held against the automaton."""
        status, body = await self.post(asking(content, **more) | {"stream": True})
        assert status == 200, body
        events = parse_sse(body)
        check_stream(events)
        return events

    async def refusal(self, content: Any = ASKED, **more: Any) -> str:
        status, body = await self.post(asking(content, **more))
        assert status == 400, body
        return body["error"]["message"]


def asking(content: Any, *, model: str = MODEL, tools: list[Block] | None = None, **more: Any) -> Block:
    messages = more.pop("messages", [{"role": "user", "content": content}])
    return {"model": model, "max_tokens": 2_000, "messages": messages, "tools": tools or [TOOL], **more}


def folded(events: list[Block]) -> Block:
    fold = Fold()
    fold.add_all(events)
    return fold.message


def types_of(message: Block) -> list[str]:
    return [block["type"] for block in message["content"]]


def result_of(message: Block) -> Block:
    """What the advisor's first call has brought."""
    return next(block["content"] for block in message["content"] if block["type"] == "advisor_tool_result")


def kinds(message: Block) -> list[tuple[str, str | None]]:
    """Of the calls of models: type, and the model where it is named."""
    return [(one["type"], one.get("model")) for one in message["usage"]["iterations"]]
