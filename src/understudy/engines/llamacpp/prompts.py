"""From a turn to the prompt that llama.cpp reads: rendered by the model's own chat template, and in its own tokens.

The prompt is sent as the tokens that were counted here, so what is counted is what is computed.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final, NamedTuple, cast

import orjson

from understudy.engines.engine import EngineTurn
from understudy.engines.openai_compatible.dialects import Dialect
from understudy.engines.openai_compatible.errors import shown
from understudy.engines.openai_compatible.pages import PageImages, materials_of, page_images
from understudy.engines.openai_compatible.request import Translated, translate
from understudy.wire.errors import InvalidRequestError

from .connection import Connection
from .errors import as_api_errors
from .failures import LlamaError
from .plain_tools import with_plain_tools
from .templates import Template

_TIMEOUT: Final = 60.0
# Prompts that are remembered, and their bytes all together: four for a token, and what images there are.
_MOST_PROMPTS: Final = 128
_MOST_BYTES: Final = 32 * 1024 * 1024
# Bytes that take longer to hash than others should wait.
_LONG: Final = 1024 * 1024
# What stands in a rendered prompt for an image; servers put letters of their own into it.
_MARKER: Final = re.compile(r"<__media(?:_[A-Za-z0-9]+)?__>")
# A user's message that no prompt goes on with.
_OTHER: Final = "\u2063\u2063"


@dataclass(frozen=True, slots=True)
class Prompt:
    """`tokens` counts. `ids` are four bytes each, in the machine's order; empty where there are images, and then it is
    `text` that is sent. `opened`: the model is thinking already when it begins to write. `pieces`: the ids of the texts
    before, between and behind the images, empty where they are not known; `image_tokens` are those of all images.
    """

    tokens: int
    ids: bytes
    text: str
    images: tuple[str, ...] = ()
    opened: bool = False
    pieces: tuple[bytes, ...] = ()
    image_tokens: int = 0

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return len(self.ids) + len(self.text) + sum([len(part) for part in (*self.images, *self.pieces)])

    def with_parts(self, parts: Sequence[Part]) -> Any:
        """As llama.cpp takes it, with what was written since."""
        if self.images:
            # Where there are images it takes no tokens.
            text = self.text + "".join([part.text for part in parts])
            return {"prompt_string": text, "multimodal_data": list(self.images)}
        found = cast("list[int | str]", memoryview(self.ids).cast("i").tolist())
        for part in parts:
            if part.ids is None:
                found.append(part.text)
            else:
                found += part.ids
        return found


class Part(NamedTuple):
    """What was written behind a prompt. `ids` None: its tokens are not known."""

    ids: list[int] | None
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    prompt: Prompt
    translated: Translated


class Prompts:
    """Renders and counts, each prompt once while it is remembered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: OrderedDict[bytes, Prompt] = OrderedDict()
        self._bytes = 0

    async def render(self, turn: EngineTurn, template: Template) -> Rendered:
        """Raises InvalidRequestError, naming the field, for what cannot be said to the model."""
        return await self._rendered(turn, template, await page_images(turn, _dialect(template)))

    async def offsets(self, turn: EngineTurn, template: Template, prefixes: Sequence[Mapping[str, Any]]) -> list[int]:
        """How many tokens of the turn's prompt each of `prefixes` is: Messages requests that end where a breakpoint
        stands. Never more than the prompt truly shares with it, and none less than the one before."""
        images = await page_images(turn, _dialect(template))
        whole = (await self._rendered(turn, template, images)).prompt
        found: list[int] = []
        for prefix in prefixes:
            messages = list(cast("list[dict[str, Any]]", prefix.get("messages") or ()))
            if not messages or messages[-1]["role"] != "user":
                messages.append({"role": "user", "content": _OTHER})
            request = {**turn.request, **prefix, "messages": messages}
            cut = replace(turn, request=request, materials=materials_of(request, turn))
            body = _body(translate(cut, _dialect(template), images), template)
            body["add_generation_prompt"] = False
            try:
                part = await self._prompt(body, template, thinks=True)
            except InvalidRequestError:
                # A template may refuse a conversation that is cut there.
                shared = 0
            else:
                shared = common_tokens(whole, part)
            found.append(max([shared, *found[-1:]]))
        return found

    async def _rendered(self, turn: EngineTurn, template: Template, images: PageImages) -> Rendered:
        translated = translate(turn, _dialect(template), images)
        body = _body(translated, template)
        prompt = await self._prompt(body, template, turn.thinking is not None)
        return Rendered(prompt, translated)

    async def _prompt(self, body: dict[str, Any], template: Template, thinks: bool) -> Prompt:
        try:
            said = orjson.dumps([thinks, body])
        except orjson.JSONEncodeError:
            raise InvalidRequestError("The request body is nested too deeply.") from None
        # Images may be many megabytes, for which nobody else should wait.
        key = _digest(said) if len(said) < _LONG else await asyncio.to_thread(_digest, said)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        prompt = await self._make(body, template, thinks)
        if key not in self._known:
            self._known[key] = prompt
            self._bytes += prompt.size
        while len(self._known) > 1 and (len(self._known) > _MOST_PROMPTS or self._bytes > _MOST_BYTES):
            self._bytes -= self._known.popitem(last=False)[1].size
        return prompt

    async def _make(self, body: dict[str, Any], template: Template, thinks: bool) -> Prompt:
        with as_api_errors():
            try:
                text = str((await self._connection.post("/apply-template", body, _TIMEOUT))["prompt"])
            except LlamaError as error:
                if error.status not in {400, 500}:
                    raise
                # Templates raise where a conversation is not of their kind.
                said = shown(error.message)
                raise InvalidRequestError(f"messages: the model's chat template refused them: {said}") from None
            tags = template.tags
            opened = not template.harmony and text.rstrip().endswith(tags.open.rstrip())
            added = ""
            if opened and not thinks:
                # The template cannot be told not to think, so the thoughts end before they begin.
                opened, added = False, f"\n{tags.close}\n\n"
                text += added
            images = _images(body["messages"]) if template.vision else ()
            if images:
                counted = await self._connection.post("/chat/completions/input_tokens", body, _TIMEOUT)
                tokens = int(counted["input_tokens"])
                pieces = await self._pieces(text.removesuffix(added), len(images))
                of_images = max(tokens - sum([len(piece) for piece in pieces]) // 4, 0)
                if added:
                    tokens += len(await self._tokenize(added, special=False))
                return Prompt(tokens, b"", text, images, opened, pieces, of_images)
            ids = await self._tokenize(text, special=True)
            return Prompt(len(ids), _packed(ids), "", (), opened)

    async def _pieces(self, text: str, images: int) -> tuple[bytes, ...]:
        texts = _MARKER.split(text)
        if len(texts) != images + 1:
            # A text of the client's that looks like a marker.
            return ()
        found: list[bytes] = []
        for place, piece in enumerate(texts):
            ids = await self._tokenize(piece, special=not place) if piece else []
            found.append(_packed(ids))
        return tuple(found)

    async def _tokenize(self, text: str, *, special: bool) -> list[int]:
        body = {"content": text, "add_special": special, "parse_special": True}
        return cast("list[int]", (await self._connection.post("/tokenize", body, _TIMEOUT))["tokens"])


def _packed(ids: list[int]) -> bytes:
    # Twice as fast as an array.
    return struct.pack(f"{len(ids)}i", *ids)


def common_tokens(one: Prompt, other: Prompt) -> int:
    """How many tokens two prompts begin with alike, or fewer: of some of a prompt's images the tokens are not known, of
    all of them they are."""
    if not one.images and not other.images:
        return _common_ids(one.ids, other.ids)
    if one.text == other.text and one.images == other.images:
        return one.tokens
    first, second = (prompt.pieces if prompt.images else (prompt.ids,) for prompt in (one, other))
    found = images = 0
    for mine, theirs in zip(first, second, strict=False):
        found += _common_ids(mine, theirs)
        both = one.images[images : images + 1], other.images[images : images + 1]
        if mine != theirs or both[0] != both[1] or not both[0]:
            break
        images += 1
    for prompt in (one, other):
        if images and images == len(prompt.images):
            return found + prompt.image_tokens
    return found


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _common_ids(first: bytes, second: bytes) -> int:
    low, high = 0, min(len(first), len(second)) // 4
    # What is compared doubles as a search, in memory that is compared as a whole.
    while low < high:
        middle = (low + high + 1) // 2
        if first[low * 4 : middle * 4] == second[low * 4 : middle * 4]:
            low = middle
        else:
            high = middle - 1
    return low


def _dialect(template: Template) -> Dialect:
    return Dialect(
        "llamacpp",
        vision=template.vision,
        thinking="chat_template_kwargs",
        thinking_history="reasoning_content",
        prefill="last_message",
    )


def _body(translated: Translated, template: Template) -> dict[str, Any]:
    """What is rendered. A model that may call no tool is not told of any."""
    given = translated.body
    body = {name: given[name] for name in ("messages", "chat_template_kwargs", "reasoning_effort") if name in given}
    tools = cast("list[dict[str, Any]]", given.get("tools") or []) if translated.calls else []
    if template.plain_tools:
        body["messages"] = with_plain_tools(body["messages"], tools)
    elif tools:
        body["tools"] = tools
    return body


def _images(messages: list[dict[str, Any]]) -> tuple[str, ...]:
    """The images' base64 in the order of the prompt."""
    found: list[str] = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            found += [
                part["image_url"]["url"].partition(";base64,")[2]
                for part in cast("list[dict[str, Any]]", content)
                if part["type"] == "image_url"
            ]
    return tuple(found)
