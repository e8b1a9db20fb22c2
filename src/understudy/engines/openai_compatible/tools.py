"""The tools of a request as functions, and the names that upstream knows them by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from understudy.wire.client_tools import ClientTool, client_tools
from understudy.wire.client_tools_members import TOOLSETS
from understudy.wire.client_tools_schemas import DEFINED_TOOLS
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import to_json
from understudy.wire.server_tools import SERVER, ServerFunction

from .history import Beginning, History, Sayable

_Block: TypeAlias = dict[str, Any]

# Characters of a function's name (OpenAI's reference); tools here may have 128.
_LONGEST_NAME: Final = 64

# Members of a tool that is said in a name, a description and a schema.
_PLAIN: Final = frozenset({"cache_control", "description", "eager_input_streaming", "input_schema", "name", "type"})
_NO_TOOLS: Final[list[_Block]] = []
_CHANGING: Final = frozenset(
    {"compaction", "tool_addition", "tool_reference", "tool_removal", "tool_search_tool_result"}
)


@dataclass(slots=True)
class Names:
    """The two names of each tool: ours, with the toolset it belongs to, and the upstream's, which is unique."""

    _upstream: dict[tuple[str, str | None], str] = field(default_factory=dict[tuple[str, str | None], str])
    _ours: dict[str, tuple[str, str | None]] = field(default_factory=dict[str, tuple[str, str | None]])

    def upstream(self, name: str, toolset_name: str | None = None) -> str:
        key = (name, toolset_name)
        known = self._upstream.get(key)
        if known is not None:
            return known
        wanted = name if toolset_name in {None, SERVER} else f"{toolset_name}_{name}"
        chosen = _short(wanted)
        number = 2
        while chosen in self._ours:
            chosen = _short(f"{wanted}_{number}")
            number += 1
        self._upstream[key] = chosen
        self._ours[chosen] = key
        return chosen

    @property
    def given(self) -> dict[tuple[str, str | None], str]:
        """All names so far."""
        return self._upstream

    def take_over(self, given: Mapping[tuple[str, str | None], str]) -> None:
        """Give these names, as the first ones."""
        self._upstream = dict(given)
        self._ours = {chosen: key for key, chosen in given.items()}

    def ours(self, name: str) -> tuple[str, str | None]:
        """Name and toolset. A name that was never given to the upstream is its own."""
        return self._ours.get(name, (name, None))

    def of_choice(self, name: str, served: Sequence[ServerFunction] = ()) -> str:
        """The upstream's name of what `tool_choice` names, which may be a toolset's member, or a tool that brings
        functions `served` here: the first of them then."""
        if (name, None) not in self._upstream:
            for (member, _), chosen in self._upstream.items():
                if member == name:
                    return chosen
            for function in served:
                if function.tool.startswith(name):
                    return self.upstream(function.name, SERVER)
        return self.upstream(name)


def _short(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    return name[: _LONGEST_NAME - 9] + "_" + hashlib.blake2b(name.encode(), digest_size=4).hexdigest()


def functions(
    request: _Block,
    names: Names,
    served: Sequence[ServerFunction] = (),
    history: History | None = None,
    known: Beginning | None = None,
) -> Sequence[Sayable]:
    """`tools` as upstream takes them, with the functions that are `served` here where their tool stands. `known`: how
    the conversation begins, of `history`. Raises InvalidRequestError for a tool that neither the client nor this server
    runs."""
    # What is known of a conversation changes no tool.
    changes = _changes(request, 0 if known is None else len(known.messages))
    tools = cast("list[_Block]", request.get("tools") or _NO_TOOLS)
    noted = history if tools and changes is _UNCHANGED and not served else None
    if noted is not None:
        said = noted.tools(tools)
        if said is not None:
            names.take_over(said.names)
            return said.upstream
    found = _functions(request, [*tools, *changes.defined], changes, names, served)
    if noted is not None:
        noted.note_tools(tools, found, names.given)
    return found


def _functions(
    request: _Block, tools: list[_Block], changes: _Changes, names: Names, served: Sequence[ServerFunction]
) -> list[_Block]:
    if not tools:
        return []
    loaded = {name for name, present in changes.in_force.items() if present}
    found: list[_Block] = []
    for index, tool in enumerate(tools):
        kind = tool.get("type") or "custom"
        if kind == "custom" and tool.keys() <= _PLAIN:
            # Nearly every tool of an agent; the way below says the same of it, and takes three times as long.
            if changes.in_force.get(tool["name"], True):
                found.append(_plain(tool, names))
            continue
        brought = [function for function in served if function.tool == kind]
        if brought:
            if changes.in_force.get(str(tool.get("name")), True):
                found += [_served(function, names) for function in brought]
            continue
        if kind != "custom" and kind not in DEFINED_TOOLS and kind not in TOOLSETS:
            raise InvalidRequestError(
                f"tools.{index}: the model behind `{request['model']}` has no tools of type `{kind}`."
            )
        found += [
            _function(client_tool, tool, names)
            for client_tool in client_tools([tool], loaded)
            if changes.in_force.get(client_tool.name, True)
        ]
    return found


def _plain(tool: _Block, names: Names) -> _Block:
    function: _Block = {"name": names.upstream(tool["name"])}
    if tool.get("description"):
        function["description"] = tool["description"]
    function["parameters"] = tool["input_schema"]
    return {"type": "function", "function": function}


def _served(function: ServerFunction, names: Names) -> _Block:
    named = {"name": names.upstream(function.name, SERVER), "description": function.description}
    return {"type": "function", "function": {**named, "parameters": function.input_schema}}


def _function(tool: ClientTool, declared: _Block, names: Names) -> _Block:
    function: _Block = {"name": names.upstream(tool.name, tool.toolset_name)}
    description = tool.description
    remarks = list(_remarks(tool, declared))
    if remarks:
        description = "\n\n".join([description, *remarks] if description else remarks)
    if description:
        function["description"] = description
    function["parameters"] = tool.input_schema
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _remarks(tool: ClientTool, declared: _Block) -> Iterator[str]:
    """What a tool says beside its description and schema, for which functions have no place."""
    width, height = declared.get("display_width_px"), declared.get("display_height_px")
    if width and height:
        display = declared.get("display_number")
        number = "" if display is None else f" Its number is {display}."
        yield f"The display is {width} x {height} pixels.{number}"
    if declared.get("max_characters"):
        yield f"A file is shown up to {declared['max_characters']} characters."
    if tool.input_examples:
        yield "Examples of its input:\n" + "\n".join(to_json(example) for example in tool.input_examples)


@dataclass(slots=True)
class _Changes:
    """What the conversation did to the tools: those that came (True) and went, and those that it defined."""

    in_force: dict[str, bool] = field(default_factory=dict[str, bool])
    defined: list[_Block] = field(default_factory=list[_Block])

    def take(self, block: _Block, path: str) -> None:
        match block["type"]:
            case "tool_addition" | "tool_removal":
                added = block["type"] == "tool_addition"
                tool = block["tool"]
                if tool["type"] == "tool_definition":
                    self.defined.append(tool["definition"])
                elif tool["type"] == "tool_reference":
                    self.in_force[tool["name"]] = added
                else:
                    raise InvalidRequestError(f"{path}.{block['type']}.tool: this model has no tools of MCP servers.")
            case "tool_reference":
                self.in_force.setdefault(block["tool_name"], True)
            case "tool_result":
                self._all(block.get("content"), path)
            case "tool_search_tool_result":
                self._all(block["content"].get("tool_references"), path)
            case "compaction":
                self._all(block.get("tool_changes"), path)
            case _:
                pass

    def _all(self, blocks: Any, path: str) -> None:
        if isinstance(blocks, list):
            for block in cast("list[_Block]", blocks):
                self.take(block, path)


_UNCHANGED: Final = _Changes()


def _changes(request: _Block, after: int) -> _Changes:
    """Those in messages behind the first so many."""
    changes = _UNCHANGED
    messages = cast("list[_Block]", request["messages"])
    for index in range(after, len(messages)):
        content = messages[index].get("content")
        if content.__class__ is list:
            for place, block in enumerate(cast("list[_Block]", content)):
                kind = block["type"]
                # Most results are texts, and most conversations change no tool.
                if kind in _CHANGING or (kind == "tool_result" and block.get("content").__class__ is list):
                    if changes is _UNCHANGED:
                        changes = _Changes()
                    changes.take(block, f"messages.{index}.content.{place}")
    return changes
