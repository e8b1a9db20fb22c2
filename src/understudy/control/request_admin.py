"""The request log: searched, and one request with what is kept of it. Not in the real API.

Who sees usage in some workspaces only, searches those by name.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from sqlalchemy import Row
from starlette.responses import Response

from understudy.control.csv_export import csv_response
from understudy.control.report_params import Time, bound_by
from understudy.http.exchange import Exchange
from understudy.http.pagination import DEFAULT_LIMIT
from understudy.http.query import read_query
from understudy.organization.bodies import Printable, Shape
from understudy.organization.pages import CursorParams, Cursors
from understudy.organization.roles import may, require
from understudy.organization.store import Store, principal_of
from understudy.storage.blobs import BlobsError
from understudy.usage.kept_bodies import KeptBodies
from understudy.usage.request_log import FILTERS, Search, decision, find, shown, timings
from understudy.usage.rows import REQUEST_COLUMNS
from understudy.wire.errors import NotFoundError, OverloadedError

MOST_EXPORTED: Final = 100_000
"""Rows of a CSV file."""

# Each page looks for its end among the rows of 50,000.
_AT_ONCE: Final = 2_000

_Id = Annotated[Printable, Field(min_length=1, max_length=256)]


class LogParams(CursorParams):
    request_id: NotRequired[_Id]
    since: NotRequired[Time]
    until: NotRequired[Time]
    workspace_id: NotRequired[_Id]
    api_key_id: NotRequired[_Id]
    actor_id: NotRequired[_Id]
    model: NotRequired[_Id]
    engine: NotRequired[_Id]
    status: NotRequired[Annotated[int, Field(ge=100, le=999)]]
    error_type: NotRequired[_Id]
    stop_reason: NotRequired[_Id]
    message_id: NotRequired[_Id]
    failed: NotRequired[Literal["true"]]
    path: NotRequired[_Id]
    path_not: NotRequired[_Id]
    reads: NotRequired[Literal["true", "false"]]


_LOG: Final = Shape(LogParams)

# What was said is for those who may trace the workspace's sessions.
_HIDDEN: Final = {"request": None, "response": None, "bodies_hidden": True}


def _given(params: Mapping[str, Any], names: Sequence[str]) -> dict[str, str | int]:
    return {name: params[name] for name in names if name in params}


async def request_page(
    store: Store,
    asked: Search,
    params: CursorParams,
    cursors: Cursors,
    bound: Sequence[Any],
    render: Callable[[Row[Any]], dict[str, Any]],
) -> dict[str, Any]:
    """A page of the request log, newest first."""
    page = params.get("page")
    before = cursors.read(bound, page) if page else None
    async with store.connect() as connection:
        rows, following = await find(connection, asked, before, params.get("limit", DEFAULT_LIMIT))
    return {
        "data": [render(row) for row in rows],
        "next_page": None if following is None else cursors.make(bound, *following),
    }


class RequestAdmin:
    def __init__(self, store: Store, cursors: Cursors, kept: KeptBodies) -> None:
        self._store = store
        self._cursors = cursors
        self._kept = kept

    async def list(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """GET …/requests: the request log, newest first. A page may be short, or empty, and yet not be the last: each
        looks through a bounded number of rows."""
        params, asked = self._asked(exchange, organization_id)
        bound = bound_by("requests", organization_id, params)
        return await request_page(self._store, asked, params, self._cursors, bound, shown)

    async def export(self, exchange: Exchange, organization_id: str) -> Response:
        """GET …/requests.csv: the same as a file, the newest MOST_EXPORTED of them."""
        _, asked = self._asked(exchange, organization_id)
        return csv_response("requests.csv", REQUEST_COLUMNS, self._pages(asked))

    async def _pages(self, asked: Search) -> AsyncGenerator[list[dict[str, Any]]]:
        left, before = MOST_EXPORTED, None
        while left:
            async with self._store.connect() as connection:
                rows, before = await find(connection, asked, before, min(left, _AT_ONCE))
            left -= len(rows)
            yield [shown(row) for row in rows]
            if before is None:
                return

    def _asked(self, exchange: Exchange, organization_id: str) -> tuple[LogParams, Search]:
        params = read_query(exchange, _LOG.adapter)
        require(principal_of(exchange), "usage:read", params.get("workspace_id"))
        asked = Search(
            organization_id,
            request_id=params.get("request_id"),
            since=params.get("since"),
            until=params.get("until"),
            equal=_given(params, FILTERS),
            failed="failed" in params,
            path=params.get("path"),
            path_not=params.get("path_not"),
            reads=params.get("reads") != "false",
        )
        return params, asked

    async def retrieve(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """GET …/requests/{id}: one request, what its limits said, its times, and the bodies where they are kept."""
        request_id, principal = exchange.path_params["id"], principal_of(exchange)
        async with self._store.connect() as connection:
            rows, _ = await find(connection, Search(organization_id, request_id=request_id), None, 1)
        if not rows or not may(principal, "usage:read", rows[0].workspace_id):
            raise NotFoundError("Request not found")
        if not (principal.kind == "admin" or may(principal, "sessions:trace", rows[0].workspace_id)):
            return {**shown(rows[0]), "limits": decision(rows[0]), "timings": timings(rows[0]), **_HIDDEN}
        try:
            bodies = await self._kept.read(organization_id, request_id)
        except BlobsError:
            raise OverloadedError("The store of bodies does not answer") from None
        return {**shown(rows[0]), "limits": decision(rows[0]), "timings": timings(rows[0]), **bodies}
