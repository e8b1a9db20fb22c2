"""The members of the computer and browser toolsets: purpose and input schema of each.

Source: the documentation pages of both tools (2026-08) and the input types of the official SDK (2.12). Descriptions are
ours.
"""

from __future__ import annotations

from typing import Final

from .client_tools_schemas import DIRECTIONS, DefinedTool, Schema, fields, pixels, text, whole

_POINT: Final = pixels("Position (x, y) in pixels of the screenshot; without it the cursor's.")
_HELD: Final = text("Modifier keys to hold meanwhile, such as shift or ctrl+shift.")
_KEY: Final = text("Key or keys joined by +, such as Return or ctrl+s.")
_TYPED: Final = text("Text to type.")
_REGION: Final = pixels("Corners x0, y0, x1, y1 of the area.", 4)
_REPEAT: Final = whole("How often to press it.", 1, 100)


def _seconds(kind: str, most: int) -> Schema:
    return {"type": kind, "minimum": 0, "maximum": most, "description": "Duration in seconds."}


def _click(purpose: str) -> DefinedTool:
    return DefinedTool(f"{purpose} at a position of the screen.", fields({"coordinate": _POINT, "text": _HELD}))


_COMPUTER: Final[dict[str, DefinedTool]] = {
    "cursor_position": DefinedTool("Tells where the cursor stands.", fields({})),
    "double_click": _click("Clicks twice with the left button"),
    "hold_key": DefinedTool(
        "Holds a key down for some seconds.",
        fields({"text": _KEY, "duration": _seconds("integer", 300)}, "text", "duration"),
    ),
    "key": DefinedTool("Presses a key or key combination.", fields({"text": _KEY, "repeat": _REPEAT}, "text")),
    "left_click": _click("Clicks with the left button"),
    "left_click_drag": DefinedTool(
        "Drags from one position of the screen to another.",
        fields(
            {
                "start_coordinate": pixels("Where the drag begins (x, y)."),
                "coordinate": pixels("Where the drag ends (x, y)."),
                "text": _HELD,
            },
            "start_coordinate",
            "coordinate",
        ),
    ),
    "left_mouse_down": DefinedTool("Presses the left button and keeps it down.", fields({})),
    "left_mouse_up": DefinedTool("Releases the left button.", fields({})),
    "middle_click": _click("Clicks with the middle button"),
    "mouse_move": DefinedTool("Moves the cursor without a click.", fields({"coordinate": _POINT}, "coordinate")),
    "right_click": _click("Clicks with the right button"),
    "screenshot": DefinedTool("Takes a screenshot of the screen.", fields({})),
    "scroll": DefinedTool(
        "Scrolls the screen.",
        fields(
            {
                "scroll_direction": DIRECTIONS,
                "scroll_amount": whole("Clicks of the scroll wheel.", 0),
                "coordinate": _POINT,
                "text": _HELD,
            },
            "scroll_direction",
            "scroll_amount",
        ),
    ),
    "triple_click": _click("Clicks three times with the left button"),
    "type": DefinedTool("Types a text on the keyboard.", fields({"text": _TYPED}, "text")),
    "wait": DefinedTool("Waits for some seconds.", fields({"duration": _seconds("integer", 300)}, "duration")),
    "zoom": DefinedTool("Shows an area of the screen in full resolution.", fields({"region": _REGION}, "region")),
}

_COORDINATE_TARGET: Final = fields(
    {"type": {"const": "coordinate"}, "x": {"type": "integer"}, "y": {"type": "integer"}}, "type", "x", "y"
)
_REF_TARGET: Final = fields(
    {"type": {"const": "ref"}, "ref": text("Reference of an element, such as ref_2.")}, "type", "ref"
)
_TARGET: Final[Schema] = {"anyOf": [_REF_TARGET, _COORDINATE_TARGET]}
_TAB: Final = text("Tab to act in; without it the active one.")
_MODIFIERS: Final = text("Keys to hold meanwhile, such as shift or ctrl+shift.")


def _member(purpose: str, properties: Schema, *required: str) -> DefinedTool:
    return DefinedTool(purpose, fields({**properties, "tab_id": _TAB}, *required))


def _page_click(purpose: str) -> DefinedTool:
    return _member(
        f"{purpose} on an element or a position of the page.", {"target": _TARGET, "modifiers": _MODIFIERS}, "target"
    )


_BROWSER: Final[dict[str, DefinedTool]] = {
    "close_tab": DefinedTool("Closes a browser tab.", fields({"tab_id": text("Tab to close.")}, "tab_id")),
    "double_click": _page_click("Clicks twice with the left button"),
    "file_upload": _member(
        "Sets the files of a file input of the page.",
        {
            "target": _REF_TARGET,
            "paths": {"type": "array", "items": {"type": "string"}, "description": "Paths of the files."},
            "document_ids": {"type": "array", "items": {"type": "string"}, "description": "Ids of staged documents."},
        },
        "target",
    ),
    "find": _member(
        "Finds elements of the page that fit a description.", {"query": text("What to look for.")}, "query"
    ),
    "form_input": _member(
        "Sets the value of a form element of the page.",
        {"target": _REF_TARGET, "value": {"type": ["string", "number", "boolean"], "description": "The value to set."}},
        "target",
        "value",
    ),
    "get_page_text": _member("Reads the text of the page.", {}),
    "hold_key": _member(
        "Holds a key down for some seconds.",
        {"text": _KEY, "duration": _seconds("number", 30)},
        "text",
        "duration",
    ),
    "hover": _member("Moves the pointer over an element without a click.", {"target": _TARGET}, "target"),
    "javascript_exec": _member("Runs JavaScript in the page.", {"text": text("JavaScript code.")}, "text"),
    "key": _member("Presses a key or key combination.", {"text": _KEY, "repeat": _REPEAT}, "text"),
    "left_click": _page_click("Clicks with the left button"),
    "left_click_drag": _member(
        "Drags from one position of the page to another.",
        {"from": _COORDINATE_TARGET, "target": _COORDINATE_TARGET},
        "from",
        "target",
    ),
    "left_mouse_down": _member(
        "Presses the left button at a position and keeps it down.", {"target": _COORDINATE_TARGET}, "target"
    ),
    "left_mouse_up": _member("Releases the left button at a position.", {"target": _COORDINATE_TARGET}, "target"),
    "list_tabs": DefinedTool("Lists the open browser tabs.", fields({})),
    "middle_click": _page_click("Clicks with the middle button"),
    "mouse_move": _member("Moves the pointer to a position.", {"target": _COORDINATE_TARGET}, "target"),
    "navigate": _member(
        "Opens a web address in the browser, or goes back or forward or reloads.",
        {"url": text("Web address, or back, forward or reload.")},
        "url",
    ),
    "new_tab": DefinedTool("Opens a new, empty browser tab.", fields({})),
    "read_console": _member("Reads what the page wrote to the console.", {}),
    "read_network": _member("Lists the network requests of the page.", {}),
    "read_page": _member(
        "Reads the page as a tree of elements with references.",
        {
            "filter": {"type": "string", "enum": ["all", "interactive"], "description": "Which elements."},
            "depth": whole("How deep to read.", 1),
            "ref": text("Reference of the element to begin with."),
        },
    ),
    "right_click": _page_click("Clicks with the right button"),
    "screenshot": _member("Takes a screenshot of the page.", {}),
    "scroll": _member(
        "Scrolls the page at a position.",
        {
            "target": _COORDINATE_TARGET,
            "scroll_direction": DIRECTIONS,
            "scroll_amount": whole("Notches of the scroll wheel.", 1, 10),
        },
        "target",
        "scroll_direction",
    ),
    "scroll_to": _member("Scrolls until an element is seen.", {"target": _REF_TARGET}, "target"),
    "switch_tab": DefinedTool(
        "Makes a browser tab the active one.", fields({"tab_id": text("Tab to switch to.")}, "tab_id")
    ),
    "triple_click": _page_click("Clicks three times with the left button"),
    "type": _member("Types a text where the focus is.", {"text": _TYPED}, "text"),
    "wait": _member("Waits for some seconds.", {"duration": _seconds("number", 30)}, "duration"),
    "zoom": _member("Shows an area of the page enlarged.", {"region": _REGION}, "region"),
}

TOOLSETS: Final[dict[str, tuple[str, dict[str, DefinedTool]]]] = {
    "computer_toolset_20260801": ("computer", _COMPUTER),
    "browser_toolset_20260801": ("browser", _BROWSER),
}
"""Type of an entry of `tools` → the `toolset_name` of its calls, and its members."""

OFF_UNLESS_ENABLED: Final = frozenset({"javascript_exec", "file_upload", "read_console", "read_network"})
"""Members that are offered only when `configs` enables them (documented for the browser toolset, which alone has
them)."""
