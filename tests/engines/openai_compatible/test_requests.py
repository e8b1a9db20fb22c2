"""Messages requests and the bodies that the upstream gets for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_type_hints

import pytest

from engines.openai_compatible.turns import TIME, WEATHER, request, turn
from every_block import IMAGE
from understudy.engines.materials import Document, Materials
from understudy.engines.openai_compatible.dialects import DIALECTS, Dialect
from understudy.engines.openai_compatible.left_out import LEFT_OUT
from understudy.engines.openai_compatible.request import TRANSLATED, translate
from understudy.wire.client_tools_members import TOOLSETS
from understudy.wire.errors import InvalidRequestError
from understudy.wire.requests.params import MessageCreateParams

Json = dict[str, Any]
PLAIN = DIALECTS["generic"]
SEEING = replace(PLAIN, vision=True)
VLLM = DIALECTS["vllm"]
SHOWN = {"type": "image_url", "image_url": {"url": f"data:{IMAGE['media_type']};base64,{IMAGE['data']}"}}


def user(*content: Any) -> Json:
    return {
        "role": "user",
        "content": content[0] if len(content) == 1 and isinstance(content[0], str) else list(content),
    }


def assistant(*content: Any) -> Json:
    return {**user(*content), "role": "assistant"}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(id_: str = "toolu_1", name: str = "weather", **more: Any) -> Json:
    return {"type": "tool_use", "id": id_, "name": name, "input": {"city": "Rome"}, **more}


def result(content: Any = "sun", id_: str = "toolu_1", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **more}


def called(id_: str = "toolu_1", name: str = "weather") -> Json:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": '{"city":"Rome"}'}}


CALLED: Json = {"role": "assistant", "content": "", "tool_calls": [called()]}
HI: Json = {"role": "user", "content": "hi"}


def body(request_: Json, dialect: Dialect = PLAIN, **more: Any) -> Json:
    return translate(turn(request_, **more), dialect).body


CONVERSATIONS: dict[str, tuple[list[Json], list[Json]]] = {
    "strings": ([user("a"), assistant("b"), user("c")], [user("a"), assistant("b"), user("c")]),
    "texts are one": ([user(text("a"), text("b"))], [user("a\n\nb")]),
    "neighbours of one role are one message": ([user("a"), user(text("b"))], [user("a\n\nb")]),
    "an image": (
        [user(text("what?"), {"type": "image", "source": IMAGE})],
        [{"role": "user", "content": [text("what?"), SHOWN]}],
    ),
    "a call and its result": (
        [user("hi"), assistant(use()), user(result())],
        [HI, CALLED, {"role": "tool", "tool_call_id": "toolu_1", "content": "sun"}],
    ),
    "what is said beside a call, and beside its result": (
        [user("hi"), assistant(text("let me see"), use()), user(result([text("sun"), text("wind")]), text("so?"))],
        [
            HI,
            {**CALLED, "content": "let me see"},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "sun\n\nwind"},
            user("so?"),
        ],
    ),
    "calls side by side": (
        [user("hi"), assistant(use()), assistant(use("toolu_2")), user(result(), result("rain", "toolu_2"))],
        [
            HI,
            {**CALLED, "tool_calls": [called(), called("toolu_2")]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "sun"},
            {"role": "tool", "tool_call_id": "toolu_2", "content": "rain"},
        ],
    ),
    "an error": (
        [user("hi"), assistant(use()), user(result("no city", is_error=True))],
        [HI, CALLED, {"role": "tool", "tool_call_id": "toolu_1", "content": "Error:\n\nno city"}],
    ),
    "a result of nothing": (
        [user("hi"), assistant(use()), user({"type": "tool_result", "tool_use_id": "toolu_1"})],
        [HI, CALLED, {"role": "tool", "tool_call_id": "toolu_1", "content": ""}],
    ),
    "an image in a result": (
        [user("hi"), assistant(use()), user(result([text("sun"), {"type": "image", "source": IMAGE}]), text("so?"))],
        [
            HI,
            CALLED,
            {"role": "tool", "tool_call_id": "toolu_1", "content": "sun"},
            {"role": "user", "content": [text("Shown by the result of toolu_1:"), SHOWN, text("so?")]},
        ],
    ),
    "a result without its call": ([user(result("sun", "toolu_9"), text("so?"))], [user("sun\n\nso?")]),
    "a system message on the way": (
        [user("hi"), {"role": "system", "content": "be brief"}, assistant("b"), user("c")],
        [user("hi\n\n<system-reminder>\nbe brief\n</system-reminder>"), assistant("b"), user("c")],
    ),
    "a system message behind a result": (
        [user("hi"), assistant(use()), user(result("sun")), {"role": "system", "content": [text("be brief")]}],
        [
            HI,
            CALLED,
            {"role": "tool", "tool_call_id": "toolu_1", "content": "sun"},
            user("<system-reminder>\nbe brief\n</system-reminder>"),
        ],
    ),
    "a system message that only sets something": (
        [user("hi"), {"role": "system", "content": [], "output_config": {"effort": "low"}}],
        [HI],
    ),
    "a plain document": (
        [
            user(
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "words"},
                    "title": 'a "title"',
                    "context": "about",
                }
            )
        ],
        [user('<document title="a \\"title\\"" context="about">\n\nwords\n\n</document>')],
    ),
    "a document of parts": (
        [
            user(
                {
                    "type": "document",
                    "source": {"type": "content", "content": [text("one"), {"type": "image", "source": IMAGE}]},
                }
            )
        ],
        [{"role": "user", "content": [text("<document>"), text("one"), SHOWN, text("</document>")]}],
    ),
    "a search result": (
        [user({"type": "search_result", "title": "t", "source": "s", "content": [text("one"), text("two")]})],
        [user('<search_result title="t" source="s">\none\n\ntwo\n</search_result>')],
    ),
    "a search result in a result": (
        [
            user("hi"),
            assistant(use()),
            user(result([{"type": "search_result", "title": "t", "source": "s", "content": [text("one")]}])),
        ],
        [
            HI,
            CALLED,
            {
                "role": "tool",
                "tool_call_id": "toolu_1",
                "content": '<search_result title="t" source="s">\none\n</search_result>',
            },
        ],
    ),
    "what a server's tool did": (
        [
            user("hi"),
            assistant(
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {
                    "type": "web_search_tool_result",
                    "tool_use_id": "srvtoolu_1",
                    "content": [
                        {
                            "type": "web_search_result",
                            "title": "t",
                            "url": "u",
                            "encrypted_content": "x",
                            "page_age": None,
                        }
                    ],
                },
                text("so"),
            ),
            user("and?"),
        ],
        [
            HI,
            assistant(
                '<tool_call name="web_search">\n{"query":"q"}\n</tool_call>\n\n'
                '<search_result title="t" url="u">\n\n</search_result>\n\nso'
            ),
            user("and?"),
        ],
    ),
    "a page that was fetched": (
        [
            user("hi"),
            assistant(
                {
                    "type": "web_fetch_tool_result",
                    "tool_use_id": "srvtoolu_1",
                    "content": {
                        "type": "web_fetch_result",
                        "url": "u",
                        "content": {
                            "type": "document",
                            "source": {"type": "text", "media_type": "text/plain", "data": "page"},
                        },
                    },
                }
            ),
            user("and?"),
        ],
        [
            HI,
            assistant('<web_page url="u">\n\n<document>\n\npage\n\n</document>\n\n</web_page>'),
            user("and?"),
        ],
    ),
    "what stands before a compaction": (
        [
            user("old"),
            assistant(
                "older",
            ),
            user("x"),
            assistant({"type": "compaction", "content": "sum"}, text("b")),
            user("c"),
        ],
        [user("sum"), assistant("b"), user("c")],
    ),
    "thinking is left out": (
        [
            user("hi"),
            assistant(
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                text("b"),
            ),
            user("c"),
        ],
        [HI, assistant("b"), user("c")],
    ),
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_is_said_in_the_upstreams_words(name: str) -> None:
    given, expected = CONVERSATIONS[name]
    assert body(request(*given), SEEING)["messages"] == expected


def test_a_system_message_on_the_way_is_one_where_the_upstream_takes_it() -> None:
    brief = {"role": "system", "content": "be brief"}
    taking = replace(PLAIN, late_system="system")
    assert body(request(user("hi"), brief), taking)["messages"] == [HI, brief]


@pytest.mark.parametrize(("system", "expected"), [("be", "be"), ([text("be"), text("kind")], "be\n\nkind")])
def test_the_system_prompt_comes_first(system: Any, expected: str) -> None:
    assert body(request(system=system))["messages"] == [{"role": "system", "content": expected}, HI]


def test_thinking_goes_back_where_the_upstream_takes_it() -> None:
    thought = assistant({"type": "thinking", "thinking": "hm", "signature": "s"}, use())
    given = request(user("hi"), thought, user(result()))
    assert body(given, VLLM)["messages"][1] == {**CALLED, "reasoning": "hm"}


def pdf(words: str = "", **more: Any) -> Json:
    return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": words}, **more}


class TestPdfs:
    def test_pages_are_told_apart(self) -> None:
        materials = Materials((Document(0, None, "pdf", ("one", "two"), False),))
        said = body(request(user(pdf(), text("?"))), materials=materials)["messages"][0]["content"]
        assert said == (
            '<document>\n\n<page number="1">\none\n</page>\n\n<page number="2">\ntwo\n</page>\n\n</document>\n\n?'
        )

    def test_each_has_its_own_words_after_the_first_was_cleared(self) -> None:
        documents = tuple(Document(index, None, "pdf", (name,), False) for index, name in enumerate(("old", "a", "b")))
        given = request(user(pdf("1")), assistant(use()), user(result([pdf("2")])))
        said = str(body(given, materials=Materials(documents))["messages"])
        assert said.index(">\\na\\n<") < said.index(">\\nb\\n<")
        assert "old" not in said

    @pytest.mark.parametrize("pages", [(), ("", " ")])
    def test_one_without_text_is_refused(self, pages: tuple[str, ...]) -> None:
        materials = Materials((Document(0, None, "pdf", pages, False),))
        with pytest.raises(InvalidRequestError, match=r"messages\.0\.content\.1\.document: "):
            body(request(user(text("a"), pdf())), materials=materials)


def function(name: str, **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, **more}}


class TestTools:
    def test_a_tool_is_a_function(self) -> None:
        tools = [{**WEATHER, "strict": True}, {**TIME, "input_examples": [{"a": 1}], "eager_input_streaming": True}]
        assert body(request(tools=tools))["tools"] == [
            function("weather", description="Tells the weather.", parameters=WEATHER["input_schema"], strict=True),
            function("time", description='Examples of its input:\n{"a":1}', parameters=TIME["input_schema"]),
        ]

    def test_defined_tools_say_what_only_their_type_says(self) -> None:
        computer = {"type": "computer_20250124", "name": "computer", "display_width_px": 800, "display_height_px": 600}
        editor = {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 99}
        described = [made["function"]["description"] for made in body(request(tools=[computer, editor]))["tools"]]
        assert "800 x 600" in described[0]
        assert "99 characters" in described[1]

    def test_members_of_two_toolsets_and_a_tool_of_that_name_are_told_apart(self) -> None:
        own = {**TIME, "name": "computer_left_click"}
        translated = translate(turn(request(tools=[own, *({"type": kind} for kind in TOOLSETS)])), PLAIN)
        names = [made["function"]["name"] for made in translated.body["tools"]]
        assert len(set(names)) == len(names)
        back = {translated.names.ours(name) for name in names}
        assert {("computer_left_click", None), ("left_click", "computer"), ("left_click", "browser")} <= back

    def test_a_call_of_a_member_goes_by_the_same_name(self) -> None:
        given = request(
            user("hi"),
            assistant(use(name="left_click", toolset_name="computer")),
            user(result()),
            tools=[{"type": next(iter(TOOLSETS))}],
        )
        made = body(given)
        said = made["messages"][1]["tool_calls"][0]["function"]["name"]
        assert said in {tool["function"]["name"] for tool in made["tools"]}

    def test_long_names_are_shortened_and_given_back(self) -> None:
        names = ["a" * 128, "a" * 127]
        translated = translate(turn(request(tools=[{**TIME, "name": name} for name in names])), PLAIN)
        sent = [made["function"]["name"] for made in translated.body["tools"]]
        assert all(len(name) <= 64 for name in sent)
        assert [translated.names.ours(name) for name in sent] == [(name, None) for name in names]

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            ({"type": "auto"}, {}),
            ({"type": "any"}, {"tool_choice": "required"}),
            ({"type": "none"}, {"tool_choice": "none"}),
            ({"type": "tool", "name": "time"}, {"tool_choice": function("time")}),
            ({"type": "auto", "disable_parallel_tool_use": True}, {"parallel_tool_calls": False}),
        ],
    )
    def test_tool_choice(self, choice: Json, expected: Json) -> None:
        made = body(request(tools=[WEATHER, TIME], tool_choice=choice), VLLM)
        assert {name: made[name] for name in ("tool_choice", "parallel_tool_calls") if name in made} == expected

    def test_an_upstream_without_tool_choice_cannot_be_forced_but_can_be_kept_from_calling(self) -> None:
        ollama = DIALECTS["ollama"]
        with pytest.raises(InvalidRequestError, match="tool_choice: "):
            body(request(tools=[TIME], tool_choice={"type": "any"}), ollama)
        made = translate(turn(request(tools=[TIME], tool_choice={"type": "none"})), ollama)
        assert "tools" not in made.body
        assert not made.calls

    def test_tools_come_and_go(self) -> None:
        deferred = {**WEATHER, "defer_loading": True}
        assert len(body(request(tools=[TIME, deferred]))["tools"]) == 1
        found = result([{"type": "tool_reference", "tool_name": "weather"}])
        given = request(user("hi"), assistant(use(name="time")), user(found), tools=[TIME, deferred])
        assert [made["function"]["name"] for made in body(given)["tools"]] == ["time", "weather"]
        change = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "time"}}
        added = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": WEATHER}}
        given = request(user("hi"), {"role": "system", "content": [change, added]}, tools=[TIME])
        assert [made["function"]["name"] for made in body(given)["tools"]] == ["weather"]

    def test_a_tool_that_runs_on_the_server_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match=r"tools\.1: "):
            body(request(tools=[TIME, {"type": "web_search_20250305", "name": "web_search"}]))


SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
FORMAT = {"format": {"type": "json_schema", "schema": SCHEMA}}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
FORMATTED = replace(PLAIN, structured_outputs="format")
CHOSEN = {"enable_thinking": True, "thinking": True}
SILENT = {"enable_thinking": False, "thinking": False}

FIELDS: dict[str, tuple[Dialect, Json, str | None, Json]] = {
    "the limit": (PLAIN, {}, None, {"max_tokens": 100}),
    "the limit by its newer name": (DIALECTS["openai"], {}, None, {"max_completion_tokens": 100}),
    "sampling": (
        VLLM,
        {"temperature": 0.5, "top_p": 0.9, "top_k": 3},
        None,
        {"temperature": 0.5, "top_p": 0.9, "top_k": 3},
    ),
    "no top_k": (PLAIN, {"top_k": -1}, None, {"top_k": None}),
    "a schema": (PLAIN, {"output_config": FORMAT}, None, {"response_format": JSON_SCHEMA}),
    "a schema by its older field": (PLAIN, {"output_format": FORMAT["format"]}, None, {"response_format": JSON_SCHEMA}),
    "a schema elsewhere": (FORMATTED, {"output_config": FORMAT}, None, {"format": SCHEMA}),
    "thinking by the template": (VLLM, {}, "adaptive", {"chat_template_kwargs": CHOSEN, "reasoning_effort": None}),
    "no thinking by the template": (VLLM, {}, None, {"chat_template_kwargs": SILENT, "reasoning_effort": None}),
    "effort": (DIALECTS["openai"], {"output_config": {"effort": "xhigh"}}, "adaptive", {"reasoning_effort": "high"}),
    "a budget": (
        DIALECTS["openai"],
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "enabled",
        {"reasoning_effort": "low"},
    ),
    "no effort": (DIALECTS["ollama"], {"output_config": {"effort": "high"}}, None, {"reasoning_effort": "none"}),
    "neither": (PLAIN, {"output_config": {"effort": "high"}}, "adaptive", {"reasoning_effort": None}),
    "usage": (VLLM, {}, None, {"stream_options": {"include_usage": True, "continuous_usage_stats": True}}),
    "an operator's own": (replace(PLAIN, extra_body={"seed": 1}), {}, None, {"seed": 1, "stream": True}),
    "what is left out": (
        VLLM,
        {
            "stop_sequences": ["x"],
            "metadata": {"user_id": "u"},
            "service_tier": "auto",
            "cache_control": {"type": "ephemeral"},
        },
        None,
        {
            "stop": None,
            "stop_sequences": None,
            "metadata": None,
            "user": None,
            "service_tier": None,
            "cache_control": None,
        },
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name: str) -> None:
    dialect, given, thinking, expected = FIELDS[name]
    made = body(request(**given), dialect, thinking=thinking)
    assert {field: made.get(field) for field in expected} == expected


def test_effort_may_change_on_the_way() -> None:
    messages = [HI, {"role": "system", "content": [], "output_config": {"effort": "low"}}]
    made = body(request(*messages, output_config={"effort": "high"}), VLLM, thinking="adaptive")
    assert made["reasoning_effort"] == "low"


REFUSED: dict[str, tuple[Dialect, Json, str]] = {
    "images": (PLAIN, request(user({"type": "image", "source": IMAGE})), "messages.0.content.0.image: "),
    "images in results": (
        PLAIN,
        request(user("hi"), assistant(use()), user(result([text("a"), {"type": "image", "source": IMAGE}]))),
        "messages.2.content.0.tool_result.content.1.image: ",
    ),
    "images in documents": (
        PLAIN,
        request(
            user({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": IMAGE}]}})
        ),
        "messages.0.content.0.document.source.content.0.image: ",
    ),
    "top_k": (PLAIN, request(top_k=3), "top_k: "),
    "an answer that was begun": (PLAIN, request(HI, assistant("b")), "messages.1: "),
    "a schema": (replace(PLAIN, structured_outputs=None), request(output_config=FORMAT), "output_config.format: "),
    "tools of MCP servers": (
        PLAIN,
        request(
            HI,
            {
                "role": "system",
                "content": [
                    {"type": "tool_addition", "tool": {"type": "mcp_tool_reference", "server_name": "s", "name": "n"}}
                ],
            },
        ),
        "messages.1.content.0.tool_addition.tool: ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_is_refused_by_name(name: str) -> None:
    dialect, given, beginning = REFUSED[name]
    with pytest.raises(InvalidRequestError) as caught:
        body(given, dialect)
    assert caught.value.message.startswith(beginning)


def test_an_answer_that_was_begun_is_gone_on_with() -> None:
    made = body(request(HI, assistant("b")), VLLM)
    assert made["messages"][-1] == assistant("b")
    assert (made["add_generation_prompt"], made["continue_final_message"]) == (False, True)
    assert "continue_final_message" not in body(request(HI, assistant("b")), DIALECTS["llama-server"])


def test_every_field_of_a_request_is_translated_or_stands_in_the_table() -> None:
    left_out = {row.path.partition(".")[0] for row in LEFT_OUT}
    fields = set(get_type_hints(MessageCreateParams))
    assert fields <= TRANSLATED | left_out
    assert not (TRANSLATED - {"tools", "thinking", "output_config", "messages"}) & left_out
