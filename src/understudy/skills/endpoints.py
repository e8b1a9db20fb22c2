"""The nine routes of the Skills API."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final

from pydantic import TypeAdapter

from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.principal import Owner
from understudy.http.query import read_query
from understudy.skills.reading import SkillListParams, VersionListParams
from understudy.skills.service import SkillService
from understudy.skills.shapes import is_old, page_object, skill_object, version_object

_SKILLS: Final = TypeAdapter(SkillListParams)
_VERSIONS: Final = TypeAdapter(VersionListParams)
# Beside `attachment`: whoever shows it all the same neither guesses a type nor runs anything in it.
_HARMLESS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cache-control", b"private, no-store"),
)


class SkillsEndpoints:
    def __init__(self, service: SkillService) -> None:
        self._service = service

    def routes(self) -> list[ApiRoute]:
        one, versions = "/v1/skills/{skill_id}", "/v1/skills/{skill_id}/versions"
        return [
            ApiRoute("/v1/skills", "POST", self.create),
            ApiRoute("/v1/skills", "GET", self.list),
            ApiRoute(one, "GET", self.retrieve),
            ApiRoute(one, "DELETE", self.delete),
            ApiRoute(versions, "POST", self.create_version),
            ApiRoute(versions, "GET", self.list_versions),
            ApiRoute(versions + "/{version}", "GET", self.retrieve_version),
            ApiRoute(versions + "/{version}", "DELETE", self.delete_version),
            ApiRoute(versions + "/{version}/content", "GET", self.download),
        ]

    async def create(self, exchange: Exchange) -> None:
        """A skill from the files of a multipart form."""
        owner, old = Owner.of(exchange.principal), is_old(exchange.betas)
        title = "display_title" if old else "display_name"
        async with self._service.uploads.receive(exchange, old=old, title=title) as (bundle, label):
            skill = await self._service.create(owner, bundle, label, old=old)
        await exchange.respond_json(skill_object(skill, old=old))

    async def list(self, exchange: Exchange) -> None:
        owner, old = Owner.of(exchange.principal), is_old(exchange.betas)
        found, next_page = await self._service.list(owner.workspace_id, read_query(exchange, _SKILLS))
        await exchange.respond_json(page_object([skill_object(skill, old=old) for skill in found], next_page, old=old))

    async def retrieve(self, exchange: Exchange) -> None:
        owner = Owner.of(exchange.principal)
        skill = await self._service.retrieve(owner.workspace_id, exchange.path_params["skill_id"])
        await exchange.respond_json(skill_object(skill, old=is_old(exchange.betas)))

    async def delete(self, exchange: Exchange) -> None:
        owner, skill_id = Owner.of(exchange.principal), exchange.path_params["skill_id"]
        await self._service.delete(owner.workspace_id, skill_id, old=is_old(exchange.betas))
        await exchange.respond_json({"id": skill_id, "type": "skill_deleted"})

    async def create_version(self, exchange: Exchange) -> None:
        """A version from the files of a multipart form."""
        owner, old = Owner.of(exchange.principal), is_old(exchange.betas)
        skill_id = exchange.path_params["skill_id"]
        # Before the body is read for nothing.
        await self._service.retrieve(owner.workspace_id, skill_id)
        async with self._service.uploads.receive(exchange, old=old, title=None) as (bundle, _):
            version = await self._service.create_version(owner, skill_id, bundle)
        await exchange.respond_json(version_object(version, old=old))

    async def list_versions(self, exchange: Exchange) -> None:
        owner, old = Owner.of(exchange.principal), is_old(exchange.betas)
        found, next_page = await self._service.versions(
            owner.workspace_id, exchange.path_params["skill_id"], read_query(exchange, _VERSIONS)
        )
        shown = [version_object(version, old=old) for version in found]
        await exchange.respond_json(page_object(shown, next_page, old=old))

    async def retrieve_version(self, exchange: Exchange) -> None:
        owner, old = Owner.of(exchange.principal), is_old(exchange.betas)
        named = exchange.path_params
        version = await self._service.version(owner.workspace_id, named["skill_id"], named["version"], old=old)
        await exchange.respond_json(version_object(version, old=old))

    async def delete_version(self, exchange: Exchange) -> None:
        owner, old = Owner.of(exchange.principal), is_old(exchange.betas)
        named = exchange.path_params
        shown = await self._service.delete_version(owner.workspace_id, named["skill_id"], named["version"], old=old)
        await exchange.respond_json({"id": shown, "type": "skill_version_deleted"})

    async def download(self, exchange: Exchange) -> None:
        """A version as a zip archive."""
        owner, old = Owner.of(exchange.principal), is_old(exchange.betas)
        named = exchange.path_params
        version, size, content = await self._service.content(
            owner.workspace_id, named["skill_id"], named["version"], old=old
        )
        async with aclosing(content) as pieces:
            headers = [
                *_HARMLESS,
                (b"content-type", b"application/zip"),
                (b"content-disposition", f'attachment; filename="{version.name}.zip"'.encode("ascii")),
                (b"content-length", b"%d" % size),
            ]
            await exchange.start(200, headers)
            if exchange.scope["method"] != "HEAD":
                async for piece in pieces:
                    await exchange.write(piece, more=True)
            await exchange.write(b"", more=False)
