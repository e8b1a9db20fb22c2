"""Every recorded or documented refusal of a Messages or count_tokens request, sent to the application in process.

`refusals.jsonl` is the table: the request, and the status, type and message of the service. `match` says how much of
the message is known; `template` means that its ids and numbers are those of another request. Where two eras of the
service contradict each other the newest observed wording wins, and the row of the older one says so under `unmet`.
`also` has further wordings of the same time. `later` names what a row waits for; such rows count in no figure.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from asgi import HEADERS, Answer, InProcess

Row = dict[str, Any]

ROWS: list[Row] = [
    json.loads(line) for line in Path(__file__).with_name("refusals.jsonl").read_text("utf-8").splitlines()
]
COUNTED = [row for row in ROWS if "later" not in row]

_ID = re.compile(r"\b[a-z]+_(?:01|0|x)[A-Za-z0-9]*\b")
_NUMBER = re.compile(r"\d+")


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    api = InProcess()

    async def ask(row: Row) -> Answer:
        headers: dict[str, str] = dict(HEADERS)
        for name, value in row.get("headers", {}).items():
            if value is None:
                del headers[name]
            else:
                headers[name] = value
        if "authorization" in headers:
            del headers["x-api-key"]
        body = row["body"] if "body" in row else json.dumps(row["request"])
        return await api.call(path=row["path"], headers=headers, body=body.encode())

    async def ask_all() -> dict[str, Answer]:
        return {row["id"]: await ask(row) for row in ROWS}

    return asyncio.run(ask_all())


def normalised(message: str) -> str:
    return _NUMBER.sub("N", _ID.sub("ID", message))


def says(message: str, row: Row) -> bool:
    """Whether `message` is the one of `row`, as far as that is known."""
    wanted: list[str] = [row["message"], *row.get("also", ())]
    match row["match"]:
        case "exact":
            return message in wanted
        case "prefix":
            return message.startswith(wanted[0])
        case "contains":
            return normalised(wanted[0]) in normalised(message)
        case "suffix":
            return message.endswith(wanted[0])
        case _:
            return normalised(message) in map(normalised, wanted)


def is_met(row: Row, answer: Answer) -> bool:
    if answer.status < 400:
        return False
    error = answer.json()["error"]
    return error["type"] == row["type"] and says(error["message"], row)


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: row["id"])
def test_a_recorded_refusal_has_its_status_and_type(row: Row, answers: dict[str, Answer]) -> None:
    answer = answers[row["id"]]
    assert answer.status == row["status"], answer.body
    assert answer.json()["error"]["type"] == row["type"]


@pytest.mark.parametrize("row", [row for row in COUNTED if "unmet" not in row], ids=lambda row: row["id"])
def test_a_recorded_refusal_has_its_words(row: Row, answers: dict[str, Answer]) -> None:
    answer = answers[row["id"]]
    assert is_met(row, answer), f"{answer.body!r}\nis not\n{row['message']}"


@pytest.mark.parametrize("row", [row for row in ROWS if "unmet" in row or "later" in row], ids=lambda row: row["id"])
def test_what_is_listed_as_unmet_is_unmet(row: Row, answers: dict[str, Answer]) -> None:
    assert not is_met(row, answers[row["id"]]), "this row is met now: take it off the list"


def test_nearly_all_refusals_are_met(answers: dict[str, Answer]) -> None:
    met = Counter(row["area"] for row in COUNTED if is_met(row, answers[row["id"]]))
    known = Counter(row["area"] for row in COUNTED)
    print()
    for area in known:
        print(f"{area}: {met[area]} of {known[area]}")
    print(f"all areas: {met.total()} of {known.total()} messages")
    for row in ROWS:
        if "unmet" in row or "later" in row:
            print(f"{'unmet' if 'unmet' in row else 'later'}: {row['id']}: {row.get('unmet') or row['later']}")
    assert met.total() >= 0.95 * known.total()
    assert all(answers[row["id"]].status == row["status"] for row in COUNTED)


def test_no_row_is_there_twice() -> None:
    assert len({row["id"] for row in ROWS}) == len(ROWS)
