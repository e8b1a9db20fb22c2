"""POST /v1/messages and count_tokens, stable and beta."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from .table import Made, NeedsBeta, Resource, Rewrite

_ONE_PROPERTY = {"location": {"type": "string"}, "unit": {"type": "string"}}
# Models that left the API before its present catalog begins; the SDK only warns about their names.
_FORGOTTEN = (
    *("claude-1.3", "claude-1.3-100k", "claude-2.0", "claude-2.1"),
    *("claude-instant-1.1", "claude-instant-1.1-100k", "claude-instant-1.2"),
)
_UNBUILT = "this server does not carry it out yet"
_MCP_SERVER = {
    "name": "name",
    "type": "url",
    "url": "url",
    "authorization_token": "authorization_token",
    "tool_configuration": {"allowed_tools": ["string"], "enabled": True},
}


async def _make_message(client: httpx.AsyncClient) -> Mapping[str, str]:
    body = {"model": "claude-opus-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
    answer = await client.post("/v1/messages", json=body)
    return {"message_id": answer.raise_for_status().json()["id"]}


_PARAMETERS = (
    Rewrite(
        "body",
        "container",
        {"id": "id", "skills": [{"skill_id": "pdf", "type": "anthropic", "version": "latest"}]},
        None,
        "a container is made by the code execution tool, and skills need it (Skills guide)",
    ),
    Rewrite(
        "body",
        "diagnostics.previous_message_id",
        "previous_message_id",
        Made("message_id"),
        "the id of a message",
    ),
    Rewrite("body", "inference_geo", "inference_geo", "us", "us or global (API reference, inference_geo)"),
    Rewrite(
        "body",
        "output_config.format.schema",
        {"foo": "bar"},
        {"type": "object", "properties": _ONE_PROPERTY, "required": ["location"], "additionalProperties": False},
        "a JSON Schema; objects need additionalProperties: false (structured outputs guide)",
    ),
    Rewrite(
        "body",
        "tools.*.input_schema",
        {"type": "object", "properties": {"location": "bar", "unit": "bar"}, "required": ["location"]},
        {"type": "object", "properties": _ONE_PROPERTY, "required": ["location"], "additionalProperties": False},
        "a JSON Schema, strict here, so objects need additionalProperties: false (structured outputs guide)",
    ),
    Rewrite(
        "body",
        "tools.*.input_examples",
        [{"foo": "bar"}],
        [{"location": "Paris", "unit": "celsius"}],
        "each example must be valid against input_schema (tool use guide)",
    ),
    Rewrite(
        "body",
        "tools.*.defer_loading",
        True,
        False,
        "one tool must not be deferred, and a deferred one takes no cache_control (tool search guide)",
    ),
    Rewrite(
        "body",
        "system.*.citations",
        [
            {
                "cited_text": "The grass is green. The sky is blue.",
                "document_index": 0,
                "document_title": "x",
                "end_char_index": 0,
                "start_char_index": 0,
                "type": "char_location",
            }
        ],
        None,
        "there is no document that it could point into (citations guide)",
    ),
    Rewrite("body", "speed", "fast", "standard", "fast is for some Opus models, and not this one (fast mode guide)"),
    Rewrite("body", "output_config.task_budget.total", 1024, 20_000, "the smallest budget (task budgets guide)"),
    # Not built yet, and refused: each is taken out until it is.
    Rewrite("body", "compaction", {"type": "summarize", "instructions": "instructions"}, None, _UNBUILT),
    Rewrite("body", "fallback_credit_token", "x", None, "cannot be combined with fallbacks (the SDK's documentation)"),
    Rewrite("body", "mcp_servers", [_MCP_SERVER], [], _UNBUILT),
    Rewrite("body", "thread", {"type": "create"}, None, _UNBUILT),
    *(
        Rewrite("body", "model", name, "claude-opus-5-5", "left the API long ago: 404 (deprecations page)")
        for name in _FORGOTTEN
    ),
)

_NEEDS = "refused as an extra input without it (observed 2026-08)"
_BETAS = (
    NeedsBeta("billing_policy", "user-profiles-billing-2026-10-01", _NEEDS),
    NeedsBeta("compaction", "compact-2026-09-04", _NEEDS),
    NeedsBeta("context_management", "context-management-2025-06-27", _NEEDS),
    NeedsBeta("diagnostics", "cache-diagnosis-2026-04-07", _NEEDS),
    NeedsBeta("fallback_credit_token", "fallback-credit-2026-07-01", _NEEDS),
    NeedsBeta("fallbacks", "server-side-fallback-2026-07-01", _NEEDS),
    NeedsBeta("mcp_servers", "mcp-client-2025-04-04", _NEEDS + "; tool_configuration with this one only"),
    NeedsBeta("output_config.task_budget", "task-budgets-2026-03-13", _NEEDS),
    NeedsBeta("speed", "fast-mode-2026-02-01", _NEEDS),
    NeedsBeta("thinking.block_binding", "thinking-binding-controls-2026-08-01", _NEEDS),
    NeedsBeta("thread", "message-threads-2026-08-12", _NEEDS),
)

MESSAGES = Resource(
    name="messages",
    files=(
        "tests/api_resources/test_messages.py",
        "tests/api_resources/beta/test_messages.py",
        "tests/api_resources/beta/test_output_format_conversion.py",
    ),
    routes=(("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens")),
    rewrites=_PARAMETERS,
    betas=_BETAS,
    prepare=_make_message,
)
