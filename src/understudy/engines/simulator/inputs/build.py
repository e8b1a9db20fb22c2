"""The input of one call, and the data of one structured output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import ClientTool

from . import words
from .fill import Filler
from .instances import instance
from .making import MISSING
from .merging import Schema
from .validation import checker
from .values import read_text


def build_input(tool: ClientTool, ask: str, context: Sequence[str], seeded: Callable[[], Seeded]) -> dict[str, Any]:
    """The input of a call of `tool`, valid for its schema wherever bounded work finds a valid one.

    `ask` is the clause that asks for this call. `context` are the other texts, the nearest first: the whole of the
    person's text, tool results, earlier turns. Required properties are always there; of the optional ones those that
    the words give a clear value.
    """
    judge = checker(tool.input_schema)
    filler = Filler(judge, ask, context, tool.name, tool.description or "")
    given = filler.fill(tool.input_schema, filler.ask)
    for example in tool.input_examples:
        if isinstance(example, dict):
            for name in judge.keep("required", lambda: sorted(filler.reader.required(tool.input_schema))):
                if name in example and name not in given:
                    given[name] = cast("Schema", example)[name]
    made = instance(judge, given, seeded, _phrases(filler, given))
    return cast("dict[str, Any]", made) if isinstance(made, dict) else {}


def build_output(schema: Schema, asked: str, context: Sequence[str], seeded: Callable[[], Seeded]) -> Any:
    """The data that `schema` asks for, taken from the words of the request; valid as an input is."""
    judge = checker(schema)
    filler = Filler(judge, asked, context)
    kind = filler.reader.flat(schema).get("type")
    given: object = MISSING
    if kind == "object" or "properties" in schema:
        given = filler.fill(schema, filler.ask)
    else:
        wrapped = filler.fill(
            {"type": "object", "properties": {"value": schema}, "required": ["value"]}, filler.ask, "#"
        )
        given = wrapped.get("value", MISSING)
    return instance(judge, given, seeded, _phrases(filler, given))


_EMPTY: Final = frozenset("pls plz please thanks thx ta porfa bitte danke".split())


def _phrases(filler: Filler, given: object) -> Callable[[str], str | None]:
    """Words of the request for a required text: a part that no other property has, else what the ask is about."""
    used = (
        {value for value in cast("Schema", given).values() if isinstance(value, str)}
        if isinstance(given, dict)
        else set[str]()
    )

    def phrase(_name: str) -> str | None:
        for kind in ("quoted", "code", "called", "phrase", "object"):
            for value in read_text(filler.ask.text).by_kind.get(kind, ()):
                if value.text.lower() in _EMPTY or (kind == "object" and value.text.lower() in words.STARTERS):
                    continue
                if value.text not in used and not any(value.text in other for other in used):
                    used.add(value.text)
                    return value.text
        return filler.topic or None

    return phrase
