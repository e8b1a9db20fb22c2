"""The five routes of the Files API."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, Final

from pydantic import TypeAdapter

from understudy.files.file import File
from understudy.files.names import content_disposition
from understudy.files.pages import FileListParams, checked_ids
from understudy.files.ranges import range_of
from understudy.files.service import FileService
from understudy.files.shapes import OLD, Shape, file_metadata, shape_for
from understudy.files.uploads import receive
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.limiting import UNLIMITED, Limits
from understudy.http.principal import Owner
from understudy.http.query import read_query
from understudy.wire.errors import InvalidRequestError, PermissionDeniedError

_LIST: Final = TypeAdapter(FileListParams)
# "Limited Developer": no file download (workspaces guide).
_NO_DOWNLOADS: Final = "workspace_restricted_developer"
# Beside `attachment`: whoever shows it all the same neither guesses a type nor runs anything in it.
_HARMLESS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cache-control", b"private, no-store"),
)


class FilesEndpoints:
    """`limits`: files are a group of their own there."""

    def __init__(self, service: FileService, limits: Limits = UNLIMITED) -> None:
        self._service = service
        self._limits = limits

    def routes(self) -> list[ApiRoute]:
        return [
            ApiRoute("/v1/files", "POST", self.upload),
            ApiRoute("/v1/files", "GET", self.list),
            ApiRoute("/v1/files/{file_id}", "GET", self.retrieve_metadata),
            ApiRoute("/v1/files/{file_id}", "DELETE", self.delete),
            ApiRoute("/v1/files/{file_id}/content", "GET", self.download),
        ]

    async def _admit(self, exchange: Exchange) -> Owner:
        owner = Owner.of(exchange.principal)
        assert exchange.principal is not None
        await self._limits.begin(exchange.principal, "files")
        return owner

    async def upload(self, exchange: Exchange) -> None:
        """Store the file of a multipart form."""
        await self._admit(exchange)
        shape = shape_for(exchange.betas)
        file = await receive(exchange, self._service, shape)
        await exchange.respond_json(file_metadata(file, shape))

    async def list(self, exchange: Exchange) -> None:
        """A page of the workspace's files, newest first, or those that `ids[]` names."""
        owner = await self._admit(exchange)
        shape = shape_for(exchange.betas)
        params = read_query(exchange, _LIST)
        ids = None
        if shape.by_page:
            ids = checked_ids(params)
        else:
            # Parameters that came later; unknown ones are ignored.
            params.pop("page", None)
        if not shape.by_id:
            for name in ("after_id", "before_id"):
                if name in params:
                    raise InvalidRequestError(f"{name}: Extra inputs are not permitted")  # [guess] documented: 400
        if shape.scoped and params.get("scope_id") is not None:
            # No file here belongs to a session.
            await exchange.respond_json(envelope([], shape))
        elif ids is not None:
            found = await self._service.named(owner.workspace_id, ids)
            await exchange.respond_json(envelope(found, shape))
        else:
            page = await self._service.list(owner.workspace_id, params)
            backwards = params.get("before_id") is not None
            next_page = None if backwards else page.next_page
            await exchange.respond_json(envelope(page.files, shape, more=page.more, next_page=next_page))

    async def retrieve_metadata(self, exchange: Exchange) -> None:
        owner = await self._admit(exchange)
        file = await self._service.retrieve(owner.workspace_id, exchange.path_params["file_id"])
        await exchange.respond_json(file_metadata(file, shape_for(exchange.betas)))

    async def delete(self, exchange: Exchange) -> None:
        owner = await self._admit(exchange)
        file_id = exchange.path_params["file_id"]
        await self._service.delete(owner.workspace_id, file_id)
        await exchange.respond_json({"id": file_id, "type": "file_deleted"})

    async def download(self, exchange: Exchange) -> None:
        """The bytes of a file, or a range of them."""
        owner = await self._admit(exchange)
        if exchange.principal is not None and exchange.principal.grant.role == _NO_DOWNLOADS:
            raise PermissionDeniedError("Your role does not allow this. It needs: files:download")
        coded = shape_for(exchange.betas) is not OLD
        file_id = exchange.path_params["file_id"]
        file = await self._service.downloadable(owner.workspace_id, file_id, coded=coded)
        etag = f'"{file.sha256}"'
        condition = exchange.header(b"if-range")
        wanted = None
        if condition is None or condition.strip() == etag:
            wanted = range_of(exchange.header(b"range"), file.size_bytes)
        start, end = wanted or (0, file.size_bytes)
        headers = [
            *_HARMLESS,
            (b"content-type", file.mime_type.encode("ascii")),
            (b"content-disposition", content_disposition(file.filename)),
            (b"accept-ranges", b"bytes"),
            (b"etag", etag.encode("ascii")),
            (b"content-length", b"%d" % (end - start)),
        ]
        if wanted is not None:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, file.size_bytes)))
        status = 200 if wanted is None else 206
        if exchange.scope["method"] == "HEAD":
            await exchange.start(status, headers)
            await exchange.write(b"", more=False)
            return
        async with aclosing(await self._service.content(file, start, end)) as pieces:
            await exchange.start(status, headers)
            async for piece in pieces:
                await exchange.write(piece, more=True)
            await exchange.write(b"", more=False)


def envelope(found: list[File], shape: Shape, *, more: bool = False, next_page: str | None = None) -> dict[str, Any]:
    """A page of files, with the cursors of its shape."""
    shown: dict[str, Any] = {"data": [file_metadata(file, shape) for file in found]}
    if shape.by_page:
        shown["next_page"] = next_page
    if shape.by_id:
        shown["has_more"] = more
        shown["first_id"] = found[0].id if found else None
        shown["last_id"] = found[-1].id if found else None
    return shown
