"""What the Skills API refuses, in its words where they are known.

[seen]: words that clients of the service were given and wrote down in public, 2025-10 to 2026-09. Its documentation
names no text; all others are guesses.
"""

from __future__ import annotations

from typing import Final

from understudy.wire.errors import InvalidRequestError, NotFoundError, RequestTooLargeError

_MEGABYTE: Final = 1024 * 1024


def skill_not_found() -> NotFoundError:
    """Also for a skill of another workspace. [seen]"""
    return NotFoundError("Skill not found")


def version_not_found() -> NotFoundError:
    return NotFoundError("Skill version not found")


def version_malformed() -> InvalidRequestError:
    """Under the beta a version is addressed by its number. [seen]"""
    return InvalidRequestError("Invalid version format")


def too_large(limit: int) -> RequestTooLargeError:
    """[seen], of 8 MB and of 30 MB."""
    return RequestTooLargeError(
        f"Request exceeds the maximum size. The Skills API accepts requests up to {limit / _MEGABYTE:g}MBs."
    )


def too_many_files(limit: int) -> InvalidRequestError:
    return InvalidRequestError(f"A skill can have at most {limit} files.")


def no_files() -> InvalidRequestError:
    """[seen]"""
    return InvalidRequestError("No files provided. Please provide files using 'files[]' field.")


def misplaced(*, zipped: bool) -> InvalidRequestError:
    """SKILL.md is not where it belongs, or files lie beside its directory. [seen], both."""
    if zipped:
        return InvalidRequestError("Zip must contain a top-level folder with all files inside it, including SKILL.md")
    return InvalidRequestError("SKILL.md file must be exactly in the top-level folder.")


def not_one_skill(found: int) -> InvalidRequestError:
    """[seen], of claude.ai, whose other refusals the API shares."""
    return InvalidRequestError(f"Zip must contain exactly one SKILL.md file. Currently there are {found}.")


def wrong_folder(folder: str, name: str) -> InvalidRequestError:
    """[seen]"""
    return InvalidRequestError(f"The folder name '{folder}' must match the skill name '{name}' in SKILL.md.")


def wrong_name(name: str, expected: str) -> InvalidRequestError:
    """Versions keep the name of their skill (Skills guide)."""
    return InvalidRequestError(f"The name '{name}' in SKILL.md must match the name of the skill, '{expected}'.")


def title_taken(title: str) -> InvalidRequestError:
    """Under the beta only. [seen]"""
    return InvalidRequestError(f"Skill cannot reuse an existing display_title: {title}")


def has_versions() -> InvalidRequestError:
    """Under the beta only. [seen]"""
    return InvalidRequestError("Cannot delete skill with existing versions. Delete all versions first.")


def last_version() -> InvalidRequestError:
    """A skill has at least one version (SDK 2.12 on `latest_version_id`)."""
    return InvalidRequestError("Cannot delete the only version of a skill. Delete the skill instead.")


def read_only(skill_id: str) -> InvalidRequestError:
    """Prebuilt skills are shared and read-only (API reference)."""
    return InvalidRequestError(f"The skill '{skill_id}' is prebuilt and cannot be changed.")
