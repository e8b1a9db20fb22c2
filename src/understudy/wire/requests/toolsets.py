"""The browser and computer toolsets: one entry in `tools` that stands for many members."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from .common import Cacheable


class ToolsetMemberConfigParam(TypedDict):
    """The API names a type for each member; all of them are this one."""

    defer_loading: NotRequired[bool | None]
    enabled: NotRequired[bool | None]


class BrowserToolsetConfigsParam(TypedDict):
    close_tab: NotRequired[ToolsetMemberConfigParam | None]
    double_click: NotRequired[ToolsetMemberConfigParam | None]
    file_upload: NotRequired[ToolsetMemberConfigParam | None]
    find: NotRequired[ToolsetMemberConfigParam | None]
    form_input: NotRequired[ToolsetMemberConfigParam | None]
    get_page_text: NotRequired[ToolsetMemberConfigParam | None]
    hold_key: NotRequired[ToolsetMemberConfigParam | None]
    hover: NotRequired[ToolsetMemberConfigParam | None]
    javascript_exec: NotRequired[ToolsetMemberConfigParam | None]
    key: NotRequired[ToolsetMemberConfigParam | None]
    left_click: NotRequired[ToolsetMemberConfigParam | None]
    left_click_drag: NotRequired[ToolsetMemberConfigParam | None]
    left_mouse_down: NotRequired[ToolsetMemberConfigParam | None]
    left_mouse_up: NotRequired[ToolsetMemberConfigParam | None]
    list_tabs: NotRequired[ToolsetMemberConfigParam | None]
    middle_click: NotRequired[ToolsetMemberConfigParam | None]
    mouse_move: NotRequired[ToolsetMemberConfigParam | None]
    navigate: NotRequired[ToolsetMemberConfigParam | None]
    new_tab: NotRequired[ToolsetMemberConfigParam | None]
    read_console: NotRequired[ToolsetMemberConfigParam | None]
    read_network: NotRequired[ToolsetMemberConfigParam | None]
    read_page: NotRequired[ToolsetMemberConfigParam | None]
    right_click: NotRequired[ToolsetMemberConfigParam | None]
    screenshot: NotRequired[ToolsetMemberConfigParam | None]
    scroll: NotRequired[ToolsetMemberConfigParam | None]
    scroll_to: NotRequired[ToolsetMemberConfigParam | None]
    switch_tab: NotRequired[ToolsetMemberConfigParam | None]
    triple_click: NotRequired[ToolsetMemberConfigParam | None]
    type: NotRequired[ToolsetMemberConfigParam | None]
    wait: NotRequired[ToolsetMemberConfigParam | None]
    zoom: NotRequired[ToolsetMemberConfigParam | None]


class BrowserToolset20260801Param(Cacheable):
    type: Literal["browser_toolset_20260801"]
    configs: NotRequired[BrowserToolsetConfigsParam | None]


class ComputerToolsetConfigsParam(TypedDict):
    cursor_position: NotRequired[ToolsetMemberConfigParam | None]
    double_click: NotRequired[ToolsetMemberConfigParam | None]
    hold_key: NotRequired[ToolsetMemberConfigParam | None]
    key: NotRequired[ToolsetMemberConfigParam | None]
    left_click: NotRequired[ToolsetMemberConfigParam | None]
    left_click_drag: NotRequired[ToolsetMemberConfigParam | None]
    left_mouse_down: NotRequired[ToolsetMemberConfigParam | None]
    left_mouse_up: NotRequired[ToolsetMemberConfigParam | None]
    middle_click: NotRequired[ToolsetMemberConfigParam | None]
    mouse_move: NotRequired[ToolsetMemberConfigParam | None]
    right_click: NotRequired[ToolsetMemberConfigParam | None]
    screenshot: NotRequired[ToolsetMemberConfigParam | None]
    scroll: NotRequired[ToolsetMemberConfigParam | None]
    triple_click: NotRequired[ToolsetMemberConfigParam | None]
    type: NotRequired[ToolsetMemberConfigParam | None]
    wait: NotRequired[ToolsetMemberConfigParam | None]
    zoom: NotRequired[ToolsetMemberConfigParam | None]


class ComputerToolset20260801Param(Cacheable):
    type: Literal["computer_toolset_20260801"]
    configs: NotRequired[ComputerToolsetConfigsParam | None]
