"""POST /v1/messages and POST /v1/messages/count_tokens."""

from __future__ import annotations

from contextlib import aclosing
from functools import lru_cache
from typing import Any, Literal, cast

from understudy.engines.routing import Routing
from understudy.http.body import read_json_body
from understudy.http.exchange import DisconnectWatch, Exchange
from understudy.messages.counting import count_prompt
from understudy.messages.rules import check_prompt_length, check_request
from understudy.messages.streaming import send_stream
from understudy.messages.turn import Turn, complete_turn, stream_turn
from understudy.settings import HttpSettings, StreamSettings
from understudy.wire.validation import parse_json, validator

# Finding a validator costs more than a small request's check, so it is remembered by the header as it was sent.
_validator = lru_cache(maxsize=1024)(validator)


class MessagesEndpoints:
    def __init__(self, routing: Routing, http: HttpSettings, stream: StreamSettings) -> None:
        self._routing = routing
        self._http = http
        self._stream = stream

    def _mid_conversation_system(self, model: str) -> bool:
        route = self._routing.find(model)
        return route is None or route.model.mid_conversation_system

    async def create(self, exchange: Exchange) -> None:
        """Answer a Messages request, as a stream when it asks for one."""
        request = await self._read(exchange, "messages")
        record = exchange.record
        route = self._routing.resolve(request["model"])
        record.model = route.model.id
        check_request(request, route.model)
        streamed = record.stream = bool(request.get("stream"))
        async with DisconnectWatch(exchange):
            input_tokens = await count_prompt(request)
            check_prompt_length(input_tokens, route.model)
            record.engine = route.target.engine
            record.upstream_model = route.target.upstream
            turn = Turn(request=request, route=route, input_tokens=input_tokens, betas=exchange.betas, record=record)
            headers = [(b"understudy-engine", route.header)]
            if streamed:
                async with aclosing(stream_turn(turn)) as events:
                    await send_stream(exchange, events, self._stream, headers)
            else:
                message = await complete_turn(turn)
                record.time_to_first_token = exchange.elapsed()
                await exchange.respond_json(message, headers=headers)

    async def count_tokens(self, exchange: Exchange) -> None:
        """How many tokens the prompt of such a request has."""
        request = await self._read(exchange, "count_tokens")
        route = self._routing.resolve(request["model"])
        exchange.record.model = route.model.id
        async with DisconnectWatch(exchange):
            input_tokens = await count_prompt(request)
            headers = [(b"understudy-engine", route.header)]
            await exchange.respond_json({"input_tokens": input_tokens}, headers=headers)

    async def _read(self, exchange: Exchange, endpoint: Literal["messages", "count_tokens"]) -> dict[str, Any]:
        body = parse_json(await read_json_body(exchange, self._http.max_body_bytes))
        _validator(endpoint, exchange.version, exchange.betas).check(body, self._mid_conversation_system)
        return cast("dict[str, Any]", body)
