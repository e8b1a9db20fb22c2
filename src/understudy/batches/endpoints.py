"""The six routes of the Message Batches API."""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import Any, Final

from pydantic import TypeAdapter

from understudy.batches.batch import Batch
from understudy.batches.errors import batch_not_found
from understudy.batches.service import BatchService, workspace_of
from understudy.batches.shapes import deleted_batch, message_batch, page_of_batches
from understudy.http.body import stream_json_body
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.pagination import PageParams
from understudy.http.query import read_query

_LIST: Final = TypeAdapter(PageParams)

_PATH: Final = "/v1/messages/batches"
_IS_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}").fullmatch
_RESULTS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-type", b"application/x-jsonl"),
    (b"cache-control", b"private, no-store"),
    (b"x-content-type-options", b"nosniff"),
)
# Seconds; observed on batches in progress.
_POLL_AFTER: Final[tuple[bytes, bytes]] = (b"retry-after", b"10")


class BatchesEndpoints:
    """Answers tell nothing of rate limits (recorded 2026-08, beside messages that did)."""

    def __init__(self, service: BatchService) -> None:
        self._service = service

    def routes(self) -> list[ApiRoute]:
        """Their paths are those of the SDK's beta routes too. They are still to be limited."""
        one = _PATH + "/{message_batch_id}"
        return [
            ApiRoute(_PATH, "POST", self.create),
            ApiRoute(_PATH, "GET", self.list),
            ApiRoute(one, "GET", self.retrieve),
            ApiRoute(one, "DELETE", self.delete),
            ApiRoute(one + "/cancel", "POST", self.cancel),
            ApiRoute(one + "/results", "GET", self.results),
        ]

    async def create(self, exchange: Exchange) -> None:
        """Take a batch of requests, to be answered within a day."""
        caller = exchange.principal
        assert caller is not None
        body = stream_json_body(exchange, self._service.config.max_body_bytes)
        made = await self._service.create(caller, exchange.version, exchange.betas, body)
        exchange.record.limit_exceeded = made.exceeded or exchange.record.limit_exceeded
        await exchange.respond_json(self._shown(exchange, made.batch))

    async def list(self, exchange: Exchange) -> None:
        """A page of the workspace's batches, newest first."""
        workspace_id = workspace_of(exchange.principal)
        page = await self._service.list(workspace_id, read_query(exchange, _LIST))
        shown = [self._shown(exchange, batch) for batch in page.batches]
        await exchange.respond_json(page_of_batches(shown, more=page.more))

    async def retrieve(self, exchange: Exchange) -> None:
        workspace_id = workspace_of(exchange.principal)
        batch = await self._service.retrieve(workspace_id, _asked(exchange))
        headers = [] if batch.status == "ended" else [_POLL_AFTER]
        await exchange.respond_json(self._shown(exchange, batch), headers=headers)

    async def delete(self, exchange: Exchange) -> None:
        workspace_id = workspace_of(exchange.principal)
        batch_id = _asked(exchange)
        await self._service.delete(workspace_id, batch_id)
        await exchange.respond_json(deleted_batch(batch_id))

    async def cancel(self, exchange: Exchange) -> None:
        workspace_id = workspace_of(exchange.principal)
        batch = await self._service.cancel(workspace_id, _asked(exchange))
        await exchange.respond_json(self._shown(exchange, batch))

    async def results(self, exchange: Exchange) -> None:
        """The results, a JSON object a line."""
        workspace_id = workspace_of(exchange.principal)
        batch_id = _asked(exchange)
        async with aclosing(await self._service.results(workspace_id, batch_id)) as pieces:
            # [guess] the name of the file; that there is such a header was recorded.
            name = f"{batch_id}_results.jsonl".encode("ascii")
            await exchange.start(200, [*_RESULTS, (b"content-disposition", b'attachment; filename="%b"' % name)])
            if exchange.scope["method"] != "HEAD":
                async for piece in pieces:
                    await exchange.write(piece, more=True)
            await exchange.write(b"", more=False)

    def _shown(self, exchange: Exchange, batch: Batch) -> dict[str, Any]:
        # Where the routes stand below a prefix, the results do so too.
        prefix = exchange.scope["path"].partition(_PATH)[0]
        url = f"{self._service.config.public_url or _address(exchange)}{prefix}{_PATH}/{batch.id}/results"
        return message_batch(batch, url, self._service.archived_at(batch))


def _asked(exchange: Exchange) -> str:
    batch_id = exchange.path_params["message_batch_id"]
    if _IS_ID(batch_id) is None:
        raise batch_not_found(batch_id)
    return batch_id


def _address(exchange: Exchange) -> str:
    """What the request was sent to. Its Host is the client's own word, told to nobody else."""
    host = exchange.header(b"host")
    if not host:
        server = exchange.scope.get("server") or ("localhost", None)
        host = server[0] if server[1] is None else f"{server[0]}:{server[1]}"
    return f"{exchange.scope.get('scheme', 'http')}://{host}"
