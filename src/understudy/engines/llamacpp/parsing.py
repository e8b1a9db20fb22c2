"""Our own reading of calls that a model wrote in its own way, and of where its thinking begins.

A call that cannot be read is no error: it is text, as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

import orjson

from .templates import Tags

Kind: TypeAlias = Literal["text", "thinking"]
Call: TypeAlias = tuple[str, dict[str, Any]]
"""The name of a function, and its input."""


class _Elements(NamedTuple):
    """What stands between two tags, the first of which names it. No pattern can run over what it does not match, for a
    model writes what its user wants, and as much of it."""

    opening: re.Pattern[str]
    closing: re.Pattern[str]

    def among(self, text: str) -> Iterator[tuple[str, str]]:
        """Names and contents. Where one has no end, what follows has none either."""
        place = 0
        while (opening := self.opening.search(text, place)) and (end := self.closing.search(text, opening.end())):
            yield opening[1].strip(), text[opening.end() : end.start()]
            place = max(end.end(), opening.end())


def _elements(opening: str, closing: str) -> _Elements:
    return _Elements(re.compile(opening), re.compile(closing))


# The name and the parameters of a call, and what is around them, as far as it differs from model to model.
_FUNCTIONS: Final = (
    # Qwen3-Coder, Nemotron 3, StepFun.
    (
        _elements(r"<function=([^<>\s]+)>", r"</function>|\Z"),
        _elements(r"<parameter=([^<>\s]+)>", r"</parameter>|(?=<parameter=)|\Z"),
    ),
    # MiniMax, and DeepSeek since V3.2 with a mark before each tag.
    (
        _elements(r'<[^<>\s"]*invoke name="([^"<>]+)">', r'</[^<>\s"]*invoke>'),
        _elements(r'<[^<>\s"]*parameter name="([^"<>]+)"[^<>]*>', r'</[^<>\s"]*parameter>'),
    ),
    # GLM.
    (
        _elements(r"\A\s*([^\s<>{}]+)\s*(?=<arg_key>|\Z)", r"\Z"),
        _elements(r"<arg_key>([^<>]*)</arg_key>\s*<arg_value>", r"</arg_value>"),
    ),
)


def read_calls(body: str, schemas: Mapping[str, Mapping[str, Any]]) -> list[Call]:
    """The calls between a trigger and its end. `schemas`: of the functions that there are, by name; a call of another
    is none. Empty where it cannot be read."""
    for value in (_json(body), _json(f"[{body}]"), _gemma(body)):
        found = _from_json(value, schemas)
        if found:
            return found
    for function, parameter in _FUNCTIONS:
        found = [
            (name, _parameters(inner, parameter, schemas[name]))
            for name, inner in function.among(body)
            if name in schemas
        ]
        if found:
            return found
    return []


def _gemma(body: str) -> Any:
    """A call of Gemma 4: `call:name{key:<|"|>text<|"|>,other:1}`."""
    match = re.fullmatch(r"\s*call:([^\s{]+)\s*(\{.*\})\s*", body, re.DOTALL)
    if match is None:
        return None
    parts = match[2].split('<|"|>')
    for place, part in enumerate(parts):
        text = place % 2 == 1
        parts[place] = orjson.dumps(part).decode() if text else re.sub(r"([{,]\s*)([A-Za-z_]\w*)\s*:", r'\1"\2":', part)
    return {"name": match[1], "arguments": _json("".join(parts))}


def _from_json(value: Any, schemas: Mapping[str, Mapping[str, Any]]) -> list[Call]:
    """One call or a list of them, under the names that models give their parts."""
    found: list[Call] = []
    for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            return []
        call = cast("dict[str, Any]", item)
        inner = call.get("function")
        if isinstance(inner, dict):
            call = cast("dict[str, Any]", inner)
        name = call.get("name")
        given = call.get("arguments", call.get("parameters", {}))
        if isinstance(given, str):
            given = _json(given)
        if not isinstance(name, str) or name not in schemas or not isinstance(given, dict):
            return []
        found.append((name, cast("dict[str, Any]", given)))
    return found


def _parameters(body: str, parameter: _Elements, schema: Mapping[str, Any]) -> dict[str, Any]:
    declared = cast("Mapping[str, Any]", schema.get("properties") or {})
    return {
        name: _value(value.removeprefix("\n").removesuffix("\n"), declared.get(name))
        for name, value in parameter.among(body)
    }


def _value(text: str, schema: Any) -> Any:
    """Tags hold texts as they are, and all else as JSON; the schema says which it is."""
    kinds: Any = cast("dict[str, Any]", schema).get("type") if isinstance(schema, dict) else None
    if kinds == "string" or (isinstance(kinds, list) and "string" in kinds):
        return text
    value = _json(text)
    if value is None and text.strip() != "null":
        return {"True": True, "False": False, "None": None}.get(text.strip(), text)
    return value


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


class Thoughts:
    """Tells thinking from text. llama.cpp stops at the closing tag, so only the opening one is looked for, and only at
    the beginning: later ones are text that speaks of them. White space around the thinking belongs to nothing.

    `state`: "start" until it is known which comes first.
    """

    __slots__ = ("_blank", "_held", "_open", "state")

    def __init__(self, tags: Tags, state: Literal["start", "thinking", "text"]) -> None:
        self._open = tags.open.rstrip()
        self.state: Literal["start", "thinking", "text"] = state
        self._held: str = ""
        # Whether nothing but white space came since the state began.
        self._blank = state != "text"

    def feed(self, text: str) -> tuple[Kind, str]:
        """What may go out now, and what it is."""
        if self.state == "text" and not self._blank:
            return "text", text
        text = self._held + text
        self._held = ""
        if self.state == "start":
            beginning = text.lstrip()
            if beginning.startswith(self._open):
                self.state = "thinking"
                text = beginning[len(self._open) :]
            elif self._open.startswith(beginning):
                self._held = text
                return "text", ""
            else:
                self.state = "text"
                self._blank = False
                return "text", text
        if self._blank:
            text = text.lstrip()
            self._blank = not text
        if self.state == "text":
            return "text", text
        kept = text.rstrip()
        self._held = text[len(kept) :]
        return "thinking", kept

    def close(self) -> None:
        """The thinking has ended."""
        self.state = "text"
        self._held = ""
        self._blank = True

    def rest(self) -> tuple[Kind, str]:
        """What was held back, when nothing follows it."""
        held, self._held = self._held, ""
        return ("text", held) if self.state == "start" else ("thinking", "")
