"""What models are told of the code execution tool. The API never shows these texts; they are ours."""

from __future__ import annotations

from typing import Any, Final

from understudy.wire.server_tools import ServerFunction

BASH: Final = "bash_code_execution"
EDITOR: Final = "text_editor_code_execution"
PYTHON: Final = "code_execution"
NAMES: Final = frozenset({BASH, EDITOR, PYTHON})

PYTHON_ONLY: Final = "code_execution_20250522"
KINDS: Final = frozenset({PYTHON_ONLY, "code_execution_20250825", "code_execution_20260120", "code_execution_20260521"})

_PLACE: Final = (
    "It runs on Linux in a container of its own without access to any network, as does all that is run in this "
    "conversation; files stay there. Python 3 has numpy, pandas, matplotlib, openpyxl, python-docx, python-pptx, "
    "pypdf, pdfplumber, reportlab, Pillow and lxml. Files that the user gave are in $INPUT_DIR. To give the user a "
    "file, put it into $OUTPUT_DIR: each call has a new empty one, and what lies in it when the call ends is passed on."
)


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _fields(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_CELL: Final = (
    "Runs Python code and returns what it prints. Variables and imports stay for later calls. The code may use `await` "
    "at its top level."
)
_CALLS: Final = (
    "\n\nThe code can call tools: they are async functions, there without an import. Each takes one dict of arguments "
    'and returns a string, often JSON, as in `rows = json.loads(await query({"table": "sales"}))`. Call them in loops, '
    "and independent ones together with asyncio.gather; print only what is needed for the answer. The functions are:"
)

_BASH_INPUT: Final = _fields({"command": _text("The command, for bash.")}, "command")
_PYTHON_INPUT: Final = _fields({"code": _text("The program. Only what it prints is seen.")}, "code")
_EDITOR_INPUT: Final = {
    **_fields(
        {
            "command": {
                "type": "string",
                "enum": ["view", "create", "str_replace"],
                "description": "What to do with the file.",
            },
            "path": _text("The file's path in the container."),
            "file_text": _text("For create: what the file shall hold."),
            "old_str": _text("For str_replace: the text to replace. It must stand in the file exactly once."),
            "new_str": _text("For str_replace: what takes its place. Without it the text is deleted."),
            "view_range": {
                "type": "array",
                "items": {"type": "integer"},
                "minItems": 2,
                "maxItems": 2,
                "description": "For view: the first and the last line, from 1; -1 is the end of the file.",
            },
        },
        "command",
        "path",
    ),
    "allOf": [
        {"if": {"properties": {"command": {"const": "create"}}}, "then": {"required": ["file_text"]}},
        {"if": {"properties": {"command": {"const": "str_replace"}}}, "then": {"required": ["old_str"]}},
    ],
}


def cell_function(kind: str, told: str) -> ServerFunction:
    """The function that runs code which may call tools; `told` names them. `kind` is that of the tool that brings
    it."""
    return ServerFunction(kind, PYTHON, f"{_CELL} {_PLACE}{_CALLS if told else ''}{told}", _PYTHON_INPUT)


def functions_of(kind: str) -> tuple[ServerFunction, ...]:
    """The functions that a tool of that type brings."""
    if kind == PYTHON_ONLY:
        description = f"Runs a Python program and returns what it prints. {_PLACE}"
        return (ServerFunction(kind, PYTHON, description, _PYTHON_INPUT),)
    return (
        ServerFunction(kind, BASH, f"Runs a bash command and returns what it prints. {_PLACE}", _BASH_INPUT),
        ServerFunction(
            kind,
            EDITOR,
            f"Shows a text file, writes one, or replaces a text in one. It works in the container of {BASH}.",
            _EDITOR_INPUT,
        ),
    )
