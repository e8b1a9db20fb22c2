"""Which URLs of a conversation may be fetched."""

from __future__ import annotations

import time
from typing import Any

import pytest

from understudy.tools.web_fetch.urls import UrlsOfConversation, urls_in


def known(*messages: dict[str, Any], **sources: Any) -> UrlsOfConversation:
    return UrlsOfConversation(messages, sources or None)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("Read https://example.org/a?b=c&d=%20e, please.", "https://example.org/a?b=c&d=%20e"),
        ("(see <https://Example.org/A>)", "https://example.org/A"),
        ("[here](https://example.org/a_(b))", "https://example.org/a_"),
        ("example.org", "https://example.org/"),
        ("Look at example.org/x.", "https://example.org/x"),
        ("http://example.org/x", "https://example.org/x#part"),
        ("url=https://example.org/x", "https://example.org/x"),
        ("https://example.org/x.", "https://example.org/x."),
        ('{"url": "https://example.org/x"}', "https://example.org/x"),
        ("https://example.org/\u6771\u4eac\u3002", "https://example.org/\u6771\u4eac"),
    ],
)
def test_a_url_that_the_user_wrote_is_known(text: str, url: str) -> None:
    assert url in known(user(text))
    assert url in known(user([{"type": "text", "text": text}]))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/other",
        "https://example.org/x?secret=1",
        "https://example.org/x/",
        "https://www.example.org/x",
        "https://example.org@evil.org/x",
        "https://evil.org/https://example.org/x",
        "ftp://example.org/x",
        "file:///example.org/x",
        "nonsense",
        "",
        "https://[::1",
    ],
)
def test_a_url_that_was_put_together_is_not(url: str) -> None:
    assert url not in known(user("https://example.org/x and words"))


SEARCH = {
    "role": "assistant",
    "content": [
        {"type": "text", "text": "I made up https://made.up/x"},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "https://query.org/"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s1",
            "content": [
                {"type": "web_search_result", "url": "https://found.org/", "title": "t", "encrypted_content": "E"}
            ],
        },
        {"type": "server_tool_use", "id": "s2", "name": "bash_code_execution", "input": {}},
        {
            "type": "bash_code_execution_tool_result",
            "tool_use_id": "s2",
            "content": {"type": "bash_code_execution_result", "stdout": "https://printed.org/"},
        },
        {"type": "tool_use", "id": "t1", "name": "lookup", "input": {"url": "https://asked.org/"}},
    ],
}
RESULT = user([{"type": "tool_result", "tool_use_id": "t1", "content": "It is at https://looked.up/it"}])


def test_results_of_tools_are_sources_and_what_the_model_wrote_is_none() -> None:
    found = known(SEARCH, RESULT)
    assert "https://found.org/" in found
    assert "https://looked.up/it" in found
    for url in ("https://made.up/x", "https://query.org/", "https://printed.org/", "https://asked.org/"):
        assert url not in found


def test_sources_can_be_left_out() -> None:
    all_of_it = (user("https://user.org/"), SEARCH, RESULT)
    none = {"type": "none"}
    assert "https://user.org/" not in known(*all_of_it, user_input=none)
    assert "https://found.org/" not in known(*all_of_it, server_tool_results=none)
    assert "https://looked.up/it" not in known(*all_of_it, client_tool_results=none)
    only = {"type": "only", "tools": [{"type": "tool_reference", "name": "other"}]}
    assert "https://looked.up/it" not in known(*all_of_it, client_tool_results=only)
    only["tools"].append({"type": "tool_reference", "name": "lookup"})  # pyright: ignore
    assert "https://looked.up/it" in known(*all_of_it, client_tool_results=only)
    exception = {"type": "except", "tools": [{"type": "tool_reference", "name": "web_search"}]}
    assert "https://found.org/" not in known(*all_of_it, server_tool_results=exception)
    assert "https://found.org/" in known(*all_of_it, client_tool_results=exception)


def test_long_texts_take_time_in_proportion() -> None:
    began = time.perf_counter()
    for text in ("a." * 500_000, "http://" * 100_000, "x" * 1_000_000, "(.[" * 300_000):
        assert list(urls_in(text)) == []
    assert time.perf_counter() - began < 3


def test_what_was_read_is_not_read_again() -> None:
    """A request of megabytes, from whose pages code may fetch a hundred more."""
    long = {"role": "user", "content": [{"type": "text", "text": "https://a.example/x " * 100_000}]}
    urls = UrlsOfConversation([long], None)
    began = time.process_time()
    for number in range(200):
        urls.add([long, {"role": "user", "content": f"https://b.example/{number}"}])
    assert time.process_time() - began < 1
    assert "https://a.example/x" in urls
    assert "https://b.example/199" in urls
