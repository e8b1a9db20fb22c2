"""Code in the container calls tools that this server runs: web tools of 2026 filter what they find."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.tools.api import SEALED, Api, call, folded, tools_api
from tests.tools.web.api import BASE_URL, PAGES, write_pages
from understudy.documents.html_reader import HtmlReader
from understudy.documents.reader import PdfReader
from understudy.engines.scenarios.model import Answer
from understudy.net.client import Fetcher
from understudy.net.guard import Guard
from understudy.sandbox.interface import HOME
from understudy.tools.web.index import DocumentIndex
from understudy.tools.web.providers import DocumentSearch
from understudy.tools.web_fetch.fetching import Fetching
from understudy.tools.web_fetch.session import WebFetch
from understudy.tools.web_search.session import WebSearch

from .asking import CODE, RUNNER, WEATHER, Block, Talk, cell

SEARCH: Block = {"type": "web_search_20260209", "name": "web_search"}
FETCH: Block = {"type": "web_fetch_20260209", "name": "web_fetch"}
URL = PAGES[0]["url"]
READ = f'import json\npage = json.loads(await web_fetch({{"url": "{URL}"}}))\nprint(page["content"]["title"])'
FIND = (
    'import json\nfound = json.loads(await web_search({"query": "Ruby version"}))\n'
    'print(found[0]["title"], found[0]["content"][:8])'
)


@pytest_asyncio.fixture
async def web(data_dir: Path) -> AsyncGenerator[Api]:
    index = DocumentIndex(write_pages(data_dir / "pages"), data_dir / "index.db", BASE_URL)
    pdfs = PdfReader()
    fetching = Fetching(Fetcher(Guard([])), HtmlReader(processes=1), index, pdfs=pdfs)
    others = [WebSearch(DocumentSearch(index), SEALED), WebFetch(fetching)]
    try:
        async with tools_api(data_dir, others=others) as api:
            yield api
    finally:
        await fetching.close()
        await pdfs.close()


def shapes(message: Block) -> list[tuple[str, str | None]]:
    return [(block["type"], (block.get("caller") or {}).get("type")) for block in message["content"]]


async def test_a_page_is_fetched_as_recorded(web: Api) -> None:
    web.script(cell(READ), Answer(text="ok"))
    message = await web.ask(f"Read {URL}", tools=[SEARCH, FETCH])
    assert shapes(message) == [
        ("server_tool_use", None),
        ("server_tool_use", CODE),
        ("web_fetch_tool_result", CODE),
        ("code_execution_tool_result", None),
        ("text", None),
    ]
    code, called, result, ended, _ = message["content"]
    assert called["name"] == "web_fetch" and called["input"] == {"url": URL}
    assert called["caller"] == result["caller"] == {"type": CODE, "tool_id": code["id"]}
    assert called["id"].startswith("srvtoolu_") and result["tool_use_id"] == called["id"]
    assert ended["content"]["stdout"] == "Ruby releases\n"
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 1}
    assert message["stop_reason"] == "end_turn"
    assert message["container"]["id"].startswith("container_")


async def test_what_a_search_found_is_printed_for_the_model_alone(web: Api) -> None:
    web.script(cell(FIND), cell("print(len(found))"), Answer(text="ok"), Answer(text="bye"))
    talk = Talk(web, "Search: Ruby version", [SEARCH, FETCH])
    message = await talk.say()
    first, second = (b["content"] for b in message["content"] if b["type"] == "code_execution_tool_result")
    assert list(first) == ["type", "encrypted_stdout", "stderr", "return_code", "content"]
    assert first["type"] == second["type"] == "encrypted_code_execution_result"
    assert b"Ruby" not in base64.b64decode(first["encrypted_stdout"])
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}
    talk.messages.append({"role": "user", "content": "thanks"})
    assert (await talk.say())["content"][-1]["text"] == "bye"
    first["encrypted_stdout"] = first["encrypted_stdout"].replace("A", "B")
    refused = await web.refusal(messages=talk.messages[:-1], tools=talk.tools)
    assert "Invalid encrypted stdout" in refused


async def test_a_stream_has_the_calls_whole_and_in_order(web: Api) -> None:
    web.script(cell(READ), Answer(text="ok"))
    events = await web.stream(f"Read {URL}", tools=[FETCH])
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in starts][1:4] == [
        "server_tool_use", "web_fetch_tool_result", "code_execution_tool_result",
    ]  # fmt: skip
    assert starts[1]["input"] == {"url": URL}
    assert len(folded(events)["content"]) == 5


async def test_limits_of_the_tool_hold_for_code(web: Api) -> None:
    code = (
        'import json\nfor _ in range(2):\n    found = json.loads(await web_search({"query": "tea"}))\n'
        '    print(found["error_code"] if isinstance(found, dict) else len(found))'
    )
    web.script(cell(code), Answer(text="ok"))
    message = await web.ask("go", tools=[{**SEARCH, "max_uses": 1}, RUNNER])
    results = [block for block in message["content"] if block["type"] == "web_search_tool_result"]
    assert isinstance(results[0]["content"], list)
    assert results[1]["content"]["error_code"] == "max_uses_exceeded"
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 1


async def test_code_makes_so_many_calls_and_no_more(web: Api) -> None:
    code = 'for _ in range(104):\n    last = await web_fetch({"url": "no address"})\nprint(last)'
    web.script(cell(code), Answer(text="ok"))
    message = await web.ask("go", tools=[FETCH])
    assert sum(block["type"] == "web_fetch_tool_result" for block in message["content"]) == 100
    assert "too_many_requests" in message["content"][-2]["content"]["stdout"]


async def test_a_page_that_code_has_found_can_be_fetched_by_code(web: Api) -> None:
    code = (
        'import json\nfound = json.loads(await web_search({"query": "Ruby"}))\n'
        'page = json.loads(await web_fetch({"url": found[0]["url"]}))\nprint(page.get("error_code"))'
    )
    web.script(cell(code), Answer(text="ok"))
    message = await web.ask("go", tools=[SEARCH, FETCH])
    (fetched,) = (block["content"] for block in message["content"] if block["type"] == "web_fetch_tool_result")
    assert fetched["type"] == "web_fetch_result"


@pytest.mark.parametrize("kind", ["web_fetch_20260318", "web_fetch_20260209"])
async def test_results_that_ended_code_has_used_are_left_out_where_asked_for(web: Api, kind: str) -> None:
    tool = {**FETCH, "type": kind}
    if kind == "web_fetch_20260318":
        tool["response_inclusion"] = "excluded"
    web.script(cell(READ), Answer(text="ok"))
    message = await web.ask(f"Read {URL}", tools=[tool])
    nested = [block for block in message["content"] if block.get("caller")]
    assert len(nested) == (0 if kind == "web_fetch_20260318" else 2)
    assert message["usage"]["server_tool_use"]["web_fetch_requests"] == 1


async def test_results_are_kept_where_code_pauses(web: Api) -> None:
    tool = {**FETCH, "type": "web_fetch_20260318", "response_inclusion": "excluded"}
    web.script(cell(READ + '\nprint(await get_weather({"city": "Rome"}))'), Answer(text="ok"))
    talk = Talk(web, f"Read {URL}", [tool, WEATHER])
    message = await talk.to_the_end()
    assert [block["type"] for block in talk.answers[0]["content"]] == [
        "server_tool_use", "server_tool_use", "web_fetch_tool_result", "tool_use",
    ]  # fmt: skip
    assert message["content"][0]["content"]["stdout"].startswith("Ruby releases\n")


async def test_both_kinds_are_called_together(web: Api) -> None:
    code = (
        "import asyncio\n"
        f'page, weather = await asyncio.gather(web_fetch({{"url": "{URL}"}}), get_weather({{"city": "Rome"}}))\n'
        "print(len(page) > 100, weather)"
    )
    web.script(cell(code), Answer(text="ok"))
    talk = Talk(web, f"Read {URL}", [FETCH, WEATHER])
    message = await talk.to_the_end()
    assert shapes(talk.answers[0])[1:] == [
        ("server_tool_use", CODE), ("web_fetch_tool_result", CODE), ("tool_use", CODE),
    ]  # fmt: skip
    assert message["content"][0]["content"]["stdout"] == 'True {"city": "Rome", "degrees": 4}\n'


async def test_a_tool_that_says_direct_is_called_directly(web: Api) -> None:
    web.script(call("web_fetch", url=URL), Answer(text="ok"))
    message = await web.ask(f"Read {URL}", tools=[{**FETCH, "allowed_callers": ["direct"]}])
    assert shapes(message)[:2] == [("server_tool_use", None), ("web_fetch_tool_result", "direct")]
    assert message["container"] is None


async def test_where_no_code_can_be_run_web_tools_are_called_directly(web: Api) -> None:
    web.containers.missing = "Code execution is not available on this server."
    web.script(call("web_fetch", url=URL), Answer(text="ok"))
    message = await web.ask(f"Read {URL}", tools=[FETCH])
    assert shapes(message)[:2] == [("server_tool_use", None), ("web_fetch_tool_result", "direct")]
    asked_for = {**FETCH, "allowed_callers": [CODE]}
    assert "not available" in await web.refusal(tools=[asked_for])


async def test_pages_that_code_has_read_are_not_in_the_models_context(web: Api) -> None:
    web.script(cell(READ), Answer(text="ok"), Answer(text="bye"))
    talk = Talk(web, f"Read {URL}", [FETCH])
    await talk.say()
    talk.messages.append({"role": "user", "content": "thanks"})
    again = await talk.say()
    without = [
        {**message, "content": [b for b in message["content"] if not b.get("caller")]}
        if message["role"] == "assistant"
        else message
        for message in talk.messages[:-1]
    ]
    counted = await web.messages.post(
        {"model": "claude-sonnet-5-5", "messages": without, "tools": [FETCH]}, path="/v1/messages/count_tokens"
    )
    assert again["usage"]["input_tokens"] == counted.json()["input_tokens"]


@pytest.mark.parametrize(
    ("question", "said", "tool"),
    [
        ("Search the web: what is the latest stable Ruby version?", "Ruby 4.0 is the latest", "web_search"),
        (f"Read {URL} and tell me what it says.", "Ruby 4.0 is the latest", "web_fetch"),
    ],
)
async def test_the_simulator_filters(web: Api, question: str, said: str, tool: str) -> None:
    message = await web.ask(question, tools=[SEARCH, FETCH])
    assert {block["name"] for block in message["content"] if block["type"] == "server_tool_use"} == {
        "code_execution",
        tool,
    }
    assert said in message["content"][-1]["text"]


async def test_results_of_server_tools_are_told_again_to_code_that_is_run_again(web: Api) -> None:
    web.script(cell(READ + '\nprint(await get_weather({"city": "Rome"}))'), Answer(text="ok"))
    talk = Talk(web, f"Read {URL}", [FETCH, WEATHER])
    await talk.say()
    await web.tool.close()
    message = await talk.go_on()
    assert json.loads(message["content"][0]["content"]["stdout"].splitlines()[1])["city"] == "Rome"
    assert message["usage"]["server_tool_use"]["web_fetch_requests"] == 0


async def test_what_a_search_found_stays_sealed_where_the_code_is_ended(web: Api) -> None:
    web.tool.limits = type(web.tool.limits)(1.5, 100_000)
    web.script(cell(FIND + "\nwhile True:\n    pass"), Answer(text="ok"))
    message = await web.ask("Search: Ruby version", tools=[SEARCH])
    (ended,) = (block["content"] for block in message["content"] if block["type"] == "code_execution_tool_result")
    assert "detection_timeout" in ended["stderr"]
    assert ended["type"] == "encrypted_code_execution_result"


async def test_a_client_that_goes_away_ends_the_code_and_is_billed_what_it_has_used(web: Api) -> None:
    tool = {**FETCH, "type": "web_fetch_20260318", "response_inclusion": "excluded"}
    web.script(cell(READ + '\nopen("fetched", "w").close()\nimport time\ntime.sleep(60)'))
    asking = asyncio.create_task(web.ask(f"Read {URL}", tools=[tool]))
    async with asyncio.timeout(20):
        while not web.containers.made or not (web.containers.only.at(HOME) / "fetched").exists():
            await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(AssertionError, match="overloaded_error"):
        await asking
    assert web.containers.held == web.containers.only.running == set()
    assert web.messages.records.kept[-1].web_fetch_requests == 1


async def test_an_address_that_the_client_has_told_the_code_may_be_fetched(web: Api) -> None:
    code = (
        'url = await get_weather({"city": "Rome"})\npage = await web_fetch({"url": url})\nprint("error_code" in page)'
    )
    web.script(cell(code), Answer(text="ok"))
    talk = Talk(web, "go", [FETCH, WEATHER])
    await talk.say()
    message = await talk.go_on(lambda block: URL)
    (ended,) = (block["content"] for block in message["content"] if block["type"] == "code_execution_tool_result")
    assert ended["stdout"] == "False\n"
