"""The tokens of a prompt and of prefixes of it, in one pass.

The prompt is read in the order of the prompt cache: tools, system, what the parameters add, messages. What is read
between two marks may be added up in any order, so this is the same reading as that of `count_prompt`, cut at the marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, cast

from understudy.engines.catalog import Model
from understudy.messages.counting.count import ITEMS, count_read, read_waiting
from understudy.messages.counting.prompt import Prompt, Scan
from understudy.messages.counting.tools import in_prompt_order
from understudy.tokens.pace import Pace
from understudy.wire.known_bodies import KnownBody, Notes

TOOLS: Final = 0
SYSTEM: Final = 1
MESSAGES: Final = 2


class Mark(NamedTuple):
    """The end of a block. `place`: the tool's index in prompt order, the system block's, or the message's; `block`: the
    index of the block in its message. A string is one block."""

    level: int
    place: int
    block: int = 0


class Counted(NamedTuple):
    """`prefixes`: tokens up to each mark, none less than the one before. `citations`, `images`: whether any are on."""

    total: int
    prefixes: tuple[int, ...]
    citations: bool
    images: bool


async def count_marked(
    request: dict[str, Any], model: Model, marks: Sequence[Mark], pace: Pace, known: KnownBody | None = None
) -> Counted:
    """Tokens of a validated request's prompt, the same as `count_prompt` gives, and of it up to each of `marks`.

    `marks` are in the order of the prompt, and none is in front of a compaction, which takes what is before it away.
    The tokens of a prefix are the same for all requests with this prefix, this model, the same `citations` and (behind
    the system prompt) the same parameters. `pace` is the caller's own, who ends it. `known`: the body that the request
    still is.
    """
    return await _Reading(request, model, marks, pace, known).run()


class _Begun(NamedTuple):
    """A reading of the first messages, and how far it had come at each of the marks up to there."""

    prompt: Prompt
    marks: tuple[Mark, ...]
    read: tuple[tuple[int, int], ...]


_STAGE: Final = "count_marked"


class _Reading:
    __slots__ = ("_marks", "_model", "_notes", "_prompt", "_read", "_request", "pace")

    def __init__(
        self, request: dict[str, Any], model: Model, marks: Sequence[Mark], pace: Pace, known: KnownBody | None
    ) -> None:
        self._request = request
        self._model = model
        self._marks = marks
        self._notes = Notes(known, _STAGE, self._serves)
        begun: _Begun | None = self._notes.begun
        self._prompt = Prompt(request, model) if begun is None else begun.prompt.copied(request)
        self._read: list[tuple[int, int]] = [] if begun is None else [*begun.read]
        self.pace = pace

    async def run(self) -> Counted:
        if self._notes.begun is None:
            await self._front()
        await self._messages(self._request["messages"])
        prompt = self._prompt
        prompt.end_messages()
        await self._drain()
        citations = prompt.citations
        prefixes = tuple(
            prompt.tokens(*read, citations=citations and mark.level > TOOLS)
            for mark, read in zip(self._marks, self._read, strict=True)
        )
        return Counted(prompt.all_tokens(), prefixes, citations, prompt.images)

    def _serves(self, messages: int, begun: _Begun) -> bool:
        """Whether an earlier reading of the same beginning had the same marks in it."""
        marks = tuple(mark for mark in self._marks if mark.level < MESSAGES or mark.place < messages)
        return marks == begun.marks and begun.prompt.reads(self._model)

    async def _note(self, messages: int) -> None:
        await self._drain()
        if self._prompt.reads(self._model):
            marks = tuple(self._marks[: len(self._read)])
            self._notes.take(messages, _Begun(self._prompt.copied({}), marks, tuple(self._read)))

    async def _front(self) -> None:
        prompt, request = self._prompt, self._request
        prompt.read_tool_prompt()
        await self._items(in_prompt_order(request.get("tools") or []), prompt.read_tool, TOOLS)
        system = request.get("system")
        if isinstance(system, str):
            prompt.read_content(system)
            if self._places(SYSTEM):
                await self._mark()
        else:
            await self._items(system or [], prompt.read_block, SYSTEM)
        prompt.read_settings()
        await self._drain()
        prompt.end_front()

    async def _messages(self, messages: list[dict[str, Any]]) -> None:
        prompt, first = self._prompt, self._notes.first
        marked: dict[int, list[int]] = {}
        for mark in self._marks:
            if mark.level == MESSAGES:
                marked.setdefault(mark.place, []).append(mark.block)
        for place, message in enumerate(messages[first:] if first else messages, first):
            if place in self._notes.worth:
                await self._note(place)
            if place not in marked:
                prompt.read_message(message)
                if prompt.waiting:
                    await read_waiting(prompt, self.pace)
            else:
                prompt.read_message({**message, "content": None})
                content = message["content"]
                if isinstance(content, str):
                    prompt.read_content(content)
                    await self._mark()
                else:
                    await self._cut(content, prompt.read_block, marked[place])
            if place % ITEMS == ITEMS - 1 and self.pace.due():
                await count_read(prompt, self.pace)
                await self.pace.pause()

    def _places(self, level: int) -> list[int]:
        return [mark.place for mark in self._marks if mark.level == level]

    async def _items(
        self, items: list[dict[str, Any]], read: Callable[[dict[str, Any]], Scan | None], level: int
    ) -> None:
        await self._cut(items, read, self._places(level))

    async def _cut(
        self, items: list[dict[str, Any]], read: Callable[[dict[str, Any]], Scan | None], places: list[int]
    ) -> None:
        """Read `items`, marking behind those at `places`."""
        for part, marked in _parts(items, places):
            if part:
                self._prompt.waiting.append((cast("list[Any]", part), read))
                await read_waiting(self._prompt, self.pace)
            if marked:
                await self._mark()

    async def _mark(self) -> None:
        await self._drain()
        self._read.append((self._prompt.fixed, self._prompt.text_tokens))

    async def _drain(self) -> None:
        if self._prompt.waiting:
            await read_waiting(self._prompt, self.pace)
        await count_read(self._prompt, self.pace)


def _parts(items: list[dict[str, Any]], places: list[int]) -> Iterator[tuple[list[dict[str, Any]], bool]]:
    start = 0
    for place in places:
        yield items[start : place + 1], True
        start = place + 1
    yield items[start:] if start else items, False
