"""The front matter of SKILL.md: YAML between two lines of three hyphens.

Rules: the Skills guide (2026-08). Words: those that the service and claude.ai were seen to answer with; where none
was seen they are marked [guess].
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any, Final, cast

from understudy.wire.errors import InvalidRequestError

KEYS: Final = ("name", "description", "license", "allowed-tools", "compatibility", "metadata")
RESERVED: Final = ("anthropic", "claude")
MOST_OF_NAME: Final = 64
MOST_OF_DESCRIPTION: Final = 1_024

# Bytes that are looked at for the closing line; levels of what may stand between [guess].
MOST_BYTES: Final = 32 * 1024
_MOST_LEVELS: Final = 16
# Keys, values, and beginnings and ends of what holds them: reading them costs 20 µs each [guess].
_MOST_EVENTS: Final = 2_000

_NAME: Final = re.compile(r"[a-z0-9-]+")
_NOT_OF_NAME: Final = re.compile(r"[^a-z0-9]+")
_XML_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
_FENCE: Final = re.compile(rb"---[ \t]*\r?\n")
_CLOSING: Final = re.compile(rb"(?:^|\n)---[ \t]*(?:\r?\n|$)")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """`name` is None where only the directory says it, which today's API takes (SDK 2.12 on `name`)."""

    name: str | None
    description: str


def read_front_matter(head: bytes) -> FrontMatter:
    """`head`: the first `MOST_BYTES` of SKILL.md. Raises InvalidRequestError."""
    fields = _parsed(_between(head))
    unknown = [key for key in fields if key not in KEYS]
    if unknown:
        allowed = ", ".join(f"'{key}'" for key in KEYS)
        raise InvalidRequestError(f"unexpected key in SKILL.md frontmatter: properties must be in ({allowed})")
    name = _text(fields, "name")
    if name is not None:
        check_name(name)
    description = _text(fields, "description")
    if description is None or not description.strip():
        raise InvalidRequestError("field 'description' in SKILL.md must not be empty")  # [guess]
    if len(description) > MOST_OF_DESCRIPTION:
        raise InvalidRequestError(f"field 'description' in SKILL.md must be at most {MOST_OF_DESCRIPTION} characters")
    if _XML_TAG.search(description):
        raise InvalidRequestError("SKILL.md description cannot contain XML tags")
    return FrontMatter(name, description.strip())


def check_name(name: str) -> None:
    """Raises InvalidRequestError for what no skill can be called."""
    if not name:
        raise InvalidRequestError("field 'name' in SKILL.md must not be empty")  # [guess]
    if len(name) > MOST_OF_NAME:
        raise InvalidRequestError(f"field 'name' in SKILL.md must be at most {MOST_OF_NAME} characters")
    if _XML_TAG.search(name):
        raise InvalidRequestError("Skill name in SKILL.md cannot contain XML tags")
    if not _NAME.fullmatch(name):
        better = _NOT_OF_NAME.sub("-", name.casefold()).strip("-")
        hint = f" Try '{better}'." if better else ""
        raise InvalidRequestError(
            f"Skill name in SKILL.md can only contain lowercase letters, numbers, and hyphens.{hint}"
        )
    for word in RESERVED:
        if word in name:
            raise InvalidRequestError(f"Skill name in SKILL.md cannot contain the reserved word '{word}'.")


def _between(head: bytes) -> str:
    head = head.removeprefix(b"\xef\xbb\xbf")
    opening = _FENCE.match(head)
    if opening is None:
        raise InvalidRequestError("SKILL.md must start with YAML frontmatter (---)")
    closing = _CLOSING.search(head, opening.end() - 1)
    if closing is None:
        raise _malformed("its closing line --- was not found")
    try:
        return head[opening.end() : max(closing.start(), opening.end())].decode()
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None


def _malformed(why: str) -> InvalidRequestError:
    return InvalidRequestError(f"malformed YAML frontmatter in SKILL.md: {why}")


def _parsed(text: str) -> dict[str, Any]:
    # Nobody who uploads no skill pays for it.
    yaml: Any = importlib.import_module("yaml")
    try:
        level = 0
        # Looked through before anything is built: neither aliases, which make much of little, nor tags, which name
        # types, are built at all.
        for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise _malformed("anchors and aliases are not supported")
            if getattr(event, "tag", None) is not None:
                raise _malformed("tags are not supported")
            if count > _MOST_EVENTS:
                raise _malformed("it is too long")
            level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if level > _MOST_LEVELS:
                raise _malformed("it is nested too deeply")
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None)
        raise _malformed(str(problem or "it cannot be parsed")[:200]) from None
    except (ValueError, ArithmeticError, RecursionError):
        # Dates that there are not, numbers of thousands of digits or sixtieths.
        raise _malformed("it cannot be parsed") from None
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in cast("dict[Any, Any]", found)):
        raise _malformed("it must be a mapping")
    return cast("dict[str, Any]", found)


def _text(fields: dict[str, Any], key: str) -> str | None:
    value = fields.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidRequestError(f"field '{key}' in SKILL.md must be a string")  # [guess]
    return value
