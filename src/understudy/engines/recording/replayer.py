"""A server that answers from a recording, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, cast

import orjson

from understudy.engines.recording.asgi import Receive, Scope, Send, read_body, refuse, start, write
from understudy.engines.recording.exchange import Recorded, read_content, request_key
from understudy.engines.recording.redaction import redact_text
from understudy.wire.errors import ApiError

# Recorded requests that are compared for the nearest one, and characters shown of a value that differs.
_MOST_COMPARED: Final = 500
_SHOWN: Final = 100

_MISSING: Final = object()


class Replayer:
    """ASGI application. The same request again gets the next recorded answer, and the last one from then on.

    `timing`: events come as slowly as they were recorded, instead of at once. Credentials are not looked at.
    """

    def __init__(self, recorded: Iterable[Recorded], *, timing: bool = False) -> None:
        self._recorded = list(recorded)
        self._timing = timing
        self._answers: dict[bytes, list[Recorded]] = {}
        self._used: dict[bytes, int] = {}
        for one in self._recorded:
            key = request_key(one.method, one.path, one.query, one.body)
            self._answers.setdefault(key, []).append(one)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = await read_body(receive)
        if content is None:
            return
        content_type = next(
            (value.decode("latin-1") for name, value in scope["headers"] if name == b"content-type"), ""
        )
        _, body = read_content(content, content_type)
        method, path = str(scope["method"]), str(scope["path"])
        query = redact_text(scope["query_string"].decode("latin-1"))
        try:
            key = request_key(method, path, query, body)
        except ApiError as error:
            await refuse(send, error.status, error.type, error.message)
            return
        answers = self._answers.get(key)
        if answers is None:
            await refuse(send, 400, "invalid_request_error", self._nothing_for(method, path, query, body))
            return
        place = self._used.get(key, 0)
        self._used[key] = place + 1
        await self._replay(answers[min(place, len(answers) - 1)], send)

    async def _replay(self, one: Recorded, send: Send) -> None:
        headers = list(one.response_headers.items())
        if one.frames is None:
            content = one.content()
            await start(send, one.status, [*headers, *(() if one.cut else (("content-length", str(len(content))),))])
            await write(send, content, more=one.cut)
            return
        await start(send, one.status, headers)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for seconds, text in one.frames:
            if self._timing:
                await asyncio.sleep(max(began + seconds - loop.time(), 0))
            await write(send, text.encode(), more=True)
        if not one.cut:
            await write(send, b"")

    def _nothing_for(self, method: str, path: str, query: str, body: Any) -> str:
        asked = f"{method} {path}{'?' + query if query else ''}"
        same_path = [
            (number, one) for number, one in enumerate(self._recorded, 1) if one.method == method and one.path == path
        ]
        if not same_path:
            known = sorted({f"{one.method} {one.path}" for one in self._recorded})
            return f"No recorded request is {asked}. Recorded are: {', '.join(known[:20]) or 'none'}."
        sent = _leaves(body)
        differing = [(_differences(sent, _leaves(one.body)), number, one) for number, one in same_path[:_MOST_COMPARED]]
        places, number, one = min(differing, key=lambda each: (len(each[0]), each[1]))
        if not places:
            return f"No recorded request is {asked}. The nearest, number {number}, has the query {one.query!r}."
        first = places[0]
        recorded = _shown(_leaves(one.body).get(first, _MISSING))
        more = f" (and in {len(places) - 1} more places)" if len(places) > 1 else ""
        return (
            f"No recorded request is {asked} with this body. The nearest is number {number}; at {first or 'its root'} "
            f"it has {recorded}, not {_shown(sent.get(first, _MISSING))}{more}."
        )


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """The single values in a JSON value, by their paths."""
    leaves: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = [(path, value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, dict) and one:
            inner = list(cast("dict[str, Any]", one).items())
        elif isinstance(one, list) and one:
            inner = [(str(number), each) for number, each in enumerate(cast("list[Any]", one))]
        else:
            leaves[place] = one
            continue
        waiting += [(f"{place}.{name}" if place else name, each) for name, each in reversed(inner)]
    return leaves


def _differences(sent: dict[str, Any], recorded: dict[str, Any]) -> list[str]:
    """The paths at which two requests differ, in the order of the first, then of the second."""
    places = [path for path, value in sent.items() if recorded.get(path, _MISSING) != value]
    return places + [path for path in recorded if path not in sent]


def _shown(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
