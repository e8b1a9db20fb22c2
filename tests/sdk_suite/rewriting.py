"""Placeholders of a request give way to what the table says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .table import DROP, EVERYWHERE, Made, NeedsBeta, Resource, Rewrite

BETA_HEADER = "anthropic-beta"


@dataclass(slots=True)
class Request:
    """A request on its way. Names of headers are lower case; `body` is None unless it is a JSON object."""

    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: dict[str, Any] | None
    rewritten: list[str] = field(default_factory=list[str])


def rewrite(request: Request, resource: Resource, made: Mapping[str, str]) -> None:
    """Change `request` as the rows of `resource` say; `request.rewritten` names what was changed."""
    for row in (*EVERYWHERE, *resource.rewrites):
        value = made[row.value.name] if isinstance(row.value, Made) else row.value
        if _apply(request, row, value):
            request.rewritten.append(f"{row.place} {row.key}")
    _open_fields(request, resource.betas)


def _apply(request: Request, row: Rewrite, value: Any) -> bool:
    if row.place == "path":
        segments = request.path.split("/")
        request.path = "/".join(value if segment == row.placeholder else segment for segment in segments)
        return row.placeholder in segments
    if row.place == "query":
        changed = (row.key, row.placeholder) in request.query
        kept = [(name, text) for name, text in request.query if (name, text) != (row.key, row.placeholder)]
        request.query = kept if value is DROP or not changed else [*kept, (row.key, str(value))]
        return changed
    if row.place == "header":
        return _replace(request.headers, [row.key], row.placeholder, value)
    return _replace(request.body, row.key.split("."), row.placeholder, value)


def _replace(holder: Any, keys: Sequence[str], placeholder: object, value: Any) -> bool:
    key, *rest = keys
    if key == "*":
        # Every item, so no `any` that stops at the first.
        return isinstance(holder, list) and sum(_replace(item, rest, placeholder, value) for item in holder) > 0
    if not isinstance(holder, dict) or key not in holder:
        return False
    if rest:
        return _replace(holder[key], rest, placeholder, value)
    if holder[key] != placeholder:
        return False
    if value is DROP:
        del holder[key]
    else:
        holder[key] = value
    return True


def _holds(holder: Any, keys: Sequence[str]) -> bool:
    key, *rest = keys
    if key == "*":
        return isinstance(holder, list) and any(_holds(item, rest) for item in holder)
    return isinstance(holder, dict) and key in holder and (not rest or _holds(holder[key], rest))


def _open_fields(request: Request, rows: Sequence[NeedsBeta]) -> None:
    """The betas that the body's fields need are all that the request names: those it came with are placeholders."""
    needed = dict.fromkeys(row.beta for row in rows if _holds(request.body, row.field.split(".")))
    if needed:
        request.headers[BETA_HEADER] = ",".join(needed)
        request.rewritten.append(f"header {BETA_HEADER}")
