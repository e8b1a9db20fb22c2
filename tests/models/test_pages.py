"""Pages of any size, walked either way, give each model once and in order."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from asgi import HEADERS, InProcess
from generated import in_process
from understudy.engines.catalog import public_models

API = InProcess(names=["my-model", "another"])
IDS = [*(model.id for model in public_models()), "my-model", "another"]
STAGE = {model.id: model.lifecycle for model in public_models()}

stages = st.lists(st.sampled_from(["active", "deprecated", "retired"]), unique=True)


def page(**query: Any) -> dict[str, Any]:
    answer = asyncio.run(API.call("GET", "/v1/models", headers=HEADERS, query=urlencode(query, doseq=True).encode()))
    assert answer.status == 200, answer.body
    return answer.json()


def expected(wanted: list[str]) -> list[str]:
    kept = wanted or ["active", "deprecated"]
    return [name for name in IDS if STAGE.get(name, "active") in kept]


def walk(cursor: str, end: str, wanted: list[str], limit: int, start: str | None = None) -> list[list[str]]:
    """All pages from `start`, as the SDKs go on: with the id at the `end` of a page as the next `cursor`."""
    pages: list[list[str]] = []
    while True:
        query: dict[str, Any] = {"limit": limit, "lifecycle[]": wanted}
        if start is not None:
            query[cursor] = start
        answer = page(**query)
        ids = [model["id"] for model in answer["data"]]
        assert len(ids) <= limit
        assert (answer["first_id"], answer["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
        pages.append(ids)
        if not answer["has_more"]:
            return pages
        assert len(ids) == limit
        start = answer[end]


@in_process
@given(st.integers(1, 1000), stages)
def test_walking_forward_gives_each_model_once_in_order(limit: int, wanted: list[str]) -> None:
    assert [name for ids in walk("after_id", "last_id", wanted, limit) for name in ids] == expected(wanted)


@in_process
@given(st.integers(1, 1000), stages, st.sampled_from(IDS))
def test_walking_from_any_model_gives_those_beyond_it(limit: int, wanted: list[str], start: str) -> None:
    """Also from one that the filter drops."""
    place = IDS.index(start)
    after = [name for ids in walk("after_id", "last_id", wanted, limit, start) for name in ids]
    assert after == [name for name in expected(wanted) if IDS.index(name) > place]
    before = [name for ids in reversed(walk("before_id", "first_id", wanted, limit, start)) for name in ids]
    assert before == [name for name in expected(wanted) if IDS.index(name) < place]


def test_a_page_has_20_models_unless_asked() -> None:
    answer = page(**{"lifecycle[]": ["active", "deprecated", "retired"]})
    assert [model["id"] for model in answer["data"]] == IDS[:20]
    assert answer["has_more"]


def test_a_page_beyond_the_last_model_is_empty() -> None:
    assert page(after_id=IDS[-1]) == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    assert page(before_id=IDS[0]) == {"data": [], "has_more": False, "first_id": None, "last_id": None}
