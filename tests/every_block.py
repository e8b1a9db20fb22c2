"""One of every kind of content block and of tool, as a request can hold them with every beta on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

from pictures import base64_of, pdf, png

IMAGE = {"type": "base64", "media_type": "image/png", "data": base64_of(png(20, 20))}
PDF = {"type": "base64", "media_type": "application/pdf", "data": base64_of(pdf(1))}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


USER_BLOCKS: list[dict[str, Any]] = [
    text("a question"),
    {"type": "image", "source": IMAGE},
    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    {"type": "image", "source": {"type": "file", "file_id": "file_011Cabcdefghijklmnopqrst"}},
    {"type": "document", "source": PDF, "title": "a report", "context": "about it"},
    {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
    {"type": "document", "source": {"type": "file", "file_id": "file_011Cabcdefghijklmnopqrst"}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain words"}},
    {"type": "document", "source": {"type": "content", "content": "written words"}},
    {"type": "document", "source": {"type": "content", "content": [text("said"), {"type": "image", "source": IMAGE}]}},
    {"type": "search_result", "source": "a source", "title": "a title", "content": [text("found")]},
    {"type": "container_upload", "file_id": "file_011Cabcdefghijklmnopqrst"},
]

RESULTS: list[dict[str, Any]] = [
    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a result", "toolset_name": "browser"},
    {
        "type": "tool_result",
        "tool_use_id": "toolu_2",
        "is_error": True,
        "content": [
            text("a finding"),
            {"type": "image", "source": IMAGE},
            {"type": "document", "source": PDF, "title": "a paper"},
            {"type": "search_result", "source": "a shelf", "title": "a book", "content": [text("a page")]},
            {"type": "tool_reference", "tool_name": "deferred_tool"},
            {
                "type": "browser_state",
                "tabs": [{"tab_id": "tab-1", "title": "a tab", "url": "https://example.com/tab", "active": True}],
                "state_changes": [
                    {"type": "tab_opened", "tab_id": "tab-2"},
                    {"type": "download_started", "download_id": "d-1", "url": "https://example.com/d"},
                    {
                        "type": "download_completed",
                        "download_id": "d-2",
                        "url": "https://example.com/e",
                        "path": "/tmp/e",
                    },
                    {"type": "download_failed", "download_id": "d-3", "url": "https://example.com/f", "error": "gone"},
                ],
            },
        ],
    },
]

CALLS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "a thought", "signature": "c2lnbmF0dXJl"},
    {"type": "redacted_thinking", "data": "ZGF0YQ=="},
    {"type": "tool_use", "id": "toolu_1", "name": "tool_one", "input": {"key": "a value"}, "toolset_name": "browser"},
    {"type": "tool_use", "id": "toolu_2", "name": "tool_two", "input": {"list": ["an item"]}},
]

ASSISTANT_BLOCKS: list[dict[str, Any]] = [
    {
        **text("an answer"),
        "citations": [
            {
                "type": "char_location",
                "cited_text": "cited words",
                "document_index": 0,
                "document_title": "cited title",
                "start_char_index": 0,
                "end_char_index": 5,
            }
        ],
    },
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "a query"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [
            {
                "type": "web_search_result",
                "title": "a hit",
                "url": "https://example.com/hit",
                "encrypted_content": "ZW5jcnlwdGVk",
                "page_age": "May 5, 2026",
            }
        ],
    },
    {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srvtoolu_2",
        "content": {
            "type": "web_fetch_result",
            "url": "https://example.com/page",
            "retrieved_at": "2026-08-02T17:44:16Z",
            "content": {
                "type": "document",
                "title": "fetched title",
                "source": {"type": "text", "media_type": "text/plain", "data": "fetched words"},
            },
        },
    },
    {
        "type": "web_fetch_tool_result",
        "tool_use_id": "srvtoolu_3",
        "content": {
            "type": "web_fetch_result",
            "url": "https://example.com/b.pdf",
            "content": {"type": "document", "source": PDF},
        },
    },
    {
        "type": "code_execution_tool_result",
        "tool_use_id": "srvtoolu_4",
        "content": {
            "type": "code_execution_result",
            "stdout": "printed",
            "stderr": "warned",
            "return_code": 0,
            "content": [{"type": "code_execution_output", "file_id": "file_011Cabcdefghijklmnopqrst"}],
        },
    },
    {
        "type": "code_execution_tool_result",
        "tool_use_id": "srvtoolu_5",
        "content": {
            "type": "encrypted_code_execution_result",
            "encrypted_stdout": "ZW5jcnlwdGVk",
            "stderr": "also warned",
            "return_code": 0,
            "content": [],
        },
    },
    {
        "type": "bash_code_execution_tool_result",
        "tool_use_id": "srvtoolu_6",
        "content": {
            "type": "bash_code_execution_result",
            "stdout": "listed",
            "stderr": "failed",
            "return_code": 1,
            "content": [{"type": "bash_code_execution_output", "file_id": "file_011Cabcdefghijklmnopqrst"}],
        },
    },
    {
        "type": "text_editor_code_execution_tool_result",
        "tool_use_id": "srvtoolu_7",
        "content": {"type": "text_editor_code_execution_view_result", "file_type": "text", "content": "seen"},
    },
    {
        "type": "text_editor_code_execution_tool_result",
        "tool_use_id": "srvtoolu_8",
        "content": {"type": "text_editor_code_execution_str_replace_result", "lines": ["-old line", "+new line"]},
    },
    {
        "type": "text_editor_code_execution_tool_result",
        "tool_use_id": "srvtoolu_9",
        "content": {
            "type": "text_editor_code_execution_tool_result_error",
            "error_code": "file_not_found",
            "error_message": "no such file",
        },
    },
    {
        "type": "tool_search_tool_result",
        "tool_use_id": "srvtoolu_10",
        "content": {
            "type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "found_tool"}],
        },
    },
    {
        "type": "advisor_tool_result",
        "tool_use_id": "srvtoolu_11",
        "content": {"type": "advisor_result", "text": "advice", "stop_reason": "end_turn"},
    },
    {
        "type": "advisor_tool_result",
        "tool_use_id": "srvtoolu_12",
        "content": {"type": "advisor_redacted_result", "encrypted_content": "ZW5jcnlwdGVk"},
    },
    {
        "type": "mcp_tool_listing",
        "mcp_server_name": "a_server",
        "tools": [{"name": "listed_tool", "description": "what it does", "input_schema": {"title": "its input"}}],
    },
    {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "mcp_tool", "server_name": "a_server", "input": {"k": "v"}},
    {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "content": [text("served")]},
    {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_2", "content": "served plainly"},
    {"type": "fallback", "from": {"model": "claude-fable-5"}, "to": {"model": "claude-opus-4-8"}},
]

COMPACTION: dict[str, Any] = {
    "type": "compaction",
    "content": "a summary",
    "encrypted_content": "ZW5jcnlwdGVk",
    "signature": "c2lnbmF0dXJl",
    "tool_changes": [{"type": "tool_removal", "tool": {"type": "tool_reference", "name": "removed_tool"}}],
}

SYSTEM_BLOCKS: list[dict[str, Any]] = [
    text("an instruction"),
    {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "deferred_tool"}},
    {"type": "tool_addition", "tool": {"type": "mcp_tool_reference", "server_name": "a_server", "name": "served_tool"}},
    {"type": "tool_addition", "tool": {"type": "mcp_toolset_reference", "server_name": "a_server"}},
    {
        "type": "tool_addition",
        "tool": {
            "type": "tool_definition",
            "definition": {"name": "inline_tool", "description": "made here", "input_schema": {"type": "object"}},
        },
    },
    {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "tool_two"}},
]

_SCREEN = {"display_width_px": 800, "display_height_px": 600}

TOOLS: list[dict[str, Any]] = [
    {
        "name": "tool_one",
        "description": "does one thing",
        "input_schema": {"type": "object", "properties": {"key": {"type": "string", "description": "its key"}}},
        "input_examples": [{"key": "an example"}],
    },
    {"type": "custom", "name": "tool_two", "input_schema": {"type": "object"}},
    {
        "name": "deferred_tool",
        "description": "waits to be found",
        "input_schema": {"type": "object", "title": "its shape"},
        "defer_loading": True,
    },
    {"type": "bash_20241022", "name": "bash", "input_examples": [{"command": "an example"}]},
    {"type": "bash_20250124", "name": "bash"},
    *(
        {"type": f"code_execution_{date}", "name": "code_execution"}
        for date in ("20250522", "20250825", "20260120", "20260521")
    ),
    {"type": "browser_toolset_20260801", "configs": {"find": {"enabled": True}}},
    {"type": "computer_20241022", "name": "computer", **_SCREEN},
    {"type": "computer_20250124", "name": "computer", **_SCREEN},
    {"type": "computer_20251124", "name": "computer", **_SCREEN, "enable_zoom": True},
    {"type": "computer_toolset_20260801"},
    {"type": "memory_20250818", "name": "memory"},
    {"type": "text_editor_20241022", "name": "str_replace_editor"},
    {"type": "text_editor_20250124", "name": "str_replace_editor"},
    {"type": "text_editor_20250429", "name": "str_replace_based_edit_tool"},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 10},
    {
        "type": "web_search_20250305",
        "name": "web_search",
        "allowed_domains": ["example.com"],
        "user_location": {"type": "approximate", "city": "Kyoto", "country": "JP", "region": "a", "timezone": "b"},
    },
    {"type": "web_search_20260209", "name": "web_search", "blocked_domains": ["example.org"]},
    {"type": "web_search_20260318", "name": "web_search"},
    *({"type": f"web_fetch_{date}", "name": "web_fetch"} for date in ("20250910", "20260209", "20260309", "20260318")),
    *(
        {"type": f"tool_search_tool_{kind}{date}", "name": f"tool_search_tool_{kind}"}
        for kind in ("bm25", "regex")
        for date in ("_20251119", "")
    ),
    {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"},
    {
        "type": "mcp_toolset",
        "mcp_server_name": "a_server",
        "tools": [{"name": "pinned_tool", "description": "is pinned", "input_schema": {"title": "pinned input"}}],
    },
]


def everything() -> dict[str, Any]:
    """A count_tokens request with all of it. As a conversation it makes no sense; its shape is right."""
    return {
        "model": "claude-opus-5-5",
        "system": [text("a system prompt")],
        "tools": TOOLS,
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "title": "the answer"}}},
        "messages": [
            {"role": "user", "content": "what stood before"},
            {"role": "assistant", "content": [COMPACTION]},
            {"role": "user", "content": USER_BLOCKS},
            {"role": "assistant", "content": ASSISTANT_BLOCKS},
            {"role": "user", "content": "words alone"},
            {"role": "assistant", "content": CALLS},
            {"role": "user", "content": RESULTS},
            {"role": "system", "content": SYSTEM_BLOCKS},
        ],
    }


def tags_of(union: object) -> Iterator[str]:
    """The values of `type` that the members of a union of the request types have."""
    if get_origin(union) is Annotated:
        yield from tags_of(get_args(union)[0])
    elif hasattr(union, "__annotations__"):
        yield from _literals(union.__annotations__["type"])
    else:
        for member in get_args(union):
            yield from tags_of(member)


def _literals(annotation: object) -> Iterator[str]:
    if isinstance(annotation, str):
        yield annotation
    for part in get_args(annotation):
        yield from _literals(part)
