"""Query strings: the parameters of a request as its endpoint's type has them, or the API's 400.

The SDKs write a list as `name[]=a&name[]=b`; that name, brackets and all, stands in the type and in errors (the
Compliance API's documentation shows `activity_types[].0: …`). A parameter that occurs twice counts as it was last
given. Unknown parameters are ignored: SDKs before 2.3 send `?beta=true` [guess for all others].
"""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from understudy.http.exchange import Exchange
from understudy.wire.errors import InvalidRequestError

_T = TypeVar("_T")

# More than any request of the API has; what lies beyond is no honest query.
_MOST_PARAMETERS = 1_000


def read_query(exchange: Exchange, params: TypeAdapter[_T]) -> _T:
    """The query of a request, checked. Raises InvalidRequestError for the first fault, in pydantic's words."""
    try:
        pairs = parse_qsl(
            exchange.scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise InvalidRequestError("Too many query parameters") from None
    query: dict[str, Any] = {}
    for name, value in pairs:
        if name.endswith("[]"):
            query.setdefault(name, []).append(value)
        else:
            query[name] = value
    try:
        return params.validate_python(query)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        path = ".".join(str(part) for part in error["loc"])
        raise InvalidRequestError(f"{path}: {error['msg']}") from None
