"""JSON values of a request as text again."""

from __future__ import annotations

from typing import Any

import orjson

from understudy.wire.errors import InvalidRequestError


def to_json(value: Any) -> str:
    """`value`, parsed from a request, as compact JSON. Raises as `canonical_json` does."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise _too_deep() from None


def canonical_json(value: Any) -> bytes:
    """`value` as compact JSON with sorted keys: the same bytes for equal values.

    Raises InvalidRequestError for nesting deeper than the encoder goes (254 levels, where the parser takes 1,024); what
    the real service does with such a value was never recorded.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise _too_deep() from None


def _too_deep() -> InvalidRequestError:
    return InvalidRequestError("The request body is nested too deeply.")
