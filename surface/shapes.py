"""Types as plain data, so that the SDK's and ours can be compared, also across two Python environments.

A shape is `"string"`, `"integer"`, `"number"`, `"boolean"`, `"null"`, `"any"`, `{"value": …}`, `{"list": shape}`,
`{"map": shape}`, `{"union": [shape, …]}`, `{"stream": shape}` or `{"object": name}`; `Shapes.objects` has the fields.
"""

from __future__ import annotations

import collections.abc
import datetime
import types
import typing
from typing import Annotated, Any, Literal, NotRequired, Required, TypeAlias, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

Shape: TypeAlias = str | dict[str, Any]
Fields: TypeAlias = dict[str, dict[str, Any]]
"""By name on the wire: `{"required": bool, "shape": shape}`."""

_PLAIN: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    datetime.datetime: "string",
    datetime.date: "string",
}
_LISTS = {list, tuple, collections.abc.Iterable, collections.abc.Sequence}
_MAPS = {dict, collections.abc.Mapping}


class Shapes:
    """Turns annotations into shapes, and keeps the fields of every object type it met."""

    def __init__(self, name_of: typing.Callable[[type], str]) -> None:
        self.objects: dict[str, Fields] = {}
        self.classes: dict[str, type] = {}
        # Of pydantic's: what a server says, which a client may give back as it came.
        self.models: list[str] = []
        self._name_of = name_of

    def of(self, annotation: Any) -> Shape:
        annotation, _ = without_markers(annotation)
        if isinstance(annotation, type) and annotation in _PLAIN:
            return _PLAIN[annotation]
        if annotation is None:
            return "null"
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Literal:
            return _union([{"value": value} for value in arguments])
        if origin is Union or origin is types.UnionType:
            return _union([self.of(member) for member in arguments])
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not BaseModel:
            return self._object(annotation)
        if is_typeddict(annotation):
            return self._object(annotation)
        name = getattr(origin or annotation, "__name__", "")
        if origin in _LISTS or name in {"SequenceNotStr", "tuple"}:
            return {"list": self.of(arguments[0]) if arguments else "any"}
        if origin in _MAPS or annotation in _MAPS:
            return {"map": self.of(arguments[1]) if arguments else "any"}
        if name in {"Stream", "AsyncStream", "JSONLDecoder"}:
            return {"stream": self.of(arguments[0])}
        return "any"

    def example(self, value: Any, name: str) -> Shape:
        """The shape of a value. Of objects that get the same name, fields are required that all of them have."""
        if isinstance(value, dict):
            seen = {key: self.example(inner, f"{name}.{key}") for key, inner in cast("dict[str, Any]", value).items()}
            known = self.objects.get(name)
            self.objects[name] = {
                key: {
                    "required": key in seen and (known is None or (key in known and known[key]["required"])),
                    "shape": _union([one for one in ((known or {}).get(key, {}).get("shape"), seen.get(key)) if one]),
                }
                for key in {**(known or {}), **seen}
            }
            return {"object": name}
        if isinstance(value, list):
            return {"list": merged([self.example(item, name) for item in cast("list[Any]", value)])}
        return _PLAIN[type(value)]

    def _object(self, cls: Any) -> Shape:
        name = self._name_of(cls)
        if name not in self.objects:
            fields = self.objects[name] = {}
            self.classes[name] = cls
            if not is_typeddict(cls):
                self.models.append(name)
            fields.update(self._fields(cls))
        return {"object": name}

    def _fields(self, cls: Any) -> Fields:
        if not is_typeddict(cls):
            return {
                field.alias or name: {"required": field.is_required(), "shape": self.of(field.annotation)}
                for name, field in cls.model_fields.items()
            }
        hints = get_type_hints(cls, include_extras=True)
        marked = {name: without_markers(hint)[1] for name, hint in hints.items()}
        # Of `total=False` classes whose annotations are strings, `__required_keys__` does not see what these say.
        total = cls.__total__ and not any(required is True for required in marked.values())
        return {
            name: {"required": total if marked[name] is None else marked[name], "shape": self.of(hint)}
            for name, hint in hints.items()
        }


def without_markers(annotation: Any) -> tuple[Any, bool | None]:
    """The bare type, and what `Required` or `NotRequired` around it said."""
    required: bool | None = None
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin is NotRequired or origin is Required:
            required = origin is Required
            (annotation,) = get_args(annotation)
        elif isinstance(annotation, TypeVar):
            return Any, required
        else:
            return annotation, required


def _union(members: list[Shape]) -> Shape:
    flat: list[Shape] = []
    for member in members:
        for one in members_of(member):
            if one not in flat:
                flat.append(one)
    return flat[0] if len(flat) == 1 else {"union": flat}


def merged(shapes: list[Shape]) -> Shape:
    """The shape of what has any of `shapes`."""
    return _union(shapes) if shapes else {"union": []}


def members_of(shape: Shape) -> list[Shape]:
    """The members of a union; of anything else, itself."""
    return shape["union"] if isinstance(shape, dict) and "union" in shape else [shape]
