"""JSON values of a request as text again."""

from __future__ import annotations

from typing import Any

import orjson

from understudy.wire.errors import InvalidRequestError


def to_json(value: Any, *, sort_keys: bool = False) -> str:
    """`value`, parsed from a request, as compact JSON.

    Raises InvalidRequestError for nesting deeper than the encoder goes (254 levels, where the parser takes 1,024); what
    the real service does with such a value was never recorded.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None).decode()
    except orjson.JSONEncodeError:
        raise InvalidRequestError("The request body is nested too deeply.") from None
