"""Counting a prompt: every text that a model reads, what the rest of it costs, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from every_block import IMAGE, PDF, TOOLS, everything, tags_of, text
from pictures import base64_of, gif, jpeg, pdf, png, png_header
from understudy.engines.catalog import Catalog, configured_model
from understudy.messages.counting import count_prompt
from understudy.tokens.tokenizer import count_text
from understudy.wire.errors import InvalidRequestError
from understudy.wire.requests.blocks import ContentBlockParam, ToolResultContentParam
from understudy.wire.requests.tools import ToolUnionParam
from understudy.wire.validation import validator
from understudy.wire.versions import BETAS

CATALOG = Catalog()
OLD, NEW = "claude-sonnet-4-5", "claude-opus-5-5"

NOT_READ = {
    "cited_text": "documented: does not count towards input tokens",
    "document_title": "part of a citation, like cited_text",
    "encrypted_content": "encrypted",
    "encrypted_stdout": "encrypted",
    "file_id": "an id",
    "id": "an id",
    "retrieved_at": "tells the client when a page was fetched",
    "signature": "for the service",
    "stop_reason": "tells the client how the advisor ended",
    "tool_use_id": "an id",
    "data of redacted_thinking": "encrypted",
    "model of advisor": "which model advises",
    "model of fallback": "which model answered",
    "url of a source": "where the bytes are",
    "what a compaction stands for": "documented: ignored",
}
"""Reviewed: what a client may write at length and a model does not read, with the reason."""

CANARY = "_zanzibar_quokka"

Path: TypeAlias = tuple[str | int, ...]


async def count(request: dict[str, Any]) -> int:
    return await count_prompt(request, CATALOG.find(request["model"]) or configured_model(request["model"]))


async def of_user(content: Any, model: str = OLD, **fields: Any) -> int:
    return await count({"model": model, "messages": [{"role": "user", "content": content}], **fields})


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The places of all strings."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from leaves(part, (*path, name))
    if isinstance(value, str):
        yield path


def at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def with_canary(request: dict[str, Any], path: Path) -> dict[str, Any]:
    changed = copy.deepcopy(request)
    at(changed, path[:-1])[path[-1]] += CANARY
    return changed


def exception(request: dict[str, Any], path: Path) -> str | None:
    """The entry of NOT_READ under which a leaf falls."""
    name, around = str(path[-1]), at(request, path[:-1])
    kind = around.get("type") if isinstance(around, dict) else None
    if path[:2] == ("messages", 0):
        return "what a compaction stands for"
    if (name, kind) == ("data", "redacted_thinking"):
        return "data of redacted_thinking"
    if (name, kind) == ("url", "url"):
        return "url of a source"
    if (name, kind) == ("model", "advisor_20260301"):
        return "model of advisor"
    if name == "model" and path[-2] in {"from", "to"}:
        return "model of fallback"
    return name if name in NOT_READ else None


async def test_every_text_a_model_reads_is_counted_and_nothing_else() -> None:
    request = everything()
    shape = validator("count_tokens", "2023-06-01", tuple(BETAS))
    shape.check(request)
    before = await count(request)
    used: set[str] = set()
    dropped: list[Path] = []
    counted: list[Path] = []
    read = 0
    for path in leaves(request):
        around = at(request, path[:-1])
        # Bytes of pictures are no text; a deferred tool under another name would not be found any more.
        if path == ("model",) or (path[-1] == "data" and around["type"] == "base64"):
            continue
        if path[-1] == "name" and around.get("defer_loading"):
            continue
        changed = with_canary(request, path)
        try:
            shape.check(changed)
        except InvalidRequestError:
            continue  # one of a few given words
        after = await count(changed)
        excepted = exception(request, path)
        if excepted is not None:
            used.add(excepted)
            if after != before:
                counted.append(path)
        elif after <= before:
            dropped.append(path)
        else:
            read += 1
    print(f"{read} texts are read, {len(used)} kinds are not")
    assert dropped == [], "texts that a model should read and that are not counted"
    assert counted == [], "texts that nobody reads and that are counted"
    assert used == set(NOT_READ), "entries of the reviewed list that nothing needs"


def test_the_request_with_everything_has_every_kind_of_block_and_tool() -> None:
    request = everything()
    kinds: set[str] = set()

    def gather(value: Any) -> None:
        if isinstance(value, dict):
            kinds.add(str(value.get("type", "custom" if "input_schema" in value else "")))
            for part in value.values():
                gather(part)
        elif isinstance(value, list):
            for part in value:
                gather(part)

    gather(request)
    for union in (ContentBlockParam, ToolResultContentParam, ToolUnionParam):
        assert set(tags_of(union)) - kinds == set()


async def test_keys_that_steer_the_service_cost_nothing() -> None:
    plain = await of_user([text("hello")])
    assert plain == await of_user("hello")
    cached = {**text("hello"), "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert await of_user([cached]) == plain
    extra: dict[str, Any] = {
        "metadata": {"user_id": "u" * 100},
        "service_tier": "auto",
        "stop_sequences": ["x" * 100],
        "max_tokens": 5,
    }
    assert await of_user("hello", **extra) == plain
    assert await of_user("hello", output_config={"effort": "low"}) == plain


@pytest.mark.parametrize(("said", "tokens"), [("Hi", 8), ("Hello!", 9), ("Say hello", 9)])
async def test_a_short_user_text_costs_what_it_was_recorded_to_cost(said: str, tokens: int) -> None:
    assert await of_user(said) == tokens


async def test_a_prompt_of_nothing_has_a_token() -> None:
    assert await count({"model": OLD, "messages": [{"role": "user", "content": []}]}) >= 1


async def test_neighbours_of_one_role_are_one_turn() -> None:
    two = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    assert await count({"model": OLD, "messages": two}) == await of_user([text("one"), text("two")])


async def test_the_newer_generation_counts_three_tenths_more() -> None:
    words = "The tokenizer of newer models makes more tokens of the same text. " * 50
    assert 1.25 < await of_user(words, NEW) / await of_user(words, OLD) < 1.35


async def test_one_request_counts_the_same_however_often_it_is_counted() -> None:
    request = everything()
    assert len({await count(copy.deepcopy(request)) for _ in range(3)}) == 1


class TestTools:
    TOOL: dict[str, Any] = {"name": "f", "description": "does f", "input_schema": {"type": "object"}}  # noqa: RUF012

    @pytest.mark.parametrize("model", [OLD, NEW])
    async def test_tools_bring_the_hidden_prompt_of_the_model_and_the_choice(self, model: str) -> None:
        found = CATALOG.find(model)
        assert found is not None
        counts = {
            kind: await of_user("hi", model, tools=[self.TOOL], tool_choice={"type": kind, "name": "f"})
            for kind in ("auto", "none", "any", "tool")
        }
        assert counts["auto"] == counts["none"] == await of_user("hi", model, tools=[self.TOOL])
        assert counts["any"] == counts["tool"]
        assert counts["any"] - counts["auto"] == found.forced_tool_prompt_tokens - found.tool_prompt_tokens
        assert counts["auto"] > await of_user("hi", model) + found.tool_prompt_tokens
        assert await of_user("hi", model, tools=[]) == await of_user("hi", model)

    @pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.get("type", tool.get("name")))
    async def test_every_kind_of_tool_costs_something(self, tool: dict[str, Any]) -> None:
        assert await of_user("hi", tools=[self.TOOL, tool]) > await of_user("hi", tools=[self.TOOL])

    async def test_a_deferred_tool_is_counted_once_the_conversation_refers_to_it(self) -> None:
        words = "a long description " * 100
        tools = [self.TOOL, {**self.TOOL, "name": "g", "description": words, "defer_loading": True}]
        deferred = await of_user("hi", tools=tools)
        assert deferred < await of_user("hi", tools=[self.TOOL]) + 100
        found = {"type": "tool_reference", "tool_name": "g"}
        results = [{"type": "tool_result", "tool_use_id": "t", "content": [found]}]
        other = [{"type": "tool_result", "tool_use_id": "t", "content": [{**found, "tool_name": "h"}]}]
        difference = await of_user(results, tools=tools) - await of_user(other, tools=tools)
        assert difference >= count_text(words)
        assert await of_user([*results, *results], tools=tools) < await of_user(results, tools=tools) + 100

    async def test_a_schema_for_the_answer_is_counted_under_both_names(self) -> None:
        schema = {"type": "object", "properties": {"a": {"type": "string", "description": "what is meant" * 10}}}
        given_format = {"type": "json_schema", "schema": schema}
        counted = await of_user("hi", output_config={"format": given_format})
        assert counted > await of_user("hi") + count_text(str(schema)) // 2
        assert counted == await of_user("hi", output_format=given_format)


class TestThinking:
    THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "a long thought " * 100, "signature": "c2ln"}  # noqa: RUF012
    CALL: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "f", "input": {}}  # noqa: RUF012
    RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t", "content": "done"}  # noqa: RUF012

    async def difference(self, *after: dict[str, Any], role: str = "user") -> int:
        """What the thought adds in a conversation that goes on with these blocks."""
        begin = {"role": "user", "content": "do it"}
        end = [{"role": role, "content": list(after)}] if after else []
        counts = [
            await count({"model": OLD, "messages": [begin, {"role": "assistant", "content": said}, *end]})
            for said in ([self.CALL], [self.THOUGHT, self.CALL])
        ]
        return counts[1] - counts[0]

    async def test_thinking_of_the_current_tool_loop_is_counted(self) -> None:
        assert await self.difference(self.RESULT) > 250
        assert await self.difference() > 250

    async def test_thinking_of_earlier_turns_is_not(self) -> None:
        assert await self.difference(text("and now?")) == 0
        assert await self.difference(self.RESULT, text("and now?")) == 0

    async def test_a_system_message_does_not_end_the_loop(self) -> None:
        assert await self.difference(text("be quick"), role="system") > 250

    async def test_thinking_that_is_enabled_brings_its_prompt_on_older_models(self) -> None:
        enabled = {"type": "enabled", "budget_tokens": 2048}
        assert await of_user("hi", thinking=enabled) - await of_user("hi") == 29  # recorded on claude-haiku-4-5


class TestMedia:
    async def image(self, data: bytes, model: str = OLD) -> int:
        source = {"type": "base64", "media_type": "image/png", "data": base64_of(data)}
        return await of_user([{"type": "image", "source": source}], model) - await of_user([], model)

    @pytest.mark.parametrize(
        ("width", "height", "tokens"), [(1, 1, 1), (28, 28, 1), (29, 28, 2), (640, 480, 23 * 18), (1092, 1092, 39 * 39)]
    )
    async def test_a_picture_costs_a_token_for_each_patch(self, width: int, height: int, tokens: int) -> None:
        assert await self.image(png_header(width, height)) == tokens

    @pytest.mark.parametrize(("model", "most"), [(OLD, 1568), (NEW, 4784)])
    @pytest.mark.parametrize("size", [(4000, 4000), (8000, 6000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1), (9000, 40)])
    async def test_a_large_picture_is_scaled_down_to_what_the_model_sees(
        self, model: str, most: int, size: tuple[int, int]
    ) -> None:
        tokens = await self.image(png_header(*size), model)
        assert 1 <= tokens <= most
        if size[0] == size[1]:
            assert tokens > most * 0.95

    async def test_all_formats_of_one_size_cost_the_same(self) -> None:
        assert len({await self.image(make(300, 200)) for make in (png, jpeg, gif)}) == 1

    @pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
    async def test_a_picture_that_cannot_be_read_costs_what_an_unseen_one_does(self, data: bytes) -> None:
        unseen = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
        assert await self.image(data) == await of_user([unseen]) - await of_user([])

    async def test_a_pdf_costs_between_1500_and_3000_tokens_a_page(self) -> None:
        async def of(pages: int) -> int:
            source = {"type": "base64", "media_type": "application/pdf", "data": base64_of(pdf(pages))}
            return await of_user([{"type": "document", "source": source}])

        assert 1_500 < await of(1) - await of_user([]) < 3_000
        assert 99 * 1_500 < await of(100) - await of(1) < 99 * 3_000

    async def test_what_is_inside_results_costs_what_it_does_outside(self) -> None:
        for block in ({"type": "image", "source": IMAGE}, {"type": "document", "source": PDF}, text("words " * 50)):
            empty = await of_user([{"type": "tool_result", "tool_use_id": "t"}])
            inside = await of_user([{"type": "tool_result", "tool_use_id": "t", "content": [block]}]) - empty
            assert abs(inside - (await of_user([block]) - await of_user([]))) <= 1

    async def test_citations_bring_their_prompt_once(self) -> None:
        document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
        cited = {**document, "citations": {"enabled": True}}
        assert await of_user([cited]) > await of_user([document]) + 500
        assert await of_user([cited, cited]) < await of_user([cited]) + 100
        assert await of_user([{**document, "citations": {"enabled": False}}]) == await of_user([document])


class TestCompaction:
    async def test_what_a_compaction_stands_for_is_not_counted_again(self) -> None:
        summary = {"role": "assistant", "content": [{"type": "compaction", "content": "they met"}]}
        end = {"role": "user", "content": "go on"}
        long = [
            {"role": "user", "content": [*([text("words " * 50)] * 500), {"type": "document", "source": PDF}]},
            {"role": "assistant", "content": "words " * 50_000},
        ]
        short = [{"role": "user", "content": "hi"}]
        front = {"model": NEW, "system": "be brief " * 500, "tools": TOOLS}
        assert await count({**front, "messages": [*long, summary, end]}) == await count(
            {**front, "messages": [*short, summary, end]}
        )

    async def test_one_that_failed_stands_for_nothing(self) -> None:
        failed = {"role": "assistant", "content": [{"type": "compaction", "content": None}]}
        begin = {"role": "user", "content": "words " * 500}
        assert await count({"model": NEW, "messages": [begin, failed]}) > await of_user(begin["content"], NEW)


@given(
    said=st.lists(st.tuples(st.sampled_from(("user", "assistant", "system")), st.text(max_size=40)), max_size=10),
    system=st.none() | st.text(max_size=40),
    model=st.sampled_from((OLD, NEW)),
    more=st.sampled_from(({}, {"stream": True, "temperature": 0.5}, {"thinking": {"type": "disabled"}})),
)
async def test_little_text_counts_as_in_any_other_request(
    said: list[tuple[str, str]], system: str | None, model: str, more: dict[str, Any]
) -> None:
    messages = [{"role": role, "content": text} for role, text in said]
    request = {"model": model, "max_tokens": 1, "messages": messages, "system": system, **more}
    # No tools are no tokens, but a request that names them is read block by block.
    assert await count(request) == await count({**request, "tools": []})
