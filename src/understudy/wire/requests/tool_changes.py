"""Tools that come and go in the middle of a conversation (beta)."""

from typing import Annotated, Literal

from typing_extensions import TypedDict

from understudy.wire.gates import Beta

from .common import Cacheable
from .tools import ToolDefinitionParam


class ToolChangeToolReferenceParam(TypedDict):
    name: str
    type: Literal["tool_reference"]


class ToolChangeMCPToolReferenceParam(TypedDict):
    name: str
    server_name: str
    type: Literal["mcp_tool_reference"]


class ToolChangeMCPToolsetReferenceParam(TypedDict):
    server_name: str
    type: Literal["mcp_toolset_reference"]


class ToolChangeToolDefinitionParam(TypedDict):
    definition: ToolDefinitionParam
    type: Literal["tool_definition"]


class ToolAdditionBlockParam(Cacheable):
    tool: (
        ToolChangeToolReferenceParam
        | ToolChangeMCPToolReferenceParam
        | ToolChangeMCPToolsetReferenceParam
        | Annotated[ToolChangeToolDefinitionParam, Beta("inline-tools-2026-09-15")]
    )
    type: Literal["tool_addition"]


class ToolRemovalBlockParam(Cacheable):
    tool: ToolChangeToolReferenceParam | ToolChangeMCPToolReferenceParam | ToolChangeMCPToolsetReferenceParam
    type: Literal["tool_removal"]
