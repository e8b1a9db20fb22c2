"""Lists in pages, and what belongs to others."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from installations import installation
from understudy.http.principal import Principal
from understudy.organization.api_keys.service import ApiKeys
from understudy.organization.audit.service import AuditLog
from understudy.organization.federation.issuers import Issuers
from understudy.organization.federation.rules import Rules
from understudy.organization.pages import Cursors
from understudy.organization.people.invites import Invites
from understudy.organization.people.members import Members
from understudy.organization.people.users import Users
from understudy.organization.rbac.groups import Groups
from understudy.organization.roles import ORGANIZATION
from understudy.organization.service import Organizations
from understudy.organization.service_accounts.service import ServiceAccounts
from understudy.organization.store import COMMAND_LINE, Store
from understudy.organization.tables import (
    api_keys,
    audit_log,
    federation_issuers,
    federation_rules,
    invites,
    organizations,
    rbac_groups,
    service_accounts,
    users,
    workspaces,
)
from understudy.organization.workspaces.service import Workspaces
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import ApiError, InvalidRequestError, NotFoundError

from .acting import OLD_VERSION, VERSION, Organization, unique

SQL = ("'", '"; DROP TABLE workspaces; --', "' OR '1'='1", "%", "wrkspc_%", "\\", "\x00", "1) UNION SELECT hash FROM x")
LISTS = (
    *("workspaces", "users", "invites", "api_keys", "service_accounts", "federation_issuers", "federation_rules"),
    *("rbac_groups", "rbac_roles"),
)
BY_ID = ("workspaces", "users", "invites", "api_keys")


# --- both schemes over the wire ---


@pytest.mark.parametrize("version", [VERSION, OLD_VERSION])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_the_shape_of_its_scheme_in_both_versions(
    organization: Organization, name: str, version: str
) -> None:
    page = organization.call("GET", f"/v1/organizations/{name}?limit=1", version=version).json()
    scheme = {"data", "has_more", "first_id", "last_id"} if name in BY_ID else {"data", "next_page"}
    if name.startswith("rbac_") and version == OLD_VERSION:
        scheme.add("has_more")
    assert page.keys() == scheme


def test_every_page_after_and_before_an_object_is_walked_by_the_sdk(organization: Organization) -> None:
    made = [organization.workspace().id for _ in range(7)]
    workspaces = organization.admin.organization.workspaces
    everything = [one.id for one in workspaces.list(limit=1_000)]
    assert everything[:7] == made[::-1]
    assert [one.id for one in workspaces.list(limit=3)] == everything
    back: list[str] = []
    for page in workspaces.list(before_id=everything[-1], limit=3).iter_pages():
        back = [one.id for one in page.data] + back
    assert back == everything[:-1]
    empty = workspaces.list(after_id=everything[-1])
    assert (empty.data, empty.has_more, empty.first_id, empty.last_id) == ([], False, None, None)


def test_every_page_of_opaque_cursors_is_walked_by_the_sdk(organization: Organization) -> None:
    accounts = organization.admin.organization.service_accounts
    made = [accounts.create(name=unique("svc")).id for _ in range(7)]
    everything = [one.id for one in accounts.list(limit=100)]
    assert [one.id for one in accounts.list(limit=2)][:7] == everything[:7] == made[::-1]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "1.5", "", "9" * 40])
@pytest.mark.parametrize("name", ["workspaces", "rbac_groups"])
def test_a_limit_that_is_none_is_refused(organization: Organization, name: str, limit: str) -> None:
    answer = organization.call("GET", f"/v1/organizations/{name}?limit={limit}")
    assert (answer.status_code, answer.json()["error"]["message"][:7]) == (400, "limit: ")


def test_lists_of_workloads_have_at_most_a_hundred_on_a_page(organization: Organization) -> None:
    for name in ("service_accounts", "federation_issuers", "federation_rules"):
        assert organization.call("GET", f"/v1/organizations/{name}?limit=101").status_code == 400
        assert organization.call("GET", f"/v1/organizations/{name}?limit=100").status_code == 200


# --- cursors of others, and cursors that are none ---


def quiet(answer: Any) -> bool:
    """Whether nothing of a database is heard in it."""
    text = answer.text.lower()
    return not any(word in text for word in ("sqlite", "select", "sqlalchemy", "syntax", "traceback", "postgres"))


@pytest.mark.parametrize("cursor", [*SQL, "wrkspc_none", "page_", "page_AAAA", "é", "x" * 5_000])
def test_abuse_18_a_cursor_that_is_none_is_a_plain_400(organization: Organization, cursor: str) -> None:
    for name in LISTS:
        for parameter in ("after_id", "before_id") if name in BY_ID else ("page",):
            answer = organization.http.get(
                f"/v1/organizations/{name}",
                params={parameter: cursor},
                headers={"x-api-key": organization.server.admin_key, "anthropic-version": VERSION},
            )
            assert answer.status_code == 400, (name, answer.text)
            if "\0" not in cursor:
                assert answer.json()["error"]["message"] == f"Invalid pagination cursor for '{parameter}'"


def test_abuse_18_a_cursor_belongs_to_one_list_with_its_filters(organization: Organization) -> None:
    for _ in range(2):
        organization.admin.organization.service_accounts.create(name=unique("svc"))
        organization.admin.organization.rbac_groups.create(name="x")

    def page(path: str) -> Any:
        return organization.call("GET", f"/v1/organizations/{path}")

    cursor = page("service_accounts?limit=1").json()["next_page"]
    assert page(f"service_accounts?limit=5&page={cursor}").status_code == 200
    for other in ("service_accounts?include_archived=true&", "rbac_groups?", "federation_rules?", "rbac_roles?"):
        assert page(f"{other}page={cursor}").status_code == 400
    # An object's id is a cursor in its own list only.
    user, workspace = organization.user()["id"], organization.workspace().id
    assert page(f"users?after_id={user}").status_code == 200
    assert page(f"workspaces?after_id={user}").status_code == 400
    assert page(f"workspaces/{workspace}/members?after_id={user}").status_code == 400
    assert page(f"users?after_id={user}&before_id={user}").status_code == 400


_CURSORS = Cursors(RootSecret(["r" * 32]))
_CURSOR = _CURSORS.make(("things", "organization"), 123.5, "thing_1")


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, len(_CURSOR) - 1), character=st.sampled_from("ABab01-_="))
def test_abuse_18_a_cursor_with_any_character_changed_is_refused(place: int, character: str) -> None:
    changed = _CURSOR[:place] + character + _CURSOR[place + 1 :]
    if changed == _CURSOR:
        return
    try:
        read = _CURSORS.read(("things", "organization"), changed)
    except InvalidRequestError:
        return
    # Bits of the last character that mean nothing.
    assert read == (123.5, "thing_1")
    assert place >= len(_CURSOR) - 1 or changed.removeprefix("page_") == _CURSOR.removeprefix("page_")


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_abuse_18_no_other_text_is_a_cursor(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="Invalid pagination cursor"):
        _CURSORS.read(("things", "organization"), text)


def test_a_cursor_survives_a_rotation_of_the_root_secret() -> None:
    rotated = Cursors(RootSecret(["n" * 32, "r" * 32]))
    assert rotated.read(("things", "organization"), _CURSOR) == (123.5, "thing_1")


# --- another organization's objects ---


@dataclass
class Two:
    """Two organizations in one database; `theirs` holds an id of each kind of object of the second."""

    store: Store
    root: RootSecret
    principal: Principal
    theirs: dict[str, str]


async def _second(db: Database) -> dict[str, str]:
    """An organization with one of everything, written by hand: an installation makes itself only one."""
    ids = {
        "organizations": "00000000-0000-4000-8000-000000000002",
        "workspaces": "wrkspc_theirs",
        "users": "user_theirs",
        "invites": "invite_theirs",
        "api_keys": "apikey_theirs",
        "service_accounts": "svac_theirs",
        "federation_issuers": "fdis_theirs",
        "federation_rules": "fdrl_theirs",
        "rbac_groups": "rbac_group_theirs",
        "audit_log": "audit_theirs",
    }
    own, made = {"organization_id": ids["organizations"]}, {"created_at": 1.0, "updated_at": 1.0}
    account = {"id": ids["service_accounts"], "name": "s", "organization_role": "developer"}
    person = {"email": "a@example.com", "email_key": "a@example.com", "role": "user"}
    rows: list[tuple[Any, dict[str, Any]]] = [
        (organizations, {"id": ids["organizations"], "name": "Theirs", "created_at": 1.0}),
        (workspaces, {"id": ids["workspaces"], "name": "W", "is_default": True, "created_at": 1.0, **own}),
        (users, {"id": ids["users"], "name": "A", "added_at": 1.0, **person, **own}),
        (
            invites,
            {"id": ids["invites"], "rbac_group_ids": "[]", "invited_at": 1.0, "expires_at": 1e12, **person, **own},
        ),
        (
            api_keys,
            {
                **{"id": ids["api_keys"], "workspace_id": ids["workspaces"], "kind": "api", "name": "k", "hash": "00"},
                **{"hash_key_id": "x", "partial_key_hint": "x", "status": "active", "created_at": 1.0, "revision": 0},
                **own,
            },
        ),
        (service_accounts, {**account, **made, **own}),
        (
            federation_issuers,
            {
                **{"id": ids["federation_issuers"], "name": "i", "issuer_url": "https://x", "jwks": "{}"},
                **{"check_jti": True, "max_jwt_lifetime_seconds": 60, **made, **own},
            },
        ),
        (
            federation_rules,
            {
                **{"id": ids["federation_rules"], "name": "r", "issuer_id": ids["federation_issuers"], "match": "{}"},
                **{"service_account_id": ids["service_accounts"], "oauth_scope": "workspace:developer"},
                **{"token_lifetime_seconds": 60, "applies_to_all_workspaces": True, **made, **own},
            },
        ),
        (rbac_groups, {"id": ids["rbac_groups"], "name": "g", "source_type": "direct", **made, **own}),
        (
            audit_log,
            {
                **{"id": ids["audit_log"], "at": 1.0, "actor_type": "system", "action": "x"},
                **{"object_type": "x", "object_id": "x", **own},
            },
        ),
    ]
    async with db.begin() as connection:
        for table, values in rows:
            await connection.execute(insert(table).values(values))
    return ids


@asynccontextmanager
async def two_organizations(directory: Path) -> AsyncGenerator[Two]:
    async with installation(directory) as (db, root):
        home = await Organizations(db, root).ensure_installation()
        admin = Principal(home.organization_id, None, None, "admin", permissions=ORGANIZATION["owner"])
        yield Two(Store(db), root, admin, await _second(db))


Call = Callable[[Two, str], Any]

# (kind of id, what is done with it). Each later resource adds its rows.
CALLS: list[tuple[str, str, Call]] = [
    ("workspaces", "retrieve", lambda two, id_: Workspaces(two.store).retrieve(two.principal, id_)),
    ("workspaces", "update", lambda two, id_: Workspaces(two.store).update(two.principal, COMMAND_LINE, id_, {})),
    ("workspaces", "archive", lambda two, id_: Workspaces(two.store).archive(two.principal, COMMAND_LINE, id_)),
    ("workspaces", "members", lambda two, id_: Members(two.store).list(two.principal, id_, {})),
    ("users", "retrieve", lambda two, id_: Users(two.store).retrieve(two.principal, id_)),
    ("users", "update", lambda two, id_: Users(two.store).update(two.principal, COMMAND_LINE, id_, "user")),
    ("users", "remove", lambda two, id_: Users(two.store).remove(two.principal, COMMAND_LINE, id_)),
    ("invites", "retrieve", lambda two, id_: Invites(two.store, two.root).retrieve(two.principal, id_)),
    ("invites", "delete", lambda two, id_: Invites(two.store, two.root).delete(two.principal, COMMAND_LINE, id_)),
    ("invites", "token", lambda two, id_: Invites(two.store, two.root).token(two.principal, id_)),
    ("api_keys", "retrieve", lambda two, id_: ApiKeys(two.store).retrieve(two.principal, VERSION, id_)),
    (
        *("api_keys", "update"),
        lambda two, id_: ApiKeys(two.store).update(two.principal, COMMAND_LINE, VERSION, id_, {"status": "archived"}),
    ),
    (
        *("service_accounts", "retrieve"),
        lambda two, id_: ServiceAccounts(two.store, Cursors(two.root)).retrieve(two.principal, id_),
    ),
    (
        *("service_accounts", "archive"),
        lambda two, id_: ServiceAccounts(two.store, Cursors(two.root)).archive(two.principal, COMMAND_LINE, id_),
    ),
    (
        *("federation_issuers", "retrieve"),
        lambda two, id_: Issuers(two.store, Cursors(two.root), None).retrieve(two.principal, id_),
    ),
    (
        *("federation_issuers", "archive"),
        lambda two, id_: Issuers(two.store, Cursors(two.root), None).archive(two.principal, COMMAND_LINE, id_),
    ),
    (
        *("federation_rules", "retrieve"),
        lambda two, id_: Rules(two.store, Cursors(two.root)).retrieve(two.principal, id_),
    ),
    (
        *("federation_rules", "archive"),
        lambda two, id_: Rules(two.store, Cursors(two.root)).archive(two.principal, COMMAND_LINE, id_),
    ),
    (
        *("rbac_groups", "retrieve"),
        lambda two, id_: Groups(two.store, Cursors(two.root)).retrieve(two.principal, VERSION, id_),
    ),
    (
        *("rbac_groups", "delete"),
        lambda two, id_: Groups(two.store, Cursors(two.root)).delete(two.principal, COMMAND_LINE, id_),
    ),
    (
        *("rbac_groups", "members"),
        lambda two, id_: Groups(two.store, Cursors(two.root)).members(two.principal, VERSION, id_, {}),
    ),
]


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_15_an_id_of_another_organization_is_answered_as_a_random_one_is(tmp_path: Path) -> None:
    async with two_organizations(tmp_path) as two:
        for kind, what, call in CALLS:
            said: list[tuple[type[ApiError], str]] = []
            for id_ in (two.theirs[kind], two.theirs[kind].replace("theirs", os.urandom(6).hex())):
                with pytest.raises(NotFoundError) as caught:
                    await call(two, id_)
                said.append((type(caught.value), caught.value.message))
            assert said[0] == said[1], (kind, what)


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_15_no_list_holds_what_is_another_organizations_nor_takes_it_as_a_cursor(tmp_path: Path) -> None:
    async with two_organizations(tmp_path) as two:
        store, cursors, me = two.store, Cursors(two.root), two.principal
        by_id: dict[str, Callable[[Any], Any]] = {
            "workspaces": lambda params: Workspaces(store).list(me, params),
            "users": lambda params: Users(store).list(me, params),
            "invites": lambda params: Invites(store, two.root).list(me, params),
            "api_keys": lambda params: ApiKeys(store).list(me, VERSION, params),
            "audit_log": lambda params: AuditLog(store).list(me, params),
        }
        for kind, listed in by_id.items():
            assert two.theirs[kind] not in str(await listed({})), kind
            for parameter in ("after_id", "before_id"):
                with pytest.raises(InvalidRequestError, match="Invalid pagination cursor"):
                    await listed({parameter: two.theirs[kind]})
        pages: dict[str, Any] = {
            "service_accounts": await ServiceAccounts(store, cursors).list(me, {}),
            "federation_issuers": await Issuers(store, cursors, None).list(me, {}),
            "federation_rules": await Rules(store, cursors).list(me, {}),
            "rbac_groups": await Groups(store, cursors).list(me, VERSION, {}),
        }
        for kind, page in pages.items():
            assert two.theirs[kind] not in str(page)
        # A cursor that was made for the other organization.
        theirs = cursors.make(("rbac_groups", two.theirs["organizations"]), 1.0, "x")
        with pytest.raises(InvalidRequestError, match="Invalid pagination cursor"):
            await Groups(store, cursors).list(me, VERSION, {"page": theirs})


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_15_a_users_address_of_another_organization_is_free_here(tmp_path: Path) -> None:
    async with two_organizations(tmp_path) as two:
        made = await Users(two.store).add(
            two.principal, COMMAND_LINE, {"email": "a@example.com", "name": "A", "role": "user"}
        )
        page = await Users(two.store).list(two.principal, {"email": "a@example.com"})
        assert [one["id"] for one in page["data"]] == [made["id"]]


# --- nothing is read as SQL ---


@pytest.mark.parametrize("text", SQL)
def test_abuse_59_ids_and_filters_are_never_read_as_sql(organization: Organization, text: str) -> None:
    before = organization.call("GET", "/v1/organizations/workspaces?limit=1000&include_default=true").json()
    filters = {
        "users": ("email",),
        "invites": ("email",),
        "api_keys": ("workspace_id", "created_by_user_id"),
        "workspaces": ("ids[]",),
        "federation_rules": ("issuer_id",),
    }
    headers = {"x-api-key": organization.server.admin_key, "anthropic-version": VERSION}
    for name, parameters in filters.items():
        for parameter in parameters:
            answer = organization.http.get(f"/v1/organizations/{name}", params={parameter: text}, headers=headers)
            assert nothing(answer, text), (name, parameter, answer.text)
    for parameter in ("action", "actor_id", "object_id"):
        answer = organization.http.get("/_understudy/admin/audit_log", params={parameter: text}, headers=headers)
        assert nothing(answer, text), (parameter, answer.text)
    for name in LISTS:
        answer = organization.http.get(f"/v1/organizations/{name}/{_quoted(text)}", headers=headers)
        assert answer.status_code == 404, (name, answer.text)
        assert quiet(answer)
    after = organization.call("GET", "/v1/organizations/workspaces?limit=1000&include_default=true").json()
    assert after == before


def nothing(answer: Any, text: str) -> bool:
    """Whether a filter found nothing, or was refused for what no text in the database holds."""
    if "\0" in text:
        return answer.status_code == 400 and quiet(answer)
    return answer.status_code == 200 and answer.json()["data"] == []


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


@pytest.mark.parametrize("text", [one for one in SQL if one.isprintable()])
def test_abuse_59_names_and_tags_are_kept_as_they_are(organization: Organization, text: str) -> None:
    made = organization.admin.organization.workspaces.create(name=text, tags={text: text})
    assert (made.name, made.tags) == (text, {text: text})
    assert organization.admin.organization.workspaces.retrieve(made.id) == made
    organization.admin.organization.workspaces.archive(made.id)
