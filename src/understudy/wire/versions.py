"""The API versions and betas that there are, and what each changes. One row each; everything else asks this table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

from .gates import Variant

Effect: TypeAlias = Literal["request", "answer", "generally_available", "old_shapes", "resource", "accepted"]
"""What a beta does here.

`request`: opens fields or block types of requests. `answer`: changes a limit or what an answer holds.
`generally_available`: what it opened is open to all, so it does nothing. `old_shapes`: asks for the shapes a resource
had in its beta. `resource`: opens routes. `accepted`: clients send it, and nothing is known to hang on it.
"""


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """A value of the `anthropic-version` header. `request` says how its requests differ from the newest version's."""

    name: str
    request: str
    source: str


@dataclass(frozen=True, slots=True)
class ApiBeta:
    """A value of the `anthropic-beta` header. `subject` says what it is about, in the API's words."""

    name: str
    effect: Effect
    subject: str
    source: str


_MIGRATION = "platform.claude.com/docs/en/api/migration-2026-10-21"
_SDK = "Python SDK 2.12.0, AnthropicBetaParam"
_DEPRECATED = "Python SDK 2.12.0, AnthropicBetaParam; documented as generally available"
_CLAUDE_CODE = "headers of Claude Code 2.1.330 (2026-11)"
_RECORDED = "recorded exchanges, 2024-04 to 2026-08"
_TRAFFIC = "seen in public traffic and earlier documentation"

VERSIONS: dict[str, ApiVersion] = {
    version.name: version
    for version in (
        ApiVersion(
            "2023-06-01",
            "has temperature, top_p and top_k; documents in assistant messages; citations in user messages",
            _MIGRATION,
        ),
        ApiVersion("2026-10-21", "", _MIGRATION),
    )
}

BETAS: dict[str, ApiBeta] = {
    beta.name: beta
    for beta in (
        ApiBeta("context-management-2025-06-27", "request", "context_management: clear_* edits", _SDK),
        ApiBeta("compact-2026-01-12", "request", "context_management: compact edit; compaction blocks", _SDK),
        ApiBeta("compact-2026-09-04", "request", "compaction; compaction blocks", _SDK),
        ApiBeta("mcp-client-2025-04-04", "request", "mcp_servers with tool_configuration; mcp blocks", _SDK),
        ApiBeta("mcp-client-2025-11-20", "request", "mcp_servers; mcp_toolset; mcp blocks", _SDK),
        ApiBeta("mcp-client-2026-09-15", "request", "mcp_servers; mcp_toolset with tools; mcp_tool_listing", _SDK),
        ApiBeta("task-budgets-2026-03-13", "request", "output_config.task_budget", _SDK),
        ApiBeta("advisor-tool-2026-03-01", "request", "advisor tool and its blocks; usage.iterations", _SDK),
        ApiBeta("computer-use-2024-10-22", "request", "computer, bash and text_editor _20241022", _SDK),
        ApiBeta("computer-use-2025-01-24", "request", "computer_20250124", _SDK),
        ApiBeta("computer-use-2025-11-24", "request", "computer_20251124", _SDK),
        ApiBeta("server-side-fallback-2026-06-01", "request", "fallbacks; fallback blocks", _SDK),
        ApiBeta("server-side-fallback-2026-07-01", "request", "fallbacks; fallback blocks", _SDK),
        ApiBeta("fallback-credit-2026-06-01", "request", "fallback_credit_token as a string", _SDK),
        ApiBeta("fallback-credit-2026-07-01", "request", "fallback_credit_token with mode", _SDK),
        ApiBeta("message-threads-2026-08-12", "request", "thread", _SDK),
        ApiBeta("mid-conversation-tool-changes-2026-07-01", "request", "tool_addition and tool_removal blocks", _SDK),
        ApiBeta("inline-tools-2026-09-15", "request", "tool_definition in tool_addition blocks", _SDK),
        ApiBeta("mid-conversation-output-config-2026-07-01", "request", "output_config of system messages", _SDK),
        ApiBeta("mid-conversation-system-clear-at-2026-08-21", "request", "clear_at of system messages", _SDK),
        ApiBeta("per-turn-control-2026-07-01", "request", "output_config of system messages [guess]", _CLAUDE_CODE),
        ApiBeta("thinking-display-updates-2026-08-18", "request", 'thinking.display "updates"', _SDK),
        ApiBeta("thinking-binding-controls-2026-08-01", "request", "thinking.block_binding", _SDK),
        ApiBeta("user-profiles-2026-03-24", "request", "user_profile_id; user_profiles routes", _SDK),
        ApiBeta("user-profiles-2026-08-18", "request", "user_profile_id; user_profiles routes", _SDK),
        ApiBeta("user-profiles-2026-09-04", "request", "user_profile_id; user_profiles routes", _SDK),
        ApiBeta("user-profiles-billing-2026-10-01", "request", "billing_policy", _SDK),
        ApiBeta("fast-mode-2026-02-01", "request", "speed", _SDK),
        ApiBeta("cache-diagnosis-2026-04-07", "request", "diagnostics", _DEPRECATED + ", refused without it"),
        ApiBeta("structured-outputs-2025-11-13", "request", "output_format, the earlier output_config.format", _SDK),
        ApiBeta("dangerous-tool-use-2026-09-03", "request", "safeguards", _CLAUDE_CODE),
        ApiBeta("afk-mode-2026-01-31", "request", "safeguards", _CLAUDE_CODE),
        ApiBeta("thinking-token-count-2026-05-13", "answer", "estimated_tokens of thinking_delta", _SDK),
        ApiBeta("output-300k-2026-03-24", "answer", "max_tokens up to 300k in batches", _SDK),
        ApiBeta("output-128k-2025-02-19", "answer", "max_tokens up to 128k", _SDK),
        ApiBeta("context-1m-2025-08-07", "answer", "context window of 1M tokens", _SDK),
        ApiBeta("interleaved-thinking-2025-05-14", "answer", "thinking between tool calls", _SDK),
        ApiBeta("dev-full-thinking-2025-05-14", "answer", "thinking without summaries", _SDK),
        ApiBeta(
            "model-context-window-exceeded-2025-08-26",
            "generally_available",
            "stop_reason model_context_window_exceeded",
            _SDK,
        ),
        ApiBeta("fine-grained-tool-streaming-2025-05-14", "answer", "tool input streamed unbuffered", _TRAFFIC),
        ApiBeta("code-execution-2025-05-22", "generally_available", "code_execution tools", _SDK),
        ApiBeta("code-execution-2025-08-25", "generally_available", "code_execution tools", _TRAFFIC),
        ApiBeta("web-fetch-2025-09-10", "generally_available", "web_fetch tools", _TRAFFIC),
        ApiBeta("search-results-2025-06-09", "generally_available", "search_result blocks", _TRAFFIC),
        ApiBeta("effort-2025-11-24", "generally_available", "output_config.effort", _CLAUDE_CODE),
        ApiBeta("advanced-tool-use-2025-11-20", "generally_available", "defer_loading, tool search", _CLAUDE_CODE),
        ApiBeta(
            "structured-outputs-2025-12-15", "generally_available", "strict tools, output_config.format", _RECORDED
        ),
        ApiBeta("tools-2024-04-04", "generally_available", "tools", _RECORDED),
        ApiBeta("message-batches-2024-09-24", "generally_available", "message batches", _DEPRECATED),
        ApiBeta("prompt-caching-2024-07-31", "generally_available", "cache_control", _DEPRECATED),
        ApiBeta("pdfs-2024-09-25", "generally_available", "document blocks", _DEPRECATED),
        ApiBeta("token-counting-2024-11-01", "generally_available", "count_tokens", _DEPRECATED),
        ApiBeta("token-efficient-tools-2025-02-19", "generally_available", "tool use", _DEPRECATED),
        ApiBeta("extended-cache-ttl-2025-04-11", "generally_available", "cache_control.ttl", _DEPRECATED),
        ApiBeta("ce-user-management-2026-07-13", "generally_available", "organization users", _DEPRECATED),
        ApiBeta("files-api-2025-04-14", "old_shapes", "files", _DEPRECATED),
        ApiBeta("skills-2025-10-02", "old_shapes", "skills", _DEPRECATED),
        ApiBeta("managed-agents-2026-04-01", "resource", "agents, sessions, environments, vaults", _SDK),
        ApiBeta("agent-memory-2026-07-22", "resource", "memory_stores; refused beside managed-agents", _SDK),
        ApiBeta("dreaming-2026-04-21", "resource", "dreams", _SDK),
        ApiBeta("mcp-tunnels-2026-06-22", "resource", "tunnels", _SDK),
        ApiBeta("ce-plugins-2026-09-01", "resource", "plugins", _SDK),
        ApiBeta("spend-limit-reads-2026-09-26", "resource", "spend_limits", _SDK),
        ApiBeta("telemetry-destinations-2026-08-11", "resource", "telemetry_destinations", _SDK),
        ApiBeta("webhooks-2026-10-07", "resource", "webhooks", _SDK),
        ApiBeta("admin-user-sign-out-2026-10-08", "resource", "signing users out", _SDK),
        ApiBeta("analytics-usage-cost-2026-08-24", "resource", "analytics reports", _SDK),
        ApiBeta("experimental-claude-tag-2026-10-21", "resource", "claude_tag", _SDK),
        ApiBeta("ce-claude-code-managed-settings-2026-10-06", "resource", "Claude Code's managed settings", _SDK),
        ApiBeta("claude-code-20250219", "accepted", "Claude Code", _CLAUDE_CODE),
        ApiBeta("oauth-2025-04-20", "accepted", "OAuth access tokens", _TRAFFIC),
        ApiBeta("oidc-federation-2026-04-01", "accepted", "workload identity", _TRAFFIC),
    )
}

_GATING = frozenset(beta.name for beta in BETAS.values() if beta.effect == "request")


# Of unknown betas in an error.
_MOST_NAMES = 20
_LONGEST_NAME = 100


def parse_betas(header_values: Iterable[str]) -> tuple[str, ...]:
    """The betas of all `anthropic-beta` headers of a request, in order, each once. The work is linear in the bytes."""
    names = (name.strip() for value in header_values for name in value.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def unknown_betas(betas: Iterable[str]) -> tuple[str, ...]:
    """Those of `betas` that are in no row of the table, in order."""
    return tuple(name for name in betas if name not in BETAS)


def unknown_betas_message(unknown: Iterable[str]) -> str:
    """The documented text of the 400 that answers unknown betas. Of very many, or very long ones, it names a part."""
    names = ", ".join(f"`{name[:_LONGEST_NAME]}`" for name in islice(unknown, _MOST_NAMES))
    return (
        f"Unexpected value(s) {names} for the `anthropic-beta` header. Please consult our documentation at "
        "platform.claude.com/docs or try again without the header."
    )


def gating_betas(betas: Iterable[str]) -> frozenset[str]:
    """Those of `betas` that change the shape of a request: all that a cache of shapes may take as its key."""
    return _GATING.intersection(betas)


def variant_of(version: str, betas: Iterable[str]) -> Variant:
    """The shape of requests under `version`, which must be one of VERSIONS, and `betas`."""
    if version not in VERSIONS:
        raise ValueError(f"no such API version: {version}")
    return Variant(version, gating_betas(betas))
