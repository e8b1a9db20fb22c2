"""The Workbench: prompts are tried, and what comes back is seen as what it is."""

from __future__ import annotations

import re

import anthropic
import pytest
from playwright.sync_api import Page, expect

from pictures import png

from .acting import HAIKU, SONNET, Given, answer, choose, drop, figure, run, select, write
from .site import Site

COLOURS = Given("colours.txt", "text/plain", b"The grass is green. The sky is blue. Snow is white.")
SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'


def test_an_answer_streams_with_thinking_and_a_tool_call_whose_result_is_sent(site: Site) -> None:
    with site.visit("/workbench") as page:
        choose(page, "Model", HAIKU)
        select(page, "Thinking", "enabled")
        page.get_by_role("region", name="Tools").get_by_role("button", name="Add").click()
        tool = page.get_by_role("dialog", name="Add a tool")
        tool.get_by_label("Name", exact=True).fill("current weather")
        expect(tool.get_by_text("Letters, digits, _ and -, at most 128")).to_be_visible()
        tool.get_by_label("Name", exact=True).fill("current_weather")
        tool.get_by_label("Description").fill("Get the current weather in a given city")
        tool.get_by_label("Input schema").fill("{")
        expect(tool.get_by_label("Input schema")).to_have_attribute("aria-invalid", "true")
        tool.get_by_label("Input schema").fill(SCHEMA)
        tool.get_by_role("button", name="Keep").click()
        write(page, "What is the weather in Paris?")
        run(page)

        said = answer(page, HAIKU)
        expect(said.get_by_text("tool_use", exact=True).first).to_be_visible()
        expect(said.get_by_role("region", name="Call of current_weather")).to_contain_text('"city": "Paris"')
        thinking = said.locator("details.thinking")
        expect(thinking.locator("summary")).to_have_text("Thinking")
        thinking.locator("summary").click()
        expect(thinking.locator(".thought")).not_to_be_empty()
        expect(said.get_by_role("heading", name="What did the tools say?")).to_be_visible()
        said.get_by_role("textbox", name="current_weather").fill("Sunny, 23 degrees")
        said.get_by_role("button", name="Send results").click()
        expect(said).to_contain_text("23 degrees")
        expect(said.get_by_text("end_turn", exact=True)).to_be_visible()

        # The conversation now holds the call with its signed thinking, and its result.
        expect(page.get_by_role("region", name="Message 2")).to_contain_text("thinking")
        expect(page.get_by_role("region", name="Message 3")).to_contain_text("tool_result")
        said.get_by_role("button", name="Go on from here").click()
        write(page, "Reply with exactly: goodbye", 5)
        page.get_by_label("Text of message 5, from the user").press("Control+Enter")
        expect(said).to_contain_text("goodbye")


def test_a_stream_is_stopped_half_way_on_the_server_too(strict: Site) -> None:
    with strict.visit("/workbench") as page:
        write(page, "Write 300 words about the sea.")
        run(page)
        said = answer(page)
        expect(said).to_have_attribute("aria-busy", "true")
        expect(said.locator(".text").first).to_contain_text(" ")
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(said.get_by_text("Stopped", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
        assert len(said.locator(".text").first.inner_text().split()) < 250
        request = said.get_by_role("link", name=re.compile("^req_")).inner_text()
        with page.expect_response(lambda got: f"/requests/{request}" in got.url):
            said.get_by_role("link", name=request).click()
        expect(page.get_by_role("dialog", name="Request")).to_contain_text("client left")


def test_variables_are_asked_for_and_filled_in(site: Site) -> None:
    with site.visit("/workbench") as page:
        page.get_by_label("System prompt").fill("You serve {{place}}.")
        write(page, "Reply with exactly: {{ word }}")
        asked = page.get_by_role("region", name="Variables")
        asked.get_by_label("place").fill("Kyoto")
        asked.get_by_label("word").fill("bonjour $& {{place}}")
        run(page)
        said = answer(page)
        expect(said.locator(".text")).to_contain_text("bonjour $& {{place}}")
        said.get_by_role("button", name="On the wire").click()
        expect(page.get_by_role("dialog")).to_contain_text("You serve Kyoto.")
        # What belongs to no variable is not one; a reload keeps what was typed.
        page.keyboard.press("Escape")
        page.reload()
        expect(asked.get_by_label("word")).to_have_value("bonjour $& {{place}}")
        write(page, "Hello")
        expect(asked.get_by_label("word")).to_be_hidden()


def test_two_models_answer_side_by_side(site: Site) -> None:
    with site.visit("/workbench") as page:
        choose(page, "Compare with", HAIKU)
        write(page, "Reply with exactly: both of us")
        run(page)
        for model in (SONNET, HAIKU):
            expect(answer(page, model)).to_contain_text("both of us")
            expect(answer(page, model).get_by_text("end_turn", exact=True)).to_be_visible()
        assert _cost(page, SONNET) != _cost(page, HAIKU), "two prices, one cost"
        choose(page, "Compare with", "No other model")
        expect(answer(page, HAIKU)).to_have_count(0)


def test_tokens_are_counted_while_typing_and_the_cost_is_the_logs(site: Site) -> None:
    client = anthropic.Anthropic(api_key=site.server.api_key, base_url=site.server.url)
    with site.visit("/workbench") as page:
        for text in ("Hello there", "Hello there, what is the capital of France?"):
            count = client.messages.count_tokens(
                model=SONNET, messages=[{"role": "user", "content": text}]
            ).input_tokens
            write(page, text)
            expect(page.get_by_text(f"{count} input tokens")).to_be_visible()
        run(page)
        said = answer(page)
        expect(figure(said, "Input tokens")).to_have_text(str(count))
        expect(figure(said, "Cost")).to_have_text(re.compile(r"\$0\.\d*[1-9]"))
        shown = figure(said, "Cost").inner_text()
        said.get_by_role("link", name=re.compile("^req_")).click()
        expect(page.get_by_role("dialog", name="Request")).to_contain_text(shown)


def test_what_is_dropped_on_a_message_is_read_and_cited(site: Site) -> None:
    with site.visit("/workbench") as page:
        message = page.get_by_role("region", name="Message 1")
        drop(message, Given("dot.png", "image/png", png(8, 8)), COLOURS)
        expect(message).to_contain_text("colours.txt")
        picture = message.get_by_role("img", name="Image")
        assert picture.evaluate("one => one.decode().then(() => [one.naturalWidth, one.naturalHeight])") == [8, 8]
        message.get_by_label("Citations").check()
        write(page, "What colour is the sky?")
        run(page)
        cited = answer(page).get_by_role("list", name="Citations")
        expect(cited.locator("q")).to_have_text("The sky is blue. ")
        expect(cited).to_contain_text("colours.txt")
        answer(page).get_by_role("button", name="On the wire").click()
        sent = page.get_by_role("dialog").locator("pre")
        expect(sent).to_contain_text('"media_type": "image/png"')
        expect(sent).to_contain_text('"citations"')
        page.get_by_role("tab", name="Events").click()
        expect(sent).to_contain_text("citations_delta")


def test_what_is_written_to_the_cache_and_read_from_it_is_told(site: Site) -> None:
    with site.visit("/workbench") as page:
        page.get_by_label("Prompt caching").check()
        page.get_by_label("System prompt").fill("The rules of the house are long and many. " * 500)
        write(page, "Hello")
        run(page)
        said = answer(page)
        expect(said.get_by_text(re.compile(r"cache: 0 read, [\d,]{5,} written"))).to_be_visible()
        run(page)
        expect(said.get_by_text(re.compile(r"cache: [\d,]{5,} read, 0 written"))).to_be_visible()


@pytest.mark.parametrize("value", ["{", "[1]"])
def test_json_that_is_none_is_told_and_not_sent(site: Site, value: str) -> None:
    with site.visit("/workbench") as page:
        page.get_by_text("More parameters").click()
        page.get_by_label("Further fields").fill(value)
        write(page, "Hello")
        run(page)
        expect(page.get_by_text(re.compile("^Look at extra: "))).to_be_visible()
        expect(answer(page)).to_contain_text("Nothing has run yet")


def test_a_refused_request_says_why_and_which_it_was(site: Site) -> None:
    with site.visit("/workbench") as page:
        page.get_by_label("Max tokens").fill("0")
        page.get_by_text("More parameters").click()
        page.get_by_text("2023-06-01", exact=True).click()
        page.get_by_label("temperature").fill("7")
        write(page, "Hello")
        run(page)
        told = answer(page).get_by_role("alert")
        expect(told).to_contain_text("temperature")
        expect(told).to_contain_text("req_")


def _cost(page: Page, model: str) -> str:
    shown = figure(answer(page, model), "Cost")
    expect(shown).to_have_text(re.compile(r"\$"))
    return shown.inner_text()
