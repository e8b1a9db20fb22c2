"""`understudy skills`: the skills of a workspace, in the database and the storage that the server uses."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, TypeVar

from understudy.app.skills import make_skills
from understudy.cli.offline import on_installation, when
from understudy.http.principal import Owner
from understudy.settings import SettingsError
from understudy.skills.bundle import IN_MEMORY, Uploaded
from understudy.skills.errors import too_large, too_many_files
from understudy.skills.reading import SkillListParams
from understudy.skills.service import SkillService
from understudy.skills.skill import Skill, SkillVersion
from understudy.skills.uploads import checked_label

T = TypeVar("T")

_PIECE = 1024 * 1024
_PAGE = 1_000
# What tools leave in a directory, and nobody means to upload.
_LITTER = {".git", "__pycache__", ".DS_Store", ".venv", "node_modules"}


def _with_skills(
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    work: Callable[[SkillService, Owner], Awaitable[T]],
) -> T:
    return on_installation(
        config,
        data_dir,
        workspace,
        lambda settings, foundations, owner: work(make_skills(settings, foundations.db, foundations.root), owner),
    )


def show(config: Path | None, data_dir: Path | None, workspace: str | None) -> None:
    """Print a workspace's skills as a table, the prebuilt ones too."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    async def read(service: SkillService, owner: Owner) -> list[Skill]:
        found: list[Skill] = []
        params = SkillListParams(limit=_PAGE)
        while True:
            page, next_page = await service.list(owner.workspace_id, params)
            found += page
            if next_page is None:
                return found
            params = SkillListParams(limit=_PAGE, page=next_page)

    table = Table("id", "display name", "source", "latest version", "created", "updated")
    for skill in _with_skills(config, data_dir, workspace, read):
        # A name is no markup.
        table.add_row(
            skill.id,
            Text(skill.display_name),
            skill.source,
            skill.latest_version_id or "none",
            when(skill.created_at),
            when(skill.updated_at),
        )
    # A pipe has no width of its own; nothing may be cut off there.
    Console(width=None if sys.stdout.isatty() else 400).print(table)


def upload(
    config: Path | None,
    data_dir: Path | None,
    workspace: str | None,
    path: Path,
    skill_id: str | None,
    display_name: str | None,
) -> None:
    """Print the id of a new skill, or of a new version of `skill_id`, on stdout, and nothing else there."""

    async def store(service: SkillService, owner: Owner) -> Skill | SkillVersion:
        label = None if display_name is None else checked_label(display_name, "display_name")
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
            uploaded = await asyncio.to_thread(_gather, path, spool, service)
            async with service.uploads.bundle(spool, uploaded, old=False) as bundle:
                if skill_id is None:
                    return await service.create(owner, bundle, label)
                return await service.create_version(owner, skill_id, bundle)

    if skill_id is not None and display_name is not None:
        raise SettingsError("A version has no display name: give --display-name with a new skill only.")
    try:
        made = _with_skills(config, data_dir, workspace, store)
    except OSError as error:
        raise SettingsError(f"{error.filename or path} cannot be read: {error.strerror}.") from None
    print(made.id)
    told = f"the skill {made.display_name!r}" if isinstance(made, Skill) else f"a version of {made.name!r}"
    print(f"Stored {told}.", file=sys.stderr)


def _gather(path: Path, spool: IO[bytes], service: SkillService) -> list[Uploaded]:
    """All files of a directory, or an archive, one behind the other. Links are not followed: they are left out."""
    if path.is_dir():
        folder = path.resolve()
        found = [
            (one.relative_to(folder.parent).as_posix(), one)
            for one in sorted(folder.rglob("*"))
            if one.is_file() and not one.is_symlink() and not _LITTER & set(one.relative_to(folder).parts)
        ]
    elif path.is_file():
        found = [(path.name, path)]
    else:
        raise SettingsError(f"There is no directory or archive {path}.")
    if len(found) > service.config.max_files:
        raise too_many_files(service.config.max_files)
    uploaded: list[Uploaded] = []
    for name, one in found:
        start = spool.tell()
        with one.open("rb") as source:
            while piece := source.read(_PIECE):
                spool.write(piece)
                if spool.tell() > service.config.max_bytes:
                    raise too_large(service.config.max_bytes)
        uploaded.append(Uploaded(name, start, spool.tell() - start))
    return uploaded


def download(
    config: Path | None, data_dir: Path | None, workspace: str | None, skill_id: str, version: str, to: Path | None
) -> None:
    """Write a version's archive to `to`, or to its own name in the current directory. Half a file is not left there."""

    async def fetch(service: SkillService, owner: Owner) -> Path | None:
        found, _, content = await service.content(owner.workspace_id, skill_id, version)
        if to == Path("-"):
            async for piece in content:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return None
        target = to or Path(f"{found.name}.zip")
        with target.open("xb") as sink:
            try:
                async for piece in content:
                    sink.write(piece)
            except BaseException:
                target.unlink(missing_ok=True)
                raise
        return target

    try:
        target = _with_skills(config, data_dir, workspace, fetch)
    except FileExistsError as error:
        raise SettingsError(f"{error.filename} is there already; say another name with --to.") from None
    except OSError as error:
        raise SettingsError(f"{to or 'the archive'} cannot be written: {error.strerror}.") from None
    if target is not None:
        print(f"Wrote {target}.", file=sys.stderr)


def delete(
    config: Path | None, data_dir: Path | None, workspace: str | None, skill_id: str, version: str | None
) -> None:
    async def remove(service: SkillService, owner: Owner) -> None:
        if version is None:
            await service.delete(owner.workspace_id, skill_id)
        else:
            await service.delete_version(owner.workspace_id, skill_id, version)

    _with_skills(config, data_dir, workspace, remove)
    print(f"Deleted {skill_id if version is None else version}.")
