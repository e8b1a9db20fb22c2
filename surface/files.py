"""The Files API's answers, as examples."""

from __future__ import annotations

from typing import Any

from understudy.files.endpoints import envelope
from understudy.files.file import File
from understudy.files.shapes import AGENTS, TODAY, file_metadata

_FILES = [
    File(f"file_{number}", "", "", "a.txt", "text/plain", 1, "", 1.8e9, expires_at, downloadable=False, stored=True)
    for number, expires_at in enumerate((None, 1.9e9))
]


def files() -> list[Any]:
    return [file_metadata(file, shape) for file in _FILES for shape in (TODAY, AGENTS)]


def pages_of_files() -> list[Any]:
    return [envelope(_FILES, TODAY, more=True, next_page="page_x"), envelope([], TODAY)]


def deleted_files() -> list[Any]:
    return [{"id": "file_0", "type": "file_deleted"}]
