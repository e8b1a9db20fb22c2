"""Blocks beyond text and client tools: who may send them, media, citations, and server tools with their results."""

from __future__ import annotations

from typing import Any, Final

from understudy.engines.catalog import Model
from understudy.wire.callers import calling_cell
from understudy.wire.server_tools import RESULTS

from .found import SERVER_TOOLS, WRONG_ROLE, Found
from .media import check_image

Block = dict[str, Any]

# Observed for tool_use and tool_result, documented for search_result; the others by analogy [guess].
_THINKING: Final = frozenset({"thinking", "redacted_thinking"})
_ASSISTANT_ONLY: Final = frozenset({*_THINKING, "server_tool_use", *RESULTS})
_SYSTEM_ONLY: Final = frozenset({"tool_addition", "tool_removal"})
_USER_ONLY: Final = frozenset({"search_result", "container_upload"})


def wrong_role(found: Found, index: int, kind: str, role: str) -> None:
    found.wrong_shape(WRONG_ROLE, f"messages.{index}: `{kind}` blocks can only be in `{role}` messages")


def other_block(
    found: Found,
    block: Block,
    kind: str,
    role: str,
    index: int,
    place: int,
    model: Model,
    *,
    documents_anywhere: bool,
) -> None:
    """A block of a message that is neither text nor a client tool's."""
    if kind in _ASSISTANT_ONLY:
        if role != "assistant":
            wrong_role(found, index, kind, "assistant")
    elif role != "user" and (kind in _USER_ONLY or (kind == "document" and not documents_anywhere)):
        wrong_role(found, index, kind, "user")
    if kind in _THINKING:
        found.thinking = True
    elif kind == "image":
        check_image(
            found, f"messages.{index}.content.{place}.image", block["source"], model, block.get("transformations")
        )
    elif kind == "document":
        _document(found, f"messages.{index}.content.{place}.document", block, model)
    elif kind == "search_result":
        _search_result(found, f"messages.{index}.content.{place}.search_result", block, documents_anywhere)
    elif kind == "server_tool_use":
        if found.server_uses is None or found.waiting is None:
            found.server_uses, found.waiting = set(), {}
        found.server_uses.add(block["id"])
        found.waiting[block["id"]] = (index, block["name"])
        cell = calling_cell(block)
        if cell is not None:
            found.called_by_code(block["id"], cell)
    elif kind in RESULTS:
        _server_result(found, block, kind, index, place)
    elif kind in _SYSTEM_ONLY:
        wrong_role(found, index, kind, "system")
        if kind == "tool_addition":
            path = f"messages.{index}.content.{place}.tool_addition.tool.tool_definition.definition"
            tool_addition(found, block["tool"], path)
    elif kind == "compaction":
        found.summaries = True
    elif kind == "container_upload" and found.container_upload is None:
        found.container_upload = f"messages.{index}.content.{place}"


def tool_change(found: Found, block: Block, path: str) -> None:
    """A tool that comes or goes must have been declared. `path` leads to the block."""
    tool, kind = block["tool"], block["type"]
    if kind == "tool_addition":
        tool_addition(found, tool, f"{path}.tool_addition.tool.tool_definition.definition")
    if tool["type"] != "tool_reference" or found.unlisted_tools or tool["name"] in (found.tool_names or ()):
        return
    if found.unresolved is None:
        # "Referencing a name that is not declared in `tools` returns a 400 error" (documented 2026-08).
        # The SDK has its code; the text follows that of references which a search has found [guess].
        found.unresolved = f"{path}.{kind}.tool: Tool reference '{tool['name']}' not found in available tools"


def tool_addition(found: Found, tool: Block, path: str) -> None:
    """A tool that is added here is one that later results and tool_choice may name."""
    if tool["type"] != "tool_definition":
        return
    definition = tool["definition"]
    if definition.get("name") is None:
        found.unlisted_tools = True
    else:
        if found.tool_names is None:
            found.tool_names = set()
        found.tool_names.add(definition["name"])
    kind = str(definition.get("type"))
    if kind.startswith("code_execution_"):
        found.runs_code = True
    if kind.startswith(SERVER_TOOLS):
        found.server_tools = [*(found.server_tools or ()), (path, kind)]


def _server_result(found: Found, block: Block, kind: str, index: int, place: int) -> None:
    tool_id = block["tool_use_id"]
    if found.waiting is None or found.server_uses is None or tool_id not in found.server_uses:
        found.wrong_pairing(
            f"messages.{index}.content.{place}: unexpected `tool_use_id` found in `{kind}` blocks: {tool_id}. Each "
            f"`{kind}` block must have a corresponding `server_tool_use` block before it."
        )
        return
    found.waiting.pop(tool_id, None)
    if kind == "web_search_tool_result":
        found.web_results = True
    elif kind == "web_fetch_tool_result" and calling_cell(block) is None:
        found.web_pages += 1
    elif kind == "code_execution_tool_result":
        found.web_results = found.web_results or block["content"]["type"] == "encrypted_code_execution_result"
    elif kind == "advisor_tool_result":
        found.sealed_advice = found.sealed_advice or block["content"]["type"] == "advisor_redacted_result"
    elif kind == "tool_search_tool_result":
        for reference in block["content"].get("tool_references") or ():
            _reference(found, reference)


def nested_blocks(found: Found, path: str, blocks: list[Block], model: Model, *, cited_user_text: bool) -> None:
    """What a tool answered with. `path` leads to the tool_result."""
    for place, block in enumerate(blocks):
        kind = block["type"]
        if kind == "text":
            if not block["text"]:
                found.empty_text("messages", f"{path}.content.{place}.text", block.get("cache_control"))
        elif kind == "image":
            check_image(found, f"{path}.content.{place}.image", block["source"], model, block.get("transformations"))
        elif kind == "document":
            _document(found, f"{path}.content.{place}.document", block, model)
        elif kind == "search_result":
            _search_result(found, f"{path}.content.{place}.search_result", block, cited_user_text)
        elif kind == "tool_reference":
            _reference(found, block)
        if block.get("cache_control") is not None:
            found.breakpoint(f"{path}.content.{place}", block["cache_control"])


def _reference(found: Found, block: Block) -> None:
    if found.references is None:
        found.references = []
    found.references.append(block["tool_name"])


def _document(found: Found, path: str, block: Block, model: Model) -> None:
    citations = block.get("citations")
    found.documents += 1
    found.documents_with_citations += bool(citations and citations.get("enabled"))
    source = block["source"]
    if source["type"] == "content" and isinstance(source["content"], list):
        inner: list[Block] = source["content"]
        for place, part in enumerate(inner):
            if part["type"] == "image":
                place_of = f"{path}.source.content.content.{place}.image"
                check_image(found, place_of, part["source"], model, part.get("transformations"))
            if part.get("cache_control") is not None:
                found.breakpoint(f"{path}.source.content.content.{place}", part["cache_control"])


def _search_result(found: Found, path: str, block: Block, cited_user_text: bool) -> None:
    citations = block.get("citations")
    found.results += 1
    found.results_with_citations += bool(citations and citations.get("enabled"))
    for place, part in enumerate(block["content"]):
        if not cited_user_text and part.get("citations"):
            found.wrong_block(f"{path}.content.{place}.citations: Extra inputs are not permitted")
        if part.get("cache_control") is not None:
            found.breakpoint(f"{path}.content.{place}", part["cache_control"])
