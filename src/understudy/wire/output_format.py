"""The form that a request wants its answer in, under either of its names."""

from __future__ import annotations

from typing import Any


def output_format_of(request: dict[str, Any]) -> dict[str, Any] | None:
    """`output_config.format`, or the `output_format` of the beta before it; None or empty where neither is given."""
    config = request.get("output_config")
    return (config and config.get("format")) or request.get("output_format")
