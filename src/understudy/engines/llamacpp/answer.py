"""An answer as one row of raw completions, and what comes of them as an engine's events.

The model writes freely until llama.cpp stops at a word that means something: the end of its thinking, or the tag with
which its template begins a call. From there we go on in its place: the name of the tool is chosen under a grammar of
the names there are, the input is written under its schema, and then the model may only call again. An answer that must
be a call, or must be JSON, begins at that point. Names and inputs that come this way need no parser, so there is none
that could fail; only calls of templates that do not write JSON are read (`parsing`), and what cannot be read is text.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import orjson

from understudy.engines.engine import EngineEvent, InputDelta, Stop, StopReason, ToolUse
from understudy.engines.openai_compatible.errors import UpstreamError
from understudy.engines.openai_compatible.parts import Parts
from understudy.wire.errors import InvalidRequestError

from .failures import LlamaError
from .forcing import ANY_OBJECT, constrained, one_of
from .parsing import Thoughts, read_calls
from .plan import Plan
from .templates import Calls, Template
from .writer import Writer

# Tokens in which a model must begin another call if it wants one: white space, and the tag.
_PEEK: Final = 8
_MOST_CALLS: Final = 128


class Answer:
    """`run` yields the batches of one answer, the last of them with Stop."""

    def __init__(self, writer: Writer, plan: Plan, template: Template) -> None:
        self.writer = writer
        self.plan = plan
        self.template = template
        # Tokens of pieces that gave rise to no event yet.
        self._waiting = 0
        self.parts = Parts(plan.names, self.tokens)
        self.reason: StopReason = "end_turn"
        # Whether any text was said.
        self._spoke = False
        state = "thinking" if plan.opened else "text" if plan.begun else "start"
        self.thoughts = Thoughts(template.tags, state)

    # --- for the kinds of answers ---

    def tokens(self) -> int:
        """What the next event bears."""
        tokens = self._waiting + self.writer.owed
        self._waiting = self.writer.owed = 0
        return tokens

    def took(self, tokens: int) -> None:
        self._waiting += tokens

    def flush(self) -> list[EngineEvent]:
        events, self.parts.events = self.parts.events, []
        return events

    def stop(self) -> Stop:
        made = min(max(self.writer.made, 1), self.plan.max_tokens)
        return Stop(self.reason, made)

    def begin_call(self, name: str) -> None:
        ours, toolset_name = self.plan.names.ours(name)
        self.parts.events.append(ToolUse(ours, toolset_name, self.tokens()))

    async def input(self, schema: Mapping[str, Any]) -> AsyncGenerator[list[EngineEvent], None]:
        """An open call's input, held to `schema`, or to any object where there can be no grammar of it."""
        wanted = constrained(schema)
        while True:
            mark = self.writer.mark()
            begun = False
            try:
                async with aclosing(self.writer.write(schema=wanted)) as batches:
                    async for pieces in batches:
                        for text, tokens in pieces:
                            self.took(tokens)
                            if text:
                                begun = begun or _begins_object(text)
                                self.parts.events.append(InputDelta(text, self.tokens()))
                        yield self.flush()
                break
            except (LlamaError, _UnboundError) as error:
                if begun or wanted is _ANY or (isinstance(error, LlamaError) and error.status != 400):
                    if isinstance(error, LlamaError):
                        raise
                    raise UpstreamError("The model's server does not hold to a grammar.") from None
                self.parts.events.clear()
                self.writer.reset(mark)
                wanted = _ANY
        self.reason = "tool_use" if self.writer.ended.kind == "eos" else "max_tokens"

    # --- the answer ---

    async def run(self) -> AsyncGenerator[list[EngineEvent], None]:
        async with aclosing(self._run()) as batches:
            async for batch in batches:
                yield batch
        self.parts.end(cut=True)
        yield [*self.flush(), self.stop()]

    async def _run(self) -> AsyncGenerator[list[EngineEvent], None]:
        plan, writer, calls = self.plan, self.writer, self.template.calls
        if plan.forced or plan.schema is not None:
            if plan.thinks and (self.template.tags.used or plan.opened):
                async with aclosing(self._think()) as batches:
                    async for batch in batches:
                        yield batch
                if self.reason == "max_tokens":
                    return
            if plan.schema is not None and not plan.forced:
                if calls is None or not plan.functions or not await self._begins_call(calls.trigger):
                    async with aclosing(self._json(plan.schema)) as batches:
                        async for batch in batches:
                            yield batch
                    return
            elif calls is not None:
                await writer.add(calls.trigger)
        else:
            async with aclosing(self._free()) as batches:
                async for batch in batches:
                    yield batch
            if self.reason != "tool_use":
                return
        if calls is not None:
            async with aclosing(self._calls(calls)) as batches:
                async for batch in batches:
                    yield batch

    async def _think(self) -> AsyncGenerator[list[EngineEvent], None]:
        """Thinking, which then is over: there is nothing else that may come first."""
        tags, writer, thoughts = self.template.tags, self.writer, self.thoughts
        if thoughts.state != "thinking":
            await writer.add(tags.open.rstrip() + "\n")
            thoughts.state = "thinking"
        # [guess] Where nothing says how long, at most half of what there is: an answer is better than none.
        most = max(writer.left // 2, 1) if self.plan.budget is None else self.plan.budget
        async with aclosing(writer.write(stop=[tags.close], most=most)) as batches:
            async for pieces in batches:
                yield self._said(pieces)
        thoughts.close()
        ended = writer.ended
        if ended.kind == "limit" and (writer.left <= 0 or ended.full):
            self.reason = "max_tokens"
        else:
            await writer.add("\n\n" if ended.kind == "word" else f"\n{tags.close}\n\n")

    async def _json(self, schema: Mapping[str, Any]) -> AsyncGenerator[list[EngineEvent], None]:
        """The whole answer as JSON."""
        begun = schema.get("type") != "object"
        try:
            async with aclosing(self.writer.write(schema=constrained(schema), stop=self.plan.stops)) as batches:
                async for pieces in batches:
                    for text, tokens in pieces:
                        self.took(tokens)
                        if text:
                            begun = begun or _begins_object(text)
                            self.parts.say("text", text)
                    yield self.flush()
        except (LlamaError, _UnboundError) as error:
            if isinstance(error, LlamaError) and (error.status != 400 or "json_schema" not in error.message):
                raise
            raise InvalidRequestError(
                "output_config.format.schema: the model's server can make no grammar of this schema."
            ) from error
        ended = self.writer.ended
        if ended.kind == "word":
            self.parts.say("text", ended.word)
        self.reason = "max_tokens" if ended.kind == "limit" else "end_turn"

    async def _free(self) -> AsyncGenerator[list[EngineEvent], None]:
        """Whatever the model says. The reason is `tool_use` when it begins a call."""
        plan, writer, tags, thoughts = self.plan, self.writer, self.template.tags, self.thoughts
        trigger = self.template.calls.trigger if plan.functions and self.template.calls is not None else ""
        tagged = self.template.calls is not None and self.template.calls.tagged
        thought = 0
        while True:
            before = writer.made
            stops = [trigger] if trigger else []
            if thoughts.state == "text" or not (tags.used or plan.thinks):
                # Elsewhere they could be found in thinking, or in a tag, and what follows them in a token is lost.
                stops += plan.stops
            most = None
            if thoughts.state != "text":
                stops.append(tags.close)
                if plan.budget is not None:
                    most = max(plan.budget - thought, 1)
            async with aclosing(writer.write(stop=stops, most=most)) as batches:
                async for pieces in batches:
                    yield self._said(pieces)
            thought += writer.made - before
            ended = writer.ended
            if ended.kind == "eos":
                break
            if ended.kind == "word":
                if thoughts.state == "thinking" and ended.word == tags.close:
                    thoughts.close()
                elif ended.word == trigger and thoughts.state != "thinking" and (tagged or not self._spoke):
                    self.reason = "tool_use"
                    break
                else:
                    # A word that means nothing here is what the model said.
                    yield self._said([(ended.word, 0)])
            elif writer.left > 0 and not ended.full:
                if thoughts.state == "thinking":
                    await writer.add(f"\n{tags.close}\n\n")
                    thoughts.close()
                elif thoughts.state == "start":
                    thoughts.state = "text"
            if writer.left <= 0 or ended.full:
                self.reason = "max_tokens"
                break
        kind, text = thoughts.rest()
        if text:
            self.parts.say(kind, text)

    def _said(self, pieces: list[tuple[str, int]]) -> list[EngineEvent]:
        for text, tokens in pieces:
            self.took(tokens)
            if text:
                kind, text = self.thoughts.feed(text)
                self._spoke = self._spoke or (kind == "text" and not text.isspace() and bool(text))
                if text and (kind == "text" or self.plan.thinks):
                    self.parts.say(kind, text)
        return self.flush()

    # --- calls ---

    async def _calls(self, calls: Calls) -> AsyncGenerator[list[EngineEvent], None]:
        """One call, of which the trigger was written, and all that the model puts behind it."""
        read = not calls.json and not self.plan.forced
        lead = calls.lead
        for _ in range(_MOST_CALLS):
            one = self._read_call(calls) if read else self._write_call(calls, lead)
            async with aclosing(one) as batches:
                async for batch in batches:
                    yield batch
            if self.plan.one_call or not calls.again or self.reason != "tool_use" or self.writer.left <= 0:
                return
            await self.writer.add(calls.end if read else calls.close)
            if not await self._begins_call(calls.again):
                return
            lead = calls.again_lead if calls.json else calls.lead

    async def _write_call(self, calls: Calls, lead: str) -> AsyncGenerator[list[EngineEvent], None]:
        writer, names = self.writer, self.plan.chosen
        if len(names) == 1:
            name = names[0]
            await writer.add(lead + name + calls.middle)
        else:
            await writer.add(lead)
            name = ""
            async with aclosing(writer.write(grammar=one_of(names, calls.middle))) as batches:
                async for pieces in batches:
                    for text, tokens in pieces:
                        self.took(tokens)
                        name += text
                    yield []
            if writer.ended.kind != "eos" or writer.left <= 0:
                self.reason = "max_tokens"
                return
            name = name[: len(name) - len(calls.middle)]
        self.begin_call(name)
        async with aclosing(self.input(self.plan.functions[name])) as batches:
            async for batch in batches:
                yield batch

    async def _read_call(self, calls: Calls) -> AsyncGenerator[list[EngineEvent], None]:
        """A call that the model writes in its own way, read when it has ended."""
        written: list[str] = []
        async with aclosing(self.writer.write(stop=[calls.end] if calls.end else [])) as batches:
            async for pieces in batches:
                for text, tokens in pieces:
                    self.took(tokens)
                    written.append(text)
                yield []
        body = "".join(written)
        found = read_calls(body, self.plan.functions) if self.writer.ended.kind != "limit" else []
        for name, given in found[:1] if self.plan.one_call else found:
            self.begin_call(name)
            self.parts.events.append(InputDelta(orjson.dumps(given).decode(), self.tokens()))
        if not found:
            self.parts.say("text", calls.trigger + body + self.writer.ended.word)
            self.reason = "max_tokens" if self.writer.ended.kind == "limit" else "end_turn"
        yield self.flush()

    async def _begins_call(self, trigger: str) -> bool:
        """Whether the model begins a call now. If not, what it wrote instead is as if never written."""
        writer = self.writer
        mark = writer.mark()
        written = ""
        async with aclosing(writer.write(stop=[trigger], most=_PEEK, counts=False)) as batches:
            async for pieces in batches:
                written += "".join([text for text, _ in pieces])
        if writer.ended.kind == "word" and not written.strip():
            return True
        writer.reset(mark)
        return False


class _UnboundError(Exception):
    """llama.cpp took a schema, but made no grammar of it: it says so in its log alone."""


_ANY: Final = constrained(ANY_OBJECT)


def _begins_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        raise _UnboundError
    return True
