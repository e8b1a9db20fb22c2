"""The content blocks of messages. Which role may hold which block is a rule of the conversation, not of the shape."""

from typing import Annotated, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from understudy.wire.gates import Beta
from understudy.wire.schema import Limits

from .common import Cacheable, CacheControl, Called, FreeForm, ServerToolUseId, TextBlockParam, ToolUseId
from .media import DocumentBlockParam, ImageBlockParam, SearchResultBlockParam
from .results import (
    AdvisorToolResultBlockParam,
    BashCodeExecutionToolResultBlockParam,
    CodeExecutionToolResultBlockParam,
    TextEditorCodeExecutionToolResultBlockParam,
    ToolReferenceBlockParam,
    ToolSearchToolResultBlockParam,
    WebFetchToolResultBlockParam,
    WebSearchToolResultBlockParam,
)
from .tool_changes import ToolAdditionBlockParam, ToolRemovalBlockParam
from .tools import MCPToolParam


class ThinkingBlockParam(TypedDict):
    signature: str
    thinking: str
    type: Literal["thinking"]


class RedactedThinkingBlockParam(TypedDict):
    data: str
    type: Literal["redacted_thinking"]


class _OfToolset(TypedDict):
    toolset_name: NotRequired[str | None]


class ToolUseBlockParam(_OfToolset, Called, Cacheable):
    id: ToolUseId
    input: FreeForm
    name: Annotated[str, Limits(min_length=1, max_length=200)]
    type: Literal["tool_use"]


class BrowserStateTabEntryParam(TypedDict):
    tab_id: str
    title: str
    url: str
    active: NotRequired[bool]


class BrowserStateChangeTabOpenedParam(TypedDict):
    tab_id: str
    type: Literal["tab_opened"]


class BrowserStateChangeDownloadStartedParam(TypedDict):
    download_id: str
    type: Literal["download_started"]
    url: str


class BrowserStateChangeDownloadCompletedParam(TypedDict):
    download_id: str
    type: Literal["download_completed"]
    url: str
    path: NotRequired[str | None]
    size_bytes: NotRequired[int | None]


class BrowserStateChangeDownloadFailedParam(TypedDict):
    download_id: str
    type: Literal["download_failed"]
    url: str
    error: NotRequired[str | None]


BrowserStateChangeParam: TypeAlias = (
    BrowserStateChangeTabOpenedParam
    | BrowserStateChangeDownloadStartedParam
    | BrowserStateChangeDownloadCompletedParam
    | BrowserStateChangeDownloadFailedParam
)


class BrowserStateBlockParam(TypedDict):
    tabs: list[BrowserStateTabEntryParam]
    type: Literal["browser_state"]
    cache_control: NotRequired[CacheControl | None]
    state_changes: NotRequired[list[BrowserStateChangeParam] | None]


ToolResultContentParam: TypeAlias = (
    TextBlockParam
    | ImageBlockParam
    | SearchResultBlockParam
    | DocumentBlockParam
    | ToolReferenceBlockParam
    | BrowserStateBlockParam
)


class ToolResultBlockParam(TypedDict):
    tool_use_id: ToolUseId
    type: Literal["tool_result"]
    cache_control: NotRequired[CacheControl | None]
    content: NotRequired[str | list[ToolResultContentParam]]
    is_error: NotRequired[bool]
    toolset_name: NotRequired[str | None]


class ServerToolUseBlockParam(Called, Cacheable):
    id: ServerToolUseId
    input: FreeForm
    name: (
        Annotated[Literal["advisor"], Beta("advisor-tool-2026-03-01")]
        | Literal[
            "web_search",
            "web_fetch",
            "code_execution",
            "bash_code_execution",
            "text_editor_code_execution",
            "tool_search_tool_regex",
            "tool_search_tool_bm25",
        ]
    )
    type: Literal["server_tool_use"]


class ContainerUploadBlockParam(Cacheable):
    file_id: str
    type: Literal["container_upload"]


class MCPToolUseBlockParam(Cacheable):
    id: ToolUseId
    input: FreeForm
    name: str
    server_name: str
    type: Literal["mcp_tool_use"]


class MCPToolResultBlockParam(TypedDict):
    tool_use_id: ToolUseId
    type: Literal["mcp_tool_result"]
    cache_control: NotRequired[CacheControl | None]
    content: NotRequired[str | list[TextBlockParam]]
    is_error: NotRequired[bool]


class MCPToolListingBlockParam(TypedDict):
    mcp_server_name: str
    tools: list[MCPToolParam]
    type: Literal["mcp_tool_listing"]


class CompactionBlockParam(TypedDict):
    """A summary that stands for what came before it; `content` is null where compaction failed."""

    type: Literal["compaction"]
    cache_control: NotRequired[CacheControl | None]
    content: NotRequired[str | None]
    encrypted_content: NotRequired[str | None]
    signature: NotRequired[str | None]
    tool_changes: NotRequired[list[ToolAdditionBlockParam | ToolRemovalBlockParam] | None]


class FallbackInfoParam(TypedDict):
    model: str


# `from` is a keyword of Python, so the class syntax cannot name it.
FallbackBlockParam = TypedDict(
    "FallbackBlockParam",
    {
        "from": FallbackInfoParam,
        "to": FallbackInfoParam,
        "type": Literal["fallback"],
        "trigger": NotRequired[object],
    },
)

MCP_CLIENT = Beta("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15")
TOOL_CHANGES = Beta("mid-conversation-tool-changes-2026-07-01", "inline-tools-2026-09-15")

ContentBlockParam: TypeAlias = (
    TextBlockParam
    | ImageBlockParam
    | DocumentBlockParam
    | SearchResultBlockParam
    | ThinkingBlockParam
    | RedactedThinkingBlockParam
    | ToolUseBlockParam
    | ToolResultBlockParam
    | ServerToolUseBlockParam
    | WebSearchToolResultBlockParam
    | WebFetchToolResultBlockParam
    | CodeExecutionToolResultBlockParam
    | BashCodeExecutionToolResultBlockParam
    | TextEditorCodeExecutionToolResultBlockParam
    | ToolSearchToolResultBlockParam
    | ContainerUploadBlockParam
    | Annotated[AdvisorToolResultBlockParam, Beta("advisor-tool-2026-03-01")]
    | Annotated[MCPToolUseBlockParam, MCP_CLIENT]
    | Annotated[MCPToolResultBlockParam, MCP_CLIENT]
    | Annotated[MCPToolListingBlockParam, Beta("mcp-client-2026-09-15")]
    | Annotated[CompactionBlockParam, Beta("compact-2026-01-12", "compact-2026-09-04")]
    | Annotated[FallbackBlockParam, Beta("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01")]
    | Annotated[ToolAdditionBlockParam, TOOL_CHANGES]
    | Annotated[ToolRemovalBlockParam, TOOL_CHANGES]
)
