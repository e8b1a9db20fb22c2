"""What a request must mean, beyond its shape: rules over the validated request, in the order the service reports.

One pass over tools, system and messages notes the first fault of each stage; the first stage that has one raises. Texts
are those recorded from the service or documented by it; where neither exists the code says so. What a model takes is
data (`engines/catalog`). Not looked at here: signatures of thinking, what a medium holds behind its header, MCP
servers, stored files and containers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from understudy.engines.catalog import Model
from understudy.messages.stops import check_stop_sequences
from understudy.wire.errors import InvalidRequestError
from understudy.wire.known_bodies import KnownBody

from .code_callers import container_fault
from .conversation import walk_messages, walk_system, walks_of
from .found import Found
from .limits import check_prompt_length, max_tokens_fault, stop_sequences_fault, unsupported_fault
from .media import citations_fault, media_fault
from .prefill import prefill_fault
from .sampling import sampling_fault
from .schemas import schemas_fault
from .thinking import changed_effort_fault, effort_fault, last_turn_fault, thinking_fault
from .tools import reference_fault, resumed_fault, tool_choice_fault, walk_tools

__all__ = ["Found", "check_count_request", "check_prompt_length", "check_request"]

_MOST_BREAKPOINTS = 4
# Ids and names are echoed; very many or long ones are cut off, as they are where the shape is judged [guess].
_LONGEST_MESSAGE = 8192
# The version that took sampling, documents of assistants and citations of users away.
_VERSION_2026_10_21 = "2026-10-21"


def check_request(
    request: dict[str, Any],
    model: Model,
    version: str,
    betas: Collection[str] = (),
    *,
    batch: bool = False,
    known: KnownBody | None = None,
) -> Found:
    """Raise the error that the service reports first for a well-formed Messages request. Returns what is in it.
    `known`: the body that it is."""
    found = Found()
    fault = _fault(request, found, model, version, betas, counting=False, batch=batch, known=known)
    if fault is not None:
        raise _refusal(fault, found)
    stop_sequences = request.get("stop_sequences")
    if stop_sequences:
        check_stop_sequences(stop_sequences)
    return found


def check_count_request(request: dict[str, Any], model: Model, version: str, known: KnownBody | None = None) -> Found:
    """The same for a request that only counts tokens: nothing about an answer is asked, so its limits do not hold."""
    found = Found()
    fault = _fault(request, found, model, version, (), counting=True, known=known)
    if fault is not None:
        raise _refusal(fault, found)
    return found


def _refusal(fault: str, found: Found) -> InvalidRequestError:
    details = {"error_code": "tool_reference_unresolved"} if fault == found.unresolved else None
    return InvalidRequestError(fault[:_LONGEST_MESSAGE], details=details)


def _fault(
    request: dict[str, Any],
    found: Found,
    model: Model,
    version: str,
    betas: Collection[str],
    *,
    counting: bool,
    batch: bool = False,
    known: KnownBody | None = None,
) -> str | None:
    messages: list[dict[str, Any]] = request["messages"]
    if not messages:
        return "messages: at least one message is required"
    stop_sequences = request.get("stop_sequences")
    if stop_sequences:
        fault = stop_sequences_fault(stop_sequences)
        if fault is not None:
            return fault

    tools = request.get("tools")
    cited_user_text = version < _VERSION_2026_10_21
    walks = walks_of(known, model, cited_user_text=cited_user_text)
    if walks.begun is None:
        _walk_front(request, found, model)
    else:
        found.resume(walks.begun.found)
    walk_messages(messages, found, model, cited_user_text=cited_user_text, walks=walks)
    if found.shape is not None:
        return found.shape
    if not counting:
        fault = max_tokens_fault(request, model, betas, batch=batch)
        if fault is not None:
            return fault
    output_config = request.get("output_config")
    fault = _tools_fault(request, found, output_config, counting) or _blocks_fault(request, found, model)
    if fault is not None:
        return fault
    thinking = request.get("thinking")
    if thinking is not None:
        fault = thinking_fault(thinking, request, model)
        if fault is not None:
            return fault
    thinking_type = None if thinking is None else thinking["type"]
    if not counting:
        if (thinking_type == "enabled" or found.last_role == "assistant") and not request.get("compaction"):
            fault = last_turn_fault(messages, thinking_type, found, model)
            if fault is not None:
                return fault
        if "temperature" in request or "top_p" in request or "top_k" in request:
            fault = sampling_fault(request, model)
            if fault is not None:
                return fault
    choice = request.get("tool_choice")
    if choice is not None:
        fault = tool_choice_fault(choice, found, model, tools=bool(tools) or found.unlisted_tools)
        if fault is not None:
            return fault
    return _last_fault(request, found, model, output_config, thinking_type, counting)


def _walk_front(request: dict[str, Any], found: Found, model: Model) -> None:
    """What stands before the messages."""
    tools = request.get("tools")
    if tools:
        walk_tools(tools, found, model)
    if request.get("mcp_servers"):
        # They bring tools whose names are not in the request; under the beta of 2025-04-04 without a toolset.
        found.unlisted_tools = True
    system = request.get("system")
    if system.__class__ is list:
        walk_system(cast("list[dict[str, Any]]", system), found, model)


def _tools_fault(
    request: dict[str, Any], found: Found, output_config: dict[str, Any] | None, counting: bool
) -> str | None:
    if found.tool is not None:
        return found.tool
    schemas = found.schemas
    if request.get("output_format") and output_config is not None and output_config.get("format"):
        # The one replaced the other; what the service says to both was not seen [guess].
        return "output_format: cannot be given together with output_config.format"
    if output_config is not None and output_config.get("format"):
        schemas = [*(schemas or ()), ("output_config.format.schema", output_config["format"]["schema"])]
    elif request.get("output_format"):
        schemas = [*(schemas or ()), ("output_format.schema", request["output_format"]["schema"])]
    if schemas is None:
        return None
    return schemas_fault(schemas, found.strict_tools, counting=counting)


def _blocks_fault(request: dict[str, Any], found: Found, model: Model) -> str | None:
    if found.block is not None:
        return found.block
    if found.images:
        fault = media_fault(found, model)
        if fault is not None:
            return fault
    if found.text is not None:
        return found.text
    automatic = request.get("cache_control")
    if automatic is not None:
        # It goes to the last block that can have one, so it comes last.
        found.breakpoint("", automatic)
    if found.breakpoints > _MOST_BREAKPOINTS:
        return f"A maximum of 4 blocks with cache_control may be provided. Found {found.breakpoints}."
    if found.ttl is not None:
        return found.ttl.removeprefix(".")
    if found.pairing is not None:
        return found.pairing
    if found.waiting:
        fault = resumed_fault(found) or container_fault(request, found)
        if fault is not None:
            return fault
    if found.unresolved is not None:
        return found.unresolved
    return None if found.references is None else reference_fault(found)


def _last_fault(
    request: dict[str, Any],
    found: Found,
    model: Model,
    output_config: dict[str, Any] | None,
    thinking_type: str | None,
    counting: bool,
) -> str | None:
    """Refusals of single features."""
    output_format = request.get("output_format")
    effort = None
    if output_config is not None:
        output_format = output_config.get("format") or output_format
        effort = output_config.get("effort")
        if effort is not None:
            fault = effort_fault(effort, thinking_type, model)
            if fault is not None:
                return fault
    if found.efforts is not None:
        fault = changed_effort_fault(effort, thinking_type, found, model)
        if fault is not None:
            return fault
    if request.get("container") is not None and not found.runs_code:
        return "container: Container identifier can only be provided when using the code execution tool"
    if found.documents or found.results:
        fault = citations_fault(found, output_format)
        if fault is not None:
            return fault
    fault = unsupported_fault(request, model)
    # Of an answer that is at its end, a summary can be asked for.
    prefilled = found.last_role == "assistant" and not found.ends_with_system and not request.get("compaction")
    if fault is None and not counting and prefilled:
        fault = prefill_fault(request["messages"], found, model)
    return fault
