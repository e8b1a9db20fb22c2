"""Which of the offered tools is called for what is asked, round by round."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.simulator.choosing import Situation, choose
from understudy.engines.simulator.choosing.clauses import clauses_of
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.stems import stem
from understudy.wire.client_tools import ClientTool

OWN = [each for path in sorted(Path(__file__).parent.glob("own*.json")) for each in json.loads(path.read_text("utf-8"))]


def tool(called: str, description: str, /, *required: str, **properties: Any) -> ClientTool:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ClientTool(called, None, description, schema)


TEXT = {"type": "string"}
WEATHER = tool("get_weather", "Current weather of a city.", "city", city=TEXT)
CLOCK = tool("get_time", "Current time in a city.", "city", city=TEXT)
MAIL = tool("send_email", "Send an email.", "to", "body", to={"type": "string", "format": "email"}, body=TEXT)
CONTACT = tool("find_contact", "Look up a contact and its email address.", "name", name=TEXT)
MEETINGS = tool("list_meetings", "Lists the meetings of a day.", "date", date=TEXT)
CANCEL = tool("cancel_meeting", "Cancels a meeting.", "meeting_id", meeting_id=TEXT)
FILES = tool("read_files", "Reads files.", "paths", paths={"type": "array", "items": TEXT})
ALL = [WEATHER, CLOCK, MAIL, CONTACT, MEETINGS, CANCEL, FILES]


def names(asked: str, *calls: tuple[str, str, bool], tools: list[ClientTool] = ALL, **more: Any) -> list[str]:
    earlier = more.pop("earlier", [])
    made: list[tuple[str, dict[str, Any], str, bool]] = [(name, {}, result, error) for name, result, error in calls]
    return [choice.tool.name for choice in choose(tools, Situation(asked, earlier, made), **more)]


def asks(asked: str, **more: Any) -> list[str]:
    earlier = more.pop("earlier", [])
    return [choice.ask for choice in choose(ALL, Situation(asked, earlier), **more)]


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ("What's the weather in Paris?", ["get_weather"]),
        ("Do I need an umbrella in Lima today?", ["get_weather"]),
        ("Wie ist das Wetter in Bonn?", ["get_weather"]),
        ("東京の天気を教えて", ["get_weather"]),
        ("wether in Kyoto please", ["get_weather"]),
        ("Mail bob@example.com that I am late", ["send_email"]),
        ("What's the weather and the time in Rome?", ["get_weather", "get_time"]),
        ("What's the weather in Rome? And what time is it in Lima?", ["get_weather", "get_time"]),
        ("What's the weather in Rome and Lima?", ["get_weather", "get_weather"]),
        ("Read a/b/c.txt, d/e/f.txt and g/h/i.txt", ["read_files"]),
    ],
)
def test_what_is_asked_is_called(asked: str, called: list[str]) -> None:
    assert names(asked) == called


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "hello",
        "thanks, that's great!",
        "no thanks no thanks no thanks",
        "What can you do?",
        "Which tools do you have?",
        "Can you send emails?",
        "How does weather forecasting work?",
        "How would I send an email from Python?",
        "What does email stand for?",
        "Write me a poem about the weather.",
        "The weather was lovely yesterday.",
        "I already sent the email to Ann.",
        "Don't send the email to ann@example.com.",
        "What's the weather in Paris? Answer without using any tools.",
        "Please renew my passport.",
    ],
)
def test_where_nothing_fits_nothing_is_called(asked: str) -> None:
    assert names(asked) == []


def test_a_tool_that_must_be_called_is_called_whatever_it_scores() -> None:
    assert len(names("Tell me a joke", must=True)) == 1
    assert names("Tell me about the sky over Oslo, weather and all", must=True) == ["get_weather"]
    assert names("Tell me a joke", ("get_time", "12:00", False), must=True) == []


def test_without_parallel_calls_there_is_one_at_a_time_until_all_are_made() -> None:
    asked = "What's the weather in Rome? And what time is it in Lima?"
    assert names(asked, parallel=False) == ["get_weather"]
    assert names(asked, ("get_weather", "sunny", False), parallel=False) == ["get_time"]
    assert names(asked, ("get_weather", "sunny", False), ("get_time", "12:00", False), parallel=False) == []


def test_each_value_has_an_ask_of_its_own() -> None:
    assert asks("What's the weather in Rome and Lima?") == [
        "What's the weather in Rome?",
        "What's the weather in Lima?",
    ]


def test_a_value_that_is_lacking_is_looked_up_first() -> None:
    asked = "Send an email to Anna Schmidt saying hi"
    assert names(asked) == ["find_contact"]
    assert names(asked, ("find_contact", '{"email": "anna@example.com"}', False)) == ["send_email"]
    assert names(asked, ("find_contact", "no results", False)) == []
    assert names(asked, ("find_contact", "timeout", True)) == []


def test_what_is_said_to_follow_waits_for_what_it_follows() -> None:
    asked = "List my meetings on 2026-05-01 and then cancel the first one"
    assert names(asked) == ["list_meetings"]
    assert names(asked, ("list_meetings", '[{"meeting_id": "m-1"}]', False)) == ["cancel_meeting"]


def test_all_that_a_lookup_finds_is_gone_through() -> None:
    asked = "List my meetings on 2026-05-01 and then cancel all of them"
    found = ("list_meetings", '[{"meeting_id": "m-1"}, {"meeting_id": "m-2"}, {"meeting_id": "m-3"}]', False)
    assert names(asked, found) == ["cancel_meeting"] * 3
    one = ("cancel_meeting", "ok", False)
    assert names(asked, found, one) == ["cancel_meeting"] * 2
    assert names(asked, found, one, one, one) == []


def test_a_condition_is_judged_by_the_result() -> None:
    asked = "Check the weather in Oslo. If it is below 5 degrees, send an email to bob@example.com"
    assert names(asked) == ["get_weather"]
    assert names(asked, ("get_weather", "2 degrees", False)) == ["send_email"]
    assert names(asked, ("get_weather", "19 degrees", False)) == []


@pytest.mark.parametrize(
    ("asked", "ask"),
    [
        ("and in London?", "What's the weather in London?"),
        ("What about London?", "What's the weather in London?"),
        ("Same for London please", "What's the weather in London?"),
        ("How about tomorrow?", "What's the weather in Paris tomorrow"),
    ],
)
def test_a_short_turn_goes_on_with_the_call_before_it(asked: str, ask: str) -> None:
    earlier = [
        ("user", "What's the weather in Paris?"),
        ("assistant", "Sunny."),
        ("user", "ok"),
        ("assistant", "Good."),
    ]
    assert names(asked, earlier=earlier) == ["get_weather"]
    assert asks(asked, earlier=earlier) == [ask]


def test_yes_takes_up_what_the_model_offered() -> None:
    earlier = [("user", "I like Rome."), ("assistant", "Nice! Would you like me to check the weather in Rome?")]
    assert names("Yes, please", earlier=earlier) == ["get_weather"]
    assert names("No, thanks", earlier=earlier) == []


def test_a_question_about_an_earlier_result_is_answered_from_it() -> None:
    earlier = [("user", "List my meetings on 2026-05-01"), ("assistant", "Two meetings.")]
    assert names("Which of those is the longest?", earlier=earlier) == []


def test_an_act_of_another_kind_is_not_taken_for_what_is_asked() -> None:
    assert names("Show me the meetings of 2026-05-01") == ["list_meetings"]
    assert names("Cancel meeting m-17") == ["cancel_meeting"]
    assert names("Cancel meeting m-17", tools=[MEETINGS]) == []


def test_payload_is_not_taken_for_a_request() -> None:
    pieces = [
        clause.text for clause in clauses_of('Send an email to a@b.co saying that we meet and cancel the "x and y" day')
    ]
    assert len(pieces) == 1


def test_dialogues_of_other_domains_are_mostly_right() -> None:
    right = whole = 0
    for dialogue in OWN:
        tools = [
            ClientTool(each["name"], None, each["description"], each["input_schema"]) for each in dialogue["tools"]
        ]
        earlier: list[tuple[str, str]] = []
        for turn in dialogue["turns"]:
            made: list[tuple[str, dict[str, Any], str, bool]] = []
            for _ in range(25):
                chosen = choose(tools, Situation(turn["user"], earlier, made))
                if not chosen:
                    break
                for choice in chosen:
                    made.append((choice.tool.name, {}, str(turn["results"].get(choice.tool.name, "ok")), False))
            whole += 1
            right += Counter(call["name"] for call in turn["expect"]) == Counter(call[0] for call in made)
            earlier = [*earlier, ("user", turn["user"]), ("assistant", "Done.")]
    assert right / whole >= 0.9


WORDS = st.sampled_from(
    "what weather in Paris and then , . ? send email to bob@x.com cancel all meetings m-1 it them if below 5 for each "
    "don't please the time no thanks 2026-05-01 list read a.txt \" : \n 12 tomorrow same again".split(" ")
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(WORDS, max_size=30),
    st.sampled_from(["ok", '[{"id": "a-1"}, {"id": "a-2"}]', "", "not found", "7"]),
    st.booleans(),
)
def test_every_turn_ends_within_25_rounds_whatever_the_results_say(
    words: list[str], result: str, parallel: bool
) -> None:
    made: list[tuple[str, dict[str, Any], str, bool]] = []
    for round_ in range(26):
        chosen = choose(
            ALL,
            Situation(" ".join(words), [("user", "weather in Rome?"), ("assistant", "ok")], made),
            parallel=parallel,
        )
        if not chosen:
            return
        assert round_ < 25
        made += [(choice.tool.name, {"n": len(made)}, result, len(made) % 3 == 2) for choice in chosen]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_and_the_choice_is_the_same_each_time(text: str) -> None:
    assert choose(ALL, Situation(text)) == choose(ALL, Situation(text))
    assert len(choose(ALL, Situation(text), must=True)) >= 1


@pytest.mark.parametrize(
    "text",
    [
        "no thanks " * 16 + "x",
        "a-" * 5_000,
        "a, " * 5_000,
        "and then " * 2_000,
        '"' * 5_000,
        "a_" * 5_000,
        "x" * 20_000,
        "how does " + "a b " * 3_000,
    ],
)
def test_no_text_costs_more_than_a_moment(text: str) -> None:
    choose(ALL, Situation("warm"))
    begin = time.perf_counter()
    choose(ALL, Situation(text, [("user", text)] * 5))
    assert time.perf_counter() - begin < 0.5


def test_a_schema_of_any_shape_is_taken() -> None:
    odd: list[dict[str, Any]] = [
        {},
        {"type": "object"},
        {"properties": {"a": True, "b": {"enum": [1, None, "x"]}}},
        {"properties": {"c": {"type": ["string", "null"]}}, "required": ["c", "d"]},
    ]
    for number, schema in enumerate(odd):
        assert isinstance(choose([ClientTool(f"x{number}", None, "", schema)], Situation("What is a?")), list)


def test_forms_of_a_word_share_a_stem() -> None:
    for one, other in [
        ("booking", "book"),
        ("cancelled", "cancel"),
        ("translation", "translate"),
        ("queries", "query"),
        ("stopping", "stop"),
    ]:
        assert stem(one) == stem(other)


def test_the_lexicon_is_small() -> None:
    path = Path(choose.__code__.co_filename).with_name("lexicon.json")
    data = json.loads(path.read_text("utf-8"))
    assert len(data["actions"]) + len(data["things"]) + len(data["related"]) + len(data["foreign"]) <= 620
    assert lexicon().likeness("create", "schedule") > lexicon().likeness("create", "delete") == 0
