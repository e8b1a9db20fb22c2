"""What words mean of a choice that they do not name, and the parts of values."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.engines.simulator.inputs import build_input
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import client_tools


def built(text: str, *context: str, required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    tool = client_tools([{"name": "desk_entry", "description": "Makes an entry.", "input_schema": schema}])[0]
    return build_input(tool, text, [text, *context], lambda: Seeded(b"x"))


def options(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


TEXT: dict[str, Any] = {"type": "string"}


@pytest.mark.parametrize(
    ("text", "values", "meant"),
    [
        ("I want a new one", ("repair", "replacement", "refund"), "replacement"),
        ("run a thorough check", ("quick", "full"), "full"),
        ("a gentle nudge, please", ("friendly", "firm"), "friendly"),
        ("send 6 units of B- at once", ("A+", "A-", "B+", "B-"), "B-"),
    ],
)
def test_an_option_is_meant_by_other_words(text: str, values: tuple[str, ...], meant: str) -> None:
    assert built(text, kind=options(*values), required=("kind",))["kind"] == meant


def test_a_boolean_is_meant_by_other_words_unless_denied() -> None:
    urgent: dict[str, Any] = {"type": "boolean"}
    assert built("hurry up with the pump", urgent=urgent) == {"urgent": True}
    assert built("the pump, no hurry", urgent=urgent).get("urgent") is not True


def test_a_code_goes_before_plain_words_that_stand_by_a_label() -> None:
    assert built("kick off server us-1 but give people a warning", server=TEXT, required=("server",)) == {
        "server": "us-1"
    }


def test_an_id_that_a_result_gives_by_name_goes_before_plain_words() -> None:
    assert built("how long until they are here", '{"job": "VJ-210"}', job=TEXT, required=("job",)) == {"job": "VJ-210"}


def test_a_name_is_parted_for_first_and_last_name() -> None:
    made = built("Maya Lindt joins us", first_name=TEXT, last_name=TEXT, required=("first_name", "last_name"))
    assert made == {"first_name": "Maya", "last_name": "Lindt"}


@pytest.mark.parametrize("text", ["what do we owe for 2026-04", "what do we owe for April 2026"])
def test_a_month_is_written_with_its_year(text: str) -> None:
    month = {"type": "string", "description": "YYYY-MM"}
    assert built(text, month=month, required=("month",)) == {"month": "2026-04"}


def test_a_day_and_a_time_side_by_side_go_to_two_properties() -> None:
    day: dict[str, Any] = {"type": "string", "format": "date"}
    made = built(
        "room B 2026-05-02 13:00 to 15:00", date=day, **{"from": TEXT, "to": TEXT}, required=("date", "from", "to")
    )
    assert made == {"date": "2026-05-02", "from": "13:00", "to": "15:00"}
