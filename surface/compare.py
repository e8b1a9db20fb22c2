"""Two descriptions side by side: every route, field, value, type, beta and error that the SDK has and we lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from surface.official import Sdk
from surface.ours import Ours, template
from surface.shapes import Fields, Shape, members_of, merged

Kind: TypeAlias = Literal[
    "route", "type", "field", "value", "null", "required", "ours", "beta", "error", "unused", "unsent"
]
"""`null`: null means something on one side only; `required`: a field may miss on one side only; `ours`: we have a field
or type that the SDK has not; `unused`: a type of the SDK that none of its methods sends or answers with; `unsent`: a
block, delta or event that no answer of ours has (surface/asking.py). The others are what we lack."""


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """A difference. `name` is in the SDK's names, but of `ours` in ours."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def compare(sdk: Sdk, ours: Ours) -> list[Gap]:
    """All differences, each once, in order."""
    found: set[Gap] = {Gap("unused", name) for name in sdk.unused}
    found |= {Gap("beta", name) for name in sdk.betas if name not in ours.betas}
    built = set(ours.routes)
    walk = _Walk(sdk, ours.shapes.objects, found)
    for method in sdk.methods:
        route = (method.verb, template(method.path))
        if route not in built:
            found.add(Gap("route", f"{method.verb} {method.path}"))
        elif route not in ours.types:
            found.add(Gap("type", f"{method.verb} {method.path}: surface/ours.py has no row"))
        else:
            types = ours.types[route]
            for part, fields in (("body", method.body), ("query", method.query)):
                if fields or part in types:
                    walk.request(method.name, fields, types.get(part))
            plain = [member for member in members_of(method.answer) if not _is_stream(member)]
            if plain or not members_of(method.answer):
                walk.answer(merged(plain), types.get("answer"), method.name)
            for member in members_of(method.answer):
                if isinstance(member, dict) and "stream" in member:
                    walk.answer(member["stream"], types.get("stream"), method.name + " stream")
    walk.answer(sdk.errors, ours.error, "ErrorResponse")
    for member in members_of(sdk.objects["ErrorResponse"]["error"]["shape"]):
        if isinstance(member, dict):
            names = {str(one["value"]) for one in members_of(sdk.objects[member["object"]]["type"]["shape"])}  # type: ignore[index]
            found |= {Gap("error", name) for name in names - ours.errors}
    sdk_routes = {(method.verb, template(method.path)) for method in sdk.methods}
    found |= {Gap("ours", " ".join(route)) for route in built - sdk_routes}
    return sorted(found | set(walk.ours_only()))


def _is_stream(member: Shape) -> bool:
    return isinstance(member, dict) and "stream" in member


class _Walk:
    """Goes through two shapes at once. Objects of a union are told apart by `type`, or by `role`."""

    def __init__(self, sdk: Sdk, ours: Mapping[str, Fields], found: set[Gap]) -> None:
        self._theirs = sdk.objects
        self._models = frozenset(sdk.models)
        self._ours = ours
        self._found = found
        self._done: set[tuple[str, tuple[str, ...], bool]] = set()
        # Fields of ours that a type of the SDK has too, by type.
        self._shared: dict[str, set[str]] = {}

    def request(self, name: str, fields: Fields, ours: Shape | None) -> None:
        names = [] if ours is None else [member["object"] for member in members_of(ours) if isinstance(member, dict)]
        self._fields(name, fields, names, request=True)

    def answer(self, theirs: Shape, ours: Shape | None, where: str) -> None:
        if ours is None:
            self._found.add(Gap("type", f"{where}: surface/ours.py has no type for it"))
        else:
            self._shape(theirs, ours, where, request=False)

    def ours_only(self) -> Iterator[Gap]:
        for name, fields in self._ours.items():
            if name not in self._shared:
                yield Gap("ours", name)
            else:
                yield from (Gap("ours", f"{name}.{field}") for field in fields if field not in self._shared[name])

    def _shape(self, theirs: Shape, ours: Shape, where: str, *, request: bool, returned: bool = False) -> None:
        # `returned`: a part of an answer that comes back in a request. What is null or missing there, we said.
        wanted, had = members_of(theirs), members_of(ours)
        if "any" in had:
            if wanted != ["any"]:
                self._found.add(Gap("type", f"{where}: here anything"))
            return
        ours_alone = "null" in had and "null" not in wanted
        # An answer need not be null wherever it may be.
        theirs_alone = request and "null" in wanted and "null" not in had
        if not returned and (ours_alone or theirs_alone):
            self._found.add(Gap("null", where))
        for value in _values(wanted):
            if value not in _values(had) and {str: "string", bool: "boolean"}[type(value)] not in had:
                self._found.add(Gap("value", f"{where} = {value}"))
        for scalar in ("string", "integer", "number", "boolean"):
            if scalar in wanted and not _has_scalar(had, scalar, request=request):
                self._found.add(Gap("type", f"{where}: {scalar}"))
        free = any(isinstance(member, dict) and "map" in member for member in had)
        for part in ("list", "map"):
            inner = [member[part] for member in wanted if isinstance(member, dict) and part in member]
            own = [member[part] for member in had if isinstance(member, dict) and part in member]
            if inner and own:
                self._shape(merged(inner), merged(own), where, request=request)
            elif inner:
                self._found.add(Gap("type", f"{where}: {part}"))
        names = [member["object"] for member in had if isinstance(member, dict) and "object" in member]
        for member in wanted:
            if isinstance(member, dict) and "object" in member:
                matching = self._matching(member["object"], names)
                if matching:
                    self._fields(member["object"], self._theirs[member["object"]], matching, request=request)
                else:
                    what = "here any object" if free else member["object"]
                    self._found.add(Gap("type", f"{where}: {what}"))

    def _matching(self, name: str, ours: list[str]) -> list[str]:
        tags = _tags(self._theirs[name])
        matching = [own for own in ours if tags & _tags(self._ours[own])]
        return matching or [own for own in ours if not tags or not _tags(self._ours[own])]

    def _fields(self, name: str, fields: Fields, ours: list[str], *, request: bool) -> None:
        key = (name, tuple(ours), request)
        if key in self._done:
            return
        self._done.add(key)
        for own in ours:
            self._shared.setdefault(own, set()).update(fields)
        for field, theirs in fields.items():
            having = [self._ours[own][field] for own in ours if field in self._ours[own]]
            where = f"{name}.{field}"
            if not having:
                self._found.add(Gap("field", where))
                continue
            required = all(one["required"] for one in having) and len(having) == len(ours)
            returned = request and name in self._models
            if not returned and (required != theirs["required"] if request else theirs["required"] and not required):
                self._found.add(Gap("required", where))
            self._shape(
                theirs["shape"], merged([one["shape"] for one in having]), where, request=request, returned=returned
            )


def _values(members: list[Shape]) -> list[Any]:
    return [member["value"] for member in members if isinstance(member, dict) and "value" in member]


def _tags(fields: Fields) -> set[Any]:
    tag = fields.get("type") or fields.get("role")
    return set(_values(members_of(tag["shape"]))) if tag else set()


def _has_scalar(members: list[Shape], scalar: str, *, request: bool) -> bool:
    kinds = {type(value) for value in _values(members)}
    numbers = {"integer", "number"}
    if scalar in members or (scalar in numbers and numbers & {one for one in members if isinstance(one, str)}):
        return True
    # An answer may hold fewer values than its type allows.
    return not request and {"string": str, "boolean": bool, "integer": int, "number": float}[scalar] in kinds
