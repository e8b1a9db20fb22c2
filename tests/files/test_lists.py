from __future__ import annotations

from typing import Any

import pytest

from .api import AGENTS, OLD, FilesApi, error_of


async def make(api: FilesApi, count: int) -> list[str]:
    """Ids of new files, newest first."""
    return [(await api.upload(f"{number}".encode(), type="text/plain"))["id"] for number in range(count)][::-1]


async def listed(api: FilesApi, query: str = "", **options: Any) -> Any:
    answer = await api.ask("GET", "/v1/files", query=query, **options)
    assert answer.status == 200, answer.body
    return answer.json()


def ids(page: Any) -> list[str]:
    return [file["id"] for file in page["data"]]


async def test_pages_by_cursor_hold_every_file_once_newest_first(api: FilesApi) -> None:
    made = await make(api, 7)
    shown = [file["created_at"] for file in (await listed(api))["data"]]
    assert shown == sorted(shown, reverse=True)
    found: list[str] = []
    page = await listed(api, "limit=3")
    assert list(page) == ["data", "next_page"]
    while True:
        found += ids(page)
        if page["next_page"] is None:
            break
        assert page["next_page"].startswith("page_")
        page = await listed(api, f"limit=3&page={page['next_page']}")
    assert sorted(found) == sorted(made)
    assert len(found) == 7


async def test_files_of_one_moment_are_not_lost_between_pages(local: FilesApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.service, "clock", lambda: 1_800_000_000.0)
    made = await make(local, 5)
    first = await listed(local, "limit=2")
    second = await listed(local, f"limit=2&page={first['next_page']}")
    third = await listed(local, f"page={second['next_page']}")
    assert sorted(ids(first) + ids(second) + ids(third)) == sorted(made)


async def test_new_files_do_not_shift_a_page(local: FilesApi) -> None:
    made = await make(local, 4)
    first = await listed(local, "limit=2")
    await make(local, 2)
    assert ids(await listed(local, f"limit=2&page={first['next_page']}")) == made[2:]


async def test_under_the_beta_of_old_pages_lie_before_and_after_ids(local: FilesApi) -> None:
    made = await make(local, 5)
    page = await listed(local, "limit=2", betas=OLD)
    assert page == {**page, "has_more": True, "first_id": made[0], "last_id": made[1]}
    assert list(page) == ["data", "has_more", "first_id", "last_id"]
    assert ids(page) == made[:2]
    page = await listed(local, f"limit=2&after_id={made[1]}", betas=OLD)
    assert (ids(page), page["has_more"]) == (made[2:4], True)
    page = await listed(local, f"limit=2&after_id={made[3]}", betas=OLD)
    assert (ids(page), page["has_more"]) == (made[4:], False)
    page = await listed(local, f"limit=2&before_id={made[4]}", betas=OLD)
    assert (ids(page), page["has_more"]) == (made[2:4], True)
    page = await listed(local, f"limit=2&before_id={made[1]}", betas=OLD)
    assert (ids(page), page["has_more"]) == (made[:1], False)
    assert await listed(local, f"after_id={made[4]}", betas=OLD) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


async def test_under_managed_agents_a_page_has_both_kinds_of_cursors(local: FilesApi) -> None:
    made = await make(local, 3)
    page = await listed(local, "limit=2", betas=AGENTS)
    assert list(page) == ["data", "next_page", "has_more", "first_id", "last_id"]
    assert ids(await listed(local, f"page={page['next_page']}", betas=AGENTS)) == made[2:]
    assert ids(await listed(local, f"after_id={made[1]}", betas=AGENTS)) == made[2:]
    assert ids(await listed(local, "scope_id=sesn_1", betas=AGENTS)) == []


async def test_ids_name_the_files_that_are_wanted(local: FilesApi) -> None:
    made = await make(local, 4)
    query = f"ids[]={made[3]}&ids[]=file_none&ids[]={made[1]}&ids[]={made[1]}"
    assert await listed(local, query) == {
        "data": [file for file in (await listed(local))["data"] if file["id"] in {made[1], made[3]}],
        "next_page": None,
    }
    assert ids(await listed(local, "&".join(f"ids[]={made[0]}" for _ in range(300)))) == made[:1]
    assert ids(await listed(local, "ids[]=")) == []


@pytest.mark.parametrize(
    "query",
    [
        "ids[]=file_a&limit=2",
        "ids[]=file_a&page=page_x",
        "&".join(f"ids[]=file_{number}" for number in range(101)),
        "limit=0",
        "limit=1001",
        "limit=x",
        "after_id=file_a",
        "before_id=file_a",
    ],
)
async def test_queries_that_break_a_rule_are_refused(local: FilesApi, query: str) -> None:
    answer = await local.ask("GET", "/v1/files", query=query)
    assert error_of(answer)[:2] == (400, "invalid_request_error")


async def test_a_cursor_is_good_for_one_workspaces_list_only_and_unchanged_only(local: FilesApi) -> None:
    """Abuse case 18."""
    await make(local, 3)
    page = (await listed(local, "limit=1"))["next_page"]
    changed = page[:-2] + ("A" if page[-2] != "A" else "B") + page[-1]
    refusals = [
        await local.ask("GET", "/v1/files", query=f"page={page}", key="b"),
        *[await local.ask("GET", "/v1/files", query=f"page={bad}") for bad in (changed, "page_", "x", "page_'--")],
    ]
    assert {error_of(answer) for answer in refusals} == {
        (400, "invalid_request_error", "Invalid pagination cursor for 'page'")
    }
    foreign = (await listed(local))["data"][0]["id"]
    for parameter in ("after_id", "before_id"):
        for key, value in (("b", foreign), ("a", "file_none"), ("a", "' OR 1=1 --")):
            answer = await local.ask("GET", "/v1/files", query=f"{parameter}={value}", betas=OLD, key=key)
            assert error_of(answer)[2] == f"Invalid pagination cursor for '{parameter}'"
