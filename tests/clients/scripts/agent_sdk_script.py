"""claude-agent-sdk, which runs the Claude Code it brings along: a tool in this process, and output by a schema.

Usage: python agent_sdk_script.py URL KEY HOME
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cases import ADA, KEY, MODEL, PARIS, URL, WEATHER, case, run_cases
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    TextBlock,
    create_sdk_mcp_server,
    query,
    tool,
)

HOME = Path(sys.argv[3])
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "email": {"type": "string"}},
    "required": ["name", "age", "email"],
    "additionalProperties": False,
}


def options(**more: Any) -> ClaudeAgentOptions:
    project = HOME / "project"
    project.mkdir(parents=True, exist_ok=True)
    # Without ENABLE_TOOL_SEARCH=false tools of MCP servers must be searched for first.
    env = {
        "HOME": str(HOME),
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "ENABLE_TOOL_SEARCH": "false",
        "IS_SANDBOX": "1",
    }
    return ClaudeAgentOptions(model=MODEL, cwd=str(project), env=env, **more)


@case
async def tool_of_this_process() -> Any:
    called: list[str] = []

    @tool("get_weather", "Look up the current weather of a city.", {"city": str})
    async def get_weather(arguments: dict[str, Any]) -> dict[str, Any]:
        called.append(arguments["city"])
        return {"content": [{"type": "text", "text": json.dumps({"city": arguments["city"], **WEATHER})}]}

    server = create_sdk_mcp_server("stations", tools=[get_weather])
    made = options(
        mcp_servers={"stations": server},
        allowed_tools=["mcp__stations__get_weather"],
        permission_mode="bypassPermissions",
    )
    texts: list[str] = []
    result: ResultMessage | None = None
    async with ClaudeSDKClient(options=made) as client:
        await client.query(PARIS)
        async for message in client.receive_response():
            if isinstance(message, AssistantMessage):
                texts += [block.text for block in message.content if isinstance(block, TextBlock)]
            if isinstance(message, ResultMessage):
                result = message
    assert result is not None
    return {"called": called, "texts": texts, "subtype": result.subtype, "is_error": result.is_error}


@case
async def output_by_schema() -> Any:
    made = options(output_format={"type": "json_schema", "schema": SCHEMA}, permission_mode="bypassPermissions")
    # Read to its end: a query left half way complains.
    messages = [message async for message in query(prompt=ADA, options=made)]
    (result,) = [message for message in messages if isinstance(message, ResultMessage)]
    return {"output": result.structured_output, "subtype": result.subtype, "is_error": result.is_error}


if __name__ == "__main__":
    run_cases()
