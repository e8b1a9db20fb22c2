"""Programs that call the tools which only code may call, and the answer from what they have printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from understudy.engines.engine import EngineTurn
from understudy.engines.simulator.answers import told_by_tools
from understudy.engines.simulator.calling import calls_for
from understudy.engines.simulator.conversation import Conversation
from understudy.engines.simulator.parts import Call, Part, Text
from understudy.engines.simulator.programs.done import done_since
from understudy.engines.simulator.programs.enumerations import inputs_for_all
from understudy.engines.simulator.seeded import Seeded
from understudy.engines.simulator.web import query_of, web_parts
from understudy.wire.callers import called_by_code, called_directly, python_names
from understudy.wire.server_tools import SERVER

_PYTHON: Final = "code_execution"
_WEB: Final = frozenset({"web_search", "web_fetch"})

_ONE: Final = """\
print(await {function}({value!r}))
"""
_MANY: Final = """\
import asyncio

inputs = [
{inputs}]
results = await asyncio.gather(*({function}(one) for one in inputs))
for one, result in zip(inputs, results):
    print({label}, result)
"""
_SEARCH: Final = """\
import json, re

found = json.loads(await web_search({value!r}))
if isinstance(found, dict):
    print("The search did not work:", found["error_code"])
    found = []
words = {words!r}
for page in found:
    sentences = re.split(r"(?<=[.!?])\\s+", page["content"])
    told = [one for one in sentences if any(word in one.lower() for word in words)][:3]
    if told:
        print(f"{{page['title']}} ({{page['url']}}):", " ".join(told))
"""
_FETCH: Final = """\
import json

page = json.loads(await web_fetch({value!r}))
if "error_code" in page:
    print("Fetching the page did not work:", page["error_code"])
elif page["content"]["source"]["type"] == "text":
    print(f"{{page['content']['title']}} says:", page["content"]["source"]["data"][:1200])
else:
    print(f"{{page['content']['title']}} is a PDF.")
"""
_WORDS: Final = re.compile(r"\w{4,}")


def calling_parts(
    turn: EngineTurn, conversation: Conversation, seeded: Callable[[], Seeded], choice: dict[str, Any]
) -> list[Part]:
    """The program to be run, or the answer once it was; nothing where no tool fits that only code may call."""
    request = turn.request
    tools = cast("list[dict[str, Any]]", request.get("tools") or [])
    offered = [tool for tool in tools if called_by_code(tool) and not called_directly(tool)]
    if not offered or choice["type"] not in {"auto", "any"}:
        return []
    done = [one for one in done_since(request["messages"], conversation.start) if one.name == _PYTHON]
    if done:
        last = done[-1]
        return [Text(f"That did not work: {last.said}" if last.failed else told_by_tools([last.said], [], ()))]
    names = {tool["name"] for tool in offered}
    plain = [
        {name: value for name, value in tool.items() if name != "allowed_callers"}
        for tool in offered
        if tool["name"] not in _WEB
    ]
    calls: Sequence[Part] = ()
    if plain:
        asked = {name: value for name, value in request.items() if name != "tool_choice"}
        calls = calls_for({**asked, "tools": plain}, conversation, seeded, turn.tenant)
    if not calls and names & _WEB:
        calls = web_parts(turn, conversation, names & _WEB, {"type": "auto"})
    made = [call for call in calls if isinstance(call, Call)]
    if not made:
        return []
    callable_names = [tool["name"] for tool in tools if called_by_code(tool)]
    functions = dict(zip(callable_names, python_names(callable_names), strict=True))
    return [Call(_PYTHON, {"code": _program(made, functions, conversation.asked)}, SERVER)]


def _program(calls: Sequence[Call], functions: Mapping[str, str], asked: str) -> str:
    """`functions`: what the tools are called in Python, by their names."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        by_name.setdefault(call.name, []).append(call.input)
    parts: list[str] = []
    for name, inputs in by_name.items():
        if len(inputs) == 1 and name not in _WEB:
            inputs = inputs_for_all(inputs[0], asked)
        if name in _WEB:
            parts += [_of_web(name, value) for value in inputs]
        elif len(inputs) == 1:
            parts.append(_ONE.format(function=functions[name], value=inputs[0]))
        else:
            lines = "".join(f"    {value!r},\n" for value in inputs)
            parts.append(_MANY.format(function=functions[name], inputs=lines, label=_label(inputs)))
    return "\n".join(parts)


def _of_web(name: str, value: dict[str, Any]) -> str:
    if name == "web_fetch":
        return _FETCH.format(value=value)
    words = sorted({word.lower() for word in _WORDS.findall(query_of(value["query"]))}) or [value["query"].lower()]
    return _SEARCH.format(value=value, words=words)


def _label(inputs: Sequence[dict[str, Any]]) -> str:
    """What tells the inputs apart, as Python."""
    differing = [name for name in inputs[0] if len({repr(value.get(name)) for value in inputs}) == len(inputs)]
    return f'f"{{one.get({differing[0]!r})}}:"' if differing else '"-"'
