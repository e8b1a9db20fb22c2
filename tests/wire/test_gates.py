"""What versions and betas open and close."""

from typing import Any

import pytest

from understudy.wire.errors import InvalidRequestError
from understudy.wire.validation import Endpoint, validator
from understudy.wire.versions import VERSIONS

BODY: dict[str, Any] = {
    "model": "claude-sonnet-5",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "hi"}],
}


def accepts(body: object, betas: tuple[str, ...] = (), version: str = "2026-10-21", to: Endpoint = "messages") -> bool:
    return fault(body, betas, version, to) is None


def fault(
    body: object, betas: tuple[str, ...] = (), version: str = "2026-10-21", to: Endpoint = "messages"
) -> str | None:
    try:
        validator(to, version, betas).check(body)
    except InvalidRequestError as exc:
        return exc.message
    return None


def field(name: str, value: object, *betas: str) -> Any:
    return pytest.param({name: value}, f"{name}: Extra inputs are not permitted", betas, id=name)


def block(value: dict[str, Any], *betas: str) -> Any:
    body = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [value]}]}
    return pytest.param(body, f"messages.1.content.0: Input tag '{value['type']}' found", betas, id=value["type"])


def tool(value: dict[str, Any], *betas: str) -> Any:
    return pytest.param(
        {"tools": [value]}, f"tools.0: Input tag '{value['type']}' found", betas, id=f"tool {value['type']}"
    )


def nested(name: str, body: dict[str, Any], message: str, *betas: str) -> Any:
    return pytest.param(body, message, betas, id=name)


def system(**fields: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": [], **fields}]}


MCP = ("mcp-client-2025-04-04", "mcp-client-2025-11-20", "mcp-client-2026-09-15")
COMPACT = ("compact-2026-01-12", "compact-2026-09-04")
FALLBACK = ("server-side-fallback-2026-06-01", "server-side-fallback-2026-07-01")
CHANGES = ("mid-conversation-tool-changes-2026-07-01", "inline-tools-2026-09-15")
DISPLAY = {"type": "computer", "name": "computer", "display_width_px": 800, "display_height_px": 600}
EXTRA = "Extra inputs are not permitted"

GATED = [
    field("context_management", {"edits": []}, "context-management-2025-06-27", "compact-2026-01-12"),
    field("mcp_servers", [{"type": "url", "name": "n", "url": "https://example.com"}], *MCP),
    field("fallbacks", "default", *FALLBACK),
    field("fallbacks", [{"model": "claude-opus-5", "max_tokens": 5}], *FALLBACK),
    field("fallback_credit_token", "t", "fallback-credit-2026-06-01", "fallback-credit-2026-07-01"),
    field("fallback_credit_token", {"token": "t", "mode": "strict"}, "fallback-credit-2026-07-01"),
    field("thread", {"type": "create"}, "message-threads-2026-08-12"),
    field("compaction", {"type": "summarize"}, "compact-2026-09-04"),
    field("billing_policy", {"type": "billing_policy"}, "user-profiles-billing-2026-10-01"),
    field("speed", "fast", "fast-mode-2026-02-01"),
    field("diagnostics", {"previous_message_id": None}, "cache-diagnosis-2026-04-07"),
    field("user_profile_id", "uprof_1", "user-profiles-2026-03-24", "user-profiles-2026-09-04"),
    field("output_format", {"type": "json_schema", "schema": {}}, "structured-outputs-2025-11-13"),
    field(
        "safeguards",
        [{"type": "dangerous_tool_use", "classifier_context": {"a": 1}}],
        "dangerous-tool-use-2026-09-03",
        "afk-mode-2026-01-31",
    ),
    block({"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "n", "server_name": "s", "input": {}}, *MCP),
    block({"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "content": "x"}, *MCP),
    block({"type": "mcp_tool_listing", "mcp_server_name": "s", "tools": []}, "mcp-client-2026-09-15"),
    block(
        {
            "type": "advisor_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": {"type": "advisor_result", "text": "x", "stop_reason": "end_turn"},
        },
        "advisor-tool-2026-03-01",
    ),
    block({"type": "compaction", "content": None}, *COMPACT),
    block({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}, *FALLBACK),
    block({"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}}, *CHANGES),
    block({"type": "tool_removal", "tool": {"type": "mcp_toolset_reference", "server_name": "s"}}, *CHANGES),
    tool({"type": "bash_20241022", "name": "bash"}, "computer-use-2024-10-22"),
    tool({"type": "text_editor_20241022", "name": "str_replace_editor"}, "computer-use-2024-10-22"),
    tool(DISPLAY | {"type": "computer_20241022"}, "computer-use-2024-10-22"),
    tool(DISPLAY | {"type": "computer_20250124"}, "computer-use-2025-01-24"),
    tool(DISPLAY | {"type": "computer_20251124", "enable_zoom": True}, "computer-use-2025-11-24"),
    tool({"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"}, "advisor-tool-2026-03-01"),
    tool({"type": "mcp_toolset", "mcp_server_name": "s"}, "mcp-client-2025-11-20", "mcp-client-2026-09-15"),
    nested(
        "task_budget",
        {"output_config": {"task_budget": {"type": "tokens", "total": 1024}}},
        f"output_config.task_budget: {EXTRA}",
        "task-budgets-2026-03-13",
    ),
    nested(
        "display updates",
        {"thinking": {"type": "adaptive", "display": "updates"}},
        "thinking.adaptive.display: Input should be 'summarized' or 'omitted'",
        "thinking-display-updates-2026-08-18",
    ),
    nested(
        "block_binding",
        {"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}},
        f"thinking.adaptive.block_binding: {EXTRA}",
        "thinking-binding-controls-2026-08-01",
    ),
    nested(
        "clear_at",
        system(clear_at="never"),
        f"messages.1.clear_at: {EXTRA}",
        "mid-conversation-system-clear-at-2026-08-21",
    ),
    nested(
        "output_config of a system message",
        system(output_config={"effort": "low"}),
        f"messages.1.output_config: {EXTRA}",
        "mid-conversation-output-config-2026-07-01",
        "per-turn-control-2026-07-01",
    ),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("addition", "message", "betas"), GATED)
def test_a_gated_shape_is_refused_without_its_beta_and_accepted_with_any_of_them(
    addition: dict[str, Any], message: str, betas: tuple[str, ...], version: str
):
    body = BODY | addition
    refusal = fault(body, ("claude-code-20250219",), version)
    assert refusal is not None
    assert refusal.startswith(message)
    for beta in betas:
        assert fault(body, (beta,), version) is None, beta


def test_other_betas_do_not_open_a_field():
    others = ("fast-mode-2026-02-01", "compact-2026-09-04", "task-budgets-2026-03-13")
    assert fault(BODY | {"context_management": {}}, others) == f"context_management: {EXTRA}"


def test_an_edit_needs_the_beta_it_came_with():
    body = BODY | {"context_management": {"edits": [{"type": "compact_20260112"}]}}
    assert accepts(body, ("compact-2026-01-12",))
    refusal = fault(body, ("context-management-2025-06-27",))
    assert refusal == (
        "context_management.edits.0: Input tag 'compact_20260112' found using 'type' does not match any of the "
        "expected tags: 'clear_thinking_20251015', 'clear_tool_uses_20250919'"
    )


def test_tool_configuration_belongs_to_the_first_mcp_beta_only():
    server = {"type": "url", "name": "n", "url": "https://example.com", "tool_configuration": {"enabled": True}}
    assert accepts(BODY | {"mcp_servers": [server]}, ("mcp-client-2025-04-04",))
    assert fault(BODY | {"mcp_servers": [server]}, ("mcp-client-2025-11-20",)) == (
        f"mcp_servers.0.tool_configuration: {EXTRA}"
    )


def test_a_tool_can_be_defined_inline_only_with_the_beta_for_it():
    definition = {"name": "f", "input_schema": {"type": "object"}}
    block = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": definition}}
    body = BODY | {"messages": [{"role": "system", "content": [block]}]}
    assert accepts(body, ("inline-tools-2026-09-15",))
    assert not accepts(body, ("mid-conversation-tool-changes-2026-07-01",))


def test_the_advisor_is_a_server_tool_only_with_its_beta():
    block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "advisor", "input": {}}
    body = BODY | {"messages": [{"role": "assistant", "content": [block]}]}
    assert accepts(body, ("advisor-tool-2026-03-01",))
    assert not accepts(body)


def test_only_a_system_message_can_leave_its_content_out_or_clear_itself():
    beta = ("mid-conversation-output-config-2026-07-01", "mid-conversation-system-clear-at-2026-08-21")
    turn = {"role": "system", "output_config": {"effort": "low"}}
    assert accepts(BODY | {"messages": [turn]}, beta)
    assert fault(BODY | {"messages": [turn | {"role": "user"}]}, beta) == "messages.0.content: Field required"
    user = {"role": "user", "content": "x", "clear_at": "never"}
    assert fault(BODY | {"messages": [user]}, beta) == f"messages.0.clear_at: {EXTRA}"
    assert fault(BODY | {"messages": [7]}, beta) == "messages.0: Input does not match the expected shape."
    bogus = fault(BODY | {"messages": [{"role": "bogus", "content": "x"}]}, beta)
    assert bogus == 'messages: Unexpected role "bogus". Allowed roles are "user" or "assistant"'


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_sampling_belongs_to_the_older_version_only(name: str):
    assert accepts(BODY | {name: 1}, version="2023-06-01")
    assert fault(BODY | {name: 1}, version="2026-10-21") == f"{name}: {EXTRA}"


@pytest.mark.parametrize("name", ["betas", "workspace_id", "speed", "diagnostics", "user_profile_id", "mcp_servers"])
def test_what_is_sent_in_headers_or_hangs_on_betas_is_no_field(name: str):
    assert fault(BODY | {name: "x"}) == f"{name}: {EXTRA}"


def test_count_tokens_knows_what_is_counted_and_nothing_else():
    body = {key: value for key, value in BODY.items() if key != "max_tokens"}
    counted = {
        "tools": [],
        "tool_choice": {"type": "none"},
        "system": "s",
        "thinking": {"type": "disabled"},
        "output_config": {},
        "cache_control": None,
    }
    assert accepts(body | counted, to="count_tokens")
    for name in ("max_tokens", "stream", "metadata", "temperature", "stop_sequences"):
        assert fault(body | {name: 1}, to="count_tokens", version="2023-06-01") == f"{name}: {EXTRA}"
    assert accepts(body | {"speed": "fast"}, ("fast-mode-2026-02-01",), to="count_tokens")
    assert accepts(body | {"mcp_servers": []}, MCP[:1], to="count_tokens")


def test_what_claude_code_sends_is_accepted():
    ephemeral = {"type": "ephemeral"}
    tools = [
        {"name": "Read", "description": "d", "input_schema": {"type": "object"}, "eager_input_streaming": True},
        {"name": "ToolSearch", "description": "d", "input_schema": {"type": "object"}, "strict": True},
        {"name": "DeferredToolPlaceholder", "input_schema": {"type": "object"}, "defer_loading": True},
    ]
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_01",
        "content": [
            {"type": "tool_reference", "tool_name": "Read"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
        ],
        "cache_control": ephemeral,
    }
    body = {
        "model": "my-local-model",
        "max_tokens": 32000,
        "stream": True,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: x"},
            {"type": "text", "text": "You are", "cache_control": ephemeral},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hello"}]},
            {"role": "system", "content": "note"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": "CAQS"},
                    {"type": "tool_use", "id": "toolu_01", "name": "Read", "input": {}, "caller": {"type": "direct"}},
                ],
            },
            {"role": "user", "content": [result]},
            {"role": "system", "content": [{"type": "text", "text": "note", "cache_control": ephemeral}]},
        ],
        "tools": tools,
        "metadata": {"user_id": '{"session_id": "s"}'},
        "thinking": {"type": "adaptive", "display": "updates"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "safeguards": [{"type": "dangerous_tool_use", "classifier_context": {}}],
        "temperature": 1,
    }
    betas = (
        "claude-code-20250219",
        "interleaved-thinking-2025-05-14",
        "context-management-2025-06-27",
        "thinking-token-count-2026-05-13",
        "advanced-tool-use-2025-11-20",
        "thinking-display-updates-2026-08-18",
        "per-turn-control-2026-07-01",
        "mid-conversation-tool-changes-2026-07-01",
        "effort-2025-11-24",
        "dangerous-tool-use-2026-09-03",
        "afk-mode-2026-01-31",
    )
    assert fault(body, betas, "2023-06-01") is None
