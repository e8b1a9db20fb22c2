"""Values that the words of a request give only together with what was said before, and ways of saying one thing."""

from typing import Any

import pytest

from understudy.engines.simulator.inputs import build_input
from understudy.engines.simulator.inputs.validation import checker
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import ClientTool

S: dict[str, Any] = {"type": "string"}
N: dict[str, Any] = {"type": "number"}
B: dict[str, Any] = {"type": "boolean"}
I: dict[str, Any] = {"type": "integer"}  # noqa: E741
DAY: dict[str, Any] = {"type": "string", "format": "date"}
CODE: dict[str, Any] = {"type": "string", "pattern": "^[A-Z]{3}$"}
MONEY = {"type": "object", "properties": {"value": N, "currency": CODE}, "required": ["value", "currency"]}
DAYS = {"type": "array", "items": {"type": "string", "enum": "mon tue wed thu fri sat sun".split()}}

# fmt: off
ROWS: list[tuple[dict[str, Any], list[str], str, list[str], dict[str, Any]]] = [
    # properties, the required ones, the ask, the texts before it, what is expected
    ({"command": S, "run_in_background": B}, ["command"], "Run `cat hello.txt`", [], {"run_in_background": None}),
    ({"command": S, "run_in_background": B}, ["command"], "run npm test in the background", [],
     {"command": "npm test", "run_in_background": True}),
    ({"event": S, "sendInvitation": B}, ["event"], "add them to event EV-7 but dont send out invites yet", [],
     {"sendInvitation": False}),
    ({"name": S, "vaccinated": B}, ["name"], "our cat Miso hasn't been vaccinated", [], {"vaccinated": False}),
    ({"document": S, "exclude_numbers": B}, ["document"], "word count for DOC-118, numbers left out", [],
     {"exclude_numbers": True}),
    ({"city": S, "month": I}, ["city", "month"], "How warm is it in Lisbon in May?", [],
     {"city": "Lisbon", "month": 5}),
    ({"issue_key": S}, ["issue_key"], "bump it to urgent pls", ["Created WEB-641"], {"issue_key": "WEB-641"}),
    ({"room_id": S}, ["room_id"], "The second one sounds great. Book it",
     ["1. r-302 Lemon Leaf, 4.4 stars\n2. r-417 Blue Orchid, 4.7 stars"], {"room_id": "r-417"}),
    ({"class_id": S}, ["class_id"], "Resérvame la de las 19:00, porfa",
     ["yo-85 10:00 (2 plazas libres); yo-88 19:00 (6 plazas libres)"], {"class_id": "yo-88"}),
    ({"plot": I}, ["plot"], "I take the one by the tap", ["Free plots: 9 (sunny), 23 (near the tap)"], {"plot": 23}),
    ({"from": S, "to": S, "date": DAY}, ["from", "to", "date"],
     "the way back on the 5th\nTrains from Vienna to Salzburg on 2025-10-03?",
     ["c-11 08:30", "Trains from Vienna to Salzburg on 2025-10-03?"],
     {"from": "Salzburg", "to": "Vienna", "date": "2025-10-05"}),
    ({"from": S, "to": S, "date": DAY}, ["from", "to", "date"],
     "the day after\nTrains from Ghent to Bonn on 2026-08-02", ["none", "Trains from Ghent to Bonn on 2026-08-02"],
     {"from": "Ghent", "to": "Bonn", "date": "2026-08-03"}),
    ({"inventory_no": S}, ["inventory_no"], "381\nTell me about M-377", ["a bronze", "Tell me about M-377"],
     {"inventory_no": "M-381"}),
    ({"expense_id": S, "amount": MONEY}, ["expense_id"], "Oh no, it's 48.50 not 45.80. Can you correct that?",
     ["Submitted as EXP-2094", "Taxi, 45.80 EUR"], {"amount": {"value": 48.5, "currency": "EUR"}}),
    ({"booking_id": S, "guests": I}, ["booking_id"], "make it 5 people not 4", ["Booked BK-90 for 4"], {"guests": 5}),
    ({"amount": N, "from": CODE, "to": CODE}, ["amount", "from", "to"], "How much is 1500 US dollars in euros", [],
     {"amount": 1500, "from": "USD", "to": "EUR"}),
    ({"currency": {"type": "string", "enum": ["EUR", "USD", "GBP"]}}, ["currency"], "give 25 pounds every month", [],
     {"currency": "GBP"}),
    ({"count": I, "sides": {"type": "integer", "enum": [4, 6, 8]}}, ["count", "sides"], "Fireball! Rolling 8d6", [],
     {"count": 8, "sides": 6}),
    ({"notation": S}, ["notation"], "roll 2d20+5 for initiative", [], {"notation": "2d20+5"}),
    ({"price": {"type": "object", "properties": {"min": N, "max": N}}, "bedrooms_min": I}, [],
     "a flat, at least two bedrooms, no more than 1400 a month", [], {"price": {"max": 1400}, "bedrooms_min": 2}),
    ({"delivery": {"type": "string", "enum": ["pickup", "courier"]}}, ["delivery"], "two loaves, I'll pick them up", [],
     {"delivery": "pickup"}),
    ({"travel_class": {"type": "string", "enum": ["1", "2"]}}, [], "to Bonn please, second class", [],
     {"travel_class": "2"}),
    ({"title": S, "project": S}, ["title", "project"],
     "File a bug in project WEB: login does nothing at night. It's new.", [],
     {"title": "login does nothing at night", "project": "WEB"}),
    ({"title": S}, ["title"], "add a task to renew the domain by Friday", [], {"title": "renew the domain"}),
    ({"title": S, "date": DAY}, ["title", "date"], "put a budget review with ann@example.com in for 3 April 2026", [],
     {"title": "budget review", "date": "2026-04-03"}),
    ({"path": S}, ["path"], "show me 002_users.sql then", ["db/init/001.sql\ndb/init/002_users.sql"],
     {"path": "db/init/002_users.sql"}),
    ({"trackingNumber": S}, ["trackingNumber"], "where is it? order number is A-70915, I have no tracking number",
     ['{"orderNumber": "A-70915", "trackingNumber": "ZX44910027"}'], {"trackingNumber": "ZX44910027"}),
    ({"episode_id": S}, ["episode_id"], "season 2 episode 5, then publish it", ["Draft ep_9031 created"],
     {"episode_id": "ep_9031"}),
    ({"check_in": DAY, "nights": I}, ["check_in", "nights"], "3 nights from 4 June", ["Rooms in Rimini in June 2026"],
     {"check_in": "2026-06-04", "nights": 3}),
    ({"date": DAY}, ["date"], "on tomorrow's list", ["seen 2024-01-01", "Today is Thursday, 14 May 2026."],
     {"date": "2026-05-15"}),
    ({"time": S, "days": DAYS}, ["time"], "wake me at 6:45 on weekdays", [],
     {"days": ["mon", "tue", "wed", "thu", "fri"]}),
    ({"to": S, "text": S}, ["to", "text"], "tell Priya the meeting moved to 4", [],
     {"to": "Priya", "text": "the meeting moved to 4"}),
    ({"minutes": I}, ["minutes"], "for a quarter of an hour", [], {"minutes": 15}),
]
# fmt: on


@pytest.mark.parametrize(("properties", "required", "ask", "before", "expected"), ROWS, ids=[row[2] for row in ROWS])
def test_an_input_says_what_the_request_means(
    properties: dict[str, Any], required: list[str], ask: str, before: list[str], expected: dict[str, Any]
) -> None:
    schema = {"type": "object", "properties": properties, "required": required}
    made = build_input(ClientTool("any", None, "", schema), ask, [ask.split("\n")[0], *before], lambda: Seeded(b"test"))
    assert {name: made.get(name) for name in expected} == expected
    assert checker(schema).valid(made)


def test_words_of_the_description_of_a_tool_are_values_only_where_nothing_better_stands() -> None:
    schema = {"type": "object", "properties": {"field": S}, "required": ["field"]}
    tool = ClientTool("record_harvest", None, "Record a harvest in the field book.", schema)
    made = build_input(tool, "62.4 tonnes off Long Meadow, put it in the book", [], lambda: Seeded(b"test"))
    assert made == {"field": "Long Meadow"}
