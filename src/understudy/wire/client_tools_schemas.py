"""Input schemas of the tools that Anthropic defines and the client runs: shell, text editor, memory, computer betas.

Source: the documentation page of each tool (2026-08) and the input types of the official SDK (2.12). The API never
shows these schemas, so descriptions are ours. What only some commands need is said by `if` and `then`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Schema: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DefinedTool:
    """What a dated tool type stands for."""

    description: str
    input_schema: Schema


def text(description: str) -> Schema:
    return {"type": "string", "description": description}


def whole(description: str, minimum: int | None = None, maximum: int | None = None) -> Schema:
    schema: Schema = {"type": "integer", "description": description}
    if minimum is not None:
        schema["minimum"] = minimum
    if maximum is not None:
        schema["maximum"] = maximum
    return schema


def pixels(description: str, count: int = 2) -> Schema:
    items: Schema = {"type": "integer", "minimum": 0}
    return {"type": "array", "items": items, "minItems": count, "maxItems": count, "description": description}


def fields(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _needs(chooser: str, needed: dict[str, tuple[str, ...]]) -> list[Schema]:
    """One rule for each value of `chooser` that needs more properties."""
    return [
        {"if": {"properties": {chooser: {"const": value}}}, "then": {"required": list(names)}}
        for value, names in needed.items()
    ]


_BASH: Final = DefinedTool(
    "Runs a shell command in a bash session that lives on between calls, and can restart the session.",
    {
        **fields(
            {
                "command": text("The bash command to run. Needed unless the session is restarted."),
                "restart": {"type": "boolean", "description": "True restarts the bash session."},
            }
        ),
        "anyOf": [{"required": ["command"]}, {"properties": {"restart": {"const": True}}, "required": ["restart"]}],
    },
)

_LINES: Final[Schema] = {
    "type": "array",
    "items": {"type": "integer"},
    "minItems": 2,
    "maxItems": 2,
    "description": "First and last line to show, counted from 1; -1 as the last means to the end.",
}


def _editor(*, undo: bool, inserted: str) -> DefinedTool:
    commands = ["view", "create", "str_replace", "insert"] + (["undo_edit"] if undo else [])
    properties: Schema = {
        "command": {"type": "string", "enum": commands, "description": "What to do."},
        "path": text("Path of the file or directory."),
        "view_range": _LINES,
        "file_text": text("Content of the file to create."),
        "old_str": text("Text in the file that is replaced; it must match exactly."),
        "new_str": text("Text that replaces the old one."),
        "insert_line": whole("Line after which to insert; 0 is the beginning of the file.", 0),
    }
    properties.setdefault(inserted, text("Text to insert."))
    needed = {"create": ("file_text",), "str_replace": ("old_str",), "insert": ("insert_line", inserted)}
    return DefinedTool(
        "Views, creates and edits text files: shows a file or directory, writes a new file, replaces a text, inserts "
        "lines" + (", undoes the last edit." if undo else "."),
        {**fields(properties, "command", "path"), "allOf": _needs("command", needed)},
    )


# The page names `insert_text`; the versions with the older name took the inserted text as `new_str`, as their reference
# implementation did [guess: the page no longer describes them].
_OLD_EDITOR: Final = _editor(undo=True, inserted="new_str")
_NEW_EDITOR: Final = _editor(undo=False, inserted="insert_text")

_MEMORY: Final = DefinedTool(
    "Keeps notes between conversations as files under /memories: view, create, edit, delete and rename them.",
    {
        **fields(
            {
                "command": {
                    "type": "string",
                    "enum": ["view", "create", "str_replace", "insert", "delete", "rename"],
                    "description": "What to do with the memory files.",
                },
                "path": text("Path of the memory file or directory, beginning with /memories."),
                "view_range": _LINES,
                "file_text": text("Content of the memory file to create."),
                "old_str": text("Text in the file that is replaced."),
                "new_str": text("Text that replaces the old one."),
                "insert_line": whole("Line at which to insert.", 0),
                "insert_text": text("Text to insert."),
                "old_path": text("Path of the file to rename."),
                "new_path": text("New path of the file."),
            },
            "command",
        ),
        "allOf": _needs(
            "command",
            {
                "view": ("path",),
                "create": ("path", "file_text"),
                "str_replace": ("path", "old_str", "new_str"),
                "insert": ("path", "insert_line", "insert_text"),
                "delete": ("path",),
                "rename": ("old_path", "new_path"),
            },
        ),
    },
)

DIRECTIONS: Final[Schema] = {
    "type": "string",
    "enum": ["up", "down", "left", "right"],
    "description": "Which way to scroll.",
}

_FIRST_ACTIONS: Final = [
    "screenshot",
    "key",
    "type",
    "mouse_move",
    "left_click",
    "left_click_drag",
    "right_click",
    "middle_click",
    "double_click",
    "cursor_position",
]
_MORE_ACTIONS: Final = [
    *_FIRST_ACTIONS,
    "triple_click",
    "left_mouse_down",
    "left_mouse_up",
    "scroll",
    "hold_key",
    "wait",
]


def _computer(actions: list[str]) -> DefinedTool:
    properties: Schema = {
        "action": {"type": "string", "enum": actions, "description": "What to do on the screen."},
        "coordinate": pixels("Position (x, y) in pixels of the screenshot, from its top left corner."),
        "text": text("Text to type, or the key or key combination to press."),
    }
    needed: dict[str, tuple[str, ...]] = {
        "key": ("text",),
        "type": ("text",),
        "mouse_move": ("coordinate",),
        "left_click_drag": ("coordinate",),
    }
    if "scroll" in actions:
        properties |= {
            "start_coordinate": pixels("Where the drag begins."),
            "scroll_direction": DIRECTIONS,
            "scroll_amount": whole("Clicks of the scroll wheel.", 0),
            "duration": {"type": "number", "minimum": 0, "maximum": 100, "description": "Seconds to wait or hold."},
        }
        needed |= {
            "left_click_drag": ("start_coordinate", "coordinate"),
            "scroll": ("coordinate", "scroll_direction", "scroll_amount"),
            "hold_key": ("text", "duration"),
            "wait": ("duration",),
        }
    if "zoom" in actions:
        properties["region"] = pixels("Corners x0, y0, x1, y1 of the area to look at closely.", 4)
        needed["zoom"] = ("region",)
    return DefinedTool(
        "Controls the screen, mouse and keyboard of a computer: takes screenshots, clicks, types, presses keys.",
        {**fields(properties, "action"), "allOf": _needs("action", needed)},
    )


ZOOMING_COMPUTER: Final = _computer([*_MORE_ACTIONS, "zoom"])
"""`computer_20251124` with `enable_zoom`; without it the action is not there (documented)."""

DEFINED_TOOLS: Final[dict[str, DefinedTool]] = {
    "bash_20241022": _BASH,
    "bash_20250124": _BASH,
    "text_editor_20241022": _OLD_EDITOR,
    "text_editor_20250124": _OLD_EDITOR,
    "text_editor_20250429": _NEW_EDITOR,
    "text_editor_20250728": _NEW_EDITOR,
    "memory_20250818": _MEMORY,
    "computer_20241022": _computer(_FIRST_ACTIONS),
    "computer_20250124": _computer(_MORE_ACTIONS),
    "computer_20251124": _computer(_MORE_ACTIONS),
}
"""Type of an entry of `tools` → what it stands for."""
