"""Answers of gpt-oss models, which write each part of an answer into a channel of its own.

A part is `<|channel|>name to=recipient<|message|>body<|end|>`, and `<|start|>assistant` begins the next. The head is
read up to `<|message|>`; it says whether the body is thinking, text, or the input of a call.
Source: the format's description at github.com/openai/harmony (2025-08).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from understudy.engines.engine import EngineEvent
from understudy.wire.errors import InvalidRequestError

from .answer import Answer
from .forcing import one_of

_MESSAGE: Final = "<|message|>"
_END: Final = "<|end|>"
_NEXT: Final = "<|start|>assistant"
_RECIPIENT: Final = re.compile(r"to=functions\.([^\s<>]+)")
# The tag in front may stand in the prompt already.
_CHANNEL: Final = re.compile(r"(?:<\|channel\|>|^)\s*(\w+)")
# Tokens of a head, and parts of an answer.
_LONGEST_HEAD: Final = 128
_MOST_PARTS: Final = 256


class HarmonyAnswer(Answer):
    async def _run(self) -> AsyncGenerator[list[EngineEvent], None]:
        plan, writer = self.plan, self.writer
        if plan.forced:
            async with aclosing(self._forced()) as batches:
                async for batch in batches:
                    yield batch
            return
        if plan.schema is not None:
            if plan.thinks:
                await writer.add(f"<|channel|>analysis{_MESSAGE}")
                async with aclosing(self._body("thinking")) as batches:
                    async for batch in batches:
                        yield batch
                if self.reason == "max_tokens":
                    return
                await writer.add(("" if writer.ended.kind == "word" else _END) + _NEXT)
            await writer.add(f"<|channel|>final{_MESSAGE}")
            async with aclosing(self._json(plan.schema)) as batches:
                async for batch in batches:
                    yield batch
            return
        async with aclosing(self._parts()) as batches:
            async for batch in batches:
                yield batch

    async def _parts(self) -> AsyncGenerator[list[EngineEvent], None]:
        plan, writer = self.plan, self.writer
        for _ in range(_MOST_PARTS):
            head = ""
            async with aclosing(writer.write(stop=[_MESSAGE], most=_LONGEST_HEAD)) as batches:
                async for pieces in batches:
                    for text, tokens in pieces:
                        self.took(tokens)
                        head += text
                    yield []
            if writer.ended.kind != "word":
                # No head of any part: it is said as it is.
                self.parts.say("text", head)
                self.reason = "max_tokens" if writer.ended.kind == "limit" else "end_turn"
                yield self.flush()
                return
            recipient, channel = _RECIPIENT.search(head), _CHANNEL.search(head)
            if recipient is not None and recipient[1] in plan.functions:
                self.begin_call(recipient[1])
                async with aclosing(self.input(plan.functions[recipient[1]])) as batches:
                    async for batch in batches:
                        yield batch
                # The model waits for the result of one call before it makes another.
                return
            kind = "thinking" if channel is not None and channel[1] == "analysis" else "text"
            async with aclosing(self._body(kind)) as batches:
                async for batch in batches:
                    yield batch
            over = kind == "text" and (channel is None or channel[1] == "final")
            if over or self.reason == "max_tokens" or writer.left <= 0:
                return
            await writer.add(("" if writer.ended.kind == "word" else _END) + _NEXT)

    async def _body(self, kind: str) -> AsyncGenerator[list[EngineEvent], None]:
        writer = self.writer
        shown = kind == "text" or self.plan.thinks
        while True:
            stops = [_END, *(self.plan.stops if kind == "text" else ())]
            async with aclosing(writer.write(stop=stops)) as batches:
                async for pieces in batches:
                    for text, tokens in pieces:
                        self.took(tokens)
                        if text and shown:
                            self.parts.say("thinking" if kind == "thinking" else "text", text)
                    yield self.flush()
            ended = writer.ended
            if ended.kind == "word" and ended.word != _END:
                self.parts.say("text", ended.word)
                yield self.flush()
                if writer.left > 0:
                    continue
            if ended.kind == "limit" or writer.left <= 0:
                self.reason = "max_tokens"
            return

    async def _forced(self) -> AsyncGenerator[list[EngineEvent], None]:
        names = self.plan.chosen
        if len(names) > 1:
            # [guess] Which of them, the model is asked in a head of its own making, held to their names.
            await self.writer.add("<|channel|>commentary to=functions.")
            name = ""
            async with aclosing(self.writer.write(grammar=one_of(names, " "))) as batches:
                async for pieces in batches:
                    for text, tokens in pieces:
                        self.took(tokens)
                        name += text
                    yield []
            if self.writer.ended.kind != "eos" or self.writer.left <= 0:
                self.reason = "max_tokens"
                return
            name = name[:-1]
            await self.writer.add(f"<|constrain|>json{_MESSAGE}")
        elif names:
            name = names[0]
            await self.writer.add(f"<|channel|>commentary to=functions.{name} <|constrain|>json{_MESSAGE}")
        else:
            raise InvalidRequestError("tool_choice: there is no tool that could be called.")
        self.begin_call(name)
        async with aclosing(self.input(self.plan.functions[name])) as batches:
            async for batch in batches:
                yield batch
