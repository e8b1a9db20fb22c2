"""The request log's lines: one JSON object for each request, many in one write, never in the event loop's way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

import orjson

from understudy.usage.rows import Row

_MOST_WAITING = 16 * 1024 * 1024  # bytes; a reader that has stopped must not fill our memory


def render(rows: Sequence[Row]) -> bytes:
    """One line for each row. orjson escapes the C0 controls; `rows.clean` has escaped all others."""
    lines = bytearray()
    for row in rows:
        # Not kept for a join: hundreds of them at once make the heap grow and shrink, which costs more than they do.
        lines += orjson.dumps(_line(row), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    return bytes(lines)


class RequestLines:
    """Writes lines to standard error in a thread of its own: a pipe that nobody empties must stop neither the server
    nor its end. Lines beyond 16 MB that wait are counted in `dropped`, and not kept.
    """

    def __init__(self, stream: IO[bytes] | None = None) -> None:
        self._stream: IO[bytes] = sys.stderr.buffer if stream is None else stream
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._queued = 0  # bytes; only ever changed by the event loop's thread
        self._written = 0  # bytes; only ever changed by ours
        self.dropped = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Write the rows' lines soon. Returns at once."""
        if self._queued - self._written > _MOST_WAITING:
            self.dropped += len(rows)
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="request log", daemon=True)
            self._thread.start()
        lines = render(rows)
        self._queued += len(lines)
        self._queue.put(lines)

    async def close(self, within: float) -> None:
        """Wait until all lines are written, at most `within` seconds."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join, within)

    def _run(self) -> None:
        while (lines := self._queue.get()) is not None:
            try:
                self._stream.write(lines)
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads standard error, or it is closed: there is nowhere to tell it
                self.dropped += lines.count(b"\n")
            self._written += len(lines)


def _line(row: Row) -> dict[str, Any]:
    # In the order of REQUEST_COLUMNS. Written out, for it costs half of what zip() and itemgetter do.
    (request_id, received_at, method, path, status, duration, error_type, _, workspace_id, api_key_id, _) = row[:11]
    (user_agent, model, engine, _, message_id, stream, stop_reason, _, _, time_to_first_token) = row[11:21]
    line = {
        "timestamp": datetime.fromtimestamp(received_at, UTC),
        "level": "info",
        "event": "request",
        "request_id": request_id,
        "method": method,
        "path": path,
        "status": status,
        "duration_ms": round(duration * 1000, 3),
        "error_type": error_type,
        "workspace_id": workspace_id,
        "api_key_id": api_key_id,
        "user_agent": user_agent,
    }
    if model is not None:  # health checks are many, and have nothing to say about a model
        (input_tokens, creation_5m, creation_1h, read, output_tokens, disconnected, upstream_request_id) = row[21:28]
        line |= {
            "model": model,
            "engine": engine,
            "message_id": message_id,
            "stream": stream,
            "stop_reason": stop_reason,
            "time_to_first_token": time_to_first_token,
            "input_tokens": input_tokens,
            "cache_creation_5m_input_tokens": creation_5m,
            "cache_creation_1h_input_tokens": creation_1h,
            "cache_read_input_tokens": read,
            "output_tokens": output_tokens,
            "disconnected": disconnected,
        }
        if upstream_request_id is not None:
            line["upstream_request_id"] = upstream_request_id
    return line
