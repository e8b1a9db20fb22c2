"""The content blocks of answers that only betas bring. For type checkers only; keys in the order of the wire."""

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from .content import JSONObject, TextBlock, ToolResultError


class AdvisorResultBlock(TypedDict):
    type: Literal["advisor_result"]
    text: str
    stop_reason: str | None


class AdvisorRedactedResultBlock(TypedDict):
    type: Literal["advisor_redacted_result"]
    encrypted_content: str
    stop_reason: str | None


class AdvisorToolResultBlock(TypedDict):
    type: Literal["advisor_tool_result"]
    tool_use_id: str
    content: AdvisorResultBlock | AdvisorRedactedResultBlock | ToolResultError


class MCPToolUseBlock(TypedDict):
    type: Literal["mcp_tool_use"]
    id: str
    name: str
    input: JSONObject
    server_name: str


class MCPToolResultBlock(TypedDict):
    type: Literal["mcp_tool_result"]
    tool_use_id: str
    is_error: bool
    content: str | list[TextBlock]


class MCPTool(TypedDict):
    name: str
    description: NotRequired[str | None]
    input_schema: JSONObject


class MCPToolListingBlock(TypedDict):
    type: Literal["mcp_tool_listing"]
    mcp_server_name: str
    tools: list[MCPTool]


class ToolReference(TypedDict):
    type: Literal["tool_reference"]
    name: str


class MCPToolReference(TypedDict):
    type: Literal["mcp_tool_reference"]
    server_name: str
    name: str


class MCPToolsetReference(TypedDict):
    type: Literal["mcp_toolset_reference"]
    server_name: str


class ToolDefinition(TypedDict):
    """`definition` is the entry of `tools` as the request gave it."""

    type: Literal["tool_definition"]
    definition: JSONObject


class ToolAdditionBlock(TypedDict):
    type: Literal["tool_addition"]
    tool: ToolReference | MCPToolReference | MCPToolsetReference | ToolDefinition


class ToolRemovalBlock(TypedDict):
    type: Literal["tool_removal"]
    tool: ToolReference | MCPToolReference | MCPToolsetReference


ToolChange: TypeAlias = ToolAdditionBlock | ToolRemovalBlock


class CompactionBlock(TypedDict):
    """`content` is null where compaction failed, and in the event that opens the block in a stream."""

    type: Literal["compaction"]
    content: str | None
    encrypted_content: NotRequired[str | None]
    signature: NotRequired[str | None]
    tool_changes: NotRequired[list[ToolChange] | None]


RefusalCategory: TypeAlias = Literal["cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms"]


class FallbackInfo(TypedDict):
    model: str


class FallbackRefusalTrigger(TypedDict):
    type: Literal["refusal"]
    category: RefusalCategory | None


# `from` is a keyword of Python, so the class syntax cannot name it.
FallbackBlock = TypedDict(
    "FallbackBlock",
    {
        "type": Literal["fallback"],
        "from": FallbackInfo,
        "to": FallbackInfo,
        "trigger": NotRequired[FallbackRefusalTrigger],
    },
)
