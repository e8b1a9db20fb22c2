from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from installations import installation
from understudy.http.principal import Principal
from understudy.organization.roles import ORGANIZATION
from understudy.organization.service import Organizations
from understudy.organization.store import COMMAND_LINE, Store
from understudy.organization.workspaces.service import Workspaces
from understudy.wire.errors import InvalidRequestError

from .acting import Organization, refused, unique


def test_a_workspace_is_made_read_changed_listed_and_archived(organization: Organization) -> None:
    workspaces = organization.admin.organization.workspaces
    name = unique("workspace")
    made = workspaces.create(
        name=name,
        display_color="#123abc",
        tags={"team": "search"},
        data_residency={"allowed_inference_geos": ["us"], "default_inference_geo": "us"},
    )
    assert made.id.startswith("wrkspc_")
    assert (made.name, made.display_color, made.tags) == (name, "#123abc", {"team": "search"})
    assert made.data_residency.allowed_inference_geos == ["us"]
    assert made.data_residency.default_inference_geo == "us"
    assert (made.archived_at, made.external_key_id, made.user_profile_id) == (None, None, None)
    assert abs(made.created_at.timestamp() - time.time()) < 30
    assert workspaces.retrieve(made.id) == made
    changed = workspaces.update(made.id, name="Renamed", tags={"team": None, "stage": "beta"})
    assert (changed.name, changed.tags, changed.display_color) == ("Renamed", {"stage": "beta"}, "#123abc")
    assert made.id in [one.id for one in workspaces.list(limit=1)]
    archived = workspaces.archive(made.id)
    assert archived.archived_at is not None
    assert workspaces.archive(made.id) == archived
    assert made.id not in [one.id for one in workspaces.list()]
    assert [one.id for one in workspaces.list(include_archived=True, ids=[made.id])] == [made.id]
    assert refused(400, workspaces.update, made.id, name="x") == "The workspace is archived"


def test_what_a_workspace_leaves_out_is_as_documented(organization: Organization) -> None:
    made = organization.workspace()
    assert made.data_residency.workspace_geo == "us"
    assert made.data_residency.allowed_inference_geos == "unrestricted"
    assert made.data_residency.default_inference_geo == "global"
    assert made.tags == {}
    assert made.display_color.startswith("#")
    assert len(made.display_color) == 7


def test_the_default_workspace_is_hidden_from_lists_and_stays_as_it_is(organization: Organization) -> None:
    workspaces = organization.admin.organization.workspaces
    default = organization.default_workspace
    assert workspaces.retrieve(default).name == "Default"
    assert default not in [one.id for one in workspaces.list()]
    assert default in [one.id for one in workspaces.list(include_default=True)]
    assert refused(400, workspaces.update, default, name="Mine") == "The default workspace cannot be renamed"
    assert refused(400, workspaces.archive, default) == "The default workspace cannot be archived"
    assert workspaces.update(default, display_color="#000000").display_color == "#000000"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "name: Field required"),
        ({"name": ""}, "name: must be 1 to 500 characters"),
        ({"name": "a\nb"}, "name: must be printable characters"),
        ({"name": 7}, "name: Input should be a valid string"),
        ({"name": "x", "colour": "#000000"}, "colour: Extra inputs are not permitted"),
        ({"name": "x", "display_color": "red"}, "display_color: must be a hex color code such as #6C5BB9"),
        ({"name": "x", "tags": {"anthropic-team": "a"}}, "keys may not begin with `anthropic`"),
        ({"name": "x", "tags": {"Anthropic": "a"}}, "keys may not begin with `anthropic`"),
        (
            {"name": "x", "data_residency": {"allowed_inference_geos": ["us"]}},
            "data_residency.default_inference_geo: must be a member of allowed_inference_geos",
        ),
        ({"name": "x", "external_key_id": "k"}, "external_key_id: customer-managed encryption keys are not enabled"),
        ([], "Input should be"),
    ],
)
def test_a_workspace_that_cannot_be_is_refused(organization: Organization, body: Any, message: str) -> None:
    answer = organization.call("POST", "/v1/organizations/workspaces", body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_residency_is_changed_as_a_whole_that_fits(organization: Organization) -> None:
    workspaces = organization.admin.organization.workspaces
    made = organization.workspace(data_residency={"allowed_inference_geos": ["us"], "default_inference_geo": "us"})
    opened = workspaces.update(made.id, data_residency={"allowed_inference_geos": "unrestricted"})
    assert opened.data_residency.allowed_inference_geos == "unrestricted"
    assert opened.data_residency.default_inference_geo == "us"
    refused(400, workspaces.update, made.id, data_residency={"allowed_inference_geos": ["global"]})
    assert workspaces.retrieve(made.id) == opened


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_an_organization_has_at_most_a_hundred_active_workspaces(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        home = await Organizations(db, root).ensure_installation()
        admin = Principal(home.organization_id, None, None, "admin", permissions=ORGANIZATION["owner"])
        workspaces = Workspaces(Store(db))
        made = [await workspaces.create(admin, COMMAND_LINE, {"name": str(n)}) for n in range(99)]
        with pytest.raises(InvalidRequestError, match="already has 100 active workspaces"):
            await workspaces.create(admin, COMMAND_LINE, {"name": "one more"})
        await workspaces.archive(admin, COMMAND_LINE, made[0]["id"])
        await workspaces.create(admin, COMMAND_LINE, {"name": "in its place"})


def test_abuse_04_archiving_a_workspace_refuses_its_keys_at_once_also_on_open_connections(
    organization: Organization,
) -> None:
    made = organization.workspace()
    key = organization.key(workspace_id=made.id)
    # The client keeps its connection open.
    first = organization.talk(key["raw_key"])
    assert (first.status_code, first.headers["anthropic-workspace-id"]) == (200, made.id)
    organization.admin.organization.workspaces.archive(made.id)
    archived_at = time.monotonic()
    while organization.talk(key["raw_key"]).status_code != 401:
        assert time.monotonic() - archived_at < 5
    assert time.monotonic() - archived_at < 1.5
    listed = organization.admin.organization.api_keys.retrieve(key["id"])
    assert listed.status == "archived"
    assert refused(400, organization.admin.organization.api_keys.update, key["id"], status="active")
