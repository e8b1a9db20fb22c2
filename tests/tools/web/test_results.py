"""What web searches found, as the client sends it back."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.tools.web.results import opened, web_results
from understudy.tools.web.sealed import CONTENT, INDEX, Sealed
from understudy.wire.errors import InvalidRequestError

SEALED = Sealed([("key", b"k" * 32)])


def request(content: str | None = None, index: str | None = None) -> dict[str, Any]:
    result = {
        "type": "web_search_result",
        "title": "One",
        "url": "https://a.org/1",
        "encrypted_content": content or SEALED.seal(CONTENT, "org", "What one says."),
        "page_age": None,
    }
    citation = {
        "type": "web_search_result_location",
        "cited_text": "What",
        "url": "https://a.org/1",
        "title": "One",
        "encrypted_index": index or SEALED.seal(INDEX, "org", "x 0 4"),
    }
    said = [
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [result]},
        {"type": "text", "text": "What", "citations": [citation]},
    ]
    return {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": said}]}


def test_results_are_read_and_what_the_client_sent_stays() -> None:
    sent = request()
    read = opened(sent, SEALED, "org")
    (result,) = read["messages"][1]["content"][0]["content"]
    assert result == {
        "type": "web_search_result",
        "title": "One",
        "url": "https://a.org/1",
        "page_age": None,
        "text": "What one says.",
    }
    assert sent == request()
    (found,) = web_results(read, SEALED, "org")
    assert (found.url, found.title, found.text) == ("https://a.org/1", "One", "What one says.")
    assert SEALED.open(INDEX, "org", found.place(0, 4)) is not None
    assert web_results(sent, SEALED, "org") == ()


@pytest.mark.parametrize(
    "forged",
    [
        SEALED.seal(CONTENT, "another", "What one says."),
        SEALED.seal(INDEX, "org", "What one says."),
        Sealed([("key", b"z" * 32)]).seal(CONTENT, "org", "What one says."),
        SEALED.seal(CONTENT, "org", "What one says.")[:-8] + "AAAAAAA=",
        "EqgBnothing",
        "",
        "x" * 1_000_000,
    ],
)
def test_44_forged_encrypted_content_is_refused(forged: str) -> None:
    sent = request()
    sent["messages"][1]["content"][0]["content"][0]["encrypted_content"] = forged
    with pytest.raises(InvalidRequestError, match=r"^messages\.1\.content\.0\.content\.0\.encrypted_content: Invalid"):
        opened(sent, SEALED, "org")


@pytest.mark.parametrize(
    "forged", [SEALED.seal(INDEX, "another", "x 0 4"), SEALED.seal(CONTENT, "org", "x 0 4"), "nonsense"]
)
def test_44_a_forged_encrypted_index_is_refused(forged: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^messages\.1\.content\.1\.citations\.0\.encrypted_index: Invalid"):
        opened(request(index=forged), SEALED, "org")


def test_errors_and_plain_texts_stay_as_they_are() -> None:
    error = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    said = [{"type": "web_search_tool_result", "tool_use_id": "s", "content": error}, {"type": "text", "text": "Oh"}]
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": said}]
    assert opened({"messages": messages}, SEALED, "org") == {"messages": messages}
