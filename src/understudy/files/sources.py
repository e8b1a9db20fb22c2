"""Files as sources of messages."""

from __future__ import annotations

from dataclasses import dataclass, field

from understudy.files.file import File
from understudy.files.service import FileService


@dataclass(frozen=True, slots=True)
class FileSource:
    """What a `file_id` stands for. `size` in bytes."""

    file: File
    _service: FileService = field(repr=False)

    @property
    def media_type(self) -> str:
        return self.file.mime_type

    @property
    def size(self) -> int:
        return self.file.size_bytes

    async def read(self) -> bytes:
        """All of it. Raises the API's errors: it may have been deleted meanwhile."""
        return await self._service.read(self.file)


class FileSources:
    """Resolves the `file_id` of a request. Implements what messages/files.py asks for."""

    def __init__(self, service: FileService) -> None:
        self._service = service

    async def resolve(self, workspace_id: str, file_id: str) -> FileSource:
        """Raises NotFoundError for a file that is not there, is another workspace's, or has expired."""
        return FileSource(await self._service.usable(workspace_id, file_id), self._service)
