"""What the configuration says of a model, over what the catalog says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from understudy.engines.catalog import Model


@dataclass(frozen=True, slots=True)
class Facts:
    """None leaves what the catalog says, or supposes of a model that it does not know.

    `max_input_tokens`: the context window. `max_tokens`: the most that a request may ask for. `thinking`,
    `image_input`, `pdf_input`, `structured_outputs`: what the model can do; saying yes where the catalog says no gives
    all of it, as models of today have it.
    """

    display_name: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    image_input: bool | None = None
    pdf_input: bool | None = None
    structured_outputs: bool | None = None
    thinking: bool | None = None

    def applied_to(self, model: Model) -> Model:
        """`model` with these facts; the very object where there are none."""
        if self == NO_FACTS:
            return model
        changes: dict[str, Any] = {}
        for name in ("display_name", "max_input_tokens", "max_tokens"):
            value = getattr(self, name)
            if value is not None:
                changes[name] = value
        if self.max_input_tokens is not None:
            changes["max_input_tokens_with_context_1m"] = None
        if self.max_tokens is not None:
            changes["max_tokens_with_output_128k"] = changes["batch_max_tokens_with_output_300k"] = None
        capabilities: dict[str, Any] = {}
        for name in ("image_input", "pdf_input", "structured_outputs"):
            value = getattr(self, name)
            if value is not None:
                capabilities[name] = value
        if self.thinking is not None and self.thinking != model.capabilities.thinks:
            capabilities["thinking"] = ("enabled", "adaptive", "disabled") if self.thinking else ("disabled",)
            if not self.thinking:
                changes["thinks_by_default"] = False
        if capabilities:
            changes["capabilities"] = replace(model.capabilities, **capabilities)
        return replace(model, **changes)


NO_FACTS = Facts()
