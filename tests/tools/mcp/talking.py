"""The Messages API with the MCP connector, in process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgi import Answer as HttpAnswer
from asgi import InProcess
from streams import check_stream, parse_sse
from understudy.engines.engine import Engine
from understudy.engines.scenarios.engine import ScenarioEngine
from understudy.engines.scenarios.model import Answer, Rule, ToolCall
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.messages.fold import Fold
from understudy.net.guard import Guard
from understudy.settings import SimulatorSettings
from understudy.tools.mcp.session import MCPConnector
from understudy.tools.running import ServerTools
from understudy.tools.tool_search.session import ToolSearch

Block = dict[str, Any]

MODEL = "claude-haiku-4-5"
NEW = "mcp-client-2025-11-20"
OLD = "mcp-client-2025-04-04"
NEWEST = "mcp-client-2026-09-15"


def connector(
    guard: Guard | None = None,
    *,
    listing_timeout: float = 5,
    call_timeout: float = 5,
    most_size: int = 1 << 20,
    most_result: int = 10_000,
    listing_lifetime: float = 60,
    clock: Callable[[], float] = time.monotonic,
) -> MCPConnector:
    return MCPConnector(
        guard or Guard(["127.0.0.1"]),
        listing_timeout=listing_timeout,
        call_timeout=call_timeout,
        most_size=most_size,
        most_result=most_result,
        listing_lifetime=listing_lifetime,
        clock=clock,
    )


def server(url: str, name: str = "weather", **more: Any) -> Block:
    return {"type": "url", "url": url, "name": name, **more}


def toolset(name: str = "weather", **more: Any) -> Block:
    return {"type": "mcp_toolset", "mcp_server_name": name, **more}


def call(name: str, **given: Any) -> Answer:
    return Answer(tool_calls=(ToolCall(name=name, input=given),))


@dataclass
class Talk:
    """`scenarios` script the engine, which is else the simulator."""

    tool: MCPConnector = field(default_factory=connector)
    engine: Engine | None = None

    def __post_init__(self) -> None:
        self.scenarios = Scenarios(100)
        engine = ScenarioEngine(self.engine or SimulatorEngine(SimulatorSettings()), self.scenarios)
        self.api = InProcess(engine, tools=ServerTools([self.tool, ToolSearch()]))

    def script(self, *answers: Answer) -> None:
        self.scenarios.add(Rule(answer=answers))

    async def post(
        self, servers: Sequence[Block], content: str | list[Block] = "hi", *, beta: str = NEW, **more: Any
    ) -> HttpAnswer:
        tools = [toolset(name) for name in dict.fromkeys(one["name"] for one in servers)]
        if beta == OLD:
            tools = []
        messages = more.pop("messages", [{"role": "user", "content": content}])
        asked = {"model": MODEL, "max_tokens": 4096, "messages": messages, "mcp_servers": list(servers), **more}
        if tools and "tools" not in asked:
            asked["tools"] = tools
        return await self.api.post(asked, anthropic_beta=beta)

    async def ask(self, servers: Sequence[Block], content: str | list[Block] = "hi", **more: Any) -> Block:
        answer = await self.post(servers, content, **more)
        assert answer.status == 200, answer.body
        return answer.json()

    async def stream(self, servers: Sequence[Block], content: str | list[Block] = "hi", **more: Any) -> list[Block]:
        answer = await self.post(servers, content, stream=True, **more)
        assert answer.status == 200, answer.body
        events = parse_sse(answer.body)
        check_stream(events)
        return events

    async def refusal(self, servers: Sequence[Block], **more: Any) -> str:
        answer = await self.post(servers, **more)
        assert answer.status == 400, answer.body
        error = answer.json()["error"]
        assert error["type"] == "invalid_request_error"
        return error["message"]


def folded(events: list[Block]) -> Block:
    fold = Fold()
    fold.add_all(events)
    return fold.message


def results(message: Block) -> list[Block]:
    return [block for block in message["content"] if block["type"] == "mcp_tool_result"]


def said(block: Block) -> str:
    return "\n".join(text["text"] for text in block["content"])
