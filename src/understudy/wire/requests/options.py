"""The objects that steer a turn: thinking, tool_choice, output_config, context_management, fallbacks and the like."""

from typing import Annotated, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from understudy.wire.gates import Beta
from understudy.wire.schema import Limits, Tagged

from .common import Effort, FreeForm

ModelName: TypeAlias = Annotated[str, Limits(min_length=1)]


class MetadataParam(TypedDict):
    user_id: NotRequired[Annotated[str, Limits(max_length=512)] | None]


class JSONOutputFormatParam(TypedDict):
    schema: FreeForm
    type: Literal["json_schema"]


class TaskBudgetParam(TypedDict):
    total: Annotated[int, Limits(ge=1024)]
    type: Literal["tokens"]
    remaining: NotRequired[int | None]


class OutputConfigParam(TypedDict):
    effort: NotRequired[Effort | None]
    format: NotRequired[JSONOutputFormatParam | None]
    task_budget: Annotated[NotRequired[TaskBudgetParam | None], Beta("task-budgets-2026-03-13")]


class SkillParams(TypedDict):
    skill_id: Annotated[str, Limits(min_length=1, max_length=64)]
    type: Literal["anthropic", "custom"]
    version: NotRequired[Annotated[str, Limits(min_length=1, max_length=64)]]


class ContainerParams(TypedDict):
    id: NotRequired[str | None]
    skills: NotRequired[Annotated[list[SkillParams], Limits(max_length=20)] | None]


class ThinkingBlockBindingParam(TypedDict):
    prefix_mismatch_behavior: NotRequired[Literal["error", "drop_block"] | None]


class _VisibleThinking(TypedDict):
    block_binding: Annotated[
        NotRequired[ThinkingBlockBindingParam | None], Beta("thinking-binding-controls-2026-08-01")
    ]
    display: NotRequired[
        Literal["summarized", "omitted"]
        | Annotated[Literal["updates"], Beta("thinking-display-updates-2026-08-18")]
        | None
    ]


class ThinkingConfigEnabledParam(_VisibleThinking):
    budget_tokens: Annotated[int, Limits(ge=1024)]
    type: Literal["enabled"]


class ThinkingConfigDisabledParam(TypedDict):
    type: Literal["disabled"]


class ThinkingConfigBetweenToolsParam(TypedDict):
    type: Literal["between_tools"]


class ThinkingConfigAdaptiveParam(_VisibleThinking):
    type: Literal["adaptive"]


ThinkingConfigParam: TypeAlias = (
    ThinkingConfigEnabledParam
    | ThinkingConfigDisabledParam
    | ThinkingConfigBetweenToolsParam
    | ThinkingConfigAdaptiveParam
)


class _ToolsInParallel(TypedDict):
    disable_parallel_tool_use: NotRequired[bool]


class ToolChoiceAutoParam(_ToolsInParallel):
    type: Literal["auto"]


class ToolChoiceAnyParam(_ToolsInParallel):
    type: Literal["any"]


class ToolChoiceToolParam(_ToolsInParallel):
    name: str
    type: Literal["tool"]


class ToolChoiceNoneParam(TypedDict):
    type: Literal["none"]


# The one list of tags that the real service does not give in the order of the alphabet.
ToolChoiceParam: TypeAlias = Annotated[
    ToolChoiceAutoParam | ToolChoiceAnyParam | ToolChoiceToolParam | ToolChoiceNoneParam,
    Tagged(in_order=True),
]


class DiagnosticsParam(TypedDict):
    previous_message_id: NotRequired[str | None]


class InputTokensParam(TypedDict):
    type: Literal["input_tokens"]
    value: int


class InputTokensTriggerParam(TypedDict):
    type: Literal["input_tokens"]
    value: Annotated[int, Limits(ge=1)]


class CompactTriggerParam(TypedDict):
    type: Literal["input_tokens"]
    value: Annotated[int, Limits(ge=50_000)]


class ToolUsesParam(TypedDict):
    type: Literal["tool_uses"]
    value: int


class ThinkingTurnsParam(TypedDict):
    type: Literal["thinking_turns"]
    value: Annotated[int, Limits(ge=1)]


class AllThinkingTurnsParam(TypedDict):
    type: Literal["all"]


class ClearToolUses20250919EditParam(TypedDict):
    type: Literal["clear_tool_uses_20250919"]
    clear_at_least: NotRequired[InputTokensParam | None]
    clear_tool_inputs: NotRequired[bool | list[str] | None]
    exclude_tools: NotRequired[list[str] | None]
    keep: NotRequired[ToolUsesParam]
    trigger: NotRequired[InputTokensTriggerParam | ToolUsesParam]


class ClearThinking20251015EditParam(TypedDict):
    type: Literal["clear_thinking_20251015"]
    keep: NotRequired[Literal["all"] | ThinkingTurnsParam | AllThinkingTurnsParam]


class Compact20260112EditParam(TypedDict):
    type: Literal["compact_20260112"]
    instructions: NotRequired[str | None]
    pause_after_compaction: NotRequired[bool]
    trigger: NotRequired[CompactTriggerParam | None]


class ContextManagementConfigParam(TypedDict):
    edits: NotRequired[
        list[
            Annotated[
                Annotated[ClearToolUses20250919EditParam, Beta("context-management-2025-06-27")]
                | Annotated[ClearThinking20251015EditParam, Beta("context-management-2025-06-27")]
                | Annotated[Compact20260112EditParam, Beta("compact-2026-01-12")],
                Tagged(),
            ]
        ]
    ]


class CompactionConfigParam(TypedDict):
    type: Literal["summarize"]
    instructions: NotRequired[str | None]


class FallbackParam(TypedDict):
    model: ModelName
    max_tokens: NotRequired[int | None]
    output_config: NotRequired[OutputConfigParam | None]
    speed: NotRequired[Literal["fast", "standard"] | None]
    thinking: NotRequired[ThinkingConfigParam | None]


class FallbackCreditTokenParam(TypedDict):
    """Like `container` it stands beside a string, but its name is not shown in paths [guess]."""

    token: str
    mode: NotRequired[Literal["strict", "best_effort"]]


class MCPServerToolConfigurationParam(TypedDict):
    allowed_tools: NotRequired[list[str] | None]
    enabled: NotRequired[bool | None]


class MCPServerURLDefinitionParam(TypedDict):
    name: str
    type: Literal["url"]
    url: str
    authorization_token: NotRequired[str | None]
    # The toolset in `tools` took its place in the later betas.
    tool_configuration: Annotated[NotRequired[MCPServerToolConfigurationParam | None], Beta("mcp-client-2025-04-04")]


class ThreadCreateParams(TypedDict):
    type: Literal["create"]


class ThreadContinueParams(TypedDict):
    previous_message_id: str
    type: Literal["continue"]


class BillingPolicyParam(TypedDict):
    type: Literal["billing_policy"]
    bill_to: NotRequired[Literal["self", "user_profile"]]
