"""The official SDK, our server, and a real MCP server: each behind a socket."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from typing import Any

import anthropic
import pytest

from servers import RunningServer, start_server

from .serving import TOKEN, McpHost, served
from .talking import MODEL, NEW, OLD, server, toolset

QUESTION: Any = [{"role": "user", "content": "What is the weather in Paris?"}]


@pytest.fixture(scope="module")
def host() -> Generator[McpHost]:
    with served(token=TOKEN) as made:
        yield made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    env = {"UNDERSTUDY_NET_ALLOW": "127.0.0.1", "UNDERSTUDY_MCP_LISTING_TIMEOUT": "5"}
    started = start_server(tmp_path_factory.mktemp("mcp"), env=env)
    yield started
    assert TOKEN not in started.printed(1_000_000)
    assert started.stop() == 0


def client(running: RunningServer) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=running.url, api_key=running.api_key, max_retries=0)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("beta", [NEW, OLD])
@pytest.mark.parametrize("sse", [False, True])
def test_a_tool_is_called(running: RunningServer, host: McpHost, beta: str, *, streamed: bool, sse: bool) -> None:
    url = host.sse_url if sse else host.url
    wanted: Any = {
        "model": MODEL,
        "max_tokens": 1024,
        "messages": QUESTION,
        "mcp_servers": [server(url, authorization_token=TOKEN)],
        "tools": [toolset()] if beta == NEW else anthropic.NOT_GIVEN,
        "betas": [beta],
    }
    sdk = client(running)
    if streamed:
        with sdk.beta.messages.stream(**wanted) as stream:
            message = stream.get_final_message()
    else:
        message = sdk.beta.messages.create(**wanted)
    use, result, text = message.content
    assert use.type == "mcp_tool_use"
    assert (use.name, use.server_name, use.input) == ("get_weather", "weather", {"city": "Paris"})
    assert result.type == "mcp_tool_result"
    assert result.is_error is False
    assert [block.text for block in result.content] == ["It is 21 degrees and sunny in Paris."]  # type: ignore[union-attr]
    assert text.type == "text"
    counted = sdk.beta.messages.count_tokens(**{name: value for name, value in wanted.items() if name != "max_tokens"})
    assert counted.input_tokens > 200


def test_a_wrong_token_is_a_400_that_says_so(running: RunningServer, host: McpHost) -> None:
    with pytest.raises(anthropic.BadRequestError, match="Please check your authorization token"):
        client(running).beta.messages.create(
            model=MODEL,
            max_tokens=64,
            messages=QUESTION,
            mcp_servers=[server(host.url, authorization_token="wrong-token-here")],  # type: ignore[list-item]
            tools=[toolset()],  # type: ignore[list-item]
            betas=[NEW],
        )


def test_abuse_44_a_server_of_usual_settings_reaches_nothing_private(server: RunningServer, host: McpHost) -> None:
    host.seen.clear()
    with pytest.raises(anthropic.BadRequestError, match="The server may be unavailable or unresponsive"):
        client(server).beta.messages.create(
            model=MODEL,
            max_tokens=64,
            messages=QUESTION,
            mcp_servers=[{"type": "url", "url": host.url.replace("http:", "https:"), "name": "x"}],
            tools=[{"type": "mcp_toolset", "mcp_server_name": "x"}],
            betas=[NEW],
        )
    assert host.seen == []


def test_the_client_is_loaded_when_it_is_first_needed() -> None:
    code = "import sys, understudy.app.application; sys.exit(any(name in sys.modules for name in ('mcp', 'httpx2')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
