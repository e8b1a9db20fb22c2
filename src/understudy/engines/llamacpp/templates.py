"""What is to be known of a model's chat template, learned from the template itself: it is rendered, and looked at.

How a model writes a call is what its template makes of a call in the conversation's history. So no list of models is
kept: `learn` renders a conversation with one call, and one with two, and cuts the names and inputs out of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from .connection import Connection
from .failures import LlamaError
from .properties import read_properties

_TIMEOUT: Final = 30.0
_NAMES: Final = ("probe_first", "probe_second")
# Some templates want nine letters and digits.
_IDS: Final = ("call00001", "call00002")
_RESULT: Final = "probe_result"
_INPUT: Final = re.compile(r'\{\s*"probe_key"\s*:\s*"probe_value"\s*\}')
_TAG: Final = re.compile(r"\s*(<[^<>\s]+>|\[[A-Z_]+\])")
# Tags between which models think, of those that are written down in templates.
_THOUGHTS: Final = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<thinking>", "</thinking>"),
    ("<mm:think>", "</mm:think>"),
    ("<ifm|think>", "</ifm|think>"),
)


@dataclass(frozen=True, slots=True)
class Tags:
    """`open` and `close` stand around the thinking. `used`: the template speaks of them."""

    open: str
    close: str
    used: bool


@dataclass(frozen=True, slots=True)
class Calls:
    """How calls are written: `trigger` + `lead` + name + `middle` + input + `close`, and before a further one
    `again` + `again_lead`. `again` is empty where there can be but one. `json`: the input is written as JSON; where it
    is not, calls that the model begins by itself are read as they come, and the rest says how we begin one.
    """

    trigger: str
    lead: str
    middle: str
    close: str
    again: str
    again_lead: str
    end: str
    json: bool

    @property
    def tagged(self) -> bool:
        """Whether the trigger is nothing that stands in an ordinary text."""
        return self.trigger[0] in "<["


@dataclass(frozen=True, slots=True)
class Template:
    """`n_ctx`: tokens of a slot. `harmony`: gpt-oss's channels, which have no `calls`. `plain_tools`: the
    template has no tools, and they are told as text. `marker` stands for an image in a rendered prompt."""

    n_ctx: int
    slots: int
    vision: bool
    marker: str
    tags: Tags
    calls: Calls | None
    harmony: bool
    plain_tools: bool = False

    @property
    def preserved(self) -> list[str]:
        """Special tokens that must come out as text."""
        found = [self.tags.open, self.tags.close]
        if self.harmony:
            found += ["<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>"]
        if self.calls is not None:
            calls = self.calls
            found += [calls.trigger, calls.end]
            for text in (calls.lead, calls.middle, calls.close, calls.again, calls.again_lead):
                found += re.findall(r"<[^<>\s]+>|\[[A-Z_]+\]", text)
        return sorted({text for text in found if text})


async def learn(connection: Connection) -> Template:
    """Raises what a request raises."""
    said = await read_properties(connection)
    props = await connection.get("/props")
    text = said.chat_template
    tags = next((Tags(*pair, True) for pair in _THOUGHTS if pair[1] in text), Tags(*_THOUGHTS[0], False))
    harmony = "<|channel|>" in text and "<|message|>" in text
    calls = None if harmony else await _learn_calls(connection, tags)
    return Template(
        said.n_ctx, said.total_slots, said.vision, str(props.get("media_marker") or ""), tags, calls, harmony
    )


async def _learn_calls(connection: Connection, tags: Tags) -> Calls | None:
    try:
        bare = await _render(connection, 0)
        one = await _render(connection, 1)
        # What the template says of tools may show how to call them.
        plain = await _render(connection, 0, tools=False)
    except LlamaError:
        return None
    begun = _without_torn_tag(_common(bare, one))
    name = one.find(_NAMES[0], len(begun))
    if name < 0:
        return None
    lead = _without_head(one[len(begun) : name], bare)
    if tags.close in lead:
        # Where it renders empty thoughts before a call.
        lead = lead[lead.rindex(tags.close) + len(tags.close) :]
    trigger, lead = _cut_trigger(lead, plain)
    if not trigger:
        return None
    rest = one[name + len(_NAMES[0]) :]
    found = _INPUT.search(rest)
    if found is None:
        end = closing(trigger)
        end = end if end in rest else ""
        return Calls(trigger, '\n{"name": "', '", "arguments": ', "}\n" + end, trigger, "", end, json=False)
    middle, after = rest[: found.start()], rest[found.end() :]
    close, again = await _learn_again(connection, after)
    again, again_lead = _cut_trigger(again, plain)
    return Calls(trigger, lead, middle, close, again, again_lead, "", json=True)


async def _learn_again(connection: Connection, after: str) -> tuple[str, str]:
    """What ends a call, and what stands between it and the next."""
    try:
        two = await _render(connection, 2)
    except LlamaError:
        return "", ""
    first = _INPUT.search(two)
    second = -1 if first is None else two.find(_NAMES[1], first.end())
    if first is None or second < 0:
        return "", ""
    between = two[first.end() : second]
    close = _without_torn_tag(_common(after, between))
    return close, between[len(close) :]


async def _render(connection: Connection, calls: int, *, tools: bool = True) -> str:
    """A rendered conversation in which so many tools are called, with their results behind; with none, one that waits
    for its answer. A call may not stand last: llama.cpp would take it for the beginning of the answer."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "probe"}]
    if calls:
        made = [
            {
                "id": id_,
                "type": "function",
                "function": {"name": name, "arguments": '{"probe_key": "probe_value"}'},
            }
            for id_, name in list(zip(_IDS, _NAMES, strict=True))[:calls]
        ]
        messages.append({"role": "assistant", "content": "", "tool_calls": made})
        messages += [{"role": "tool", "tool_call_id": id_, "content": _RESULT} for id_ in _IDS[:calls]]
    # The names are not among the tools, so that they stand in the calls only.
    schema = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    tool = {"type": "function", "function": {"name": "other", "description": "Nothing.", "parameters": schema}}
    body = {
        "messages": messages,
        "tools": [tool] if tools else [],
        "add_generation_prompt": not calls,
        "chat_template_kwargs": {"enable_thinking": False, "thinking": False},
    }
    return str((await connection.post("/apply-template", body, _TIMEOUT))["prompt"])


def _common(one: str, other: str) -> str:
    """What both begin with."""
    length = min(len(one), len(other))
    return one[: next((place for place in range(length) if one[place] != other[place]), length)]


def _without_head(text: str, bare: str) -> str:
    """`text` without what begins any answer: the end of a prompt that waits for one."""
    length = next((length for length in range(len(text), 0, -1) if bare.endswith(text[:length])), 0)
    return text[length:]


def _cut_trigger(text: str, plain: str) -> tuple[str, str]:
    """The tag with which a call begins, or all of `text`; and what follows. Tags of a conversation without
    tools (`plain`) say whose turn it is."""
    found = _TAG.match(text)
    if found is not None and (found[1] in plain or found[1].startswith("</")):
        tags = [tag for tag in _TAG.finditer(text) if tag[1] not in plain and not tag[1].startswith("</")]
        found = tags[0] if tags else None
    if found is None:
        return text.strip(), ""
    return found[1], text[found.end() :]


def _without_torn_tag(text: str) -> str:
    """`text` up to where a tag begins that does not end in it."""
    for opening, end in ("<>", "[]"):
        place = text.rfind(opening)
        if place > text.rfind(end):
            text = text[:place]
    return text


def closing(tag: str) -> str:
    """The tag that ends what `tag` begins; empty where there is no such tag."""
    if not (tag.startswith("<") and tag.endswith(">")):
        return ""
    if tag.startswith("<|"):
        return "" if tag.endswith("|>") else f"<{tag[2:-1]}|>"
    return f"</{tag[1:]}"
