"""MCP servers that hang, flood, lie and lead elsewhere, and requests that name what must not be reached."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import time
from typing import Any

import pytest
import trustme

from asgi import InProcess
from understudy.engines.scenarios.model import Answer
from understudy.net.guard import Guard
from understudy.tools.mcp.connection import Bounds, Connection, ConnectionFailedError
from understudy.tools.protocol import Asked as Wanted

from .imposters import TOOL, Asked, acting, imposter
from .talking import NEW, OLD, Talk, call, connector, results, said, server, toolset

UNREACHED = "Connection error while communicating with MCP server. The server may be unavailable or unresponsive."
UNAUTHORIZED = "Authentication error while communicating with MCP server. Please check your authorization token."
STATUS = "Connection error while communicating with MCP server: Server error: MCP server error"
LOOK = "mcp__weather__look"
OUTSIDE = "127.0.0.9"


async def refused(url: str, **options: Any) -> str:
    return await Talk(connector(**options)).refusal([server(url)])


async def called(url: str, **options: Any) -> dict[str, Any]:
    """The result of one call, in an answer that comes in any case."""
    talk = Talk(connector(**options))
    talk.script(call(LOOK), Answer(text="ok"))
    message = await talk.ask([server(url)])
    assert message["stop_reason"] == "end_turn"
    return results(message)[0]


async def hang(asked: Asked) -> None:
    await asked.gone()


# --- where it leads ---


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:1/sse",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://localhost/mcp",
        "https://2130706433/mcp",
        "https://user:secret@example.com/mcp",
        "file:///etc/passwd",
        "ftp://example.com/mcp",
        "https://example.com:22/mcp",
        "not a url",
        "",
    ],
)
async def test_abuse_44_what_must_not_be_reached_is_not(url: str) -> None:
    assert await refused(url, guard=Guard()) == UNREACHED


async def test_abuse_44_nothing_private_is_connected_to() -> None:
    async with imposter(acting()) as inside:
        url = inside.url.replace("http", "https")
        assert await refused(url, guard=Guard()) == UNREACHED
        assert await refused(url.replace("127.0.0.1", "localhost"), guard=Guard()) == UNREACHED
        assert inside.open == 0
        assert inside.asked == []


async def test_without_tls_only_trusted_servers_are_spoken_to() -> None:
    must = "mcp_servers.0.url: MCP server URL must start with https://"
    for guard in (Guard(), Guard(["10.0.0.0/8"]), Guard(["other.example"])):
        assert await refused("http://nowhere.invalid/mcp", guard=guard) == must
    async with imposter(acting()) as inside:
        for guard in (Guard(["127.0.0.1"]), Guard(["127.0.0.0/8"])):
            assert said(await called(inside.url, guard=guard)) == "seen"
        named = inside.url.replace("127.0.0.1", "localhost")
        assert said(await called(named, guard=Guard(["localhost"]))) == "seen"


async def test_abuse_45_a_name_that_changes_its_address_is_connected_where_it_was_judged() -> None:
    where = [OUTSIDE]

    async def lookup(host: str, port: int) -> list[str]:
        assert host == "rebinding.test"
        return where

    guard = Guard([OUTSIDE], lookup)
    async with imposter(acting(), OUTSIDE) as outside:
        port = int(outside.url.rpartition(":")[2].partition("/")[0])
        async with imposter(acting(), port=port) as inside:
            url = f"http://rebinding.test:{port}/mcp"
            bounds = Bounds(listing=2, call=2, size=100_000)
            first, second = (Connection(guard, guard.judge(url), "token", bounds) for _ in range(2))
            assert [tool.name for tool in await first.tools()] == ["look"]
            where[0] = "127.0.0.1"
            with pytest.raises(ConnectionFailedError, match="not on the public internet"):
                await second.tools()
            for connection in (first, second):
                await connection.close()
            assert inside.asked == []
            assert inside.open == 0


@pytest.mark.parametrize(("name", "known"), [("localhost", True), ("other.example", False)])
async def test_a_server_must_be_the_one_of_its_certificate(
    monkeypatch: pytest.MonkeyPatch, name: str, *, known: bool
) -> None:
    authority = trustme.CA()
    theirs, ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(theirs)
    authority.configure_trust(ours)
    monkeypatch.setattr("understudy.tools.mcp.connection._tls", lambda: ours)
    async with imposter(acting(), tls=theirs) as first:
        url = first.url.replace("127.0.0.1", "localhost")
        guard = Guard(["127.0.0.1", "::1"])
        if known:
            assert said(await called(url, guard=guard)) == "seen"
        else:
            assert await refused(url, guard=guard) == UNREACHED
            assert first.asked == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_abuse_45_no_redirect_takes_the_token_to_another_server(status: str) -> None:
    async with imposter(acting()) as other:

        async def elsewhere(asked: Asked) -> None:
            asked.say(b"", f"Location: {other.url}", status=status)

        async with imposter(elsewhere) as first:
            talk = Talk()
            message = await talk.refusal([server(first.url, authorization_token="secret-token")])
            assert message.startswith(("Connection error", "MCP server returned an error"))
            assert first.asked[0].headers["authorization"] == "Bearer secret-token"
            assert other.asked == []


async def test_abuse_48_a_server_cannot_name_another_one_for_messages() -> None:
    async with imposter(acting()) as other:

        async def sse(asked: Asked) -> None:
            if asked.method == "POST":
                asked.say(b"", status="405 Method Not Allowed")
                return
            asked.begin()
            asked.writer.write(f"event: endpoint\ndata: {other.url}\n\n".encode())
            await asyncio.sleep(30)

        async with imposter(sse) as first:
            assert (await refused(first.url, listing_timeout=1)).startswith("Connection error")
            assert other.asked == []


# --- that it does not answer ---


async def test_nobody_there_is_an_error() -> None:
    async with imposter(acting()) as gone:
        url = gone.url
    assert await refused(url) == UNREACHED


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("401 Unauthorized", UNAUTHORIZED),
        ("403 Forbidden", UNAUTHORIZED),
        (
            "502 Bad Gateway",
            f"{STATUS} (HTTP 502)",
        ),
        (
            "404 Not Found",
            f"{STATUS} (HTTP 404)",
        ),
    ],
)
async def test_what_a_server_says_by_http_is_told(status: str, message: str) -> None:
    async def no(asked: Asked) -> None:
        asked.say(b"<html>no</html>", status=status, kind="text/html")

    async with imposter(no) as first:
        assert await refused(first.url) == message


@pytest.mark.parametrize("method", ["server_discover", "initialize", "tools_list"])
async def test_abuse_48_a_server_that_hangs_is_given_up(method: str) -> None:
    async with imposter(acting(**{method: hang})) as first:
        begun = time.monotonic()
        assert await refused(first.url, listing_timeout=0.5) == UNREACHED
        assert time.monotonic() - begun < 3
        await left(first)


async def left(first: Any) -> None:
    """Wait until nobody is connected any more."""
    deadline = time.monotonic() + 6
    while first.open:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_abuse_48_a_call_that_hangs_is_an_error_of_its_own() -> None:
    async with imposter(acting(tools_call=hang)) as first:
        begun = time.monotonic()
        result = await called(first.url, call_timeout=0.5)
        assert time.monotonic() - begun < 3
        assert (result["is_error"], said(result)) == (True, UNREACHED)
        await left(first)


async def test_a_client_that_leaves_takes_the_call_with_it() -> None:
    async with imposter(acting(tools_call=hang)) as first:
        talk = Talk(connector(call_timeout=60))
        talk.script(call(LOOK))
        asking = asyncio.create_task(talk.ask([server(first.url)]))
        while "tools/call" not in first.methods():
            await asyncio.sleep(0.02)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await left(first)


async def test_abuse_48_a_server_that_drips_is_given_up() -> None:
    async def drip(asked: Asked) -> None:
        asked.begin()
        for _ in range(1000):
            asked.writer.write(b": still here\n\n")
            await asked.writer.drain()
            await asyncio.sleep(0.02)

    async with imposter(acting(tools_call=drip)) as first:
        assert said(await called(first.url, call_timeout=0.5)) == UNREACHED
        await left(first)


async def test_a_call_after_one_that_failed_finds_the_server_again() -> None:
    times = 0

    async def first_fails(asked: Asked) -> None:
        nonlocal times
        times += 1
        if times == 1:
            asked.writer.transport.abort()
        else:
            asked.result({"content": [{"type": "text", "text": "seen"}]})

    async with imposter(acting(tools_call=first_fails)) as first:
        talk = Talk()
        talk.script(call(LOOK), call(LOOK), Answer(text="ok"))
        failed, worked = results(await talk.ask([server(first.url)]))
        assert (said(failed), said(worked)) == (UNREACHED, "seen")


# --- that it says too much, or what it should not ---


async def endless(asked: Asked) -> None:
    asked.begin("application/json")
    asked.writer.write(b'{"jsonrpc":"2.0","id":1,"result":{"x":"')
    while True:
        asked.writer.write(b"x" * 65536)
        await asked.writer.drain()


async def events(asked: Asked) -> None:
    asked.begin()
    message = json.dumps(
        {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    )
    while True:
        asked.writer.write(f"event: message\ndata: {message}\n\n".encode() * 100)
        await asked.writer.drain()


@pytest.mark.parametrize("flood", [endless, events])
async def test_abuse_48_a_server_that_floods_is_given_up(flood: Any) -> None:
    async with imposter(acting(tools_list=flood)) as first:
        assert await refused(first.url, most_size=200_000) != ""
        await left(first)
    async with imposter(acting(tools_call=flood)) as first:
        result = await called(first.url, most_size=200_000)
        assert result["is_error"] is True
        await left(first)


async def test_abuse_46_what_is_packed_is_not_unpacked() -> None:
    async def bomb(asked: Asked) -> None:
        asked.say(gzip.compress(b"x" * 5_000_000), "Content-Encoding: gzip")

    async with imposter(acting(tools_call=bomb)) as first:
        assert said(await called(first.url)) == UNREACHED
        assert first.asked[-1].headers["accept-encoding"] == "identity"


async def test_abuse_48_a_listing_without_end_has_one() -> None:
    pages = 0

    async def page(asked: Asked) -> None:
        nonlocal pages
        pages += 1
        asked.result({"tools": [{**TOOL, "name": f"look_{pages}"}], "nextCursor": str(pages)})

    async with imposter(acting(tools_list=page)) as first:
        talk = Talk()
        talk.script(Answer(text="ok"))
        await talk.ask([server(first.url)])
        assert pages == 100


async def test_abuse_48_what_no_model_can_be_offered_is_left_out() -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(25):
        deep = {"type": "object", "properties": {"x": deep}}
    bad = [
        {**TOOL, "name": "x" * 129},
        {**TOOL, "name": ""},
        {**TOOL, "name": "line\nbreak"},
        {**TOOL, "inputSchema": deep},
        {**TOOL, "name": "huge", "inputSchema": {"type": "object", "description": "x" * 100_000}},
    ]
    talked = {**TOOL, "name": "talk", "description": "y" * 50_000}

    async def listing(asked: Asked) -> None:
        asked.result({"tools": [*bad, talked, TOOL, {**TOOL, "description": "again"}]})

    async with imposter(acting(tools_list=listing)) as first:
        tool = connector()
        request = {"messages": [], "mcp_servers": [server(first.url)], "tools": [toolset()]}
        session = await tool.session(Wanted("org", "wrk", request, [NEW]))
        assert [(function.title, len(function.description)) for function in session.functions] == [
            ("talk", 10_000),
            ("look", 5),
        ]


async def test_a_result_is_cut_where_it_is_too_long() -> None:
    async def much(asked: Asked) -> None:
        asked.result({"content": [{"type": "text", "text": "a" * 900}, {"type": "text", "text": "b" * 900}]})

    async with imposter(acting(tools_call=much)) as first:
        result = await called(first.url, most_result=1_000)
        assert [block["text"] for block in result["content"]] == [
            "a" * 900,
            "b" * 100 + "\n[cut: the result is too long]",
        ]


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"content": "text"},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "new"}]},
        {"content": None},
    ],
)
async def test_what_is_no_result_is_an_error(result: dict[str, Any]) -> None:
    async def wrong(asked: Asked) -> None:
        asked.result(result)

    async with imposter(acting(tools_call=wrong)) as first:
        assert (await called(first.url))["is_error"] is True


async def test_what_is_no_mcp_server_is_an_error() -> None:
    async def page(asked: Asked) -> None:
        asked.say(b"<html>hello</html>", kind="text/html")

    async with imposter(page) as first:
        assert (await refused(first.url)).startswith(("Connection error", "MCP server returned an error"))


async def test_abuse_48_an_error_that_holds_the_token_does_not_tell_it() -> None:
    async def no(asked: Asked) -> None:
        asked.error(f"wrong: {asked.headers['authorization']}")

    async with imposter(acting(tools_list=no)) as first:
        message = await Talk().refusal([server(first.url, authorization_token="secret-token")])
        assert message == "MCP server returned an error while listing tools: wrong: Bearer ***"
    async with imposter(acting(tools_call=no)) as first:
        talk = Talk()
        talk.script(call(LOOK), Answer(text="ok"))
        message = await talk.ask([server(first.url, authorization_token="secret-token")])
        assert said(results(message)[0]) == "wrong: Bearer ***"


async def test_abuse_48_a_server_that_asks_for_the_model_is_refused() -> None:
    asked_for = {
        "jsonrpc": "2.0",
        "id": 77,
        "method": "sampling/createMessage",
        "params": {"messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}], "maxTokens": 9},
    }

    async def ask_back(asked: Asked) -> None:
        asked.begin()
        done = {"jsonrpc": "2.0", "id": asked.message["id"], "result": {"content": [{"type": "text", "text": "seen"}]}}
        for message in (asked_for, done):
            asked.writer.write(f"event: message\ndata: {json.dumps(message)}\n\n".encode())
            await asked.writer.drain()
            await asyncio.sleep(0.1)
        asked.writer.close()

    async with imposter(acting(tools_call=ask_back)) as first:
        assert said(await called(first.url)) == "seen"
        answers = [one.message for one in first.asked if one.message.get("id") == 77]
        assert all("error" in answer for answer in answers)


# --- what the request says ---


@pytest.mark.parametrize(
    ("servers", "tools", "message"),
    [
        (["a"], [], "MCP server 'a' is defined but not referenced by any `mcp_toolset` in `tools`."),
        (["a"], ["b"], "tools.0: MCP server 'b' is referenced by an `mcp_toolset` but not defined in `mcp_servers`."),
        ([], ["b"], "tools.0: MCP server 'b' is referenced by an `mcp_toolset` but not defined in `mcp_servers`."),
        (["a"], ["a", "a"], "tools.1: MCP server 'a' is referenced by more than one `mcp_toolset` in `tools`."),
        (["a", "a"], ["a"], "mcp_servers: MCP server names must be unique. 'a' is defined twice."),
    ],
)
async def test_servers_and_toolsets_go_together(servers: list[str], tools: list[str], message: str) -> None:
    given = [server("https://example.com/mcp", name) for name in servers]
    assert await Talk().refusal(given, tools=[toolset(name) for name in tools]) == message


async def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.tools.mcp.session.find_spec", lambda _: None)
    assert "Install understudy[mcp]" in await Talk().refusal([server("https://example.com/mcp")], beta=OLD)


async def test_without_a_connector_the_field_is_refused() -> None:
    asked = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    answer = await InProcess().post({**asked, "mcp_servers": [server("https://a.example/")]}, anthropic_beta=OLD)
    assert answer.status == 400
    assert answer.json()["error"]["message"] == (
        "mcp_servers: this server does not support `mcp_servers`: it has no MCP connector."
    )
