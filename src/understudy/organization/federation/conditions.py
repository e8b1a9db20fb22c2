"""Conditions of federation rules: CEL expressions over an assertion's claims (WIF reference, 2026-08).

A condition is a security boundary, so whatever cannot be judged when it is written is refused then, and whatever goes
wrong when it is evaluated is a no. It takes the extra `federation`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from understudy.wire.errors import InvalidRequestError

LONGEST: Final = 2_048
"""Characters of a condition [guess: the documentation has no bound]."""

# Seconds for a whole process, which takes some 50 ms.
_TIMEOUT: Final = 5.0
_AT_ONCE: Final = 2

# The functions of the language; the library has others of its own (https://github.com/google/cel-spec).
_FUNCTIONS: Final = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "matches", "type", "dyn"),
        *("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint"),
        *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours"),
        *("getMilliseconds", "getMinutes", "getMonth", "getSeconds"),
    }
)

_BOUND: Final = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_NAMED: Final = re.compile(r"\bclaims\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*[\"']([^\"'\\]+)[\"']\s*\])")
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)

_log = logging.getLogger("understudy.organization.federation")


def can_evaluate() -> bool:
    """Whether the library that evaluates conditions is installed."""
    return _library() is not None


async def check_condition(condition: str) -> None:
    """400 for one that is no expression over `claims`, or is true whatever they are."""
    if not can_evaluate():
        raise _refused(
            "this server cannot evaluate CEL expressions. Its extra `federation` is not installed: "
            "pip install 'understudy[federation]'"
        )
    if len(condition) > LONGEST:
        raise _refused(f"must be at most {LONGEST} characters")
    said = await _judged(condition, None)
    if said is None:
        raise _refused("is not a CEL expression")
    variables: set[str] = {*said["variables"]}
    if variables - {*_BOUND.findall(condition)} - {"claims"}:
        raise _refused("may reference only the `claims` variable")
    unknown = [name for name in said["functions"] if name[:1].isalpha() and name not in _FUNCTIONS]
    if unknown:
        raise _refused(f"{unknown[0][:100]} is not a function of CEL")
    # Without any claims nothing that depends on them can be true.
    if "claims" not in variables or said["is_true"]:
        raise _refused("must depend on the claims")


def claims_named(condition: str) -> frozenset[str]:
    """The claims that an expression refers to by their names."""
    # A text that only looks like a reference is none, but for the name in brackets.
    texts = {place.span() for place in _TEXT.finditer(condition)}
    found = (each for each in _NAMED.finditer(condition) if not any(a < each.start() < b for a, b in texts))
    return frozenset(each[1] or each[2] for each in found)


async def holds(condition: str, claims: Mapping[str, Any]) -> bool:
    """Whether verified `claims` meet a condition. Also False where it cannot be evaluated, or not in time."""
    if len(condition) > LONGEST:
        return False
    said = await _judged(condition, claims)
    return said is not None and said["is_true"] is True


_turns: Final = asyncio.Semaphore(_AT_ONCE)


async def _judged(condition: str, claims: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What evaluating.py says of an expression."""
    library = _library()
    if library is None:
        return None
    # Not orjson: claims may hold numbers of any size.
    asked = json.dumps({"condition": condition, "claims": None if claims is None else dict(claims)}).encode()
    script = Path(__file__).with_name("evaluating.py")
    async with _turns:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-X", "utf8", str(script), library),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(_TIMEOUT):
                said, _ = await process.communicate(asked)
        except TimeoutError:
            _log.warning("a condition took longer than %s s", _TIMEOUT)
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return json.loads(said) if process.returncode == 0 else None


def _library() -> str | None:
    """The directory of the library."""
    found = importlib.util.find_spec("cel")
    return None if found is None or not found.submodule_search_locations else found.submodule_search_locations[0]


def _refused(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"match.condition: {reason}")
