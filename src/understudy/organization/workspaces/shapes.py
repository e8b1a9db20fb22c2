"""The workspace as the API shows it, and the bodies that make and change one. Source: the official SDK 2.12.0."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from understudy.http.pagination import PageParams
from understudy.organization.bodies import STRICT, Name, Printable, Shape
from understudy.organization.clock import rfc3339, rfc3339_or_none
from understudy.organization.store import from_json

Geo = Literal["global", "us"]
_RESERVED: Final = "anthropic"
_MOST_TAGS, _LONGEST_TAG = 50, 256  # [guess]: the documentation bounds neither


def _color(text: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise ValueError("must be a hex color code such as #6C5BB9")
    return text


def _tag_key(key: str) -> str:
    if key.lower().startswith(_RESERVED):
        raise ValueError(f"keys may not begin with `{_RESERVED}`")
    return key


Color = Annotated[str, AfterValidator(_color)]
TagKey = Annotated[Printable, Field(min_length=1, max_length=_LONGEST_TAG), AfterValidator(_tag_key)]
TagValue = Annotated[Printable, Field(max_length=_LONGEST_TAG)]
Tags = Annotated[dict[TagKey, TagValue], Field(max_length=_MOST_TAGS)]
TagChanges = Annotated[dict[TagKey, TagValue | None], Field(max_length=_MOST_TAGS)]
Geos = Annotated[list[Geo], Field(min_length=1)] | Literal["unrestricted"]


class DataResidencyCreate(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    workspace_geo: NotRequired[Literal["us"] | None]
    allowed_inference_geos: NotRequired[Geos | None]
    default_inference_geo: NotRequired[Geo | None]


class DataResidencyUpdate(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    allowed_inference_geos: NotRequired[Geos | None]
    default_inference_geo: NotRequired[Geo | None]


class WorkspaceCreateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: Name
    data_residency: NotRequired[DataResidencyCreate | None]
    display_color: NotRequired[Color | None]
    external_key_id: NotRequired[str | None]
    tags: NotRequired[Tags | None]
    user_profile_id: NotRequired[str | None]


class WorkspaceUpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: NotRequired[Name]
    data_residency: NotRequired[DataResidencyUpdate | None]
    display_color: NotRequired[Color]
    external_key_id: NotRequired[str]
    tags: NotRequired[TagChanges | None]
    user_profile_id: NotRequired[str]


_Ids = TypedDict("_Ids", {"ids[]": NotRequired[Annotated[list[str], Field(max_length=100)]]})


class WorkspaceListParams(PageParams, _Ids):
    include_archived: NotRequired[bool]
    include_default: NotRequired[bool]


CREATE: Final = Shape(WorkspaceCreateParams)
UPDATE: Final = Shape(WorkspaceUpdateParams)
LIST: Final = Shape(WorkspaceListParams)


def workspace(row: Any) -> dict[str, Any]:
    """A row of `workspaces` as the API shows it."""
    allowed = from_json(row.allowed_inference_geos)
    return {
        "id": row.id,
        "type": "workspace",
        "name": row.name,
        "created_at": rfc3339(row.created_at),
        "archived_at": rfc3339_or_none(row.archived_at),
        "display_color": row.display_color,
        "data_residency": {
            "workspace_geo": row.workspace_geo,
            "allowed_inference_geos": "unrestricted" if allowed is None else allowed,
            "default_inference_geo": row.default_inference_geo,
        },
        "compartment_id": row.compartment_id,
        "external_key_id": None,
        "tags": from_json(row.tags),
        "user_profile_id": None,
    }
