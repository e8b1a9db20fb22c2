"""Prompts and what belongs to them, as our own routes show them, and the bodies that make and change them."""

from __future__ import annotations

from typing import Annotated, Any, Final, NotRequired

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from understudy.organization.bodies import STRICT, Name, Printable, Shape
from understudy.organization.clock import rfc3339
from understudy.organization.pages import CursorParams, Nullable
from understudy.organization.store import from_json
from understudy.wire.json_text import to_json

MOST_CASES: Final = 500
MOST_RESULTS: Final = 5_000
MOST_EVALUATION_BYTES: Final = 1024 * 1024
MOST_RESULT_BYTES: Final = 4 * 1024 * 1024
MOST_REQUEST_BYTES: Final = 4 * 1024 * 1024

_Text = Annotated[str, Field(max_length=1_000_000)]
_VariableName = Annotated[str, Field(min_length=1, max_length=200)]
_Variables = Annotated[dict[_VariableName, _Text], Field(max_length=200)]
_Id = Annotated[Printable, Field(min_length=1, max_length=100)]
_Count = Annotated[int, Field(ge=0, le=2**53)]


def _request(value: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value.get("messages", []), list):
        raise ValueError("messages: Input should be a valid array")
    # As deep as it is shown: what can be read may be nested deeper than what can be written, which is a 400 here.
    to_json([[value]])
    return value


_Request = Annotated[dict[str, Any], AfterValidator(_request)]


class ListParams(CursorParams):
    workspace_id: NotRequired[Nullable]


class CreateParams(TypedDict):
    """With `request` the first version is made, too."""

    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: Name
    request: NotRequired[_Request]
    variables: NotRequired[_Variables]


class UpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: Name


class VersionParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    request: _Request
    variables: NotRequired[_Variables]


class TestCase(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    id: _Id
    variables: _Variables
    ideal: NotRequired[_Text | None]


class Result(TypedDict):
    """What a model made of a test case. `duration`: seconds."""

    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    test_case_id: _Id
    model: Annotated[Printable, Field(min_length=1, max_length=256)]
    version: NotRequired[_Count | None]
    output: NotRequired[_Text | None]
    error: NotRequired[_Text | None]
    grade: NotRequired[Annotated[int, Field(ge=1, le=5)] | None]
    stop_reason: NotRequired[Annotated[Printable, Field(max_length=100)] | None]
    input_tokens: NotRequired[_Count | None]
    output_tokens: NotRequired[_Count | None]
    duration: NotRequired[Annotated[float, Field(ge=0, le=1e9, strict=False)] | None]


class TestCasesParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    data: Annotated[list[TestCase], Field(max_length=MOST_CASES)]


class ResultsParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    data: Annotated[list[Result], Field(max_length=MOST_RESULTS)]


LIST: Final = Shape(ListParams)
VERSIONS: Final = Shape(CursorParams)
CREATE: Final = Shape(CreateParams)
UPDATE: Final = Shape(UpdateParams)
VERSION: Final = Shape(VersionParams)
TEST_CASES: Final = Shape(TestCasesParams)
RESULTS: Final = Shape(ResultsParams)


def prompt(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": "prompt",
        "name": row.name,
        "workspace_id": row.workspace_id,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "created_by": row.created_by,
        "latest_version": row.latest_version or None,
    }


def listed_version(row: Any) -> dict[str, Any]:
    """As lists show it: a page of whole ones could be gigabytes."""
    return {
        "type": "prompt_version",
        "prompt_id": row.prompt_id,
        "version": row.version,
        "created_at": rfc3339(row.created_at),
        "created_by": row.created_by,
    }


def prompt_version(row: Any) -> dict[str, Any]:
    return {**listed_version(row), "request": from_json(row.request), "variables": from_json(row.variables)}
