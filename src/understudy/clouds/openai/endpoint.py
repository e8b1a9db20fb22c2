"""POST /v1/chat/completions."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from understudy.engines.catalog import Model
from understudy.engines.routing import Routing
from understudy.http.body import read_json_body
from understudy.http.envelope import ApiRoute, Endpoint
from understudy.http.exchange import Exchange
from understudy.settings import HttpSettings, StreamSettings
from understudy.wire.json_text import to_json
from understudy.wire.validation import parse_json

from .framing import ChatFraming
from .request import Translated, translate

PATH: Final = "/v1/chat/completions"
# The version that has temperature and top_p. Clients of this route send no header for it (documented: the list of
# headers that are read).
VERSION: Final = "2023-06-01"

# Bytes of a body that is translated in a thread, so that others get their turns.
_LARGE: Final = 256 * 1024


def chat_routes(
    routing: Routing, create_message: Endpoint, http: HttpSettings, stream: StreamSettings
) -> list[ApiRoute]:
    """`create_message` is the endpoint of POST /v1/messages, which answers all requests once they are translated."""
    chat = ChatCompletions(routing, create_message, http)
    framing = partial(ChatFraming, stream.ping_interval)
    return [ApiRoute(PATH, "POST", chat.create, framing=framing, version=VERSION)]


class ChatCompletions:
    def __init__(self, routing: Routing, create_message: Endpoint, http: HttpSettings) -> None:
        self._routing = routing
        self._create_message = create_message
        self._http = http

    async def create(self, exchange: Exchange) -> None:
        """Answer a chat completion's request, as a stream when it asks for one."""
        framing = exchange.framing
        assert isinstance(framing, ChatFraming)
        sent = await read_json_body(exchange, self._http.max_body_bytes)
        body = parse_json(sent)
        if len(sent) > _LARGE:
            translated, written = await asyncio.to_thread(self._translate, body)
        else:
            translated, written = self._translate(body)
        framing.include_usage, framing.functions = translated.include_usage, translated.functions
        exchange.translated = written
        # What a Claude upstream is sent of the headers.
        exchange.headers[b"anthropic-version"] = VERSION.encode()
        exchange.headers.pop(b"anthropic-beta", None)
        await self._create_message(exchange)

    def _translate(self, body: object) -> tuple[Translated, bytes]:
        translated = translate(body, self._model)
        return translated, to_json(translated.request).encode()

    def _model(self, name: str) -> Model | None:
        route = self._routing.find(name)
        return None if route is None else route.model
