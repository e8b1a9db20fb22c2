"""A GGUF model behind llama.cpp, as an engine.

    LlamaEngine(name: str, server: LlamaServer, *, waits: Waits = Waits())

`server` is a LlamaWorker or an ExternalLlama that was started; the engine neither starts nor stops it.

One design for all that a model may be asked: the prompt is rendered by the model's own template (/apply-template),
counted in its own tokens (/tokenize), and sent to /completion as those tokens. llama.cpp's chat routes and their
parsers are not used: they fail on outputs they do not expect, and the answer is lost; and they force no call. How the
answer is held to calls and schemas stands in `answer`, how the template's ways are learned in `templates`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from understudy.engines.engine import EngineEvent, EngineTurn, PromptUsage, Stop

from .answer import Answer
from .errors import as_api_errors, prompt_too_long
from .harmony import HarmonyAnswer
from .plain_tools import HERMES
from .plan import plan
from .prompts import Prompts
from .slots import Slots
from .supervisor import LlamaServer
from .templates import Template, learn
from .writer import Pieces, Waits, Writer

_SAMPLING: Final = ("temperature", "top_p", "top_k")


class LlamaEngine:
    """`name` is the engine's own, shown by `understudy-engine`."""

    def __init__(self, name: str, server: LlamaServer, *, waits: Waits | None = None) -> None:
        self.name = name
        self._server = server
        self._waits = waits or Waits()
        self._prompts = Prompts(server.connection)
        self._pieces = Pieces(server.connection)
        self._template: Template | None = None
        self._slots: Slots | None = None
        self._learning = asyncio.Lock()

    async def count(self, turn: EngineTurn) -> int:
        """The tokens of the prompt, exactly as `run` will read them."""
        return (await self._prompts.render(_as_asked(turn), await self._learned())).prompt.tokens

    async def offsets(self, turn: EngineTurn, prefixes: Sequence[Mapping[str, Any]]) -> list[int]:
        """How many tokens of the prompt each prefix of it is; see Prompts.offsets."""
        return await self._prompts.offsets(_as_asked(turn), await self._learned(), prefixes)

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        """As Engine.run. The first batch has PromptUsage; its `reused` are the tokens whose KV was in the slot, whether
        or not the request asked for caching."""
        template = await self._learned()
        turn = _as_asked(turn)
        rendered = await self._prompts.render(turn, template)
        prompt = rendered.prompt
        # One token of room: llama.cpp takes no prompt that fills its context.
        if prompt.tokens >= template.n_ctx:
            raise prompt_too_long(prompt.tokens, template.n_ctx - 1)
        assert self._slots is not None
        # Without a tenant there is one for all.
        async with self._slots.hold(turn.tenant or "", prompt, self._waits.first) as slot:
            body = rendered.translated.body
            options: dict[str, Any] = {name: body[name] for name in _SAMPLING if name in body}
            options["preserved_tokens"] = template.preserved
            writer = Writer(self._server.connection, slot, prompt, options, turn.max_tokens, self._waits, self._pieces)
            with as_api_errors():
                if not turn.max_tokens:
                    async with aclosing(writer.write(most=0)) as batches:
                        async for _ in batches:
                            pass
                    yield [PromptUsage(prompt.tokens, reused=writer.reused), Stop("max_tokens", 0)]
                    return
                asked = plan(turn, rendered.translated, opened=prompt.opened)
                made = HarmonyAnswer if template.harmony else Answer
                begun = False
                async with aclosing(made(writer, asked, template).run()) as batches:
                    async for batch in batches:
                        if not begun:
                            begun = True
                            yield [PromptUsage(prompt.tokens, reused=writer.reused), *batch]
                        elif batch:
                            yield batch

    async def _learned(self) -> Template:
        """What the template is like, asked once."""
        if self._template is None:
            async with self._learning:
                if self._template is None:
                    with as_api_errors():
                        template = await learn(self._server.connection)
                    if template.calls is None and not template.harmony:
                        template = replace(template, calls=HERMES, plain_tools=True)
                    self._slots = Slots(template.slots)
                    self._template = template
        return self._template


def _as_asked(turn: EngineTurn) -> EngineTurn:
    """A call that must be made comes first of all: no thinking goes before it, even where the model may think."""
    choice = turn.request.get("tool_choice")
    if turn.thinking is not None and choice and choice["type"] in {"any", "tool"}:
        return replace(turn, thinking=None)
    return turn
