"""The content blocks of answers, and the citations in them: stable and beta.

For type checkers only. Keys stand in the order of the wire (recordings of 2024-01 to 2026-10); answers are built in it.
"""

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

JSONObject: TypeAlias = dict[str, object]


class CharLocation(TypedDict):
    type: Literal["char_location"]
    cited_text: str
    document_index: int
    document_title: str | None
    start_char_index: int
    end_char_index: int
    file_id: NotRequired[str | None]


class PageLocation(TypedDict):
    type: Literal["page_location"]
    cited_text: str
    document_index: int
    document_title: str | None
    start_page_number: int
    end_page_number: int
    file_id: NotRequired[str | None]


class ContentBlockLocation(TypedDict):
    type: Literal["content_block_location"]
    cited_text: str
    document_index: int
    document_title: str | None
    start_block_index: int
    end_block_index: int
    file_id: NotRequired[str | None]


class WebSearchResultLocation(TypedDict):
    type: Literal["web_search_result_location"]
    cited_text: str
    url: str
    title: str | None
    encrypted_index: str


class SearchResultLocation(TypedDict):
    type: Literal["search_result_location"]
    cited_text: str
    source: str
    title: str | None
    search_result_index: int
    start_block_index: int
    end_block_index: int


Citation: TypeAlias = (
    CharLocation | PageLocation | ContentBlockLocation | WebSearchResultLocation | SearchResultLocation
)


class TextBlock(TypedDict):
    """`citations` stands first and only where there are some; a stream opens such a block with an empty list."""

    citations: NotRequired[list[Citation] | None]
    type: Literal["text"]
    text: str


class ThinkingBlock(TypedDict):
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(TypedDict):
    type: Literal["redacted_thinking"]
    data: str


class DirectCaller(TypedDict):
    type: Literal["direct"]


class CodeExecutionCaller(TypedDict):
    type: Literal["code_execution_20250825", "code_execution_20260120"]
    tool_id: str


Caller: TypeAlias = DirectCaller | CodeExecutionCaller


class ToolUseBlock(TypedDict):
    type: Literal["tool_use"]
    id: str
    name: str
    input: JSONObject
    caller: NotRequired[Caller]
    toolset_name: NotRequired[str | None]


ServerToolName: TypeAlias = Literal[
    "web_search",
    "web_fetch",
    "code_execution",
    "bash_code_execution",
    "text_editor_code_execution",
    "tool_search_tool_regex",
    "tool_search_tool_bm25",
    "advisor",
]


class ServerToolUseBlock(TypedDict):
    type: Literal["server_tool_use"]
    id: str
    name: ServerToolName
    input: JSONObject
    caller: NotRequired[Caller]


class WebSearchResultBlock(TypedDict):
    type: Literal["web_search_result"]
    title: str
    url: str
    encrypted_content: str
    page_age: str | None


class ToolResultError(TypedDict):
    """What a server tool says instead of its result; which codes there are depends on the tool."""

    type: Literal[
        "web_search_tool_result_error",
        "web_fetch_tool_result_error",
        "code_execution_tool_result_error",
        "bash_code_execution_tool_result_error",
        "text_editor_code_execution_tool_result_error",
        "tool_search_tool_result_error",
        "advisor_tool_result_error",
    ]
    error_code: str
    error_message: NotRequired[str | None]


class WebSearchToolResultBlock(TypedDict):
    type: Literal["web_search_tool_result"]
    tool_use_id: str
    content: list[WebSearchResultBlock] | ToolResultError
    caller: NotRequired[Caller]


class Base64PDFSource(TypedDict):
    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: str


class PlainTextSource(TypedDict):
    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class CitationsConfig(TypedDict):
    enabled: bool


class DocumentBlock(TypedDict):
    type: Literal["document"]
    source: Base64PDFSource | PlainTextSource
    title: NotRequired[str | None]
    citations: NotRequired[CitationsConfig | None]


class WebFetchBlock(TypedDict):
    type: Literal["web_fetch_result"]
    url: str
    retrieved_at: str | None
    content: DocumentBlock


class WebFetchToolResultBlock(TypedDict):
    type: Literal["web_fetch_tool_result"]
    tool_use_id: str
    content: WebFetchBlock | ToolResultError
    caller: NotRequired[Caller]


class CodeExecutionOutputBlock(TypedDict):
    type: Literal["code_execution_output"]
    file_id: str


class CodeExecutionResultBlock(TypedDict):
    type: Literal["code_execution_result"]
    stdout: str
    stderr: str
    return_code: int
    content: list[CodeExecutionOutputBlock]
    abort_reason: NotRequired[str | None]


class EncryptedCodeExecutionResultBlock(TypedDict):
    type: Literal["encrypted_code_execution_result"]
    encrypted_stdout: str
    stderr: str
    return_code: int
    content: list[CodeExecutionOutputBlock]
    abort_reason: NotRequired[str | None]


class CodeExecutionToolResultBlock(TypedDict):
    type: Literal["code_execution_tool_result"]
    tool_use_id: str
    content: CodeExecutionResultBlock | EncryptedCodeExecutionResultBlock | ToolResultError


class BashCodeExecutionOutputBlock(TypedDict):
    type: Literal["bash_code_execution_output"]
    file_id: str


class BashCodeExecutionResultBlock(TypedDict):
    type: Literal["bash_code_execution_result"]
    stdout: str
    stderr: str
    return_code: int
    content: list[BashCodeExecutionOutputBlock]


class BashCodeExecutionToolResultBlock(TypedDict):
    type: Literal["bash_code_execution_tool_result"]
    tool_use_id: str
    content: BashCodeExecutionResultBlock | ToolResultError


class TextEditorViewResultBlock(TypedDict):
    type: Literal["text_editor_code_execution_view_result"]
    file_type: Literal["text", "image", "pdf"]
    content: str
    num_lines: int | None
    start_line: int | None
    total_lines: int | None


class TextEditorCreateResultBlock(TypedDict):
    type: Literal["text_editor_code_execution_create_result"]
    is_file_update: bool


class TextEditorStrReplaceResultBlock(TypedDict):
    type: Literal["text_editor_code_execution_str_replace_result"]
    old_start: int | None
    old_lines: int | None
    new_start: int | None
    new_lines: int | None
    lines: list[str] | None


class TextEditorCodeExecutionToolResultBlock(TypedDict):
    type: Literal["text_editor_code_execution_tool_result"]
    tool_use_id: str
    content: TextEditorViewResultBlock | TextEditorCreateResultBlock | TextEditorStrReplaceResultBlock | ToolResultError


class ToolReferenceBlock(TypedDict):
    type: Literal["tool_reference"]
    tool_name: str


class ToolSearchResultBlock(TypedDict):
    type: Literal["tool_search_tool_search_result"]
    tool_references: list[ToolReferenceBlock]


class ToolSearchToolResultBlock(TypedDict):
    type: Literal["tool_search_tool_result"]
    tool_use_id: str
    content: ToolSearchResultBlock | ToolResultError


class ContainerUploadBlock(TypedDict):
    type: Literal["container_upload"]
    file_id: str
