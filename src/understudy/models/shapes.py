"""A model as the Models API shows it.

Sources: a recorded GET /v1/models of 2026-08-02, whose keys come first and in its order, and the types of the Python
SDK 2.12.0 for what has come since, behind them. Both API versions have all of it: Python SDK 1.17.0, which speaks
2023-06-01, requires the newer fields too, so they came with time and not with a version.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from understudy.engines.catalog import CONTEXT_EDITS, EFFORTS, SERVER_TOOLS, THINKING_TYPES, Capabilities, Model

# Documented of allowed_fallback_models; that compaction goes with its own beta is a guess.
_FALLBACKS = "server-side-fallback-"
_COMPACTION = "compact-2026-09-04"


def model_info(model: Model, betas: Iterable[str], today: date) -> dict[str, Any]:
    """`model` under the betas of a request, as it stands on the day `today`."""
    info: dict[str, Any] = {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": model.created_at,
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "capabilities": _capabilities(model.capabilities),
        "lifecycle": model.lifecycle_on(today),
        "deprecated_at": model.deprecated_at,
        "retires_at": model.retires_at,
        "line": model.line,
    }
    for beta in betas:
        if beta.startswith(_FALLBACKS):
            info["allowed_fallback_models"] = list(model.allowed_fallback_models)
        elif beta == _COMPACTION:
            info["capabilities"]["compaction"] = _members(
                ("summarize",) * model.capabilities.compaction, ("summarize",)
            )
    return info


def _support(supported: bool) -> dict[str, Any]:
    return {"supported": supported}


def _members(supported: Iterable[str], members: Iterable[str]) -> dict[str, Any]:
    """A capability that is made of others: supported as soon as one of them is."""
    having = frozenset(supported)
    return {**_support(bool(having)), **{name: _support(name in having) for name in members}}


def _capabilities(capabilities: Capabilities) -> dict[str, Any]:
    return {
        "batch": _support(capabilities.batch),
        "citations": _support(capabilities.citations),
        "code_execution": _support(capabilities.code_execution),
        "context_management": _members(capabilities.context_management, CONTEXT_EDITS),
        "effort": _members(capabilities.effort, EFFORTS),
        "image_input": _support(capabilities.image_input),
        "pdf_input": _support(capabilities.pdf_input),
        "structured_outputs": _support(capabilities.structured_outputs),
        # Also a model that cannot think takes a type: `disabled`.
        "thinking": {
            **_support(capabilities.thinks),
            "types": {name: _support(name in capabilities.thinking) for name in THINKING_TYPES},
        },
        "server_tools": _members(capabilities.server_tools, SERVER_TOOLS),
    }
