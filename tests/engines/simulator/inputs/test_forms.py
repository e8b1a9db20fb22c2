# ruff: noqa: E501  the rows of a table
"""Forms filled from sentences of domains that no rule knows: which phrase answers which property."""

import subprocess
import sys
from typing import Any

import pytest

from understudy.engines.simulator.inputs import build_input
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import ClientTool

S: dict[str, Any] = {"type": "string"}
N: dict[str, Any] = {"type": "number"}
I: dict[str, Any] = {"type": "integer"}  # noqa: E741
B: dict[str, Any] = {"type": "boolean"}
DAY: dict[str, Any] = {"type": "string", "format": "date"}
CLOCK: dict[str, Any] = {"type": "string", "description": "HH:MM"}
LIST: dict[str, Any] = {"type": "array", "items": S}


def enum(*options: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(options)}


def built(name: str, properties: dict[str, Any], ask: str, context: list[str]) -> dict[str, Any]:
    """A name with `?` is of an optional property."""
    schema = {
        "type": "object",
        "properties": {key.removesuffix("?"): part for key, part in properties.items()},
        "required": [key for key in properties if not key.endswith("?")],
    }
    return build_input(ClientTool(name, None, "", schema), ask, context, lambda: Seeded(b"forms"))


# fmt: off
SENTENCES: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("land_drone", {"drone": S}, "Land bravo right now", {"drone": "bravo"}),
    ("heat_nozzle", {"printer": S, "celsius": I}, "heat the nozzle of P1 to 215 degrees", {"printer": "P1", "celsius": 215}),
    ("start_print", {"printer": S, "file": S}, "print bracket.stl on the Prusa", {"printer": "Prusa", "file": "bracket.stl"}),
    ("irrigation_stop", {"field": S}, "stop watering the west field", {"field": "west field"}),
    ("set_oven_timer", {"oven": S, "minutes": I}, "Put a timer of an hour and a half on the upper oven",
     {"oven": "upper", "minutes": 90}),
    ("water_plant", {"plant": S, "millilitres": I}, "give the monstera half a litre", {"plant": "monstera", "millilitres": 500}),
    ("bmi", {"weight_kg": N, "height_cm": N}, "I'm 1.82 m tall and weigh 79 kilos", {"weight_kg": 79, "height_cm": 182}),
    ("reserve_lane", {"lane": I, "players": I, "start": CLOCK}, "lane 6 for 5 players at half past seven this evening",
     {"lane": 6, "players": 5, "start": "19:30"}),
    ("rename_column", {"table": S, "old_name": S, "new_name": S},
     "In the orders table rename the column cust to customer_id",
     {"table": "orders", "old_name": "cust", "new_name": "customer_id"}),
    ("compare", {"products": LIST}, "compare the Nokto X2, the Belmar 50 and the Trio Max",
     {"products": ["Nokto X2", "Belmar 50", "Trio Max"]}),
    ("convert_length", {"value": N, "from_unit": enum("mile", "kilometer"), "to_unit": enum("mile", "kilometer")},
     "how many kilometers are 26.2 miles?", {"value": 26.2, "from_unit": "mile", "to_unit": "kilometer"}),
    ("book_taxi", {"pickup": S, "dropoff": S, "time?": S}, "a cab from the Grand Hotel to the opera at 18:45",
     {"pickup": "Grand Hotel", "dropoff": "opera", "time": "18:45"}),
    ("get_order", {"order_id": S}, "where is my order 100-4471??", {"order_id": "100-4471"}),
    ("compound", {"name": S}, "look up the properties of the compound toluene", {"name": "toluene"}),
    ("remind", {"what": S, "at": S}, "remind me at 17:30 to pick up the kids", {"what": "pick up the kids", "at": "17:30"}),
    ("set_reminder", {"text": S, "when": S}, "Remind me tomorrow at 9 to water the ferns",
     {"text": "water the ferns", "when": "tomorrow at 9"}),
    ("refund", {"charge": S, "amount": {"type": "integer", "description": "In cents"}}, "refund 15 euros of charge ch_881",
     {"charge": "ch_881", "amount": 1500}),
    ("leave", {"first_day": DAY, "last_day": DAY}, "annual leave from 4 May to 8 May 2026 please",
     {"first_day": "2026-05-04", "last_day": "2026-05-08"}),
    ("rehearsal", {"date": DAY, "time": S}, "Probe am 17.04.2026 um 19:30", {"date": "2026-04-17", "time": "19:30"}),
    ("climate", {"place": S, "month": I}, "How hot does Seville usually get in August?", {"place": "Seville", "month": 8}),
    ("toggle_flag", {"flag": S, "environment": enum("staging", "production")},
     "switch new_checkout off in staging? leave production alone", {"flag": "new_checkout", "environment": "staging"}),
    ("extend", {"plate": S, "minutes": I}, "add another 30 minutes to the parking for B-XY 482",
     {"plate": "B-XY 482", "minutes": 30}),
    ("vaccinate", {"patient_id": S, "vaccine": S, "date": DAY}, "P-3391 got the tetanus booster on 4 Nov 2025",
     {"patient_id": "P-3391", "vaccine": "tetanus booster", "date": "2025-11-04"}),
    ("convert", {"amount": N, "from": S, "to": S}, "Quote me 100 USD in EUR", {"amount": 100, "from": "USD", "to": "EUR"}),
]
POINTERS: list[tuple[str, dict[str, Any], str, list[str], dict[str, Any]]] = [
    ("snooze", {"alert_id": S, "minutes": I}, "silence the one you find for 30 minutes",
     ["Find the disk alert and silence the one you find for 30 minutes", '[{"id": "al-5", "name": "disk full"}]'],
     {"alert_id": "al-5", "minutes": 30}),
    ("open_invoice", {"invoice_id": S}, "open the most expensive one",
     ["open the most expensive one", '[{"invoice_id": "inv_3", "total": 120}, {"invoice_id": "inv_9", "total": 480}]'],
     {"invoice_id": "inv_9"}),
    ("cancel_booking", {"booking_id": S}, "cancel the one in Vienna",
     ["cancel the one in Vienna", "B-11 Prague 3 May\nB-12 Vienna 9 May"], {"booking_id": "B-12"}),
    ("book_offer", {"offer_id": S, "age": I}, "We'll take the estate. I'm 44.",
     ["We'll take the estate. I'm 44.", "compact 41/day (offer K1), estate 58/day (offer K2)"],
     {"offer_id": "K2", "age": 44}),
    ("describe_table", {"table": S, "schema": S}, "Which columns does the second one have?",
     ["Which columns does the second one have?", "customers\norders\nrefunds", "what tables are in the analytics schema"],
     {"table": "orders", "schema": "analytics"}),
    ("send_email", {"to": S, "body": S}, "email her that the contract is signed",
     ["email her that the contract is signed", '{"name": "Marta Lind", "email": "marta@lind.example"}'],
     {"to": "marta@lind.example", "body": "the contract is signed"}),
    ("enter_result", {"round": I, "board": I}, "board 2 was a draw",
     ["board 2 was a draw", "Board 1: Osei-Lund; Board 2: Vance-Imrie", "pair round 4 plz"], {"round": 4, "board": 2}),
]
# fmt: on


@pytest.mark.parametrize(("name", "properties", "ask", "expected"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_a_sentence_fills_a_form(name: str, properties: dict[str, Any], ask: str, expected: dict[str, Any]) -> None:
    made = built(name, properties, ask, [ask])
    assert {key: made.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "properties", "ask", "context", "expected"), POINTERS, ids=[row[0] for row in POINTERS]
)
def test_what_is_pointed_at_is_found_in_the_texts_before(
    name: str, properties: dict[str, Any], ask: str, context: list[str], expected: dict[str, Any]
) -> None:
    made = built(name, properties, ask, context)
    assert {key: made.get(key) for key in expected} == expected


def test_the_judge_of_schemas_is_loaded_with_the_first_schema() -> None:
    code = "import sys, understudy.engines.simulator.inputs; print('jsonschema_rs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
