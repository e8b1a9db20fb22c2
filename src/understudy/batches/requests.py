"""What a new batch asks for: its requests are judged one by one, by their `custom_id` and their form alone, and written
as lines. Their `params` are judged when they are carried out.

Texts and order of the refusals: recorded 2026-09, and pydantic's for the same faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from understudy.batches.splitting import Request, Splitter, end_of
from understudy.wire.errors import InvalidRequestError

CHUNK_REQUESTS: Final = 100
CHUNK_BYTES: Final = 1024 * 1024

_ID: Final = r"^[a-zA-Z0-9_-]{1,64}$"
_IS_ID: Final = re.compile(_ID.removesuffix("$") + r"\Z").match
_MEMBER: Final = re.compile(rb'[ \t\n\r,]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\n\r]*+:[ \t\n\r]*+')
# Times the requests that a batch may hold; and members of the body, which has one.
_TOO_MANY: Final = 3
_MOST_MEMBERS: Final = 1_000
_NO_BREAKS: Final = bytes.maketrans(b"\n\r", b"  ")


@with_config(ConfigDict(extra="forbid"))
class BatchRequest(TypedDict):
    """One request of a batch, as far as it is judged when the batch is made."""

    custom_id: Annotated[str, Field(min_length=1, max_length=64, pattern=_ID)]
    params: dict[str, Any]


# [guess] the last: an extra member was never recorded.
_TEXTS: Final = {
    "dict_type": "Input should be an object",
    "model_attributes_type": "Input should be an object",
    "extra_forbidden": "Extra inputs are not permitted",
}


class Chunk(NamedTuple):
    """Requests that are worked off together: how many, from the place of the first on, and their bytes in the blob."""

    first: int
    requests: int
    offset: int
    length: int


@lru_cache(maxsize=1)
def _form() -> TypeAdapter[BatchRequest]:
    return TypeAdapter(BatchRequest)


def _fault(value: object) -> str:
    """What is wrong with a request: a path that begins with a dot, or none, and a text."""
    try:
        _form().validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = "".join(f".{part}" for part in first["loc"])
        return f"{path[:200]}: {_TEXTS.get(first['type'], first['msg'])}"
    raise AssertionError("it was found to be at fault")


def _is_well_formed(value: Any) -> bool:
    if value.__class__ is not dict or len(value) != 2:
        return False
    custom_id = value.get("custom_id")
    return custom_id.__class__ is str and _IS_ID(custom_id) is not None and value.get("params").__class__ is dict


def _params(raw: bytearray) -> bytes:
    """The bytes of the params of a request that is known to be well formed; the last of several count, as always."""
    found, at = (0, 0), 1
    while member := _MEMBER.match(raw, at):
        start = member.end()
        at = end_of(raw, start)
        if member[1] == b'"params"' or (b"\\" in member[1] and orjson.loads(member[1]) == "params"):
            found = start, at
    return bytes(raw[found[0] : found[1]].translate(_NO_BREAKS))


class RequestReader:
    """Takes the body of POST /v1/messages/batches piece by piece and gives back the lines to be stored.

    `most`: requests of a batch. `most_bytes`: of one request.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._splitter = Splitter(most_bytes)
        self._most = most
        self._ids: set[str] = set()
        self._fault: str | None = None
        self._duplicate: str | None = None
        self._chunk = Chunk(0, 0, 0, 0)
        self._size = 0
        self.total = 0
        self.chunks: list[Chunk] = []

    def feed(self, piece: bytes) -> bytes:
        """The lines of the requests that end in `piece`.

        Raises RequestTooLargeError for a request that is too large, and InvalidRequestError for so many parts that no
        client means it: each costs time, and what follows is not looked at.
        """
        lines = self._lines(self._splitter.feed(piece))
        if self.total > _TOO_MANY * self._most or self._splitter.members > _MOST_MEMBERS:
            raise InvalidRequestError(self._found() or "Too many fields")
        return lines

    def close(self) -> bytes:
        """The body is whole. Raises InvalidRequestError for what is wrong with it."""
        splitter = self._splitter
        lines = self._lines(splitter.close())
        fault = self._found()
        if fault is not None:
            raise InvalidRequestError(fault)
        if self._chunk.requests:
            self.chunks.append(self._chunk)
        return lines

    def _found(self) -> str | None:
        splitter = self._splitter
        if not splitter.is_object:
            return "Input should be an object"
        if splitter.is_repeated or (splitter.has_requests and "requests" in splitter.others):
            # [guess] JSON lets the last one count; half of it would be stored by then.
            return "requests: must be given once"
        if not splitter.has_requests:
            given = "requests" in splitter.others
            return "requests: Input should be a valid array" if given else "requests: Field required"
        if self.total > self._most:
            return f"requests: List should have at most {self._most} items after validation, not {self.total}"
        if self._fault is not None:
            return self._fault
        if not self.total:
            return "requests: List should have at least 1 item after validation, not 0"
        for name in splitter.others:
            return f"{name[:200]}: Extra inputs are not permitted"
        if self._duplicate is not None:
            return f"requests: custom_id's must be unique within a batch. Duplicate custom_id found: {self._duplicate}"
        return None

    def _lines(self, requests: Iterable[Request]) -> bytes:
        lines: list[bytes] = []
        for raw, value in requests:
            self.total += 1
            if self._fault is not None or self.total > self._most:
                continue
            if not _is_well_formed(value):
                self._fault = f"requests.{self.total - 1}{_fault(value)}"
                continue
            custom_id: str = value["custom_id"]
            if custom_id in self._ids:
                self._duplicate = self._duplicate or custom_id
                continue
            self._ids.add(custom_id)
            line = b'{"custom_id":"%b","params":%b}\n' % (custom_id.encode(), _params(raw))
            self._count(len(line))
            lines.append(line)
        return b"".join(lines)

    def _count(self, length: int) -> None:
        chunk = self._chunk
        if chunk.requests and (chunk.requests == CHUNK_REQUESTS or chunk.length + length > CHUNK_BYTES):
            self.chunks.append(chunk)
            chunk = Chunk(self.total - 1, 0, self._size, 0)
        self._chunk = Chunk(chunk.first, chunk.requests + 1, chunk.offset, chunk.length + length)
        self._size += length
