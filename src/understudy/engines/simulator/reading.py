"""What the simulator reads of a request: the text asked now, and what was said or shown before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from understudy.engines.materials import Image, Materials

if TYPE_CHECKING:
    from understudy.engines.simulator.history import History

WORD = re.compile(r"[^\W_][\w'’-]*")
# Clients wrap their own notes to the model in such tags; they are not what the person asked.
_OPENING = re.compile(r"<(system-reminder|environment_details|token_budget|ide_[a-z_]{1,40}|command-[a-z]{1,40})>")
# What Claude Code says behind the result of its tool search.
_NOTES = frozenset({"Tool loaded."})
# Results that have a shape of their own, and what in them is not said to anybody.
_OTHER_RESULTS = frozenset(
    {
        "advisor_tool_result",
        "bash_code_execution_tool_result",
        "browser_state",
        "code_execution_tool_result",
        "mcp_tool_result",
        "text_editor_code_execution_tool_result",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
_NO_WORDS = frozenset(
    {
        "cache_control",
        "caller",
        "citations",
        "encrypted_content",
        "encrypted_stdout",
        "error_code",
        "file_id",
        "id",
        "media_type",
        "retrieved_at",
        "tool_use_id",
        "type",
    }
)
# Tags that are opened and never closed, after which a text is taken as it is: each costs a look at all of it.
_MOST_UNCLOSED = 8


@dataclass(slots=True, frozen=True)
class Reading:
    """`asked` is the text of the last user turn, `tool_results` the texts of the tool results it brings.

    That turn is `messages[first:last]` of the request. `shown` are the texts of the documents and search results in the
    request, `images` its images, `cites` whether any of them may be cited, `history` what is known of
    the messages.
    """

    asked: str
    tool_results: list[str]
    request: dict[str, Any]
    first: int
    last: int
    shown: list[str]
    images: tuple[Image, ...]
    cites: bool
    history: History | None = None

    def background(self) -> list[str]:
        """What is shown beside what is asked, then what stands before it, newest first, then the system prompt."""
        system = self.request.get("system")
        if self.history is not None:
            return [*self.shown, *self.history.background(self.first, self.last, system)]
        messages = cast("list[dict[str, Any]]", self.request["messages"])
        texts = list(self.shown)
        for message in messages[self.last :]:
            texts += texts_of(message.get("content"))
        for message in reversed(messages[: self.first]):
            texts += texts_of(message.get("content"))
        texts += texts_of(system)
        return texts

    def may_be_said_before(self, wanted: set[str], least: float, longest: int) -> bool:
        """Whether so many of the words may stand as such in what is shown or was said before, as far as is known;
        nothing is of more than `longest` characters."""
        history = self.history
        if history is None or self.shown or self.last < len(history.notes):
            return True
        return history.may_say(wanted, least, self.first, self.request.get("system"), longest)


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [] if isinstance(content, str) or content is None else cast("list[dict[str, Any]]", content)


def texts_of(content: Any) -> list[str]:
    """The texts of a message's content and of the tool results in it, in order. Documents are not among them."""
    if isinstance(content, str):
        return [content]
    found: list[str] = []
    for block in cast("list[dict[str, Any]]", content or []):
        kind = block.get("type")
        if kind == "text":
            found.append(block["text"])
        elif kind == "tool_result":
            found += [text for text in map(_without_notes, texts_of(block.get("content"))) if text]
        elif kind in _OTHER_RESULTS:
            _leaves(block, found)
    return found


def _leaves(value: Any, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _leaves(item, found)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            if name not in _NO_WORDS:
                _leaves(item, found)


def _without_notes(text: str) -> str:
    """`text` without the notes in it. The work is linear in its length."""
    if "</" not in text:
        return text.strip()
    kept: list[str] = []
    unclosed: set[str] = set()
    place = 0
    for opening in _OPENING.finditer(text):
        closing = f"</{opening[1]}>"
        if opening.start() < place or closing in unclosed:
            continue
        end = text.find(closing, opening.end())
        if end >= 0:
            kept.append(text[place : opening.start()])
            place = end + len(closing)
        else:
            unclosed.add(closing)
            if len(unclosed) == _MOST_UNCLOSED:
                break
    kept.append(text[place:])
    return "".join(kept).strip()


def asked_in(content: Any) -> str:
    """What a user message says, without clients' notes."""
    if isinstance(content, str):
        return _without_notes(content)
    texts = [
        "" if block["text"] in _NOTES else _without_notes(block["text"])
        for block in cast("list[dict[str, Any]]", content)
        if block.get("type") == "text"
    ]
    return "\n".join(text for text in texts if text)


def words_said(text: str) -> list[str]:
    """The words of a text, in small letters, and a sigma that is written large."""
    return WORD.findall(text.lower()) + (["Σ"] if "Σ" in text else [])


def read(request: dict[str, Any], materials: Materials, history: History | None = None) -> Reading:
    messages = cast("list[dict[str, Any]]", request["messages"])
    last = len(messages)
    while last > 0 and messages[last - 1]["role"] != "user":
        last -= 1
    first = last
    # Neighbours of one role are one turn.
    while first > 0 and messages[first - 1]["role"] == "user":
        first -= 1
    shown: list[str] = []
    cites = False
    if materials.documents or materials.search_results:
        for document in materials.documents:
            shown += document.parts
            if document.context:
                shown.append(document.context)
            cites = cites or document.citations
        for result in materials.search_results:
            shown += result.parts
            cites = cites or result.citations
    if last - first == 1 and isinstance(messages[first]["content"], str):
        text = _without_notes(messages[first]["content"])
        return Reading(text, [], request, first, last, shown, materials.images, cites, history)
    asked: list[str] = []
    results: list[str] = []
    for message in messages[first:last]:
        asked.append(asked_in(message["content"]))
        for block in _blocks(message["content"]):
            if block.get("type") == "tool_result":
                results += texts_of([block])
    text = "\n".join(text for text in asked if text)
    return Reading(text, results, request, first, last, shown, materials.images, cites, history)
