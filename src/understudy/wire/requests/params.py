"""The bodies of POST /v1/messages and POST /v1/messages/count_tokens, and the messages in them."""

from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from understudy.wire.gates import Beta, Until
from understudy.wire.schema import HIDDEN, Label, Limits, Tagged

from .blocks import MCP_CLIENT, ContentBlockParam
from .common import CacheControl, Effort, FreeForm, TextBlockParam
from .options import (
    BillingPolicyParam,
    CompactionConfigParam,
    ContainerParams,
    ContextManagementConfigParam,
    DiagnosticsParam,
    FallbackCreditTokenParam,
    FallbackParam,
    JSONOutputFormatParam,
    MCPServerURLDefinitionParam,
    MetadataParam,
    ModelName,
    OutputConfigParam,
    ThinkingConfigParam,
    ThreadContinueParams,
    ThreadCreateParams,
    ToolChoiceParam,
)
from .tools import ToolUnionParam

CONTEXT_MANAGEMENT = Beta("context-management-2025-06-27", "compact-2026-01-12")
SYSTEM_CLEAR_AT = Beta("mid-conversation-system-clear-at-2026-08-21")
# Claude Code sends the second one alone [guess: it is the earlier name of the same thing].
SYSTEM_OUTPUT_CONFIG = Beta("mid-conversation-output-config-2026-07-01", "per-turn-control-2026-07-01")
SAFEGUARDS = Beta("dangerous-tool-use-2026-09-03", "afk-mode-2026-01-31")
USER_PROFILES = Beta("user-profiles-2026-03-24", "user-profiles-2026-08-18", "user-profiles-2026-09-04")
FALLBACK = Beta("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01")
SAMPLING = Until("2026-10-21")


class TurnParam(TypedDict):
    """A message. Without betas of its own a system message is one too: a separate type would show in paths."""

    role: Literal["user", "assistant", "system"]
    content: str | list[ContentBlockParam]


class SystemMessageOutputConfigParam(TypedDict):
    effort: NotRequired[Effort | None]


class SystemMessageParam(TypedDict):
    """A system message in the middle of a conversation, under a beta that gives it more than content."""

    role: Literal["system"]
    content: NotRequired[str | list[ContentBlockParam]]
    clear_at: Annotated[NotRequired[Literal["next_user_message", "never"] | None], SYSTEM_CLEAR_AT]
    output_config: Annotated[NotRequired[SystemMessageOutputConfigParam | None], SYSTEM_OUTPUT_CONFIG]


_TURN, _SYSTEM = HIDDEN + "turn", HIDDEN + "system"


def message_kind(message: dict[str, Any]) -> str:
    return _SYSTEM if message.get("role") == "system" else _TURN


MessageParam: TypeAlias = Annotated[
    Annotated[TurnParam, Label(_TURN)]
    | Annotated[SystemMessageParam, Label(_SYSTEM), Beta(*SYSTEM_CLEAR_AT.names, *SYSTEM_OUTPUT_CONFIG.names)],
    Tagged(choose=message_kind, hidden=True),
]

# The API's own limit on the number of messages.
Messages: TypeAlias = Annotated[list[MessageParam], Limits(max_length=100_000)]
MCPServers: TypeAlias = Annotated[list[MCPServerURLDefinitionParam], Limits(max_length=20)]


class MessageCreateParams(TypedDict):
    """Fields in the order in which the real service reports them; beta fields behind the 18 others [guess]."""

    model: ModelName
    tool_choice: NotRequired[ToolChoiceParam]
    tools: NotRequired[list[ToolUnionParam]]
    messages: Messages
    system: NotRequired[str | list[TextBlockParam]]
    thinking: NotRequired[ThinkingConfigParam]
    output_config: NotRequired[OutputConfigParam]
    cache_control: NotRequired[CacheControl | None]
    max_tokens: Annotated[int, Limits(ge=0)]
    metadata: NotRequired[MetadataParam | None]
    stop_sequences: NotRequired[list[str] | None]
    temperature: Annotated[NotRequired[float], Limits(ge=0, le=1), SAMPLING]
    service_tier: NotRequired[Literal["auto", "standard_only"]]
    # -1 is accepted by the real service, so nothing bounds it here.
    top_k: Annotated[NotRequired[int], SAMPLING]
    top_p: Annotated[NotRequired[float], Limits(ge=0, le=1), SAMPLING]
    stream: NotRequired[bool]
    container: NotRequired[str | Annotated[ContainerParams, Label("ContainerParams")] | None]
    inference_geo: NotRequired[str | None]

    billing_policy: Annotated[NotRequired[BillingPolicyParam | None], Beta("user-profiles-billing-2026-10-01")]
    compaction: Annotated[NotRequired[CompactionConfigParam | None], Beta("compact-2026-09-04")]
    context_management: Annotated[NotRequired[ContextManagementConfigParam | None], CONTEXT_MANAGEMENT]
    # Typed as stable by the SDK, but the service refuses `diagnostics` and `speed` without their betas.
    diagnostics: Annotated[NotRequired[DiagnosticsParam | None], Beta("cache-diagnosis-2026-04-07")]
    fallback_credit_token: Annotated[
        NotRequired[str | Annotated[FallbackCreditTokenParam, Beta("fallback-credit-2026-07-01")] | None],
        Beta("fallback-credit-2026-06-01", "fallback-credit-2026-07-01"),
    ]
    fallbacks: Annotated[NotRequired[Literal["default"] | list[FallbackParam] | None], FALLBACK]
    mcp_servers: Annotated[NotRequired[MCPServers], MCP_CLIENT]
    # What clients of 2025 send for today's output_config.format.
    output_format: Annotated[NotRequired[JSONOutputFormatParam | None], Beta("structured-outputs-2025-11-13")]
    # Seen from Claude Code in its automatic permission mode; in no published type.
    safeguards: Annotated[NotRequired[list[FreeForm] | None], SAFEGUARDS]
    speed: Annotated[NotRequired[Literal["fast", "standard"] | None], Beta("fast-mode-2026-02-01")]
    thread: Annotated[NotRequired[ThreadCreateParams | ThreadContinueParams | None], Beta("message-threads-2026-08-12")]
    user_profile_id: Annotated[NotRequired[str | None], USER_PROFILES]


class MessageCountTokensParams(TypedDict):
    """The same order, cut to what is counted."""

    model: ModelName
    tool_choice: NotRequired[ToolChoiceParam]
    tools: NotRequired[list[ToolUnionParam]]
    messages: Messages
    system: NotRequired[str | list[TextBlockParam]]
    thinking: NotRequired[ThinkingConfigParam]
    output_config: NotRequired[OutputConfigParam]
    cache_control: NotRequired[CacheControl | None]

    billing_policy: Annotated[NotRequired[BillingPolicyParam | None], Beta("user-profiles-billing-2026-10-01")]
    compaction: Annotated[NotRequired[CompactionConfigParam | None], Beta("compact-2026-09-04")]
    context_management: Annotated[NotRequired[ContextManagementConfigParam | None], CONTEXT_MANAGEMENT]
    mcp_servers: Annotated[NotRequired[MCPServers], MCP_CLIENT]
    output_format: Annotated[NotRequired[JSONOutputFormatParam | None], Beta("structured-outputs-2025-11-13")]
    speed: Annotated[NotRequired[Literal["fast", "standard"] | None], Beta("fast-mode-2026-02-01")]
    user_profile_id: Annotated[NotRequired[str | None], USER_PROFILES]
