"""The words of a request become the values of an input: one row for each way of saying it."""

from typing import Any

import pytest

from understudy.engines.simulator.inputs import build_input, build_output
from understudy.engines.simulator.inputs.validation import checker
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import ClientTool, client_tools


def seeded() -> Seeded:
    return Seeded(b"test")


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def tool(properties: dict[str, Any], *required: str) -> ClientTool:
    schema = {"type": "object", "properties": properties, "required": list(required or properties)}
    return ClientTool("any", None, "", schema)


S, N, B = text(), {"type": "number"}, {"type": "boolean"}
I: dict[str, Any] = {"type": "integer"}  # noqa: E741
LIST = {"type": "array", "items": S}

# fmt: off
ROWS: list[tuple[dict[str, Any], str, list[str], dict[str, Any]]] = [
    ({"city": S}, "What's the weather in Paris?", [], {"city": "Paris"}),
    ({"location": S}, "how warm is it in new delhi today", [], {"location": "new delhi"}),
    ({"city": S}, "Wie ist das Wetter in München?", [], {"city": "München"}),
    ({"location": S, "unit": text(enum=["celsius", "fahrenheit"])}, "Weather in San Francisco in Fahrenheit please", [],
     {"location": "San Francisco", "unit": "fahrenheit"}),
    ({"origin": S, "destination": S, "date": S}, "Book a flight from Oslo to Lisbon on 2026-07-04", [],
     {"origin": "Oslo", "destination": "Lisbon", "date": "2026-07-04"}),
    ({"from": S, "to": S}, "trains from Kyoto to Osaka", [], {"from": "Kyoto", "to": "Osaka"}),
    ({"start_date": text(format="date"), "end_date": text(format="date")}, "from 2026-03-01 to 2026-03-09 please", [],
     {"start_date": "2026-03-01", "end_date": "2026-03-09"}),
    ({"date": text(format="date")}, "book it for March 5, 2027", [], {"date": "2027-03-05"}),
    ({"date": text(format="date")}, "book it for tomorrow", ["Today is 2026-05-14."], {"date": "2026-05-15"}),
    ({"date": text(format="date")}, "on next Friday", ["It is 2026-05-14 now"], {"date": "2026-05-15"}),
    ({"day": S}, "Remind me tomorrow", [], {"day": "tomorrow"}),
    ({"time": S}, "call me at 5 pm", [], {"time": "5 pm"}),
    ({"time": text(description="HH:MM, 24 hours")}, "wake me at 6:30 am", [], {"time": "06:30"}),
    ({"start": text(format="date-time")}, "the call is on 2026-05-20 at 14:00", [], {"start": "2026-05-20T14:00:00Z"}),
    ({"to": S, "subject": S, "body": S},
     'Email bob@example.com with the subject "Lunch" saying see you at noon', [],
     {"to": "bob@example.com", "subject": "Lunch", "body": "see you at noon"}),
    ({"recipient": S, "message": S}, "Text Anna that says I'm running late", [],
     {"recipient": "Anna", "message": "I'm running late"}),
    ({"to": S, "message": S}, "Send a message to Tom saying the build is green.", [],
     {"to": "Tom", "message": "the build is green"}),
    ({"channel": S, "text": S}, 'Post "Deploy done" to #releases', [], {"channel": "#releases", "text": "Deploy done"}),
    ({"query": S}, "Search the web for cheap flights to Rome", [], {"query": "cheap flights to Rome"}),
    ({"query": S}, "Can you look up the population of Chile?", [], {"query": "population of Chile"}),
    ({"q": S}, "please find information about black holes", [], {"q": "black holes"}),
    ({"query": S, "limit": I}, 'find 5 papers about "solid state batteries"', [], {"limit": 5}),
    ({"url": text(format="uri")}, "Open https://example.com/a?b=1.", [], {"url": "https://example.com/a?b=1"}),
    ({"path": S}, "read src/app/main.py", [], {"path": "src/app/main.py"}),
    ({"path": S}, "Lies die Datei /etc/hosts", [], {"path": "/etc/hosts"}),
    ({"source": S, "destination": S}, "rename docs/a.md to docs/b.md", [],
     {"source": "docs/a.md", "destination": "docs/b.md"}),
    ({"path": S, "old": S, "new": S}, 'In src/x.py replace "foo" with "bar"', [],
     {"path": "src/x.py", "old": "foo", "new": "bar"}),
    ({"path": S, "content": S}, 'write "hello" to notes.txt', [], {"path": "notes.txt", "content": "hello"}),
    ({"command": S}, "run `pytest -q tests`", [], {"command": "pytest -q tests"}),
    ({"command": S}, "execute the command ls -la /tmp", [], {"command": "ls -la /tmp"}),
    ({"sql": S}, "Run SELECT id FROM users WHERE age > 3", [], {"sql": "SELECT id FROM users WHERE age > 3"}),
    ({"order_id": S}, "where is order ABC-123?", [], {"order_id": "ABC-123"}),
    ({"ticket_id": S}, "close ticket #4711", [], {"ticket_id": "4711"}),
    ({"issue_number": I}, "close issue 42", [], {"issue_number": 42}),
    ({"id": text(format="uuid")}, "delete 123e4567-e89b-42d3-a456-426614174000", [],
     {"id": "123e4567-e89b-42d3-a456-426614174000"}),
    ({"customer_id": S}, "and show his invoices", ['{"customer_id": "cus_81", "name": "Bo"}'],
     {"customer_id": "cus_81"}),
    ({"user_id": S}, "then block that account", ["User ID: U991\nName: Kim"], {"user_id": "U991"}),
    ({"order_id": S}, "cancel it", ["Order A-77 is on its way", "where is my order A-77"], {"order_id": "A-77"}),
    ({"owner": S, "repo": S}, "list the issues of north/wind", [], {"owner": "north", "repo": "wind"}),
    ({"namespace": S, "deployment": S, "replicas": I}, "scale deployment api to 3 replicas in namespace shop", [],
     {"namespace": "shop", "deployment": "api", "replicas": 3}),
    ({"branch": S}, "switch to the branch release/2.4", [], {"branch": "release/2.4"}),
    ({"amount": N, "currency": S}, "Send 250 EUR", [], {"amount": 250, "currency": "EUR"}),
    ({"amount": N, "from_currency": S, "to_currency": S}, "Convert 100 USD to EUR", [],
     {"amount": 100, "to_currency": "EUR"}),
    ({"max_price": N}, "headphones under $80", [], {"max_price": 80}),
    ({"price": N}, "it costs 1,250.50 euros", [], {"price": 1250.5}),
    ({"percent": N}, "give them a 15% discount", [], {"percent": 15}),
    ({"party_size": I, "time": S}, "a table for four at 7 pm", [], {"party_size": 4, "time": "7 pm"}),
    ({"nights": I, "guests": I}, "3 nights for 2 guests", [], {"nights": 3, "guests": 2}),
    ({"duration_minutes": I}, "set a timer for 2 hours", [], {"duration_minutes": 120}),
    ({"seconds": I}, "wait for half a minute", [], {"seconds": 30}),
    ({"width": I, "height": I}, "make it width 640 and height 480", [], {"width": 640, "height": 480}),
    ({"text": S, "target_language": S}, 'Translate "good morning" to French', [],
     {"text": "good morning", "target_language": "French"}),
    ({"text": S, "target": text(description="ISO language code")}, 'say "thanks" in Japanese', [], {"text": "thanks"}),
    ({"priority": text(enum=["low", "medium", "high"])}, "open it with high priority", [], {"priority": "high"}),
    ({"status": text(enum=["in_progress", "done"])}, "it is in progress now", [], {"status": "in_progress"}),
    ({"title": S, "labels": {"type": "array", "items": text(enum=["bug", "docs", "ui"])}},
     'Create an issue titled "Crash" with labels bug and ui', [], {"title": "Crash", "labels": ["bug", "ui"]}),
    ({"name": S}, "create a project called Blue Moon", [], {"name": "Blue Moon"}),
    ({"title": S}, 'make a playlist named "Road trip"', [], {"title": "Road trip"}),
    ({"items": LIST}, "Add milk, eggs and bread to the shopping list", [], {"items": ["milk", "eggs", "bread"]}),
    ({"attendees": LIST}, "invite a@example.com and b@example.com", [],
     {"attendees": ["a@example.com", "b@example.com"]}),
    ({"cities": LIST}, "compare Oslo, Bergen and Rome", [], {"cities": ["Oslo", "Bergen", "Rome"]}),
    ({"numbers": {"type": "array", "items": N}}, "sum 3, 4.5 and 10", [], {"numbers": [3, 4.5, 10]}),
    ({"notify": B}, "do it and notify them", [], {"notify": True}),
    ({"notify": B}, "do it but don't notify them", [], {"notify": False}),
    ({"include_images": B}, "without images please", [], {"include_images": False}),
    ({"customer": {"type": "object", "properties": {"name": S, "email": S}, "required": ["name", "email"]}},
     "register Ada Lovelace, ada@example.com", [], {"customer": {"name": "Ada Lovelace", "email": "ada@example.com"}}),
    ({"host": S}, "ping 10.0.0.7", [], {"host": "10.0.0.7"}),
    ({"version": S}, "upgrade to v2.3.1", [], {"version": "v2.3.1"}),
    ({"phone": S}, "call +44 20 7946 0958", [], {"phone": "+44 20 7946 0958"}),
    ({"selector": S}, "click #search-button", [], {"selector": "#search-button"}),
    ({"value": {"const": 7}}, "whatever", [], {"value": 7}),
    ({"mode": text(default="fast")}, "go on", [], {"mode": "fast"}),
]
# fmt: on


@pytest.mark.parametrize(("properties", "ask", "context", "expected"), ROWS, ids=[row[1][:40] for row in ROWS])
def test_the_words_become_values(
    properties: dict[str, Any], ask: str, context: list[str], expected: dict[str, Any]
) -> None:
    one = tool(properties)
    made = build_input(one, ask, context, seeded)
    assert {name: made.get(name) for name in expected} == expected
    assert checker(one.input_schema).valid(made)


def test_an_optional_property_without_a_word_for_it_is_left_out() -> None:
    one = tool({"city": S, "units": text(enum=["metric", "imperial"]), "days": I, "note": S}, "city")
    assert build_input(one, "Weather in Rome", [], seeded) == {"city": "Rome"}


def test_an_example_serves_what_the_words_leave_open() -> None:
    one = ClientTool("any", None, "", tool({"zone_count": I}).input_schema, ({"zone_count": 77},))
    assert build_input(one, "go", [], seeded) == {"zone_count": 77}


def test_the_tools_of_the_documentation_get_valid_inputs() -> None:
    found = client_tools(
        [{"type": kind, "name": "x"} for kind in ("bash_20250124", "text_editor_20250728", "memory_20250818")]
        + [{"type": "computer_toolset_20260801"}, {"type": "browser_toolset_20260801"}]
    )
    for one in found:
        made = build_input(one, "go", [], seeded)
        assert checker(one.input_schema).valid(made), one.name
    bash = build_input(found[0], "run `ls`", [], seeded)
    assert bash == {"command": "ls"}


def output(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def test_structured_output_is_taken_from_the_words() -> None:
    schema = output({"name": S, "email": text(format="email"), "age": I})
    asked = "Extract the contact: John Smith is 42 years old, mail john@example.com"
    assert build_output(schema, asked, [], seeded) == {"name": "John Smith", "email": "john@example.com", "age": 42}


def test_structured_output_names_the_mentioned_member() -> None:
    schema = output({"sentiment": text(enum=["positive", "neutral", "negative"])})
    asked = "Classify the review, it is clearly negative: the soup was cold"
    assert build_output(schema, asked, [], seeded) == {"sentiment": "negative"}


def test_a_list_of_objects_has_one_for_each_part() -> None:
    schema = output({"items": {"type": "array", "items": output({"name": S, "quantity": I})}})
    made = build_output(schema, "The order: apples are 3, pears are 4", [], seeded)
    assert made == {"items": [{"name": "apples", "quantity": 3}, {"name": "pears", "quantity": 4}]}
