"""POST /v1/messages and POST /v1/messages/count_tokens."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from understudy.engines.routing import PassOn, Route, Routing
from understudy.engines.routing.chain import engine_header
from understudy.http.body import read_json_body
from understudy.http.exchange import DisconnectWatch, Exchange
from understudy.http.limiting import UNLIMITED, Admission, Limits
from understudy.http.principal import Principal
from understudy.http.versions import refuse_unknown_betas
from understudy.messages.consulting import Consulting
from understudy.messages.credit import check_alone
from understudy.messages.fallbacks import NOT_IN_BATCHES, Attempt, attempts_of
from understudy.messages.forwarding import Forwarding, check_forwarded
from understudy.messages.kept import KeptExchange
from understudy.messages.preparation import Preparation
from understudy.messages.residency import placed
from understudy.messages.rules import check_count_request, check_request
from understudy.messages.scripting import as_scripted, is_scripted
from understudy.messages.streaming import Encode, send_stream
from understudy.messages.turn import Turn, complete_turn, stream_turn
from understudy.settings import HttpSettings, StreamSettings
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import canonical_json, to_json
from understudy.wire.known_bodies import KnownBodies, KnownBody
from understudy.wire.known_shapes import check_known, note_checked
from understudy.wire.slices import check_in_slices
from understudy.wire.sse import encode, padded_encoder
from understudy.wire.validation import Validator, parse_json, validator
from understudy.wire.versions import gating_betas

if TYPE_CHECKING:
    from understudy.messages.falling_back import FallingBack

_Endpoint = Literal["messages", "count_tokens"]

# Bytes of a body between whose parsing, checking and counting others get a turn.
_LARGE: Final = 256 * 1024

# Combinations of betas whose validators are kept at hand. There are more than any client sends.
_MOST_VALIDATORS: Final = 128


async def _pause() -> None:
    await asyncio.sleep(0)


def _caller(exchange: Exchange) -> Principal:
    assert exchange.principal is not None, "the envelope knows the caller before any route is asked"
    return exchange.principal


def _owner(exchange: Exchange) -> tuple[str, str | None]:
    """Whose bodies are never compared with any other's."""
    caller = _caller(exchange)
    return caller.organization_id, caller.workspace_id


class MessagesEndpoints:
    def __init__(
        self,
        routing: Routing,
        preparation: Preparation,
        http: HttpSettings,
        stream: StreamSettings,
        forwarding: Forwarding | None = None,
        limits: Limits = UNLIMITED,
        bodies: KnownBodies | None = None,
    ) -> None:
        """`limits` are those of whatever these endpoints are asked for: of batches, say. `bodies` remembers what
        conversations begin with."""
        self._routing = routing
        self._limits = limits
        self._forwarding = forwarding if routing.forwards else None
        self._preparation = preparation
        self._http = http
        self._stream = stream
        self._bodies = KnownBodies() if bodies is None else bodies
        self._validators: dict[tuple[str, str, frozenset[str]], Validator] = {}
        # Messages requests over HTTP: those that are being answered, and all that ever came.
        self.under_way = 0
        self.begun = 0

    def _mid_conversation_system(self, model: str) -> bool:
        route = self._routing.find(model)
        return route is None or route.model.mid_conversation_system

    async def create(self, exchange: Exchange) -> None:
        """Answer a Messages request, as a stream when it asks for one."""
        self.begun += 1
        self.under_way += 1
        try:
            sent = await read_json_body(exchange, self._http.max_body_bytes)
            known = self._bodies.find(sent, _owner(exchange))
            await self.run(exchange, sent, parse_json(sent) if known is None else known.parsed(), known)
        finally:
            self.under_way -= 1

    async def run(self, exchange: Exchange, sent: bytes, body: object, known: KnownBody | None = None) -> None:
        """The same for a request whose body, `sent`, was read and parsed."""
        if self._forwarding is not None and await self._forward(exchange, sent, body, "messages", known):
            return
        request = await self._check(exchange, sent, body, "messages", known)
        await self._answer(exchange, request, self._routing.resolve(request["model"]), known=known)

    async def _answer(
        self,
        exchange: Exchange,
        request: dict[str, Any],
        route: Route,
        admission: Admission | None = None,
        known: KnownBody | None = None,
    ) -> None:
        """`admission` is that of a request which several targets may answer; who has begun it ends it."""
        record = exchange.record
        record.model = route.model.id
        background = exchange.background if isinstance(exchange, KeptExchange) else None
        batch = background is not None
        found = check_request(request, route.model, exchange.version, exchange.betas, batch=batch, known=known)
        check_alone(request)
        attempts = attempts_of(request, route.model, self._routing.find, exchange.version, exchange.betas, batch=batch)
        request = placed(request, route.model, _caller(exchange).grant)
        streamed = record.stream = bool(request.get("stream"))
        async with DisconnectWatch(exchange):
            record.engine = route.target.engine
            record.upstream_model = route.target.upstream
            if admission is None:
                self._limits.check(_caller(exchange), model=route.model.id)
                if is_scripted(route):
                    route, _ = await as_scripted(route, request)
            others = Consulting(exchange, self._routing, self.run) if found.server_tools else None
            turn = await self._preparation.prepare(exchange, request, route, found, others, known=known)
            begun = admission is None
            if admission is None:
                admission = await self._begin(exchange, turn)
                record.limit_exceeded = admission.exceeded
            turn.admission = told = admission
            turn.background = background
            falling_back = self._falling_back(exchange, turn, attempts, others) if attempts else None

            def headers() -> list[tuple[bytes, bytes]]:
                by = (turn if falling_back is None else falling_back.turn).answered_by
                engine = route.header if by is route.target or by is None else engine_header(by)
                return [*told.headers, (b"understudy-engine", engine)]

            try:
                if streamed:
                    async with aclosing(stream_turn(turn) if falling_back is None else falling_back.stream()) as events:
                        await send_stream(exchange, events, self._encoder(request), headers, self._stream.ping_interval)
                else:
                    message = await (complete_turn(turn) if falling_back is None else falling_back.complete())
                    record.time_to_first_token = exchange.elapsed()
                    # The headers of a whole answer tell what it has used (recorded).
                    await told.finish(record)
                    await exchange.respond_json(message, headers=headers())
            finally:
                # Whatever became of it; the record says how far it came.
                if begun:
                    await told.finish(record)
                if falling_back is not None:
                    await falling_back.finish()

    def _falling_back(
        self, exchange: Exchange, turn: Turn, attempts: list[Attempt], others: Consulting | None
    ) -> FallingBack:
        from understudy.messages.falling_back import FallingBack

        async def prepare(attempt: Attempt) -> Turn:
            request = placed(attempt.request, attempt.route.model, _caller(exchange).grant)
            return await self._preparation.prepare(
                exchange, request, attempt.route, attempt.found, others, continues=attempt.continues
            )

        async def admit(turn: Turn) -> Admission:
            return await self._begin(exchange, turn)

        return FallingBack(turn, attempts, prepare, admit)

    async def _begin(self, exchange: Exchange, turn: Turn) -> Admission:
        use, request = turn.use, turn.request
        return await self._limits.begin(
            _caller(exchange),
            model=turn.route.model.id,
            input_tokens=use.total_tokens - use.cache_read_input_tokens,
            cache_read_input_tokens=use.cache_read_input_tokens,
            max_tokens=request["max_tokens"],
            fast=request.get("speed") == "fast",
            service_tier=request.get("service_tier") or "auto",
        )

    async def count_tokens(self, exchange: Exchange) -> None:
        """How many tokens the prompt of such a request has."""
        sent = await read_json_body(exchange, self._http.max_body_bytes)
        known = self._bodies.find(sent, _owner(exchange))
        body = parse_json(sent) if known is None else known.parsed()
        if self._forwarding is not None and await self._forward(exchange, sent, body, "count_tokens", known):
            return
        request = await self._check(exchange, sent, body, "count_tokens", known)
        await self._count(exchange, request, known)

    async def _count(
        self, exchange: Exchange, request: dict[str, Any], known: KnownBody | None, *, limited: bool = False
    ) -> None:
        route = self._routing.resolve(request["model"])
        exchange.record.model = route.model.id
        found = check_count_request(request, route.model, exchange.version, known)
        if not limited:
            counting = await self._limits.begin(_caller(exchange), "token_count", model=route.model.id)
            exchange.record.limit_exceeded = counting.exceeded
        async with DisconnectWatch(exchange):
            answer = await self._preparation.count(exchange, request, route, found, known)
            await exchange.respond_json(answer, headers=[(b"understudy-engine", route.header)])

    def _encoder(self, request: dict[str, Any]) -> Encode:
        if not self._stream.padding:
            return encode
        return padded_encoder(hashlib.blake2b(canonical_json(request), digest_size=32).digest())

    async def _forward(
        self, exchange: Exchange, sent: bytes, body: object, endpoint: _Endpoint, known: KnownBody | None
    ) -> bool:
        """Answer a request whose model a Claude upstream may serve. Returns False, and does nothing, for others."""
        members = cast("dict[str, Any]", body) if body.__class__ is dict else {}
        name = members.get("model")
        route = self._routing.find(name) if isinstance(name, str) else None
        if route is None or route.chain is None or not route.forwards:
            refuse_unknown_betas(exchange)
            return False
        assert self._forwarding is not None
        request = check_forwarded(body, endpoint)
        exchange.record.model = route.model.id
        if endpoint == "messages":
            if request.get("fallbacks") and isinstance(exchange, KeptExchange):
                raise InvalidRequestError(NOT_IN_BATCHES)
            at = placed(request, route.model, _caller(exchange).grant)
            if at is not request:
                request, sent = at, to_json(at).encode()
        # What the prompt has is known when the upstream has counted it. One token is asked for, so that debt of the
        # requests before holds this one up.
        if endpoint == "messages":
            admission = await self._limits.begin(_caller(exchange), model=route.model.id, input_tokens=1)
        else:
            admission = await self._limits.begin(_caller(exchange), "token_count", model=route.model.id)
        exchange.record.limit_exceeded = admission.exceeded
        try:
            async with DisconnectWatch(exchange):
                if endpoint == "messages" and is_scripted(route):
                    # What is scripted needs no upstream; any other request goes there as it came.
                    scripted, answers = await as_scripted(route, request)
                    if answers:
                        refuse_unknown_betas(exchange)
                        checked = await self._check(exchange, sent, body, endpoint, known)
                        await self._answer(exchange, checked, scripted, admission, known)
                        return True
                background = exchange.background if isinstance(exchange, KeptExchange) else None
                with route.chain.choose(background) as choice:
                    while not await self._forwarding.forward(exchange, sent, request, route, choice, endpoint):
                        refuse_unknown_betas(exchange)
                        checked = await self._check(exchange, sent, body, endpoint, known)
                        if endpoint == "count_tokens":
                            await self._count(exchange, checked, known, limited=True)
                            break
                        try:
                            await self._answer(exchange, checked, route.along(choice), admission, known)
                            break
                        except PassOn:
                            continue
        finally:
            if endpoint == "messages":
                await admission.finish(exchange.record)
        return True

    async def _check(
        self, exchange: Exchange, sent: bytes, body: object, endpoint: _Endpoint, known: KnownBody | None = None
    ) -> dict[str, Any]:
        shape = await self._validator(endpoint, exchange)
        if known is not None and check_known(shape, known):
            return cast("dict[str, Any]", body)
        # Parsing and checking two megabytes take some 5 ms each, and several times that where they are small parts.
        if len(sent) > _LARGE:
            await asyncio.sleep(0)
            await check_in_slices(shape, body, self._mid_conversation_system, _pause)
            await asyncio.sleep(0)
        else:
            shape.check(body, self._mid_conversation_system)
        if known is not None:
            note_checked(shape, known)
        return cast("dict[str, Any]", body)

    async def _validator(self, endpoint: _Endpoint, exchange: Exchange) -> Validator:
        key = (endpoint, exchange.version, gating_betas(exchange.betas))
        found = self._validators.get(key)
        if found is None:
            # Building one takes some 10 ms, in which other requests go on.
            found = await asyncio.to_thread(validator, *key)
            if len(self._validators) >= _MOST_VALIDATORS:
                del self._validators[next(iter(self._validators))]
            self._validators[key] = found
        return found
