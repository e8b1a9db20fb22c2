"""Summaries: the one that is asked for when a conversation is compacted, and those that it has already."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias, cast

from understudy.engines.materials import NO_MATERIALS
from understudy.engines.simulator.conversation import Conversation, converse
from understudy.engines.simulator.reading import asked_in, read

_Block: TypeAlias = dict[str, Any]

_SAID: Final = "What the user said so far:"
_NEWEST: Final = "Newest request:\n"
_DONE: Final = "Done for it so far:"
_NEWEST_LINE: Final = re.compile(rf"^{_NEWEST}(.+)$", re.MULTILINE)

# Of what was said, how many lines are kept from the beginning and from the end, and characters of each.
_FIRST: Final = 3
_LAST: Final = 12
_SHOWN: Final = 160
_NEWEST_SHOWN: Final = 600
_MOST_CALLS: Final = 5


def without_compacted(request: _Block) -> _Block:
    """The request with the last summary told by the user, in the place of all before it; the very object where there
    is none."""
    messages = cast("list[_Block]", request["messages"])
    for index in range(len(messages) - 1, -1, -1):
        content = messages[index].get("content")
        if content.__class__ is not list:
            continue
        blocks = cast("list[_Block]", content)
        for place in range(len(blocks) - 1, -1, -1):
            if blocks[place]["type"] == "compaction" and blocks[place].get("content"):
                return _told(request, blocks[place]["content"], blocks[place + 1 :], messages[index + 1 :])
    return request


def _told(request: _Block, summary: str, said: list[_Block], later: list[_Block]) -> _Block:
    messages: list[_Block] = [{"role": "user", "content": summary}]
    if any(message["role"] == "user" for message in later):
        return {**request, "messages": [*messages, {"role": "assistant", "content": said}, *later]}
    newest = _NEWEST_LINE.search(summary)
    if newest is not None:
        # What is still to be answered.
        messages += [{"role": "assistant", "content": []}, {"role": "user", "content": newest[1]}]
        if _DONE in summary:
            request = {name: value for name, value in request.items() if name not in {"tools", "tool_choice"}}
    if said:
        messages.append({"role": "assistant", "content": said})
    return {**request, "messages": [*messages, *later]}


def summary_of(request: _Block) -> str:
    """A summary of what stands before the last message, which asks for it. It stays short, however often the
    conversation was summarized before."""
    before = {**request, "messages": request["messages"][:-1]}
    conversation = converse(before, read(before, NO_MATERIALS))
    said = _said_before(conversation)
    answered = not conversation.asked or before["messages"][-1]["role"] == "assistant"
    if answered and conversation.asked:
        said.append(conversation.asked)
    lines = [_short(line, _SHOWN) for line in said]
    lines = lines[:_FIRST] + lines[_FIRST:][-_LAST:]
    parts: list[str] = []
    if lines:
        parts.append("\n".join([_SAID, *lines]))
    if not answered:
        parts.append(_NEWEST + _short(conversation.asked, _NEWEST_SHOWN))
    done = conversation.calls[-_MOST_CALLS:]
    if done and not answered:
        shown = (f"{call.name}: {_short(call.result, _SHOWN) or 'no result yet'}" for call in done)
        parts.append("\n".join([_DONE, *shown]))
    return "<summary>\n" + "\n\n".join(parts) + "\n</summary>"


def _said_before(conversation: Conversation) -> list[str]:
    found: list[str] = []
    for message in cast("list[_Block]", conversation.request["messages"][: conversation.start]):
        if message["role"] != "user":
            continue
        text = asked_in(message["content"])
        newest = _NEWEST_LINE.search(text)
        # An earlier summary, line by line.
        if text.startswith(_SAID) or newest is not None:
            lines = text.partition(_SAID)[2].strip().partition("\n\n")[0].splitlines()
            found += lines + ([newest[1]] if newest is not None else [])
        elif text:
            found.append(text)
    return found


def _short(text: str, most: int) -> str:
    """The beginning and the end of a text, where what is asked stands when much is shown."""
    if len(text) > 8 * most:
        text = text[: 4 * most] + " " + text[-4 * most :]
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half].rsplit(' ', 1)[0]} … {text[-half:].partition(' ')[2]}"
