"""One answer as llama.cpp writes it: raw completions on one slot, each going on from where the last one ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from .connection import Connection
from .failures import LlamaGoneError
from .prompts import Part, Prompt
from .slots import Slot

# What is wanted of the last event; without it llama.cpp sends the whole prompt back.
_LAST: Final = ["stop", "stop_type", "stopping_word", "tokens_predicted", "truncated"]
_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a completion ended. `full`: there is no room in the context for another token."""

    kind: Literal["eos", "limit", "word"]
    word: str = ""
    full: bool = False


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds: until llama.cpp takes a request up, and between two signs of progress."""

    first: float = 600.0
    idle: float = 300.0


class Pieces:
    """The tokens of texts that we write for a model, and the text of tokens in which it stopped: asked once each."""

    _MOST: Final = 4096

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._texts: dict[int, str] = {}
        self._tokens: dict[str, list[int]] = {}

    async def text(self, token: int) -> str:
        known = self._texts.get(token)
        if known is None:
            answer = await self._connection.post("/detokenize", {"tokens": [token]}, _TIMEOUT)
            if len(self._texts) >= self._MOST:
                self._texts.clear()
            known = self._texts[token] = str(answer["content"])
        return known

    async def tokens(self, text: str) -> list[int]:
        known = self._tokens.get(text)
        if known is None:
            body = {"content": text, "add_special": False, "parse_special": True}
            answer = await self._connection.post("/tokenize", body, _TIMEOUT)
            if len(self._tokens) >= self._MOST:
                self._tokens.clear()
            known = self._tokens[text] = cast("list[int]", answer["tokens"])
        return known


class Writer:
    """Writes on `prompt`. `left` are the tokens that may still be made, `made` those that were made and count.

    `owed` are tokens of what we wrote for the model, such as the beginning of a call, which no event bears yet.
    `reused`: the tokens of `prompt` whose KV was there, known with the first yield of the first `write`.
    """

    def __init__(
        self,
        connection: Connection,
        slot: Slot,
        prompt: Prompt,
        options: Mapping[str, Any],
        max_tokens: int,
        waits: Waits,
        pieces: Pieces,
    ) -> None:
        self._connection = connection
        self._pieces = pieces
        self._slot = slot
        self._prompt = prompt
        self._options = options
        self._waits = waits
        self._parts: list[Part] = []
        self._begun = False
        self.left = max_tokens
        self.made = 0
        self.owed = 0
        self.reused = 0
        self.ended = Ended("eos")

    async def add(self, text: str) -> None:
        """Put words into the model's mouth. They are the answer's, as if it had made them."""
        if not text:
            return
        ids = await self._pieces.tokens(text)
        self._parts.append(Part(ids, text))
        counted = min(len(ids), max(self.left, 0))
        self.left -= counted
        self.made += counted
        self.owed += counted

    def mark(self) -> int:
        return len(self._parts)

    def reset(self, mark: int) -> None:
        """Take back what was written and added since `mark`. It was made all the same."""
        del self._parts[mark:]

    async def write(
        self,
        *,
        stop: Sequence[str] = (),
        most: int | None = None,
        grammar: str | None = None,
        schema: Mapping[str, Any] | None = None,
        counts: bool = True,
    ) -> AsyncGenerator[list[tuple[str, int]], None]:
        """Pieces of text, and the tokens of each, in lists of what came together; the first sign of life is an empty
        list. `most` tokens at most, however many are left. Then `ended` says why. A word of `stop` is not among the
        pieces, but it is among what is gone on from. `counts`: whether the tokens are the answer's.
        """
        tokens = max(self.left if most is None else min(most, self.left), 0)
        if self._begun and not tokens:
            self.ended = Ended("limit")
            return
        body: dict[str, Any] = {
            **self._options,
            "prompt": self._prompt.with_parts(self._parts),
            "n_predict": tokens,
            "id_slot": self._slot.id,
            "cache_prompt": self._begun or self._slot.mine,
            "stream": True,
            "return_progress": True,
            "response_fields": _LAST,
        }
        if stop:
            body["stop"] = list(stop)
        if grammar is not None:
            body["grammar"] = grammar
        if schema is not None:
            body["json_schema"] = schema
        run = _Run()
        ended: Ended | None = None
        stream = self._connection.stream("/completion", body, first=self._waits.first, idle=self._waits.idle)
        async with aclosing(stream) as batches:
            async for batch in batches:
                pieces: list[tuple[str, int]] = []
                for event in batch:
                    progress = event.get("prompt_progress")
                    if progress is not None:
                        self._progress(progress)
                    elif event.get("stop"):
                        ended = _ended(event)
                    else:
                        pieces.append(run.take(event))
                if not tokens:
                    # llama.cpp makes one all the same.
                    pieces = []
                if counts and pieces:
                    made = sum([tokens for _, tokens in pieces])
                    self.left -= made
                    self.made += made
                yield pieces
        if ended is None:
            raise LlamaGoneError("The llama.cpp server broke its answer off.")
        self.ended = ended
        if tokens:
            self._parts.append(await run.written(ended, self._pieces))

    def _progress(self, progress: dict[str, Any]) -> None:
        if not self._begun:
            self._begun = True
            self._slot.take(self._prompt)
            self.reused = min(progress["cache"], self._prompt.tokens)


class _Run:
    """What one completion wrote, so that the next can go on from the same tokens."""

    __slots__ = ("_aligned", "_before", "_ids", "_last", "_produced", "_texts")

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._texts: list[str] = []
        self._last = ""
        self._produced = 0
        # How many tokens have all their text in the pieces, and the same one piece earlier.
        self._aligned = 0
        self._before = 0

    def take(self, event: dict[str, Any]) -> tuple[str, int]:
        text: str = event["content"]
        produced: int = event["tokens_predicted"]
        tokens = produced - self._produced
        self._produced = produced
        self._ids += event["tokens"]
        self._last = text
        self._before = self._aligned
        if text:
            self._texts.append(text)
            self._aligned = len(self._ids)
        return text, tokens

    async def written(self, ended: Ended, pieces: Pieces) -> Part:
        ids = self._ids
        text = "".join(self._texts) + ended.word
        if len(ids) != self._produced:
            # Those of a character that never became whole are not told.
            return Part(None, text)
        if ended.kind == "eos":
            ids = ids[:-1]
        elif ended.kind == "word":
            last = await pieces.text(ids[-1])
            if not (last.endswith(ended.word) or ended.word.endswith(last)):
                # The last token holds more than the word, which was cut off and must not be gone on from.
                kept = self._before if self._last else self._aligned
                ids = ids[:kept] + await pieces.tokens(self._last + ended.word)
        return Part(ids, text)


def _ended(event: dict[str, Any]) -> Ended:
    kind = event.get("stop_type")
    if kind == "word":
        return Ended("word", event.get("stopping_word") or "")
    return Ended("limit", full=bool(event.get("truncated"))) if kind == "limit" else Ended("eos")
