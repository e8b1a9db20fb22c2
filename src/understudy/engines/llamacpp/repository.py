"""Which files of a model repository are meant by `org/repo:what`.

What a repository lists is written by strangers: names that would leave their directory are not taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from .failures import ModelLoadError

_REPOSITORY: Final = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?::(?P<what>[\w./ -]+))?", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PART: Final = re.compile(r"-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
# What is taken if nothing is said: a good size for its quality, and what llama.cpp takes too; then the next best.
_PREFERRED: Final = ("Q4_K_M", "Q8_0")


@dataclass(frozen=True, slots=True)
class Spec:
    """A repository `org/repo`, and a file in it or the name of a quantization; None is whichever is best."""

    repository: str
    what: str | None


@dataclass(frozen=True, slots=True)
class ListedFile:
    """`size` is in bytes; `sha256` is None for small files, whose digest is another."""

    path: str
    size: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    commit: str
    files: tuple[ListedFile, ...]


def parse_spec(spec: str) -> Spec | None:
    """None where `spec` is the path of a file."""
    found = _REPOSITORY.fullmatch(spec)
    if found is None or spec.startswith(".") or (not found["what"] and spec.endswith(".gguf")) or Path(spec).exists():
        return None
    return Spec(found["repository"], found["what"])


def parse_listing(found: object) -> Listing:
    """From the JSON of GET /api/models/{repository}/revision/main?blobs=true. Raises ModelLoadError."""
    table = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    commit, siblings = table.get("sha"), table.get("siblings")
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit) or not isinstance(siblings, list):
        raise ModelLoadError("The model repository's list of files cannot be read.")
    files = (_listed(sibling) for sibling in cast("list[object]", siblings))
    return Listing(commit, tuple(file for file in files if file is not None))


def choose(listing: Listing, spec: Spec) -> list[ListedFile]:
    """The files of the model that is meant: one, or all its parts in their order. Raises ModelLoadError."""
    models = [file for file in listing.files if file.path.endswith(".gguf")]
    if not models:
        raise ModelLoadError(f"The repository {spec.repository} has no GGUF files.")
    named = [file for file in models if file.path == spec.what]
    if named:
        return _with_parts(named[0], models)
    firsts = [file for file in models if _is_first(file) and "mmproj" not in file.path.lower()]
    for what in [spec.what] if spec.what else _PREFERRED:
        matching = [file for file in firsts if _is_quantized(file, what)]
        if len(matching) == 1:
            return _with_parts(matching[0], models)
        if matching:
            raise _which(spec, matching)
    if spec.what is None and len(firsts) == 1:
        return _with_parts(firsts[0], models)
    raise _which(spec, firsts)


def _listed(found: object) -> ListedFile | None:
    table = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    path, size = table.get("rfilename"), table.get("size")
    lfs = table.get("lfs")
    sha256 = cast("dict[str, Any]", lfs).get("sha256") if isinstance(lfs, dict) else None
    if not isinstance(path, str) or not isinstance(size, int) or size < 0:
        return None
    pure = PurePosixPath(path)
    if pure.is_absolute() or "\\" in path or ":" in path or not path.isprintable() or not pure.parts:
        return None
    if any(part.startswith(".") for part in pure.parts) or str(pure) != path:
        return None
    if sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
        return None
    return ListedFile(path, size, sha256)


def _is_first(file: ListedFile) -> bool:
    part = _PART.search(file.path)
    return part is None or int(part["number"]) == 1


def _is_quantized(file: ListedFile, what: str) -> bool:
    """`model-Q4_K_M.gguf` is Q4_K_M, and so are `model.Q4_K_M-00001-of-00002.gguf` and `Q4_K_M/model.gguf`."""
    return re.search(rf"(^|[-._/]){re.escape(what)}([-./]|$)", file.path, re.IGNORECASE) is not None


def _with_parts(first: ListedFile, models: Sequence[ListedFile]) -> list[ListedFile]:
    part = _PART.search(first.path)
    if part is None:
        return [first]
    stem, by_path = first.path[: part.start()], {file.path: file for file in models}
    paths = [f"{stem}-{number:05}-of-{part['count']}.gguf" for number in range(1, int(part["count"]) + 1)]
    if missing := [path for path in paths if path not in by_path]:
        raise ModelLoadError(f"The repository lacks a part of the model: {missing[0]}.")
    return [by_path[path] for path in paths]


def _which(spec: Spec, files: Sequence[ListedFile]) -> ModelLoadError:
    names = ", ".join(sorted(file.path for file in files)[:20])
    asked = f"no one file {spec.what!r}" if spec.what else "several models"
    return ModelLoadError(f"{spec.repository} has {asked}; name one as {spec.repository}:FILE, of {names}.")
