"""What a tool speaks of, and what is said in a turn, as directions that can be compared: see vectors.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from understudy.engines.simulator.choosing.vectors import Direction, direction
from understudy.engines.simulator.choosing.words import STOP
from understudy.wire.client_tools import ClientTool

_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_WORD = re.compile(r"[a-z]{2,}(?:['’][a-z]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s|\n| - ")
_MOST_SENTENCES = 8
_LONGEST = 1_500
# How much the words of each part of a tool count.
_NAME, _FIRST, _FURTHER, _PARAMETER, _OPTION, _MEANING = 1.0, 0.85, 0.5, 0.6, 0.5, 0.4
_MOST_OPTIONS = 50


def direction_of_turn(asked: str) -> Direction:
    return direction((word, 1.0) for word in dict.fromkeys(_words(asked[:_LONGEST])))


def direction_of_tool(tool: ClientTool) -> Direction:
    counts: dict[str, float] = {}

    def add(words: list[str], weight: float) -> None:
        for word in words:
            if weight > counts.get(word, 0.0):
                counts[word] = weight

    add(_named(tool.name.rpartition("__")[2] or tool.name), _NAME)
    for number, sentence in enumerate(_SENTENCE_END.split(tool.description[:_LONGEST])[:_MOST_SENTENCES]):
        add(_words(sentence), _FURTHER if number else _FIRST)
    for name, raw in _mapping(_mapping(tool.input_schema).get("properties")).items():
        definition = _mapping(raw)
        add(_named(name), _PARAMETER)
        told = definition.get("description")
        if isinstance(told, str):
            add(_words(told[:_LONGEST]), _MEANING)
        options = definition.get("enum") or _mapping(definition.get("items")).get("enum")
        for option in cast("list[object]", options)[:_MOST_OPTIONS] if isinstance(options, list) else []:
            if isinstance(option, str):
                add(_words(option.replace("_", " ")), _OPTION)
    return direction(counts.items())


def _words(text: str) -> list[str]:
    found = (word.replace("’", "'") for word in _WORD.findall(text.lower()))
    return [word.partition("'")[0] for word in found if word not in STOP]


def _named(name: str) -> list[str]:
    return [word for word in map(str.lower, _PARTS.findall(name)) if len(word) > 1 and word not in STOP]


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
