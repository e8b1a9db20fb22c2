"""Paths of a skill's files: what an upload may call them. Nothing that is refused here is ever written anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from understudy.wire.errors import InvalidRequestError

# [guess] all three: what a usual file system takes.
_MOST_OF_PART: Final = 255
_MOST_OF_PATH: Final = 1_024
_MOST_PARTS: Final = 32
# Control characters, and those that turn the direction of writing, by which a name is shown as another.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def clean_path(given: str) -> str:
    """A relative path of plain components. Raises InvalidRequestError for every other."""
    if not given:
        raise InvalidRequestError("Each file needs a name: the path that it has in the skill.")
    if _FORBIDDEN.search(given):
        raise InvalidRequestError("The name of a file holds characters that it must not hold.")
    if "\\" in given:
        raise _refused(given, "it must be written with forward slashes")
    if given.startswith("/") or _DRIVE.match(given):
        raise _refused(given, "it must be relative")
    given = given.removeprefix("./")
    parts = given.split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise _refused(given, "it must not hold '.', '..' or nothing between slashes")
    longest = max(len(part.encode()) for part in parts)
    if len(parts) > _MOST_PARTS or longest > _MOST_OF_PART or len(given.encode()) > _MOST_OF_PATH:
        raise InvalidRequestError("The name of a file is too long or too deep.")
    return given


def check_together(paths: Iterable[str]) -> None:
    """Raises InvalidRequestError where two files would have one place, on a system that ignores case too, or one would
    be in another."""
    seen: dict[str, str] = {}
    folders: set[str] = set()
    for path in paths:
        folded = path.casefold()
        if folded in seen:
            raise _refused(path, "there is another of that name" if seen[folded] == path else "another differs by case")
        seen[folded] = path
        parts = folded.split("/")
        folders.update("/".join(parts[:end]) for end in range(1, len(parts)))
    for folded in folders & seen.keys():
        raise _refused(seen[folded], "it is a directory too")


def _refused(path: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(f"The file name '{path[:200]}' cannot be used: {why}.")
