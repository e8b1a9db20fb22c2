"""The Skills API in process: two workspaces of one organization, over a database and a store of its own."""

from __future__ import annotations

import io
import stat
import time
import zipfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asgi import Answer, InProcess, Records
from installations import installation
from understudy.http.envelope import Envelope, limited
from understudy.http.limiting import UNLIMITED, Limits
from understudy.http.principal import Principal, WorkspaceGrant
from understudy.skills.config import SkillsConfig
from understudy.skills.endpoints import SkillsEndpoints
from understudy.skills.service import SkillService
from understudy.skills.sweeper import SkillSweeper
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database

ORGANIZATION = "00000000-0000-4000-8000-000000000001"
BOUNDARY = "a-boundary"
OLD = "skills-2025-10-02"
MEGABYTE = 1024 * 1024
RANDOM = "skill_011C3jesTJ8wn21tkQ6hSm79"


class Keys:
    """`a` and `b` are keys of two workspaces."""

    async def authenticate(self, secret: str, address: str = "", /) -> Principal | None:
        del address
        known = {"a": "wrkspc_a", "b": "wrkspc_b"}
        if secret not in known:
            return None
        return Principal(ORGANIZATION, known[secret], f"apikey_{secret}", grant=WorkspaceGrant("workspace_developer"))


@dataclass
class Clock:
    """Seconds since the epoch, plus what a test adds."""

    added: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.added


def skill_md(name: str = "my-skill", description: str = "Does a thing.", more: str = "") -> bytes:
    return f"---\nname: {name}\ndescription: {description}\n{more}---\n\n# How\n\nDo it.\n".encode()


Files = Mapping[str, bytes]
SKILL: Files = {"my-skill/SKILL.md": skill_md(), "my-skill/scripts/run.py": b"print('hello')\n" * 20}


def form(files: Files | Sequence[tuple[str | None, bytes]], fields: Mapping[str, str] = {}) -> bytes:
    """A multipart form; a file whose name is None has none."""
    pairs = list(files.items() if isinstance(files, Mapping) else files)
    whole: list[bytes] = []
    for name, value in fields.items():
        whole += [f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"\r\n'.encode(), value.encode()]
    for path, content in pairs:
        named = "" if path is None else f'; filename="{path}"'
        whole += [f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="files[]"{named}\r\n'.encode(), content]
    return b"\r\n".join([*whole, f"--{BOUNDARY}--\r\n".encode()])


def zipped(files: Files, *, method: int = zipfile.ZIP_DEFLATED, links: Mapping[str, str] = {}) -> bytes:
    """A zip archive; `links` are symbolic ones, and where they lead."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        for path, target in links.items():
            info = zipfile.ZipInfo(path)
            info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return out.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@dataclass
class SkillsApi(InProcess):
    db: Database
    service: SkillService
    sweeper: SkillSweeper
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
        self,
        files: Files | Sequence[tuple[str | None, bytes]] = SKILL,
        path: str = "/v1/skills",
        *,
        fields: Mapping[str, str] = {},
        **options: Any,
    ) -> Answer:
        options.setdefault("content_type", f"multipart/form-data; boundary={BOUNDARY}")
        return await self.ask("POST", path, body=form(files, fields), **options)

    async def create(self, files: Files | Sequence[tuple[str | None, bytes]] = SKILL, **options: Any) -> Any:
        """A new skill's object."""
        answer = await self.send(files, **options)
        assert answer.status == 200, answer.body
        return answer.json()

    async def add(self, skill_id: str, files: Files = SKILL, **options: Any) -> Any:
        """A new version's object."""
        return await self.create(files, path=f"/v1/skills/{skill_id}/versions", **options)

    async def get(self, path: str = "", **options: Any) -> Any:
        answer = await self.ask("GET", "/v1/skills" + path, **options)
        assert answer.status == 200, answer.body
        return answer.json()

    async def refused(self, files: Files | Sequence[tuple[str | None, bytes]], **options: Any) -> tuple[int, str]:
        """Status and message; nothing may be left of it."""
        before = await self.stored()
        answer = await self.send(files, **options)
        assert answer.status != 200
        assert await self.stored() == before
        return answer.status, message_of(answer)

    async def stored(self) -> list[str]:
        """Names of all blobs, and of what is not whole."""
        names = [blob.name async for blob in self.service.blobs.list("skills")]
        directory = self.service.blobs.directory
        if directory is not None:
            names += [str(path) for path in directory.rglob("skills/**/*#*")]
        return sorted(names)


@asynccontextmanager
async def skills_api(
    data_dir: Path, blobs: str | None = None, *, limits: Limits = UNLIMITED, **config: Any
) -> AsyncGenerator[SkillsApi]:
    """`blobs`: the URL of the store; None for the data directory. `config`: of SkillsConfig."""
    async with installation(data_dir) as (db, root):
        clock = Clock()
        service = SkillService(db, Blobs(blobs, data_dir), root, SkillsConfig(**config), clock=clock)

        async def nothing() -> None:
            pass

        app = Envelope(
            api_routes=limited("skills", SkillsEndpoints(service).routes()),
            other_routes=[],
            authenticator=Keys(),
            request_log=Records(),
            start=nothing,
            stop=nothing,
            limits=limits,
        )
        yield SkillsApi(db, service, SkillSweeper(db, service), clock, app)


def message_of(answer: Answer) -> str:
    return answer.json()["error"]["message"]
