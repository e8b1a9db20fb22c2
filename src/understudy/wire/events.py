"""The response `Message` and the events of its stream, stable and beta.

For type checkers only. Keys stand in the order of the wire as it is since 2026-09; answers are built in it.
"""

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from .content import (
    BashCodeExecutionToolResultBlock,
    Citation,
    CodeExecutionToolResultBlock,
    ContainerUploadBlock,
    RedactedThinkingBlock,
    ServerToolUseBlock,
    TextBlock,
    TextEditorCodeExecutionToolResultBlock,
    ThinkingBlock,
    ToolSearchToolResultBlock,
    ToolUseBlock,
    WebFetchToolResultBlock,
    WebSearchToolResultBlock,
)
from .content_beta import (
    AdvisorToolResultBlock,
    CompactionBlock,
    FallbackBlock,
    MCPToolListingBlock,
    MCPToolResultBlock,
    MCPToolUseBlock,
    RefusalCategory,
)

ContentBlock: TypeAlias = (
    TextBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ServerToolUseBlock
    | WebSearchToolResultBlock
    | WebFetchToolResultBlock
    | CodeExecutionToolResultBlock
    | BashCodeExecutionToolResultBlock
    | TextEditorCodeExecutionToolResultBlock
    | ToolSearchToolResultBlock
    | ContainerUploadBlock
    | AdvisorToolResultBlock
    | MCPToolUseBlock
    | MCPToolResultBlock
    | MCPToolListingBlock
    | CompactionBlock
    | FallbackBlock
)

StopReason: TypeAlias = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "compaction",
    "refusal",
    "model_context_window_exceeded",
]


class ContainerSkill(TypedDict):
    type: Literal["anthropic", "custom"]
    skill_id: str
    version: str


class Container(TypedDict):
    id: str
    expires_at: str
    skills: NotRequired[list[ContainerSkill] | None]


class RefusalStopDetails(TypedDict):
    type: Literal["refusal"]
    category: RefusalCategory | None
    explanation: str | None
    recommended_model: NotRequired[str | None]
    fallback_credit_token: NotRequired[str | None]
    fallback_has_prefill_claim: NotRequired[bool | None]


class CacheCreation(TypedDict):
    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class OutputTokensDetails(TypedDict):
    thinking_tokens: int


class ServerToolUsage(TypedDict):
    web_search_requests: int
    web_fetch_requests: int


class IterationUsage(TypedDict):
    """One call of a model within a turn (beta). `model` is there for the advisor's and a fallback's calls."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int
    cache_creation: CacheCreation | None
    type: Literal["message", "compaction", "advisor_message", "fallback_message"]
    model: NotRequired[str]


class FallbackCreditRedeemed(TypedDict):
    type: Literal["redeemed"]


class FallbackCreditNotApplied(TypedDict):
    type: Literal["not_applied"]
    reason: str
    remove_to_redeem: NotRequired[list[str] | None]


class FallbackCreditUsage(TypedDict):
    status: FallbackCreditRedeemed | FallbackCreditNotApplied


class Usage(TypedDict):
    """Of a Message. `message_start` has it without output_tokens_details, server_tool_use and iterations."""

    input_tokens: int
    cache_creation_input_tokens: int | None
    cache_read_input_tokens: int | None
    cache_creation: CacheCreation | None
    iterations: NotRequired[list[IterationUsage] | None]
    output_tokens: int
    output_tokens_details: NotRequired[OutputTokensDetails | None]
    service_tier: Literal["standard", "priority", "batch"] | None
    inference_geo: str | None
    server_tool_use: NotRequired[ServerToolUsage | None]
    speed: NotRequired[Literal["standard", "fast"] | None]
    fallback_credit: NotRequired[FallbackCreditUsage | None]


class CacheMiss(TypedDict):
    type: Literal[
        "model_changed",
        "system_changed",
        "tools_changed",
        "messages_changed",
        "previous_message_not_found",
        "unavailable",
    ]
    # Only of the four that say what changed.
    cache_missed_input_tokens: NotRequired[int]


class Diagnostics(TypedDict):
    cache_miss_reason: CacheMiss | None


class InputTransformation(TypedDict):
    type: Literal["thinking_dropped", "thinking_mismatch_allowed"]
    path: str
    reason: Literal[
        "model_binding_mismatch",
        "prefix_binding_mismatch",
        "organization_binding_mismatch",
        "end_user_binding_mismatch",
    ]


class ClearToolUsesAppliedEdit(TypedDict):
    type: Literal["clear_tool_uses_20250919"]
    cleared_tool_uses: int
    cleared_input_tokens: int


class ClearThinkingAppliedEdit(TypedDict):
    type: Literal["clear_thinking_20251015"]
    cleared_thinking_turns: int
    cleared_input_tokens: int


class ContextManagementResponse(TypedDict):
    applied_edits: list[ClearToolUsesAppliedEdit | ClearThinkingAppliedEdit]


class Message(TypedDict):
    """`input_transformations` is there if thinking.block_binding is in play, `context_management` with its beta."""

    model: str
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    content: list[ContentBlock]
    container: Container | None
    stop_reason: StopReason | None
    stop_sequence: str | None
    stop_details: RefusalStopDetails | None
    usage: Usage
    input_transformations: NotRequired[list[InputTransformation] | None]
    diagnostics: Diagnostics | None
    context_management: NotRequired[ContextManagementResponse | None]


class CountTokensContextManagement(TypedDict):
    original_input_tokens: int


class MessageTokensCount(TypedDict):
    """The answer of count_tokens."""

    input_tokens: int
    context_management: NotRequired[CountTokensContextManagement | None]


class TextDelta(TypedDict):
    type: Literal["text_delta"]
    text: str


class InputJSONDelta(TypedDict):
    type: Literal["input_json_delta"]
    partial_json: str


class CitationsDelta(TypedDict):
    type: Literal["citations_delta"]
    citation: Citation


class ThinkingDelta(TypedDict):
    type: Literal["thinking_delta"]
    thinking: str
    estimated_tokens: NotRequired[int | None]


class SignatureDelta(TypedDict):
    type: Literal["signature_delta"]
    signature: str


class CompactionDelta(TypedDict):
    type: Literal["compaction_delta"]
    content: str | None
    encrypted_content: NotRequired[str | None]


Delta: TypeAlias = TextDelta | InputJSONDelta | CitationsDelta | ThinkingDelta | SignatureDelta | CompactionDelta


class MessageStartEvent(TypedDict):
    type: Literal["message_start"]
    message: Message


class ContentBlockStartEvent(TypedDict):
    type: Literal["content_block_start"]
    index: int
    content_block: ContentBlock


class ContentBlockDeltaEvent(TypedDict):
    type: Literal["content_block_delta"]
    index: int
    delta: Delta


class ContentBlockStopEvent(TypedDict):
    type: Literal["content_block_stop"]
    index: int


class MessageDelta(TypedDict):
    stop_reason: StopReason | None
    stop_sequence: str | None
    stop_details: RefusalStopDetails | None
    container: Container | None


class MessageDeltaUsage(TypedDict):
    """Cumulative over the stream."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: NotRequired[OutputTokensDetails | None]
    server_tool_use: NotRequired[ServerToolUsage | None]
    iterations: NotRequired[list[IterationUsage] | None]
    fallback_credit: NotRequired[FallbackCreditUsage | None]


class MessageDeltaEvent(TypedDict):
    type: Literal["message_delta"]
    delta: MessageDelta
    usage: MessageDeltaUsage
    input_transformations: NotRequired[list[InputTransformation] | None]
    context_management: NotRequired[ContextManagementResponse | None]


class MessageStopEvent(TypedDict):
    type: Literal["message_stop"]


class PingEvent(TypedDict):
    type: Literal["ping"]


class ErrorDetail(TypedDict):
    details: NotRequired[dict[str, object] | None]
    type: str
    message: str


class ErrorEvent(TypedDict):
    type: Literal["error"]
    error: ErrorDetail
    request_id: str | None


StreamEvent: TypeAlias = (
    MessageStartEvent
    | ContentBlockStartEvent
    | ContentBlockDeltaEvent
    | ContentBlockStopEvent
    | MessageDeltaEvent
    | MessageStopEvent
    | PingEvent
    | ErrorEvent
)
