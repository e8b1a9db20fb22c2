"""From a TypedDict class to pydantic's validator for one variant of the API.

The core schema is built directly: a variant takes a few milliseconds where pydantic's own generator needs about 70,
and what the API's paths need (labels of branches, tags, "expected shape") can be said exactly.

What decides the API's error paths, and is therefore built in here:
- the order of fields in a class is the order in which faults are reported; a base's fields come after the class's own;
- a union of objects is told apart by `type`, its tag stands in the path, and tags are listed alphabetically;
- a branch of `str | list[…]` leaves no mark in the path, and only the list's fault is reported;
- lists stop at their first fault, and only the first unknown key of a body is a fault: later ones could never be the
  one that is reported, and a body may hold millions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, Union, cast, get_args, get_origin

from pydantic_core import CoreSchema, PydanticKnownError, SchemaValidator, core_schema
from typing_extensions import NoExtraItems, get_type_hints, is_typeddict

from .gates import Unwrapped, Variant, unwrap

# A label that begins so is ours and never shown: JSON keys do not begin with NUL in practice, and one that did would
# only be missing from the path of its error.
HIDDEN = "\x00"
SKIP = HIDDEN + "skip"
"""Label of a branch whose faults are not reported, because another branch of the union speaks for it."""
DROP = HIDDEN + "drop"
"""Label of a branch whose faults are reported without the label."""

UNION_TAG = "union_tag"
"""The error type of a `type` that is missing or is none of the expected ones."""

EXPECTED_SHAPE = "shape"
EXPECTED_OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Label:
    """The name under which a branch of a union appears: in the path if no tag does, or as its tag under `Tagged`."""

    name: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """A union of objects that are told apart by `type`, or by what `choose` makes of the object.

    `in_order` lists the tags in an error as the members are written. `hidden` is for tags that paths do not show; its
    members carry a `Label`, HIDDEN in front, that `choose` answers. Only needed where the builder cannot see it: on a
    single member, or to change these.
    """

    choose: Callable[[dict[str, Any]], object] | None = None
    in_order: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a number, or of the length and the characters of a string, or of the length of a list."""

    ge: int | None = None
    le: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None


Markers: TypeAlias = tuple[object, ...]


def build_validator(cls: Any, variant: Variant) -> SchemaValidator:
    """The validator of `cls` (a TypedDict class) as it is in `variant`; strict, unknown keys refused.

    Every call of its `validate_python` needs a fresh empty list as `context`, where it notes the first unknown key.
    """
    builder = _Builder(variant)
    schema = builder.schema(cls)
    return SchemaValidator(core_schema.definitions_schema(schema, list(builder.definitions.values())))


class _Builder:
    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.definitions: dict[Any, CoreSchema] = {}

    def schema(self, annotation: Any, markers: Markers = ()) -> CoreSchema:
        unwrapped = unwrap(annotation)
        markers += unwrapped.markers
        kind = unwrapped.type
        origin = get_origin(kind)
        if origin is Union or origin is UnionType:
            return self._union(kind, markers)
        if is_typeddict(kind):
            tagged = _find(markers, Tagged)
            return self._tagged([unwrapped], tagged) if tagged else _shaped(self._object(kind))
        limits = _find(markers, Limits) or Limits()
        if origin is Literal:
            return core_schema.literal_schema(list(get_args(kind)))
        if origin is list:
            (item,) = get_args(kind)
            return core_schema.list_schema(
                self.schema(item), min_length=limits.min_length, max_length=limits.max_length, fail_fast=True
            )
        if origin is dict:
            return self._mapping(kind)
        if kind is str:
            return core_schema.str_schema(
                min_length=limits.min_length, max_length=limits.max_length, pattern=limits.pattern
            )
        if kind is int:
            return core_schema.int_schema(ge=limits.ge, le=limits.le)
        if kind is float:
            return core_schema.float_schema(ge=limits.ge, le=limits.le)
        if kind is bool:
            return core_schema.bool_schema()
        if kind is object:
            return core_schema.any_schema()
        raise TypeError(f"no schema for {annotation!r}")

    def _object(self, cls: Any) -> CoreSchema:
        if cls not in self.definitions:
            fields: dict[str, core_schema.TypedDictField] = {}
            for name, annotation in _hints(cls).items():
                unwrapped = unwrap(annotation)
                if self.variant.opens(unwrapped.markers):
                    schema = self.schema(unwrapped.type, unwrapped.markers)
                    fields[name] = core_schema.typed_dict_field(schema, required=unwrapped.required)
            open_ended = getattr(cls, "__extra_items__", NoExtraItems) is not NoExtraItems
            self.definitions[cls] = core_schema.typed_dict_schema(
                fields,
                extra_behavior="allow",
                extras_schema=None if open_ended else _UNKNOWN_KEY,
                config=_STRICT,
                ref=cls.__name__,
            )
        return core_schema.definition_reference_schema(cls.__name__)

    def _mapping(self, kind: Any) -> CoreSchema:
        _, value = get_args(kind)
        if value is object:
            # A free-form object is looked at from outside only: nothing is copied, and depth costs nothing.
            return core_schema.is_instance_schema(dict, cls_repr=EXPECTED_OBJECT)
        entries = core_schema.dict_schema(values_schema=self.schema(value))
        return core_schema.no_info_wrap_validator_function(_first_fault, entries)

    def _union(self, kind: Any, markers: Markers) -> CoreSchema:
        members = [unwrap(member) for member in get_args(kind)]
        nullable = any(member.type is NoneType for member in members)
        members = [m for m in members if m.type is not NoneType and self.variant.opens(m.markers)]
        schema = self._choice(members, markers)
        return core_schema.nullable_schema(schema) if nullable else schema

    def _choice(self, members: list[Unwrapped], markers: Markers) -> CoreSchema:
        literals = [member for member in members if get_origin(member.type) is Literal]
        if len(literals) == len(members):
            return core_schema.literal_schema([value for member in members for value in get_args(member.type)])
        tagged = _find(markers, Tagged)
        if len(members) == 1:
            if tagged and tagged.hidden:
                markers = tuple(marker for marker in markers if marker is not tagged)
            return self.schema(members[0].type, markers + members[0].markers)
        objects = [member for member in members if is_typeddict(member.type)]
        if len(objects) == len(members):
            return self._tagged(objects, tagged or Tagged())
        lists = [member for member in members if get_origin(member.type) is list]
        if len(objects) + len(lists) == len(members):
            return self._list_or_object(lists[0], objects)
        choices: list[CoreSchema | tuple[CoreSchema, str]] = [
            (self.schema(m.type, m.markers), DROP if m in lists else SKIP) for m in members if m not in objects
        ]
        if objects:
            label = _find(objects[0].markers, Label)
            choices.append((self._objects_of(objects), label.name if label else DROP))
        return core_schema.union_schema(choices, mode="left_to_right")

    def _objects_of(self, objects: list[Unwrapped]) -> CoreSchema:
        if len(objects) > 1:
            return self._tagged(objects, Tagged())
        return self.schema(objects[0].type, objects[0].markers)

    def _list_or_object(self, items: Unwrapped, objects: list[Unwrapped]) -> CoreSchema:
        choices: dict[Any, CoreSchema] = {
            HIDDEN + "list": self.schema(items.type, items.markers),
            HIDDEN + "object": self._objects_of(objects),
        }
        return core_schema.tagged_union_schema(choices, _list_or_object)

    def _tagged(self, members: list[Unwrapped], tagged: Tagged) -> CoreSchema:
        choices: dict[Any, CoreSchema] = {}
        for member in members:
            schema = self._object(member.type)
            label = _find(member.markers, Label)
            for tag in [label.name] if label and tagged.hidden else _tags(member.type):
                choices[tag] = schema
        if not tagged.in_order:
            choices = dict(sorted(choices.items()))
        union = core_schema.tagged_union_schema(
            choices,
            tagged.choose or "type",
            # pydantic's own error would print a tag of any size and depth.
            custom_error_type=UNION_TAG,
            custom_error_message=UNION_TAG,
            custom_error_context={"expected_tags": ", ".join(f"'{tag}'" for tag in choices)},
        )
        if tagged.choose is None:
            return union
        return _shaped(union, EXPECTED_SHAPE if tagged.hidden else EXPECTED_OBJECT)


def _unknown_key(value: object, info: core_schema.ValidationInfo[list[bool]]) -> object:
    if not info.context:
        info.context.append(True)
        raise PydanticKnownError("extra_forbidden")
    return value


# No text for a number, no number for a boolean. Each object needs it: a nested one does not inherit it.
_STRICT = core_schema.CoreConfig(strict=True)
_UNKNOWN_KEY = core_schema.with_info_plain_validator_function(_unknown_key)


def _shaped(schema: CoreSchema, expected: str = EXPECTED_SHAPE) -> CoreSchema:
    """Tell "this is no object" apart from what is wrong inside of one: pydantic's own error type is the same."""
    return core_schema.chain_schema([core_schema.is_instance_schema(dict, cls_repr=expected), schema])


def _hints(cls: Any) -> dict[str, Any]:
    """The annotations of `cls`, its own before those of its bases."""
    hints = get_type_hints(cls, include_extras=True)
    bases = cast("Iterable[Any]", getattr(cls, "__orig_bases__", ()))
    inherited = {name for base in bases if is_typeddict(base) for name in base.__annotations__}
    own = {name: hint for name, hint in hints.items() if name not in inherited}
    return own | {name: hint for name, hint in hints.items() if name in inherited}


def _tags(cls: Any) -> list[str]:
    """The values of `type` in `cls`; the tool search tools have two spellings."""
    kind = unwrap(_hints(cls)["type"]).type
    if get_origin(kind) is not Literal:  # "custom" | None
        kind = next(member for member in get_args(kind) if member is not NoneType)
    return list(get_args(kind))


def _find(markers: Markers, kind: type[Any]) -> Any:
    return next((marker for marker in markers if isinstance(marker, kind)), None)


def _list_or_object(value: object) -> str:
    return HIDDEN + ("list" if isinstance(value, list) else "object")


def _first_fault(value: object, validate: core_schema.ValidatorFunctionWrapHandler) -> object:
    """Stop at the first bad entry of a mapping; pydantic can only do so for lists."""
    if isinstance(value, dict):
        for key, entry in cast("dict[str, object]", value).items():
            validate({key: entry})
        return cast("object", value)
    return validate(value)
