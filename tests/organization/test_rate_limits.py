"""The Rate Limits API over a socket, as the official SDK and older clients see it."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.limits.groups import Groups

from .acting import OLD_VERSION, Organization, refused

LIMITS = "/v1/organizations/rate_limits"
MODEL = "claude-sonnet-4-5"


def entry_of(organization: Organization, model: str = MODEL) -> Any:
    (found,) = organization.admin.organization.rate_limits.list(model=model).data
    return found


def of_workspace(workspace_id: str, entry_id: str = "") -> str:
    return f"/v1/organizations/workspaces/{workspace_id}/rate_limits{'/' if entry_id else ''}{entry_id}"


def test_every_group_is_listed_with_its_limits_and_the_names_of_its_models(organization: Organization) -> None:
    entries = list(organization.admin.organization.rate_limits.list())
    kinds = {entry.group.type for entry in entries}
    assert kinds == {"model_group", "batch", "token_count", "files", "skills"}
    assert len({entry.id for entry in entries}) == len(entries)
    sonnet = next(entry for entry in entries if MODEL in (entry.models or []))
    assert sonnet.group.type == "model_group"
    assert sonnet.group.display_name == "Claude Sonnet 4.x"
    assert sonnet.group.id == Groups().of_model("claude-sonnet-4-6").id
    assert set(sonnet.models or []) >= {"claude-sonnet-4-6", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"}
    assert {limit.type: limit.value for limit in sonnet.limits} == {
        "requests_per_minute": 1_000,
        "input_tokens_per_minute_cache_aware": 2_000_000,
        "output_tokens_per_minute": 400_000,
    }
    batch = next(entry for entry in entries if entry.group.type == "batch")
    assert (batch.models, {limit.type for limit in batch.limits}) == (
        None,
        {"requests_per_minute", "enqueued_batch_requests"},
    )
    assert entry_of(organization) == sonnet


def test_under_the_older_version_an_entry_names_the_kind_of_its_group_as_well(organization: Organization) -> None:
    new = organization.call("GET", LIMITS).json()["data"]
    old = organization.call("GET", LIMITS, version=OLD_VERSION).json()["data"]
    assert not any("group_type" in entry for entry in new)
    assert [{**entry, "group_type": entry["group"]["type"]} for entry in new] == old


def test_a_filter_leaves_what_it_names_and_a_model_that_is_none_is_not_found(organization: Organization) -> None:
    listed = organization.admin.organization.rate_limits
    assert [entry.group.type for entry in listed.list(group_type="files").data] == ["files"]
    assert listed.list(group_type="web_search").data == []
    assert refused(404, listed.list, model="claude-none")
    assert organization.call("GET", f"{LIMITS}?group_type=models").status_code == 400


def test_pages_end_where_the_list_does(organization: Organization) -> None:
    listed = organization.admin.organization.rate_limits
    whole = [entry.id for entry in listed.list()]
    assert listed.list().next_page is None
    assert [entry.id for entry in listed.list(limit=3)] == whole
    page = listed.list(limit=len(whole))
    assert (len(page.data), page.next_page) == (len(whole), None)
    cursor = listed.list(limit=3).next_page
    # One of another list, and one that was tampered with.
    assert refused(400, listed.list, page=cursor, group_type="files")
    workspace = organization.workspace()
    assert refused(400, organization.admin.organization.workspaces.rate_limits.list, workspace.id, page=cursor)
    assert refused(400, listed.list, page=f"{cursor}x")
    for limit in (0, 1_001, "x"):
        assert organization.call("GET", f"{LIMITS}?limit={limit}").status_code == 400


def test_a_workspace_s_limits_are_set_listed_and_cleared(organization: Organization) -> None:
    workspace, entry = organization.workspace(), entry_of(organization)
    limits = organization.admin.organization.workspaces.rate_limits
    assert limits.list(workspace.id).data == []
    made = limits.update(
        entry.id,
        workspace_id=workspace.id,
        limits=[{"type": "requests_per_minute", "value": 10}, {"type": "tokens_per_day", "value": 5_000}],
    )
    assert (made.type, made.workspace_id, made.rate_limit_id) == ("workspace_rate_limit", workspace.id, entry.id)
    assert (made.group, made.models) == (entry.group, entry.models)
    assert {each.type: (each.value, each.org_limit, each.source.type) for each in made.limits} == {
        "requests_per_minute": (10, 1_000, "workspace"),
        "tokens_per_day": (5_000, None, "workspace"),
    }
    assert limits.list(workspace.id).data == [made]
    assert limits.list(workspace.id, group_type="batch").data == []

    everything = list(limits.list(workspace.id, include_inherited=True))
    assert len(everything) == len(list(organization.admin.organization.rate_limits.list()))
    same = next(each for each in everything if each.rate_limit_id == entry.id)
    assert {each.type: each.source.type for each in same.limits} == {
        "requests_per_minute": "workspace",
        "tokens_per_day": "workspace",
        "input_tokens_per_minute_cache_aware": "organization",
        "output_tokens_per_minute": "organization",
    }
    inherited = next(each for each in same.limits if each.type == "output_tokens_per_minute")
    assert inherited.value == inherited.org_limit == 400_000

    # What is not named stays as it is.
    cleared = limits.update(
        entry.id, workspace_id=workspace.id, limits=[{"type": "requests_per_minute", "value": None}]
    )
    assert [each.type for each in cleared.limits] == ["tokens_per_day"]
    gone = limits.update(entry.id, workspace_id=workspace.id, limits=[{"type": "tokens_per_day", "value": None}])
    assert (gone.limits, limits.list(workspace.id).data) == ([], [])


def test_every_change_is_audited_with_what_was_before(organization: Organization) -> None:
    workspace, entry = organization.workspace(), entry_of(organization)
    for value in (10, 20):
        organization.admin.organization.workspaces.rate_limits.update(
            entry.id, workspace_id=workspace.id, limits=[{"type": "requests_per_minute", "value": value}]
        )
    found = organization.ours("GET", f"audit_log?object_id={workspace.id}&action=workspace_rate_limits_updated")["data"]
    changes = [[each[side]["limits"] for side in ("before", "after")] for each in reversed(found)]
    assert [[[one["value"] for one in limits] for limits in change] for change in changes] == [
        [[], [10]],
        [[10], [20]],
    ]


def test_abuse_30_the_default_workspace_has_no_limits_of_its_own(organization: Organization) -> None:
    default, entry = organization.default_workspace, entry_of(organization)
    limits = organization.admin.organization.workspaces.rate_limits
    assert limits.list(default).data == []
    set_one: Any = [{"type": "requests_per_minute", "value": 10}]
    assert "default workspace" in refused(400, limits.update, entry.id, workspace_id=default, limits=set_one)
    assert limits.list(default).data == []


def test_abuse_30_a_limit_above_the_organization_s_is_kept_and_the_lower_is_told(organization: Organization) -> None:
    workspace, entry = organization.workspace(), entry_of(organization, "claude-opus-5-5")
    key = organization.key(workspace_id=workspace.id)["raw_key"]

    def told(value: int) -> str:
        made = organization.admin.organization.workspaces.rate_limits.update(
            entry.id, workspace_id=workspace.id, limits=[{"type": "requests_per_minute", "value": value}]
        )
        assert [(each.value, each.org_limit) for each in made.limits] == [(value, 1_000)]
        return organization.talk(key).headers["anthropic-ratelimit-requests-limit"]

    # In force from the next request on.
    assert [told(5_000), told(20), told(2_000)] == ["1000", "20", "1000"]


ONE: dict[str, Any] = {"type": "requests_per_minute", "value": 10}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"limits": []},
        {"limits": [ONE] * 17},
        {"limits": [ONE, ONE]},
        {"limits": [{"type": "requests_per_minute"}]},
        {"limits": [{"type": "requests_per_minute", "value": "10"}]},
        {"limits": [{"type": "requests_per_minute", "value": 1.5}]},
        {"limits": [{"type": "requests_per_minute", "value": True}]},
        {"limits": [{"type": "requests_per_minute", "value": -1}]},
        {"limits": [{"type": "requests_per_minute", "value": 10**12}]},
        {"limits": [{"type": "enqueued_batch_requests", "value": 10}]},
        {"limits": [{"type": "requests_per_second", "value": 10}]},
        {"limits": [{**ONE, "org_limit": 10}]},
        {"limits": [ONE], "workspace_id": "wrkspc_1"},
    ],
)
def test_what_cannot_be_set_is_refused(organization: Organization, body: Any) -> None:
    entry = entry_of(organization)
    answer = organization.call("POST", of_workspace(organization.default_workspace, entry.id), body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "default workspace" not in answer.text


def test_what_there_is_not_is_not_found(organization: Organization) -> None:
    workspace, entry = organization.workspace(), entry_of(organization)
    body = {"limits": [ONE]}
    paths = [
        of_workspace("wrkspc_01none", entry.id),
        of_workspace(workspace.id, "rl_01none"),
        of_workspace(workspace.id, entry.group.id),
        of_workspace(workspace.id, "%00"),
    ]
    assert [organization.call("POST", path, body).status_code for path in paths] == [404] * 4
    assert organization.call("GET", of_workspace("wrkspc_01none")).status_code == 404
    organization.admin.organization.workspaces.archive(workspace.id)
    assert organization.call("POST", of_workspace(workspace.id, entry.id), body).status_code == 400


def test_roles_decide_who_may_see_and_who_may_set(organization: Organization) -> None:
    entry, one, other = entry_of(organization), organization.workspace(), organization.workspace()
    body = {"limits": [ONE]}

    def answers(key: str) -> list[int]:
        return [
            organization.call("GET", LIMITS, key=key).status_code,
            *(organization.call("GET", of_workspace(each.id), key=key).status_code for each in (one, other)),
            *(
                organization.call("POST", of_workspace(each.id, entry.id), body, key=key).status_code
                for each in (one, other)
            ),
        ]

    def somebody(role: str, workspace_role: Any = None) -> str:
        person = organization.user(role)
        if workspace_role is not None:
            organization.admin.organization.workspaces.members.add(
                one.id, user_id=person["id"], workspace_role=workspace_role
            )
        return str(organization.key(kind="personal", user_id=person["id"])["raw_key"])

    assert answers(somebody("admin")) == [200, 200, 200, 200, 200]
    assert answers(somebody("billing")) == [200, 200, 200, 404, 404]
    assert answers(somebody("developer", "workspace_admin")) == [200, 200, 404, 200, 404]
    assert answers(somebody("developer", "workspace_developer")) == [200, 200, 404, 403, 404]
    assert answers(somebody("user", "workspace_user")) == [403, 404, 404, 404, 404]
    # A workspace's own key is none here.
    assert set(answers(organization.key(workspace_id=one.id)["raw_key"])) == {401}
