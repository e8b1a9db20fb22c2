"""Any server that speaks OpenAI's chat completions, as an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, cast

import orjson
from pydantic import SecretStr

from understudy.engines.engine import EngineEvent, EngineTurn, PromptUsage, Stop
from understudy.net.upstream_http import Answer as HttpAnswer
from understudy.wire.errors import ApiError, InvalidRequestError

from .answer import Answer
from .chunks import Chunk, Chunks, parsed
from .dialects import Dialect
from .errors import PromptTooLongError, UpstreamError, UpstreamTimeoutError, api_error, is_uncounted, read_error
from .history import History
from .http import Timeouts, Upstream, read
from .pages import page_images
from .request import Translated, translate
from .sse import MOST_BYTES
from .whole import chunks_of, plain_answer

# Seconds in which the usage must follow the finish_reason. The answer is whole without it.
_USAGE_WAIT: Final = 2.0
_COUNT_TIMEOUT: Final = 10.0
# What stands beside the prompt in a body that is only counted.
_COUNTED: Final = frozenset(
    {"model", "messages", "tools", "chat_template_kwargs", "add_generation_prompt", "continue_final_message"}
)


class OpenAICompatibleEngine:
    """POST {base_url}/chat/completions, as a stream where anybody sees its pieces. `name` is the engine's own, shown by
    `understudy-engine`.

    `dialect` says what kind of server it is. A session is made at the first request; `close` ends it.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: SecretStr | None = None,
        *,
        dialect: Dialect,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.name = name
        self.dialect = dialect
        secret = "" if api_key is None else api_key.get_secret_value()
        self._secrets = (secret, base_url, base_url.partition("://")[2].partition("/")[0])
        self._history = History()
        self._upstream = Upstream(base_url, secret or None, timeouts or Timeouts())

    async def close(self) -> None:
        await self._upstream.close()

    async def count(self, turn: EngineTurn) -> int | None:
        """The tokens of the prompt by the upstream's own count; None where it has no route for it, or it fails."""
        route = self.dialect.count_route
        if route is None:
            return None
        body = (await self._translated(turn)).body
        if route == "tokenize":
            url = "/tokenize"
            body = {name: value for name, value in body.items() if name in _COUNTED}
        else:
            url = "/chat/completions/input_tokens"
            _unstreamed(body)
        try:
            async with asyncio.timeout(_COUNT_TIMEOUT):
                response = await self._upstream.send(url, _to_bytes(body), _COUNT_TIMEOUT)
                with closing(response):
                    # vLLM lists every token beside their number.
                    told = await self._upstream.body(response, MOST_BYTES) if response.status == 200 else b""
                    answer = parsed(told)
        except (UpstreamError, UpstreamTimeoutError, TimeoutError):
            return None
        if not isinstance(answer, dict):
            return None
        counted = cast("dict[str, Any]", answer)
        count = counted.get("count", counted.get("input_tokens"))
        return count if isinstance(count, int) and count > 0 else None

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        """As Engine.run. What the upstream refuses before its answer begins is raised before any batch.

        A prompt that leaves less room than `max_tokens` is asked for again with what room there is, as the API does.
        """
        translated = await self._translated(turn)
        if turn.whole:
            _unstreamed(translated.body)
        upstream, timeouts = self._upstream, self._upstream.timeouts
        now = asyncio.get_running_loop().time
        while True:
            began = now()
            response = await upstream.send("/chat/completions", _to_bytes(translated.body), timeouts.first_byte)
            chunks = Chunks()
            begun = False
            try:
                completion = await self._completion(turn, response)
                answer = self._reader(turn, translated)
                if completion is None:
                    response.allow(timeouts.first_byte - (now() - began))
                    found = await self._next(response, chunks, answer)
                else:
                    chunks.done = True
                    plain = plain_answer(completion, turn, self.dialect.think_tags) if not translated.forced else None
                    if plain is not None:
                        yield plain
                        return
                    found = chunks_of(completion, turn.max_tokens)
                while found or not chunks.done:
                    events: list[EngineEvent] = []
                    for chunk in found:
                        if isinstance(chunk, list):
                            answer.say(chunk, events)
                        elif read_error(chunk) is not None:
                            raise self._error(turn, 200, chunk, {})
                        else:
                            events += answer.take(chunk)
                        if answer.over:
                            break
                    if found:
                        response.allow(timeouts.idle if answer.reason is None else _USAGE_WAIT)
                        if not turn.max_tokens:
                            events = [event for event in events if isinstance(event, PromptUsage)]
                        if events or not begun:
                            begun = True
                            yield events
                    if answer.over or chunks.done:
                        break
                    found = await self._next(response, chunks, answer)
                if not begun or (chunks.broken and answer.reason is None and not answer.over):
                    raise UpstreamError("The model's server broke its answer off.")
                yield answer.end() if turn.max_tokens else [Stop("max_tokens", 0)]
                return
            except PromptTooLongError as error:
                asked: int = translated.body[self.dialect.max_tokens_field]
                if begun or not error.answer or asked <= error.answer:
                    raise
                translated.body[self.dialect.max_tokens_field] = error.answer
            finally:
                if chunks.done and not chunks.broken:
                    upstream.drain(response)
                else:
                    response.close()

    async def _translated(self, turn: EngineTurn) -> Translated:
        return translate(turn, self.dialect, await page_images(turn, self.dialect), self._history)

    def _reader(self, turn: EngineTurn, translated: Translated) -> Answer:
        return Answer(
            translated.names,
            max_tokens=max(turn.max_tokens, 1),
            thinks=turn.thinking is not None,
            think_tags=self.dialect.think_tags,
            calls=translated.calls,
            forced=translated.forced,
            one_call=translated.one_call,
        )

    async def _completion(self, turn: EngineTurn, response: HttpAnswer) -> dict[str, Any] | None:
        """The answer of an upstream that was asked for a whole one, or does not stream; None where it streams."""
        if response.status != 200:
            said = parsed(await self._upstream.body(response))
            counted = await self.count(turn) if is_uncounted(read_error(said)) else None
            raise self._error(turn, response.status, said, _named(response.headers), counted)
        if response.content_type != "application/json":
            return None
        return _object(await self._upstream.body(response, MOST_BYTES))

    async def _next(self, response: HttpAnswer, chunks: Chunks, answer: Answer) -> Sequence[Chunk]:
        """The chunks that the next bytes complete. An answer that has its finish_reason is whole, whatever follows."""
        try:
            return chunks.feed(await read(response))
        except (UpstreamError, UpstreamTimeoutError):
            if answer.reason is None:
                raise
            chunks.done = chunks.broken = True
            return []

    def _error(
        self, turn: EngineTurn, status: int, body: Any, headers: Mapping[str, str], counted: int | None = None
    ) -> ApiError:
        return api_error(
            status,
            read_error(body),
            headers,
            model=turn.model.id,
            max_tokens=turn.max_tokens,
            secrets=self._secrets,
            counted=turn.input_tokens if counted is None else counted,
        )


def _object(data: bytes) -> dict[str, Any]:
    value = parsed(data)
    if not isinstance(value, dict):
        raise UpstreamError("The model's server sent what cannot be read.")
    return cast("dict[str, Any]", value)


def _unstreamed(body: dict[str, Any]) -> None:
    body["stream"] = False
    body.pop("stream_options", None)


def _named(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _to_bytes(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise InvalidRequestError("The request body is nested too deeply.") from None
