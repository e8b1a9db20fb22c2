"""The words of the table that says what of the SDK's own tests runs here, and what its requests need to be valid.

The SDK's tests were written for a mock that answers from a schema. Their requests are full of placeholders: `"x"` for a
token, `"model_id"` for an id, the first beta of a list for the one that opens a field. A row names each, what stands in
its place, and why. The server knows nothing of this; the proxy between the two does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import httpx

Place: TypeAlias = Literal["path", "query", "header", "body", "form"]

Prepare: TypeAlias = Callable[[httpx.AsyncClient], Awaitable[Mapping[str, str]]]
"""Makes objects before the tests begin; returns their ids under the names that `Made` gives."""

DROP: Any = object()
"""In the place of a value: take the key away."""


@dataclass(frozen=True, slots=True)
class Made:
    """In the place of a value: the id of an object that `prepare` made."""

    name: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """`placeholder`, where it stands at `key` of `place`, gives way to `value`.

    Keys of bodies are dotted, `*` being every item of a list (`tools.*.defer_loading`). Of a path every segment that is
    the placeholder is meant, and `key` says only what it names; of a multipart form its bytes, wherever they stand. A
    `value` that can be called is given the request, and what it returns is taken: where each request needs another
    object.
    """

    place: Place
    key: str
    placeholder: object
    value: object
    why: str


@dataclass(frozen=True, slots=True)
class NeedsBeta:
    """A body with `field` is refused without `beta`: the tests name another beta, or none."""

    field: str
    beta: str
    why: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """Tests, as a pattern of `TestClass::test_name`, whose requests break a rule of the API that `rule` cites."""

    tests: str
    rule: str


@dataclass(frozen=True, slots=True)
class Resource:
    """Files of tests and the routes they ask. While one of the routes is unbuilt, all of the files are left out.

    `fresh`: what `prepare` makes is made anew before every test, where tests delete it.
    """

    name: str
    files: tuple[str, ...]
    routes: tuple[tuple[str, str], ...]
    rewrites: tuple[Rewrite, ...] = ()
    betas: tuple[NeedsBeta, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    prepare: Prepare | None = None
    fresh: bool = False
    credential: Literal["api", "admin"] = "api"


# Of every resource.
EVERYWHERE = (
    Rewrite(
        "header",
        "anthropic-workspace-id",
        "wrkspc_011CZkZaBF1tNoB5wlCeusgy",
        DROP,
        "it must match the workspace of the key, which may omit it (SDK's description of workspace_id)",
    ),
)
