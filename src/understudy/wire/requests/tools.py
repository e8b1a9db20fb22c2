"""Everything that can stand in `tools`."""

from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from understudy.wire.gates import Beta
from understudy.wire.schema import Limits, Tagged

from .common import CacheControl, CitationsConfigParam, FreeForm
from .toolsets import BrowserToolset20260801Param, ComputerToolset20260801Param

Count: TypeAlias = Annotated[int, Limits(ge=1)]
ToolName: TypeAlias = Annotated[str, Limits(min_length=1, max_length=128, pattern="^[a-zA-Z0-9_-]{1,128}$")]


class ToolOptions(TypedDict):
    """What nearly every tool can say."""

    allowed_callers: NotRequired[
        list[
            Literal[
                "direct",
                "code_execution_20250825",
                "code_execution_20260120",
                "code_execution_20260521",
            ]
        ]
    ]
    cache_control: NotRequired[CacheControl | None]
    defer_loading: NotRequired[bool]
    strict: NotRequired[bool]


class ClientToolOptions(ToolOptions):
    input_examples: NotRequired[list[FreeForm]]


class InputSchemaTyped(TypedDict, extra_items=object):
    """Free but for these keys. What is no object has not "the expected shape", like any plain object (observed)."""

    type: Literal["object"]
    properties: NotRequired[FreeForm | None]
    required: NotRequired[list[str] | None]


class ToolParam(ClientToolOptions):
    # An empty object was seen to be refused for its name, so that comes first.
    name: ToolName
    input_schema: InputSchemaTyped
    description: NotRequired[str]
    eager_input_streaming: NotRequired[bool | None]
    type: NotRequired[Literal["custom"] | None]


class ToolBash20241022Param(ClientToolOptions):
    name: Literal["bash"]
    type: Literal["bash_20241022"]


class ToolBash20250124Param(ClientToolOptions):
    name: Literal["bash"]
    type: Literal["bash_20250124"]


class CodeExecutionTool20250522Param(ToolOptions):
    name: Literal["code_execution"]
    type: Literal["code_execution_20250522"]


class CodeExecutionTool20250825Param(ToolOptions):
    name: Literal["code_execution"]
    type: Literal["code_execution_20250825"]


class CodeExecutionTool20260120Param(ToolOptions):
    name: Literal["code_execution"]
    type: Literal["code_execution_20260120"]


class CodeExecutionTool20260521Param(ToolOptions):
    name: Literal["code_execution"]
    type: Literal["code_execution_20260521"]


class _Display(ClientToolOptions):
    display_height_px: Count
    display_width_px: Count
    display_number: NotRequired[Annotated[int, Limits(ge=0)] | None]


class ToolComputerUse20241022Param(_Display):
    name: Literal["computer"]
    type: Literal["computer_20241022"]


class ToolComputerUse20250124Param(_Display):
    name: Literal["computer"]
    type: Literal["computer_20250124"]


class ToolComputerUse20251124Param(_Display):
    name: Literal["computer"]
    type: Literal["computer_20251124"]
    enable_zoom: NotRequired[bool]


class MemoryTool20250818Param(ClientToolOptions):
    name: Literal["memory"]
    type: Literal["memory_20250818"]


class ToolTextEditor20241022Param(ClientToolOptions):
    name: Literal["str_replace_editor"]
    type: Literal["text_editor_20241022"]


class ToolTextEditor20250124Param(ClientToolOptions):
    name: Literal["str_replace_editor"]
    type: Literal["text_editor_20250124"]


class ToolTextEditor20250429Param(ClientToolOptions):
    name: Literal["str_replace_based_edit_tool"]
    type: Literal["text_editor_20250429"]


class ToolTextEditor20250728Param(ClientToolOptions):
    name: Literal["str_replace_based_edit_tool"]
    type: Literal["text_editor_20250728"]
    max_characters: NotRequired[Count | None]


class UserLocationParam(TypedDict):
    type: Literal["approximate"]
    city: NotRequired[str | None]
    country: NotRequired[str | None]
    region: NotRequired[str | None]
    timezone: NotRequired[str | None]


class _WebTool(ToolOptions):
    allowed_domains: NotRequired[list[str] | None]
    blocked_domains: NotRequired[list[str] | None]
    max_uses: NotRequired[Count | None]


class _WebSearchTool(_WebTool):
    user_location: NotRequired[UserLocationParam | None]


class WebSearchTool20250305Param(_WebSearchTool):
    name: Literal["web_search"]
    type: Literal["web_search_20250305"]


class WebSearchTool20260209Param(_WebSearchTool):
    name: Literal["web_search"]
    type: Literal["web_search_20260209"]


class WebSearchTool20260318Param(_WebSearchTool):
    name: Literal["web_search"]
    type: Literal["web_search_20260318"]
    response_inclusion: NotRequired[Literal["full", "excluded"]]


class WebFetchURLSourceToolReferenceParam(TypedDict):
    name: str
    type: Literal["tool_reference"]


class WebFetchURLSourceAllParam(TypedDict):
    type: Literal["all"]


class WebFetchURLSourceNoneParam(TypedDict):
    type: Literal["none"]


class WebFetchURLSourceOnlyParam(TypedDict):
    tools: list[WebFetchURLSourceToolReferenceParam]
    type: Literal["only"]


class WebFetchURLSourceExceptParam(TypedDict):
    tools: list[WebFetchURLSourceToolReferenceParam]
    type: Literal["except"]


WebFetchURLSourceParam: TypeAlias = (
    WebFetchURLSourceAllParam | WebFetchURLSourceNoneParam | WebFetchURLSourceOnlyParam | WebFetchURLSourceExceptParam
)


class WebFetchURLSourcesParam(TypedDict):
    client_tool_results: NotRequired[WebFetchURLSourceParam]
    server_tool_results: NotRequired[WebFetchURLSourceParam]
    user_input: NotRequired[WebFetchURLSourceAllParam | WebFetchURLSourceNoneParam]


class _WebFetchTool(_WebTool):
    citations: NotRequired[CitationsConfigParam | None]
    max_content_tokens: NotRequired[Count | None]
    url_sources: NotRequired[WebFetchURLSourcesParam | None]


class WebFetchTool20250910Param(_WebFetchTool):
    name: Literal["web_fetch"]
    type: Literal["web_fetch_20250910"]


class WebFetchTool20260209Param(_WebFetchTool):
    name: Literal["web_fetch"]
    type: Literal["web_fetch_20260209"]


class WebFetchTool20260309Param(_WebFetchTool):
    name: Literal["web_fetch"]
    type: Literal["web_fetch_20260309"]
    use_cache: NotRequired[bool]


class WebFetchTool20260318Param(_WebFetchTool):
    name: Literal["web_fetch"]
    type: Literal["web_fetch_20260318"]
    response_inclusion: NotRequired[Literal["full", "excluded"]]
    use_cache: NotRequired[bool]


class ToolSearchToolBm25_20251119Param(ToolOptions):  # noqa: N801  the API's own name
    name: Literal["tool_search_tool_bm25"]
    type: Literal["tool_search_tool_bm25_20251119", "tool_search_tool_bm25"]


class ToolSearchToolRegex20251119Param(ToolOptions):
    name: Literal["tool_search_tool_regex"]
    type: Literal["tool_search_tool_regex_20251119", "tool_search_tool_regex"]


class AdvisorTool20260301Param(ToolOptions):
    model: Annotated[str, Limits(min_length=1)]
    name: Literal["advisor"]
    type: Literal["advisor_20260301"]
    caching: NotRequired[CacheControl | None]
    max_tokens: NotRequired[Annotated[int, Limits(ge=1024)] | None]
    max_uses: NotRequired[Count | None]


class MCPToolConfigParam(TypedDict):
    defer_loading: NotRequired[bool]
    enabled: NotRequired[bool]


class MCPToolParam(TypedDict):
    """A tool as an MCP server lists it."""

    input_schema: FreeForm
    name: str
    description: NotRequired[str | None]


class MCPToolsetParam(TypedDict):
    mcp_server_name: str
    type: Literal["mcp_toolset"]
    cache_control: NotRequired[CacheControl | None]
    configs: NotRequired[dict[str, MCPToolConfigParam] | None]
    default_config: NotRequired[MCPToolConfigParam]
    # Pins a listing that `mcp_tool_listing` brought, and that block came with this beta [guess: gated alike].
    tools: Annotated[NotRequired[list[MCPToolParam] | None], Beta("mcp-client-2026-09-15")]


def tool_kind(tool: dict[str, Any]) -> object:
    """The tag of a tool; `type` may miss or be null in a custom one."""
    kind = tool.get("type")
    return "custom" if kind is None else kind


_KnownToolParam: TypeAlias = (
    ToolParam
    | Annotated[ToolBash20241022Param, Beta("computer-use-2024-10-22")]
    | ToolBash20250124Param
    | CodeExecutionTool20250522Param
    | CodeExecutionTool20250825Param
    | CodeExecutionTool20260120Param
    | CodeExecutionTool20260521Param
    | BrowserToolset20260801Param
    | Annotated[ToolComputerUse20241022Param, Beta("computer-use-2024-10-22")]
    | Annotated[ToolComputerUse20250124Param, Beta("computer-use-2025-01-24")]
    | Annotated[ToolComputerUse20251124Param, Beta("computer-use-2025-11-24")]
    | ComputerToolset20260801Param
    | MemoryTool20250818Param
    | Annotated[ToolTextEditor20241022Param, Beta("computer-use-2024-10-22")]
    | ToolTextEditor20250124Param
    | ToolTextEditor20250429Param
    | ToolTextEditor20250728Param
    | WebSearchTool20250305Param
    | WebSearchTool20260209Param
    | WebSearchTool20260318Param
    | WebFetchTool20250910Param
    | WebFetchTool20260209Param
    | WebFetchTool20260309Param
    | WebFetchTool20260318Param
    | ToolSearchToolBm25_20251119Param
    | ToolSearchToolRegex20251119Param
    | Annotated[AdvisorTool20260301Param, Beta("advisor-tool-2026-03-01")]
)

ToolUnionParam: TypeAlias = Annotated[
    _KnownToolParam | Annotated[MCPToolsetParam, Beta("mcp-client-2025-11-20", "mcp-client-2026-09-15")],
    Tagged(choose=tool_kind),
]
"""An entry of `tools`."""

ToolDefinitionParam: TypeAlias = Annotated[
    _KnownToolParam | Annotated[MCPToolsetParam, Beta("mcp-client-2026-09-15")],
    Tagged(choose=tool_kind),
]
"""A tool that is added in the middle of a conversation; a toolset there needs the newer beta."""
