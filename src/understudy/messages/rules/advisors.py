"""What the advisor tool may ask for."""

from __future__ import annotations

from typing import Any

from understudy.engines.catalog import Model
from understudy.tools.advisor.pairs import may_advise, public_model


def advisor_fault(index: int, tool: dict[str, Any], model: Model) -> str | None:
    """`model` is the one that is to be advised."""
    name: str = tool["model"]
    if not may_advise(name, model.id):
        # Observed 2026-06.
        return f"tools.{index}.model: '{name}' cannot be used as an advisor when the request model is '{model.id}'."
    advisor, most = public_model(name), tool.get("max_tokens")
    if advisor is not None and most is not None and most > advisor.max_tokens:
        # "Setting max_tokens above the advisor model's own output cap returns a 400" (advisor-tool.md). The text is
        # that of the request's own max_tokens [guess].
        return (
            f"tools.{index}.max_tokens: {most} > {advisor.max_tokens}, which is the maximum allowed number of output "
            f"tokens for {advisor.id}"
        )
    return None
