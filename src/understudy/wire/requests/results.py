"""Results of server tools, as a client sends them back with the conversation."""

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from .common import Cacheable, CacheControl, Called, ServerToolUseId
from .media import DocumentBlockParam


class WebSearchResultBlockParam(TypedDict):
    encrypted_content: str
    title: str
    type: Literal["web_search_result"]
    url: str
    page_age: NotRequired[str | None]


class WebSearchToolRequestErrorParam(TypedDict):
    error_code: Literal[
        "invalid_tool_input",
        "unavailable",
        "max_uses_exceeded",
        "too_many_requests",
        "query_too_long",
        "request_too_large",
    ]
    type: Literal["web_search_tool_result_error"]


class WebSearchToolResultBlockParam(Called, Cacheable):
    content: list[WebSearchResultBlockParam] | WebSearchToolRequestErrorParam
    tool_use_id: ServerToolUseId
    type: Literal["web_search_tool_result"]


class WebFetchToolResultErrorBlockParam(TypedDict):
    error_code: Literal[
        "invalid_tool_input",
        "url_too_long",
        "url_not_allowed",
        "url_not_in_prior_context",
        "url_not_accessible",
        "unsupported_content_type",
        "too_many_requests",
        "max_uses_exceeded",
        "unavailable",
        "content_too_large",
    ]
    type: Literal["web_fetch_tool_result_error"]


class WebFetchBlockParam(TypedDict):
    content: DocumentBlockParam
    type: Literal["web_fetch_result"]
    url: str
    retrieved_at: NotRequired[str | None]


class WebFetchToolResultBlockParam(Called, Cacheable):
    content: WebFetchToolResultErrorBlockParam | WebFetchBlockParam
    tool_use_id: ServerToolUseId
    type: Literal["web_fetch_tool_result"]


CodeExecutionErrorCode: TypeAlias = Literal[
    "invalid_tool_input", "unavailable", "too_many_requests", "execution_time_exceeded"
]


class CodeExecutionToolResultErrorParam(TypedDict):
    error_code: CodeExecutionErrorCode
    type: Literal["code_execution_tool_result_error"]


class CodeExecutionOutputBlockParam(TypedDict):
    file_id: str
    type: Literal["code_execution_output"]


class _Abortable(TypedDict):
    # Seen (null) in answers of 2026-08, so it comes back in requests; in no published type.
    abort_reason: NotRequired[str | None]


class CodeExecutionResultBlockParam(_Abortable):
    content: list[CodeExecutionOutputBlockParam]
    return_code: int
    stderr: str
    stdout: str
    type: Literal["code_execution_result"]


class EncryptedCodeExecutionResultBlockParam(_Abortable):
    content: list[CodeExecutionOutputBlockParam]
    encrypted_stdout: str
    return_code: int
    stderr: str
    type: Literal["encrypted_code_execution_result"]


class CodeExecutionToolResultBlockParam(Cacheable):
    content: CodeExecutionToolResultErrorParam | CodeExecutionResultBlockParam | EncryptedCodeExecutionResultBlockParam
    tool_use_id: ServerToolUseId
    type: Literal["code_execution_tool_result"]


class BashCodeExecutionToolResultErrorParam(TypedDict):
    error_code: CodeExecutionErrorCode | Literal["output_file_too_large"]
    type: Literal["bash_code_execution_tool_result_error"]


class BashCodeExecutionOutputBlockParam(TypedDict):
    file_id: str
    type: Literal["bash_code_execution_output"]


class BashCodeExecutionResultBlockParam(_Abortable):
    content: list[BashCodeExecutionOutputBlockParam]
    return_code: int
    stderr: str
    stdout: str
    type: Literal["bash_code_execution_result"]


class BashCodeExecutionToolResultBlockParam(Cacheable):
    content: BashCodeExecutionToolResultErrorParam | BashCodeExecutionResultBlockParam
    tool_use_id: ServerToolUseId
    type: Literal["bash_code_execution_tool_result"]


class TextEditorCodeExecutionToolResultErrorParam(TypedDict):
    error_code: CodeExecutionErrorCode | Literal["file_not_found"]
    type: Literal["text_editor_code_execution_tool_result_error"]
    error_message: NotRequired[str | None]


class TextEditorCodeExecutionViewResultBlockParam(TypedDict):
    content: str
    file_type: Literal["text", "image", "pdf"]
    type: Literal["text_editor_code_execution_view_result"]
    num_lines: NotRequired[int | None]
    start_line: NotRequired[int | None]
    total_lines: NotRequired[int | None]


class TextEditorCodeExecutionCreateResultBlockParam(TypedDict):
    is_file_update: bool
    type: Literal["text_editor_code_execution_create_result"]


class TextEditorCodeExecutionStrReplaceResultBlockParam(TypedDict):
    type: Literal["text_editor_code_execution_str_replace_result"]
    lines: NotRequired[list[str] | None]
    new_lines: NotRequired[int | None]
    new_start: NotRequired[int | None]
    old_lines: NotRequired[int | None]
    old_start: NotRequired[int | None]


class TextEditorCodeExecutionToolResultBlockParam(Cacheable):
    content: (
        TextEditorCodeExecutionToolResultErrorParam
        | TextEditorCodeExecutionViewResultBlockParam
        | TextEditorCodeExecutionCreateResultBlockParam
        | TextEditorCodeExecutionStrReplaceResultBlockParam
    )
    tool_use_id: ServerToolUseId
    type: Literal["text_editor_code_execution_tool_result"]


class ToolReferenceBlockParam(TypedDict):
    tool_name: str
    type: Literal["tool_reference"]
    cache_control: NotRequired[CacheControl | None]


class ToolSearchToolResultErrorParam(TypedDict):
    error_code: CodeExecutionErrorCode
    type: Literal["tool_search_tool_result_error"]
    error_message: NotRequired[str | None]


class ToolSearchToolSearchResultBlockParam(TypedDict):
    tool_references: list[ToolReferenceBlockParam]
    type: Literal["tool_search_tool_search_result"]


class ToolSearchToolResultBlockParam(Cacheable):
    content: ToolSearchToolResultErrorParam | ToolSearchToolSearchResultBlockParam
    tool_use_id: ServerToolUseId
    type: Literal["tool_search_tool_result"]


class AdvisorToolResultErrorParam(TypedDict):
    error_code: Literal[
        "max_uses_exceeded",
        "prompt_too_long",
        "too_many_requests",
        "overloaded",
        "unavailable",
        "execution_time_exceeded",
        "model_not_found",
    ]
    type: Literal["advisor_tool_result_error"]


class AdvisorResultBlockParam(TypedDict):
    text: str
    type: Literal["advisor_result"]
    stop_reason: NotRequired[str | None]


class AdvisorRedactedResultBlockParam(TypedDict):
    encrypted_content: str
    type: Literal["advisor_redacted_result"]
    stop_reason: NotRequired[str | None]


class AdvisorToolResultBlockParam(Cacheable):
    content: AdvisorToolResultErrorParam | AdvisorResultBlockParam | AdvisorRedactedResultBlockParam
    tool_use_id: ServerToolUseId
    type: Literal["advisor_tool_result"]
