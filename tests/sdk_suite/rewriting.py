"""Placeholders of a request give way to what the table says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .table import DROP, EVERYWHERE, Made, NeedsBeta, Resource, Rewrite

BETA_HEADER = "anthropic-beta"


@dataclass(slots=True)
class Request:
    """A request on its way. Names of headers are lower case; `body` is None unless it is JSON; `content` is what it is
    otherwise."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: dict[str, Any] | None
    content: bytes = b""
    rewritten: list[str] = field(default_factory=list[str])


def rewrite(request: Request, resource: Resource, made: Mapping[str, str]) -> None:
    """Change `request` as the rows of `resource` say; `request.rewritten` names what was changed."""
    for row in (*EVERYWHERE, *resource.rewrites):
        if _apply(request, row, lambda row=row: _value(request, row, made)):
            request.rewritten.append(f"{row.place} {row.key}")
    _open_fields(request, resource.betas)


def _value(request: Request, row: Rewrite, made: Mapping[str, str]) -> Any:
    value = row.value(request) if callable(row.value) else row.value
    return made[value.name] if isinstance(value, Made) else value


def _apply(request: Request, row: Rewrite, make: Callable[[], Any]) -> bool:
    """`make` is asked for the value where the placeholder stands, and nowhere else."""
    if row.place == "path":
        segments = request.path.split("/")
        if row.placeholder not in segments:
            return False
        value = make()
        request.path = "/".join(value if segment == row.placeholder else segment for segment in segments)
        return True
    if row.place == "query":
        if (row.key, row.placeholder) not in request.query:
            return False
        value = make()
        kept = [(name, text) for name, text in request.query if (name, text) != (row.key, row.placeholder)]
        request.query = kept if value is DROP else [*kept, (row.key, str(value))]
        return True
    if row.place == "form":
        assert isinstance(row.placeholder, bytes)
        if request.body is not None or row.placeholder not in request.content:
            return False
        request.content = request.content.replace(row.placeholder, make())
        return True
    if row.place == "header":
        return _replace(request.headers, [row.key], row.placeholder, make)
    return _replace(request.body, row.key.split("."), row.placeholder, make)


def _replace(holder: Any, keys: Sequence[str], placeholder: object, make: Callable[[], Any]) -> bool:
    key, *rest = keys
    if key == "*" and not rest:
        places = [n for n, item in enumerate(holder) if item == placeholder] if isinstance(holder, list) else []
        for place in places:
            holder[place] = make()
        return bool(places)
    if key == "*":
        # Every item, so no `any` that stops at the first.
        return isinstance(holder, list) and sum(_replace(item, rest, placeholder, make) for item in holder) > 0
    if not isinstance(holder, dict) or key not in holder:
        return False
    if rest:
        return _replace(holder[key], rest, placeholder, make)
    if holder[key] != placeholder:
        return False
    value = make()
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
