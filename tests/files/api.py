"""The Files API in process: two workspaces of one organization, over a database and a store of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asgi import Answer, InProcess, Records
from installations import installation
from understudy.files.config import FilesConfig
from understudy.files.endpoints import FilesEndpoints
from understudy.files.service import FileService
from understudy.files.sweeper import Sweeper
from understudy.http.envelope import Envelope
from understudy.http.limiting import UNLIMITED, Limits
from understudy.http.principal import Principal, WorkspaceGrant
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database

ORGANIZATION = "00000000-0000-4000-8000-000000000001"
BOUNDARY = "a-boundary"
OLD = "files-api-2025-04-14"
AGENTS = "managed-agents-2026-04-01"
TINY_PDF = b"%PDF-1.4\n%%EOF\n"
MEGABYTE = 1024 * 1024


class Keys:
    """`a` and `b` are keys of two workspaces; `limited` is one of a restricted developer in the first."""

    async def authenticate(self, secret: str, address: str = "", /) -> Principal | None:
        del address
        known = {"a": "wrkspc_a", "b": "wrkspc_b", "limited": "wrkspc_a"}
        if secret not in known:
            return None
        role = "workspace_restricted_developer" if secret == "limited" else "workspace_developer"
        return Principal(ORGANIZATION, known[secret], f"apikey_{secret}", grant=WorkspaceGrant(role))


@dataclass
class Clock:
    """Seconds since the epoch, plus what a test adds."""

    added: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.added


@dataclass
class Part:
    """A part of a form. A header that is None is left out."""

    content: bytes
    name: str | None = "file"
    filename: str | None = None
    content_type: str | None = None
    headers: Sequence[bytes] = ()


def form(*parts: Part, boundary: str = BOUNDARY) -> bytes:
    whole: list[bytes] = []
    for part in parts:
        disposition = "form-data" + "".join(
            f'; {key}="{value}"'
            for key, value in (("name", part.name), ("filename", part.filename))
            if value is not None
        )
        lines = [f"content-disposition: {disposition}".encode(), *part.headers]
        if part.content_type is not None:
            lines.append(f"content-type: {part.content_type}".encode())
        whole += [b"--" + boundary.encode(), *lines, b"", part.content]
    return b"\r\n".join([*whole, b"--" + boundary.encode() + b"--", b""])


@dataclass
class FilesApi(InProcess):
    db: Database
    service: FileService
    sweeper: Sweeper
    clock: Clock
    app: Any = field(repr=False)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        key: str = "a",
        betas: str | None = None,
        body: bytes | Sequence[bytes] = b"",
        query: str = "",
        **headers: str,
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"x-api-key": key, "anthropic-version": "2026-10-21", **named}
        if betas is not None:
            given["anthropic-beta"] = betas
        return await self.call(method, path, given, body, query.encode())

    async def send(
        self, *parts: Part, body: bytes | Sequence[bytes] | None = None, boundary: str = BOUNDARY, **options: Any
    ) -> Answer:
        """POST /v1/files with these parts."""
        options.setdefault("content_type", f"multipart/form-data; boundary={boundary}")
        return await self.ask("POST", "/v1/files", body=form(*parts) if body is None else body, **options)

    async def upload(self, content: bytes = b"Example data", filename: str | None = "notes.txt", **options: Any) -> Any:
        """A new file's object."""
        content_type = options.pop("type", None)
        answer = await self.send(Part(content, filename=filename, content_type=content_type), **options)
        assert answer.status == 200, answer.body
        return answer.json()

    async def stored(self) -> list[str]:
        """Names of all blobs, and of what is not whole."""
        names = [blob.name async for blob in self.service.blobs.list("files")]
        directory = self.service.blobs.directory
        if directory is not None:
            names += [str(path) for path in directory.rglob("files/**/*#*")]
        return names

    async def used(self, owner: str = ORGANIZATION) -> int:
        return await self.service.quota.used(owner)

    async def nothing_is_left(self) -> None:
        assert await self.stored() == []
        assert await self.used() == 0
        assert (await self.ask("GET", "/v1/files")).json()["data"] == []


@asynccontextmanager
async def files_api(
    data_dir: Path, blobs: str | None = None, *, limits: Limits = UNLIMITED, **config: Any
) -> AsyncGenerator[FilesApi]:
    """`blobs`: the URL of the store; None for the data directory. `config`: of FilesConfig; uploads may be downloaded
    unless it says otherwise."""
    async with installation(data_dir) as (db, root):
        clock = Clock()
        service = FileService(
            db, Blobs(blobs, data_dir), root, FilesConfig(**{"downloadable_uploads": True, **config}), clock=clock
        )

        async def nothing() -> None:
            pass

        app = Envelope(
            api_routes=FilesEndpoints(service, limits).routes(),
            other_routes=[],
            authenticator=Keys(),
            request_log=Records(),
            start=nothing,
            stop=nothing,
        )
        yield FilesApi(db, service, Sweeper(db, service), clock, app)


def error_of(answer: Answer) -> tuple[int, str, str]:
    """Status, type and message of an error."""
    error = answer.json()["error"]
    return answer.status, error["type"], error["message"]


def code_of(answer: Answer) -> str | None:
    return (answer.json()["error"].get("details") or {}).get("error_code")
