"""Skills in a container: what is asked of whoever keeps them, their place, and what the model is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Protocol

from understudy.http.principal import Owner
from understudy.sandbox.interface import SKILLS, PathError, Sandbox
from understudy.tools.code_execution.reading import TooLargeError, read

# Seconds.
_REMOVED_WITHIN: Final = 20.0


class SkillFile(Protocol):
    """`path` is relative to the skill; `size` in bytes."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def executable(self) -> bool: ...
    def open(self) -> AsyncIterator[bytes]: ...


class MountedSkill(Protocol):
    """A version of a skill. `type`, `skill_id` and `version` are as the answer's `container` names it; `number` is the
    version under the beta of old."""

    @property
    def type(self) -> str: ...
    @property
    def skill_id(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def number(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def files(self) -> Sequence[SkillFile]: ...


class Skills(Protocol):
    async def resolve(self, owner: Owner, asked: Sequence[Mapping[str, Any]], /) -> Sequence[MountedSkill]:
        """The skills that `container.skills` asks for, in its order. Raises the API's errors."""
        ...


async def mount(sandbox: Sandbox, skill: MountedSkill) -> None:
    """Put a skill into a container, unless this version of it is there."""
    stamp = f"{skill.skill_id} {skill.version}\n".encode()
    # Written last, so that what was not put whole is put again.
    marker = f"{SKILLS}/.{skill.name}"
    try:
        if await read(sandbox, marker, len(stamp)) == stamp:
            return
        other = True
    except TooLargeError:
        other = True
    except PathError:
        other = False
    if other:
        # No file of another version may stay beside those of this one.
        await sandbox.exec(["rm", "-rf", "--", f"{SKILLS}/{skill.name}"], timeout=_REMOVED_WITHIN)
    for file in skill.files:
        await sandbox.put(f"{SKILLS}/{skill.name}/{file.path}", file.open(), mode=0o755 if file.executable else 0o644)
    await sandbox.put(marker, stamp)


def told_of(skills: Sequence[MountedSkill]) -> str:
    """What stands in the system prompt: names and descriptions, in the order of the names, so that the same skills
    make the same prompt (skills-guide.md, 2026-08). The wording is ours."""
    listed = "\n".join(
        f"- {skill.name}: {skill.description} (instructions: {SKILLS}/{skill.name}/SKILL.md)"
        for skill in sorted(skills, key=lambda skill: skill.name)
    )
    return (
        "These skills are in the container where code is run. Before you begin with something that one of them is "
        f"for, read its instructions.\n\n{listed}"
    )
