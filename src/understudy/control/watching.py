"""What scenarios do outside the engine: received requests are kept, and faults befall connections.

`Envelope.watch` holds `ScenarioWatch` while a scenario is loaded, and None otherwise.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from understudy.engines.scenarios.matching import Asked
from understudy.engines.scenarios.model import MESSAGES_PATH, Fault
from understudy.engines.scenarios.store import Scenarios
from understudy.engines.scenarios.transport import CURRENT, Plan, Received, without_secrets
from understudy.http.exchange import Exchange
from understudy.http.protocol import CLIENT_GONE, RESPOND, cut

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

_PING: Final = b"event: ping"
_EVENT_STREAM: Final = b"text/event-stream"
_ENGINE: Final = b"understudy-engine"
_LENGTH: Final = b"content-length"


class ScenarioWatch:
    """Called for every request of the API once its caller is known. May raise ApiError instead of an answer."""

    def __init__(self, scenarios: Scenarios) -> None:
        self._scenarios = scenarios

    async def __call__(self, exchange: Exchange) -> None:
        scope = exchange.scope
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in exchange.headers.items()}
        received = Received(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=without_secrets(headers),
            request_id=exchange.request_id,
        )
        self._scenarios.receive(received)
        plan = Plan(received)
        CURRENT.set(plan)
        connection = _Connection(exchange, plan)
        exchange.tap(connection.around_receive, connection.around_send)
        if received.path != MESSAGES_PATH:
            await self._elsewhere(plan)

    async def _elsewhere(self, plan: Plan) -> None:
        received = plan.received
        # Counted again by the engine where a model is asked by another path; nobody can count both.
        asked = Asked(
            self._scenarios.number(f"{received.method} {received.path}"),
            headers=received.headers,
            method=received.method,
            path=received.path,
        )
        taken = self._scenarios.take(asked, elsewhere=True)
        if taken is None:
            return
        received.rule = taken.name
        answer = taken.answer
        plan.chunk_bytes = answer.chunk_bytes
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.error is not None:
            raise answer.error.to_error()
        if answer.fault is not None and answer.fault.kind == "error":
            raise answer.fault.error.to_error()
        plan.fault = answer.fault


class _Connection:
    """Stands between the routes and the connection of one request, and carries out its plan."""

    def __init__(self, exchange: Exchange, plan: Plan) -> None:
        self._scope = exchange.scope
        self._respond: object = exchange.scope.get(RESPOND)
        self._plan = plan
        self._streamed = False
        self._events = 0

    def around_receive(self, receive: Receive) -> Receive:
        async def receive_and_keep() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._plan.received.keep(message.get("body", b""))
            return message

        return receive_and_keep

    def around_send(self, send: Send) -> Send:
        async def send_as_planned(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(self._start(message))
            elif message["type"] == "http.response.body":
                await self._body(message, send)
            else:
                await send(message)

        return send_as_planned

    def _start(self, message: Message) -> Message:
        plan = self._plan
        headers: list[tuple[bytes, bytes]] = list(message["headers"])
        self._streamed = any(name == b"content-type" and value.startswith(_EVENT_STREAM) for name, value in headers)
        fault = plan.fault
        if fault is not None and fault.kind == "cut" and (fault.after_events == 0 or not self._streamed):
            self._cut()
        plan.received.status = message["status"]
        if fault is not None and not self._streamed:
            # The body will not be what its length was measured on.
            headers = [field for field in headers if field[0] != _LENGTH]
        if plan.received.rule is not None:
            # Nobody shall take a scripted answer for a model's.
            name = plan.received.rule.encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
            headers = [(key, b"scenario/" + name if key == _ENGINE else value) for key, value in headers]
        return {**message, "headers": headers}

    async def _body(self, message: Message, send: Send) -> None:
        body: bytes = message.get("body", b"")
        more = bool(message.get("more_body", False))
        fault = self._plan.fault
        if fault is not None:
            if not self._streamed:
                body = body[: len(body) // 2]
            else:
                body = await self._faulty(body, fault, send)
        await self._write(body, more, send)

    async def _faulty(self, body: bytes, fault: Fault, send: Send) -> bytes:
        """What is left to write of `body`, once the fault has come, if it comes within it."""
        place = 0
        while place < len(body):
            if not body.startswith(_PING, place):
                if self._events == fault.after_events:
                    break
                self._events += 1
            end = body.find(b"\n\n", place)
            place = len(body) if end < 0 else end + 2
        else:
            return body
        self._plan.fault = None
        if fault.kind == "malformed":
            return body[:place] + fault.data.encode() + body[place:]
        if place:
            await self._write(body[:place], True, send)
        if fault.kind == "error":
            raise fault.error.to_error()
        self._cut()
        return b""

    async def _write(self, body: bytes, more: bool, send: Send) -> None:
        size = self._plan.chunk_bytes or max(len(body), 1)
        for start in range(0, max(len(body), 1), size):
            if start:
                # Each piece is to be a write of its own.
                await asyncio.sleep(0)
            last = start + size >= len(body)
            message: dict[str, Any] = {
                "type": "http.response.body",
                "body": body[start : start + size],
                "more_body": more or not last,
            }
            await send(message)

    def _cut(self) -> None:
        """As if the client had gone: nothing more can be told to it."""
        self._scope[CLIENT_GONE] = True
        cut(self._respond)
        raise asyncio.CancelledError
