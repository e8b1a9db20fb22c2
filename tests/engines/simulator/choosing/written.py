"""Dialogues in a short form, from which the weights are learned: reading them into the form of the others.

A line begins with what it gives: `@` a domain whose tools follow, `@@` one of another file with its tools, `T` a tool
(name | what it does | parameters, `*` for required), `D` a dialogue of a kind, `U` what the user says, `E` a call that
is expected, `R` what its tool answers then.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_TYPES: dict[str, dict[str, Any]] = {
    "s": {"type": "string"},
    "i": {"type": "integer"},
    "n": {"type": "number"},
    "b": {"type": "boolean"},
    "a": {"type": "array", "items": {"type": "string"}},
    "d": {"type": "string", "format": "date"},
    "dt": {"type": "string", "format": "date-time"},
}


def dialogues_in(path: Path) -> list[dict[str, Any]]:
    """The dialogues of a file in the short form, or of one in JSON."""
    if path.suffix == ".json":
        return json.loads(path.read_text("utf-8"))
    reader = _Reader(path)
    for line in path.read_text("utf-8").splitlines():
        if line.strip():
            reader.take(line)
    return reader.dialogues


def _type(text: str) -> dict[str, Any]:
    if text.startswith(("e(", "a(")):
        options = {"type": "string", "enum": text[2:-1].split("|")}
        return options if text[0] == "e" else {"type": "array", "items": options}
    return dict(_TYPES[text])


class _Reader:
    def __init__(self, path: Path) -> None:
        self.dialogues: list[dict[str, Any]] = []
        self._path = path
        self._domain = ""
        self._tools: list[dict[str, Any]] = []
        self._results: dict[str, str] = {}
        self._told: set[tuple[int, str]] = set()

    def take(self, line: str) -> None:
        mark, _, rest = line.partition(" ")
        if line.startswith("@@"):
            self._borrow(line[2:])
        elif line.startswith("@"):
            self._domain, self._tools, self._results = line[1:].strip(), [], {}
        elif mark == "T":
            self._tool(rest)
        elif mark == "D":
            number = len(self.dialogues) + 1
            self.dialogues.append(
                {
                    "id": f"{self._path.stem}-{self._domain}-{number:03}",
                    "domain": self._domain,
                    "kind": rest,
                    "tools": self._tools,
                    "turns": [],
                }
            )
        elif mark == "U":
            self.dialogues[-1]["turns"].append({"user": rest, "expect": [], "results": {}})
        elif mark == "E":
            self._expected(rest)
        elif mark == "R":
            self._answered(rest)
        else:
            raise ValueError(line)

    def _borrow(self, source: str) -> None:
        """The tools of a domain of another file, and what they answer there."""
        name, _, self._domain = source.partition("/")
        others = dialogues_in(self._path.with_name(f"{name}.txt"))
        mine = [one for one in others if one["domain"] == self._domain]
        self._tools, self._results = mine[0]["tools"], {}
        for one in mine:
            for turn in one["turns"]:
                for tool, result in turn["results"].items():
                    self._results.setdefault(tool, result if isinstance(result, str) else result[0])

    def _tool(self, text: str) -> None:
        name, description, *more = (part.strip() for part in text.split(" | "))
        properties: dict[str, Any] = {}
        required: list[str] = []
        for part in more[0].split("; ") if more and more[0] else []:
            key, _, told = part.partition(":")
            kind, _, meaning = told.partition("=")
            if key.endswith("*"):
                key = key[:-1]
                required.append(key)
            properties[key] = _type(kind) | ({"description": meaning} if meaning else {})
        schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
        self._tools.append({"name": name, "description": description, "input_schema": schema})
        self._results[name] = more[1] if len(more) > 1 else "ok"

    def _expected(self, text: str) -> None:
        name, _, given = text.partition(" ")
        turn = self.dialogues[-1]["turns"][-1]
        turn["expect"].append({"name": name, "input": json.loads(given) if given else {}})
        turn["results"].setdefault(name, self._results.get(name, "ok"))

    def _answered(self, text: str) -> None:
        name, _, result = text.partition(" ")
        turn = self.dialogues[-1]["turns"][-1]
        if (id(turn), name) in self._told:
            turn["results"][name] = [
                *([turn["results"][name]] if isinstance(turn["results"][name], str) else turn["results"][name]),
                result,
            ]
        else:
            turn["results"][name] = result
            self._told.add((id(turn), name))
