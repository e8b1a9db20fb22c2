"""Code execution in one turn: its container, what is put into it, and the calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, cast

import structlog

from understudy.files.service import FileService
from understudy.http.principal import Owner as FileOwner
from understudy.sandbox.interface import Container, Containers, Owner, Sandbox, SandboxError
from understudy.tools.code_execution.commands import command_error, execute
from understudy.tools.code_execution.editor import edit, editor_error
from understudy.tools.code_execution.functions import EDITOR, KINDS, NAMES, functions_of
from understudy.tools.code_execution.outputs import keep_outputs
from understudy.tools.code_execution.skills import MountedSkill, Skills, mount, told_of
from understudy.tools.code_execution.uploads import Uploads, find_uploads
from understudy.tools.protocol import Asked, ToolCall, ToolResult
from understudy.wire.errors import ApiError, InvalidRequestError
from understudy.wire.server_tools import ServerFunction

_log = structlog.stdlib.get_logger("understudy.tools")

# Under it versions have numbers.
_OLD_SKILLS: Final = "skills-2025-10-02"


@dataclass(frozen=True, slots=True)
class Limits:
    """`timeout`: seconds of a call. `max_output`: characters of what a command prints, beyond which it is an error."""

    timeout: float
    max_output: int


class CodeExecution:
    """The code execution tool. `skills` is None where there are none. Implements ServerTool."""

    def __init__(self, containers: Containers, files: FileService, skills: Skills | None, limits: Limits) -> None:
        self.containers = containers
        self.files = files
        self.limits = limits
        self._skills = skills

    def serves(self, kind: str) -> bool:
        return kind in KINDS

    async def session(self, asked: Asked) -> CodeExecutionSession:
        request = asked.request
        if not asked.counting:
            await self.containers.ready()
        kind = next(tool["type"] for tool in request["tools"] if tool.get("type") in KINDS)
        uploads = await find_uploads(self.files, asked.workspace_id, request)
        given: str | dict[str, Any] = request.get("container") or {}
        container_id = given if isinstance(given, str) else given.get("id")
        wanted = cast("list[dict[str, Any]]", (not isinstance(given, str) and given.get("skills")) or [])
        skills: Sequence[MountedSkill] = ()
        if wanted:
            if self._skills is None:
                raise InvalidRequestError("container.skills: this server has no skills.")
            skills = await self._skills.resolve(FileOwner(asked.organization_id, asked.workspace_id), wanted)
        return CodeExecutionSession(self, asked, kind, container_id, uploads, skills)


class CodeExecutionSession:
    """Implements ToolSession. A container is made at the first call, or at the start where something goes into it."""

    def __init__(
        self,
        tool: CodeExecution,
        asked: Asked,
        kind: str,
        container_id: str | None,
        uploads: Uploads,
        skills: Sequence[MountedSkill],
    ) -> None:
        self._tool = tool
        self._owner = Owner(asked.organization_id, asked.workspace_id)
        self._container_id = container_id
        self._uploads = uploads
        self._skills = skills
        self._old = _OLD_SKILLS in asked.betas
        self._shown: Container | None = None
        self._filled = False
        self.functions: tuple[ServerFunction, ...] = functions_of(kind)

    def answers(self, name: str) -> bool:
        return name in NAMES

    @property
    def container(self) -> dict[str, Any] | None:
        found = self._shown
        if found is None:
            return None
        shown: dict[str, Any] = {"id": found.id, "expires_at": _time(found.expires_at)}
        if self._skills:
            # Without skills the recorded answers have no such key.
            shown["skills"] = [
                {
                    "type": skill.type,
                    "skill_id": skill.skill_id,
                    "version": skill.number if self._old else skill.version,
                }
                for skill in self._skills
            ]
        return shown

    def prompted(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._uploads:
            request = self._uploads.prompted(request)
        if self._skills:
            # Before all else: "changing the Skills list in your container breaks the cache" (skills-guide.md).
            system: str | list[dict[str, Any]] = request.get("system") or []
            rest = [{"type": "text", "text": system}] if isinstance(system, str) else system
            request = {**request, "system": [{"type": "text", "text": told_of(self._skills)}, *rest]}
        return request

    async def start(self) -> None:
        if self._container_id is not None or self._uploads or self._skills:
            try:
                async with self._held():
                    pass
            except SandboxError as error:
                raise InvalidRequestError(f"container: {error}") from None

    async def run(self, call: ToolCall) -> ToolResult:
        tool = self._tool
        try:
            async with self._held() as sandbox:
                if call.name == EDITOR:
                    return await edit(sandbox, call)
                owner = FileOwner(self._owner.organization_id, self._owner.workspace_id)
                keep = partial(keep_outputs, tool.files, owner)
                return await execute(sandbox, call, tool.limits.timeout, tool.limits.max_output, keep)
        except SandboxError as error:
            _log.warning("code could not be run", reason=str(error)[:500])
            return _failed(call.name, "unavailable")
        except ApiError as error:
            # No more containers, or a busy machine.
            _log.warning("no container for code", reason=error.message[:500])
            return _failed(call.name, "too_many_requests" if error.status in {429, 529} else "unavailable")

    async def close(self) -> None:
        pass

    @asynccontextmanager
    async def _held(self) -> AsyncGenerator[Sandbox]:
        """The container, with all that belongs into it. It is held no longer than it is used: while the model writes,
        others may have its place."""
        containers = self._tool.containers
        if self._container_id is None:
            self._container_id = (await containers.create(self._owner)).id
        async with containers.use(self._owner, self._container_id) as (self._shown, sandbox):
            if not self._filled:
                for skill in self._skills:
                    await mount(sandbox, skill)
                if self._uploads:
                    await self._uploads.put(sandbox)
                self._filled = True
            yield sandbox


def _failed(name: str, code: str) -> ToolResult:
    return editor_error(code) if name == EDITOR else command_error(name, code)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
