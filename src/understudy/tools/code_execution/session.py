"""Code execution in one turn: its container, what is put into it, and the calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, cast

import structlog

from understudy.files.service import FileService
from understudy.http.principal import Owner as FileOwner
from understudy.sandbox.interface import Container, Containers, Owner, SandboxError
from understudy.storage.finishing import to_the_end
from understudy.tools.code_execution.commands import CELL, as_result, command_error, execute
from understudy.tools.code_execution.editor import edit, editor_error
from understudy.tools.code_execution.functions import EDITOR, KINDS, NAMES, PYTHON, cell_function, functions_of
from understudy.tools.code_execution.outputs import keep_outputs
from understudy.tools.code_execution.skills import MountedSkill, Skills, mount, told_of
from understudy.tools.code_execution.uploads import Uploads, find_uploads
from understudy.tools.programmatic.history import calls_of, nested_blocks
from understudy.tools.programmatic.lot import Lot, Place
from understudy.tools.programmatic.offers import Offer, code_functions, described, offers_of, prompted
from understudy.tools.programmatic.run import CELL_SECONDS, CellRun
from understudy.tools.protocol import Asked, ToolCall, ToolResult
from understudy.tools.web.results import sealed_result
from understudy.tools.web.sealed import Sealed
from understudy.wire.callers import CODE_CALLER, OLD_CODE_CALLER, called_by_code
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

    def __init__(
        self,
        containers: Containers,
        files: FileService,
        skills: Skills | None,
        limits: Limits,
        sealed: Sealed | None = None,
        lot: Lot | None = None,
    ) -> None:
        self.containers = containers
        self.files = files
        self.limits = limits
        self.sealed = sealed
        self.lot = lot or Lot(containers, 0)
        self._skills = skills

    async def close(self) -> None:
        await self.lot.close()

    def serves(self, kind: str) -> bool:
        return kind in KINDS

    async def session(self, asked: Asked) -> CodeExecutionSession | None:
        request = asked.request
        tools = cast("list[dict[str, Any]]", request["tools"])
        kind: str | None = next((tool["type"] for tool in tools if tool.get("type") in KINDS), None)
        if not asked.counting:
            try:
                await self.containers.ready()
            except InvalidRequestError:
                if kind is None and not any("allowed_callers" in tool and called_by_code(tool) for tool in tools):
                    # Tools that may be called directly as well, unless they say otherwise.
                    return None
                raise
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
        kind: str | None,
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
        self._kind = kind
        self._request = asked.request
        self._organization_id = asked.organization_id
        self._offers: list[Offer] = []
        # Blocks of the calls that code has made of server tools, by now and in earlier turns.
        self._nested: list[dict[str, Any]] = []
        self.functions: tuple[ServerFunction, ...] = () if kind is None else functions_of(kind)

    def offer(self, functions: Sequence[ServerFunction]) -> Collection[str]:
        self._offers = offers_of(self._request, functions)
        if not self._offers:
            return ()
        runs = [function for function in self.functions if function.name != PYTHON]
        told = described(self._offers, code_functions(self._offers))
        self.functions = (*runs, cell_function(self._kind or CODE_CALLER, told))
        self._nested = nested_blocks(self._request["messages"])
        return {offer.name for offer in self._offers if offer.tool is not None and offer.only}

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
        if self._offers:
            request = prompted(request, self._offers, CODE_CALLER if self._kind is None else None)
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
                async with self._taken():
                    pass
            except SandboxError as error:
                raise InvalidRequestError(f"container: {error}") from None

    async def run(self, call: ToolCall) -> ToolResult:
        tool = self._tool
        try:
            async with self._taken() as place:
                if call.name == EDITOR:
                    return await edit(place.sandbox, call)
                keep = partial(keep_outputs, tool.files, self._owner_of_files)
                return await execute(place.sandbox, call, tool.limits.timeout, tool.limits.max_output, keep)
        except (SandboxError, ApiError) as error:
            return _refused(call.name, error)

    def has_begun(self, call: ToolCall) -> bool:
        return bool(calls_of(self._request["messages"], call.id))

    async def steps(
        self, call: ToolCall, run: Callable[[ToolCall], Awaitable[ToolResult]]
    ) -> AsyncGenerator[dict[str, Any] | ToolResult]:
        if call.name != PYTHON or not self._offers:
            yield await self.run(call)
            return
        if not isinstance(call.input.get("code"), str):
            yield command_error(PYTHON, "invalid_tool_input")
            return
        try:
            async with self._taken() as place:
                cell = self._cell(call, place)
                async with aclosing(cell.steps(run)) as steps:
                    async for block in steps:
                        yield block
                if cell.executed is not None:
                    yield await self._ended(call, cell)
        except (SandboxError, ApiError) as error:
            yield _refused(call.name, error)

    def _cell(self, call: ToolCall, place: Place) -> CellRun:
        tool = self._tool
        hides = {
            one["name"]
            for one in cast("list[dict[str, Any]]", self._request["tools"])
            if one.get("response_inclusion") == "excluded"
        }
        return CellRun(
            place=place,
            call=call,
            functions=code_functions(self._offers),
            messages=self._request["messages"],
            caller=OLD_CODE_CALLER if self._kind == OLD_CODE_CALLER else CODE_CALLER,
            hides=frozenset(hides),
            nested=self._nested,
            seconds=min(CELL_SECONDS, tool.limits.timeout),
            wait=tool.lot.wait,
        )

    async def _ended(self, call: ToolCall, cell: CellRun) -> ToolResult:
        tool, place = self._tool, cell.place
        assert cell.executed is not None
        keep = partial(keep_outputs, tool.files, self._owner_of_files)
        result = await as_result(place.sandbox, call, cell.executed, cell.outputs, tool.limits.max_output, keep, CELL)
        if cell.searched and tool.sealed is not None:
            return sealed_result(result, tool.sealed, self._organization_id)
        return result

    @property
    def _owner_of_files(self) -> FileOwner:
        return FileOwner(self._owner.organization_id, self._owner.workspace_id)

    async def close(self) -> None:
        """What was used was given back."""

    @asynccontextmanager
    async def _taken(self) -> AsyncGenerator[Place]:
        """The container, with all that belongs into it. It is held no longer than it is used: while the model writes,
        others may have its place."""
        if self._container_id is None:
            self._container_id = (await self._tool.containers.create(self._owner)).id
        lot = self._tool.lot
        place = await lot.take(self._owner, self._container_id)
        self._shown = place.container
        try:
            if not self._filled:
                for skill in self._skills:
                    await mount(place.sandbox, skill)
                if self._uploads:
                    await self._uploads.put(place.sandbox)
                self._filled = True
            yield place
        except BaseException:
            await to_the_end(lot.drop(place))
            raise
        await to_the_end(lot.put(place))


def _refused(name: str, error: SandboxError | ApiError) -> ToolResult:
    if isinstance(error, SandboxError):
        _log.warning("code could not be run", reason=str(error)[:500])
        return _failed(name, "unavailable")
    # No more containers, or a busy machine.
    _log.warning("no container for code", reason=error.message[:500])
    return _failed(name, "too_many_requests" if error.status in {429, 529} else "unavailable")


def _failed(name: str, code: str) -> ToolResult:
    return editor_error(code) if name == EDITOR else command_error(name, code)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
