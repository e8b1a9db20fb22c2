"""Files that a request puts into the container: container_upload blocks."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import splitext
from typing import Any, NamedTuple, TypeAlias, cast

from understudy.files.file import File
from understudy.files.service import FileService
from understudy.sandbox.interface import INPUT_DIR, PathError, Sandbox

_Block: TypeAlias = dict[str, Any]


class _Upload(NamedTuple):
    """`path`: in the container. `new`: no answer has come yet since it was given."""

    file: File
    path: str
    new: bool


class Uploads:
    """The files of one request, by their ids."""

    def __init__(self, service: FileService, paths: dict[str, _Upload]) -> None:
        self._service = service
        self._paths = paths

    def __bool__(self) -> bool:
        return bool(self._paths)

    def prompted(self, request: _Block) -> _Block:
        """A copy of `request` in which each block tells where its file is, so that the model knows [guess: how the
        service tells it is not published]."""
        messages = [self._told(message) for message in cast("list[_Block]", request["messages"])]
        return {**request, "messages": messages}

    def _told(self, message: _Block) -> _Block:
        content = message.get("content")
        if not any(True for _ in _blocks(content)):
            return message
        told = [
            {**block, "path": self._paths[block["file_id"]].path} if block["type"] == "container_upload" else block
            for block in cast("list[_Block]", content)
        ]
        return {**message, "content": told}

    async def put(self, sandbox: Sandbox) -> None:
        """Bring into the container what is not there. What programs have changed since stays as they left it."""
        try:
            there = {file.path: file.sha256 for file in await sandbox.files(INPUT_DIR)}
        except PathError:
            there = {}
        for file, path, new in self._paths.values():
            if path not in there or (new and there[path] != file.sha256):
                try:
                    await sandbox.put(path, await self._service.content(file))
                except PathError:
                    # A program has put something else there.
                    if new:
                        raise


async def find_uploads(service: FileService, workspace_id: str, request: _Block) -> Uploads:
    """Look the files up. Raises NotFoundError for the first that is not there, is another workspace's, or expired."""
    paths: dict[str, _Upload] = {}
    taken: set[str] = set()
    messages = cast("list[_Block]", request["messages"])
    answered = max((index for index, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    for index, message in enumerate(messages):
        for block in _blocks(message.get("content")):
            file_id: str = block["file_id"]
            if file_id in paths:
                continue
            file = await service.usable(workspace_id, file_id)
            name = _free(file.filename, taken)
            taken.add(name)
            paths[file_id] = _Upload(file, f"{INPUT_DIR}/{name}", index > answered)
    return Uploads(service, paths)


def _free(name: str, taken: set[str]) -> str:
    """The name, or one like it where another file has it already [guess]."""
    stem, extension = splitext(name)
    number = 2
    while name in taken:
        name = f"{stem}_{number}{extension}"
        number += 1
    return name


def _blocks(content: Any) -> Iterator[_Block]:
    if isinstance(content, list):
        for block in cast("list[_Block]", content):
            if block["type"] == "container_upload":
                yield block
