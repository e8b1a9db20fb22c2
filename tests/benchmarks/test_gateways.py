"""The gateways' benchmark: its own two servers say what they should, and its page hides nobody who is missing."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Generator
from pathlib import Path

import pytest

from benchmarks.gateways.measuring import DIRECT, SHAPES, GatewayRun, Measured
from benchmarks.gateways.parties import CANDIDATES, Party, start_upstream
from benchmarks.gateways.report import section
from benchmarks.gateways.requests import chat_body, claude_body
from benchmarks.load import LoadResult
from benchmarks.report import page_with
from benchmarks.rounds import Round, Shape, run_load
from benchmarks.servers import Server, stop


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    server = start_upstream(tmp_path_factory.mktemp("upstream"))
    yield server
    stop(server)


@pytest.fixture(scope="module")
def proxy(upstream: Server, tmp_path_factory: pytest.TempPathFactory) -> Generator[Party]:
    party = CANDIDATES[0].start(tmp_path_factory.mktemp("proxy"), upstream.port)
    yield party
    stop(party.server)


def ask(server: Server, path: str, body: str) -> bytes:
    url = f"http://{server.host}:{server.port}{path}"
    with urllib.request.urlopen(
        urllib.request.Request(url, body.encode(), {"content-type": "application/json"})
    ) as got:
        return got.read()


@pytest.mark.parametrize(("path", "make"), [("/v1/messages", claude_body), ("/v1/chat/completions", chat_body)])
@pytest.mark.parametrize("agent", [False, True])
def test_the_byte_proxy_changes_no_byte(upstream: Server, proxy: Party, path: str, make: type, agent: bool) -> None:
    for stream in (False, True):
        body = make(stream=stream, agent=agent)
        assert (len(body) > 100_000) is agent
        straight = ask(upstream, path, body)
        assert ask(proxy.server, path, body) == straight
        if stream:
            assert straight.count(b" lorem") == 100
        else:
            usage = json.loads(straight)["usage"]
            assert usage.get("output_tokens", usage.get("completion_tokens")) == 50


def test_the_load_counts_what_the_upstream_sends(proxy: Party) -> None:
    streams = run_load(proxy.load(Shape("streams", connections=2, requests=6, words=100)))
    assert (streams.requests, streams.deltas, streams.events) == (6, 600, 636)
    assert 0 < streams.first_p50 <= streams.p50


def test_who_is_missing_is_named_and_no_goal_is_met_without_a_figure() -> None:
    measured = [Measured(DIRECT, "Claude"), *(Measured(one.name, one.target) for one in CANDIDATES)]
    run = GatewayRun(1, measured)
    for party in measured:
        load = LoadResult(requests=10, events=100, p50=0.2, first_p50=0.3)
        for shape in SHAPES:
            party.rounds[shape] = [Round(party.name, load, 0.001, 0.0)]
        party.memory = 100e6
    run.of("LiteLLM", "Claude").absent = "it cannot\nbe installed"
    run.of("LiteLLM", "Claude").rounds.clear()
    run.of("Portkey", "OpenAI").failed["stream"] = "status 500"
    page = section(run)
    assert "* ABSENT: LiteLLM, Claude target: it cannot be installed" in page
    assert "* FAILED: Portkey, OpenAI target, stream, 16 connections: status 500" in page
    assert "| LiteLLM | Claude | ABSENT |" in page
    assert "| small request: CPU, Claude target | of LiteLLM's |  | ≤ 0.02 | no figure |" in page
    assert "| small request: CPU, Claude target | × the byte proxy's | 1 | ≤ 4 | met |" in page
    assert "| small request: CPU, OpenAI target | of LiteLLM's | 1 | ≤ 0.02 | MISSED |" in page


def test_a_part_that_is_written_leaves_the_others_as_they_are() -> None:
    page = page_with(page_with("", "one", "## One\n\nfirst\n"), "two", "## Two\n\nsecond\n")
    again = page_with(page, "one", "## One\n\nanother\n")
    assert "first" in page and "first" not in again and "another" in again
    assert again[again.index("<!-- two -->") :] == page[page.index("<!-- two -->") :]
    assert again.startswith("# Results\n") and again.endswith("<!-- end of two -->\n")


def test_what_is_pinned_names_no_registry() -> None:
    pins = Path(__file__).parents[2] / "benchmarks" / "gateways" / "pins"
    files = [pins / "litellm" / "requirements.txt", *pins.glob("*/package*.json")]
    assert len(files) == 5
    assert not [file for file in files if "://" in file.read_text(encoding="utf-8")]
