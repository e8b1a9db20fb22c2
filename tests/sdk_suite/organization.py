"""The Admin API, stable and beta. What a test takes away or may make only once is another object for each request."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from .rewriting import Request
from .table import DROP, Excluded, Made, Resource, Rewrite

_BASE = "/v1/organizations"
_IDP = "https://idp.example.com"
_IDS = "an id of an object that there is"
_AGAIN = "one that no test before has taken away"
_NAME = "unique within the organization; a duplicate name returns 409 (SDK's description)"
_ONE_CURSOR = "one cursor at a time, and of an object that there is"
_PAGE = "an opaque cursor from a previous response (SDK's description)"

_numbers = itertools.count(1)
# Ids of objects that are used up, by the name of what they are for.
_pools: dict[str, list[str]] = {}


def _unique(request: Request) -> str:
    return f"suite-{next(_numbers)}"


def _email(request: Request) -> str:
    return f"suite-{next(_numbers)}@example.com"


def _next(pool: str) -> Callable[[Request], str]:
    return lambda request: _pools[pool].pop()


def _files(name: str) -> tuple[str, str]:
    stable, beta = f"tests/api_resources/organization/{name}.py", f"tests/api_resources/beta/organization/{name}.py"
    return stable, beta


def _paging(before: str) -> tuple[Rewrite, ...]:
    return (
        Rewrite("query", "after_id", "after_id", DROP, _ONE_CURSOR),
        Rewrite("query", "before_id", "before_id", Made(before), _ONE_CURSOR),
    )


_NO_PAGE = Rewrite("query", "page", "page", DROP, _PAGE)


async def _post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    answer = await client.post(path if path.startswith("/_") else _BASE + path, json=body)
    return answer.raise_for_status().json()


async def _user(client: httpx.AsyncClient) -> str:
    body = {"email": f"suite-{next(_numbers)}@example.com", "name": "A user", "role": "user"}
    return (await _post(client, "/_understudy/admin/users", body))["id"]


async def _workspace(client: httpx.AsyncClient) -> str:
    return (await _post(client, "/workspaces", {"name": "A workspace"}))["id"]


async def _account(client: httpx.AsyncClient) -> str:
    return (await _post(client, "/service_accounts", {"name": f"suite-{next(_numbers)}"}))["id"]


async def _issuer(client: httpx.AsyncClient) -> str:
    body = {"name": f"suite-{next(_numbers)}", "issuer_url": _IDP}
    return (await _post(client, "/federation_issuers", body))["id"]


async def _rule(client: httpx.AsyncClient, issuer: str, account: str, workspace: str) -> str:
    body = {
        "name": f"suite-{next(_numbers)}",
        "issuer_id": issuer,
        "match": {"subject_prefix": "me"},
        "oauth_scope": "workspace:developer",
        "target": {"type": "service_account", "service_account_id": account},
        "workspace_id": workspace,
    }
    return (await _post(client, "/federation_rules", body))["id"]


async def _group(client: httpx.AsyncClient) -> str:
    return (await _post(client, "/rbac_groups", {"name": "A group"}))["id"]


# How many requests of one kind there are: four tests, five clients, stable and beta.
_ROUND = 4 * 5 * 2

ME = Resource(
    name="organization",
    files=("tests/api_resources/test_organization.py", "tests/api_resources/beta/test_organization.py"),
    routes=(("GET", f"{_BASE}/me"),),
    credential="admin",
)


async def _prepare_users(client: httpx.AsyncClient) -> Mapping[str, str]:
    _pools["users"] = [await _user(client) for _ in range(3 * _ROUND)]
    return {"any_user": await _user(client)}


USERS = Resource(
    name="users",
    files=_files("test_users"),
    routes=(("GET", f"{_BASE}/users"), ("DELETE", f"{_BASE}/users/{{user_id}}")),
    rewrites=(
        Rewrite("path", "user_id", "user_id", _next("users"), _AGAIN),
        *_paging("any_user"),
        Rewrite("query", "roles[]", "string", "user", "a role (SDK's description)"),
    ),
    prepare=_prepare_users,
    credential="admin",
)


async def _prepare_invites(client: httpx.AsyncClient) -> Mapping[str, str]:
    made = [
        (await _post(client, "/invites", {"email": f"suite-{next(_numbers)}@example.com", "role": "user"}))["id"]
        for _ in range(2 * _ROUND + 1)
    ]
    _pools["invites"] = made[1:]
    return {"any_invite": made[0], "invited_group": await _group(client)}


INVITES = Resource(
    name="invites",
    files=_files("test_invites"),
    routes=(("POST", f"{_BASE}/invites"), ("DELETE", f"{_BASE}/invites/{{invite_id}}")),
    rewrites=(
        Rewrite("path", "invite_id", "invite_id", _next("invites"), _AGAIN),
        Rewrite("body", "email", "user@emaildomain.com", _email, "one pending invite an address (SDK's error classes)"),
        Rewrite("body", "rbac_group_ids.*", "string", Made("invited_group"), _IDS),
        *_paging("any_invite"),
        Rewrite("query", "roles[]", "string", "user", "a role (SDK's description)"),
    ),
    prepare=_prepare_invites,
    credential="admin",
)


async def _prepare_keys(client: httpx.AsyncClient) -> Mapping[str, str]:
    return {"any_key": (await _post(client, "/_understudy/admin/api_keys", {"name": "A key"}))["id"]}


API_KEYS = Resource(
    name="api_keys",
    files=_files("test_api_keys"),
    routes=(("GET", f"{_BASE}/api_keys"), ("POST", f"{_BASE}/api_keys/{{api_key_id}}")),
    rewrites=(Rewrite("path", "api_key_id", "api_key_id", Made("any_key"), _IDS), *_paging("any_key")),
    prepare=_prepare_keys,
    credential="admin",
)

_NO_KEY = "customer-managed keys are for organizations that have them (SDK's description)"
_NO_PROFILE = "the id of a user profile, of which there is none here"
_KEY, _PROFILE = "ekey_01SDCCSbTxrXDpWc1phhtcfK", "uprof_01SDCCSbTxrXDpWc1phhtcfK"


async def _prepare_workspaces(client: httpx.AsyncClient) -> Mapping[str, str]:
    _pools["archived_workspaces"] = [await _workspace(client) for _ in range(_ROUND)]
    return {"any_workspace": await _workspace(client)}


def _workspace_or_one_to_archive(made: str) -> Callable[[Request], Any]:
    return lambda request: _pools["archived_workspaces"].pop() if request.path.endswith("/archive") else Made(made)


WORKSPACES = Resource(
    name="workspaces",
    files=_files("test_workspaces"),
    routes=(("POST", f"{_BASE}/workspaces"), ("POST", f"{_BASE}/workspaces/{{workspace_id}}/archive")),
    rewrites=(
        Rewrite("path", "workspace_id", "workspace_id", _workspace_or_one_to_archive("any_workspace"), _AGAIN),
        Rewrite("body", "external_key_id", _KEY, DROP, _NO_KEY),
        Rewrite("body", "user_profile_id", _PROFILE, DROP, _NO_PROFILE),
        *_paging("any_workspace"),
    ),
    prepare=_prepare_workspaces,
    credential="admin",
)


async def _prepare_members(client: httpx.AsyncClient) -> Mapping[str, str]:
    workspace = await _workspace(client)
    _pools["added_members"] = [await _user(client) for _ in range(_ROUND)]
    members = [await _user(client) for _ in range(_ROUND + 1)]
    for user in members:
        body = {"user_id": user, "workspace_role": "workspace_user"}
        await _post(client, f"/workspaces/{workspace}/members", body)
    _pools["removed_members"] = members[1:]
    return {"workspace_of_members": workspace, "any_member": members[0]}


def _taken_if_deleted(pool: str, made: str) -> Callable[[Request], Any]:
    return lambda request: _pools[pool].pop() if request.method == "DELETE" else Made(made)


MEMBERS = Resource(
    name="workspace members",
    files=_files("workspaces/test_members"),
    routes=(("POST", f"{_BASE}/workspaces/{{workspace_id}}/members"),),
    rewrites=(
        Rewrite("path", "workspace_id", "workspace_id", Made("workspace_of_members"), _IDS),
        Rewrite("path", "user_id", "user_id", _taken_if_deleted("removed_members", "any_member"), _AGAIN),
        Rewrite("body", "user_id", "user_01WxYzAbCdEfGhJkMnPqRsTu", _next("added_members"), "no member yet"),
        *_paging("any_member"),
    ),
    prepare=_prepare_members,
    credential="admin",
)


async def _prepare_accounts(client: httpx.AsyncClient) -> Mapping[str, str]:
    _pools["archived_accounts"] = [await _account(client) for _ in range(_ROUND)]
    return {"any_account": await _account(client)}


def _archived(pool: str, made: str) -> Callable[[Request], Any]:
    return lambda request: _pools[pool].pop() if request.path.endswith("/archive") else Made(made)


SERVICE_ACCOUNTS = Resource(
    name="service_accounts",
    files=_files("test_service_accounts"),
    routes=(("POST", f"{_BASE}/service_accounts"),),
    rewrites=(
        Rewrite("path", "id", "service_account_id", _archived("archived_accounts", "any_account"), _AGAIN),
        Rewrite("body", "name", "ci-deploy-bot", _unique, _NAME),
        _NO_PAGE,
    ),
    prepare=_prepare_accounts,
    credential="admin",
)


async def _prepare_memberships(client: httpx.AsyncClient) -> Mapping[str, str]:
    workspace, staying, leaving = await _workspace(client), await _account(client), await _account(client)
    body = {"service_account_id": staying, "workspace_role": "workspace_user"}
    await _post(client, f"/workspaces/{workspace}/service_accounts", body)
    return {"workspace_of_accounts": workspace, "staying": staying, "leaving": leaving}


def _leaving_if_deleted(request: Request) -> Made:
    return Made("leaving" if request.method == "DELETE" else "staying")


WORKSPACE_ACCOUNTS = Resource(
    name="workspace service_accounts",
    files=_files("workspaces/test_service_accounts"),
    routes=(("POST", f"{_BASE}/workspaces/{{workspace_id}}/service_accounts"),),
    rewrites=(
        Rewrite("path", "workspace_id", "workspace_id", Made("workspace_of_accounts"), _IDS),
        Rewrite("path", "id", "service_account_id", _leaving_if_deleted, _IDS),
        Rewrite("body", "service_account_id", "service_account_id", Made("staying"), _IDS),
        _NO_PAGE,
    ),
    prepare=_prepare_memberships,
    credential="admin",
)

ACCOUNT_WORKSPACES = Resource(
    name="service_account workspaces",
    files=_files("service_accounts/test_workspaces"),
    routes=(("POST", f"{_BASE}/service_accounts/{{service_account_id}}/workspaces"),),
    rewrites=(
        Rewrite("path", "workspace_id", "workspace_id", Made("workspace_of_accounts"), _IDS),
        Rewrite("path", "id", "service_account_id", _leaving_if_deleted, _IDS),
        Rewrite("body", "workspace_id", "workspace_id", Made("workspace_of_accounts"), _IDS),
        _NO_PAGE,
    ),
    credential="admin",
)


async def _prepare_federation(client: httpx.AsyncClient) -> Mapping[str, str]:
    _pools["archived_issuers"] = [await _issuer(client) for _ in range(_ROUND)]
    issuer, account, workspace = await _issuer(client), await _account(client), await _workspace(client)
    _pools["archived_rules"] = [await _rule(client, issuer, account, workspace) for _ in range(_ROUND)]
    return {
        "any_issuer": await _issuer(client),
        "issuer_of_rules": issuer,
        "account_of_rules": account,
        "workspace_of_rules": workspace,
        "any_rule": await _rule(client, issuer, account, workspace),
    }


ISSUERS = Resource(
    name="federation issuers",
    files=_files("federation/test_issuers"),
    routes=(("POST", f"{_BASE}/federation_issuers"),),
    rewrites=(
        Rewrite("path", "id", "federation_issuer_id", _archived("archived_issuers", "any_issuer"), _AGAIN),
        Rewrite("body", "name", "x", _unique, _NAME),
        Rewrite("body", "issuer_url", "x", _IDP, "https, port 443, a public name (WIF reference)"),
        Rewrite("body", "jwks.discovery_base", "discovery_base", _IDP, "https, port 443 (WIF reference)"),
        Rewrite("body", "jwks.ca_cert_pem", "ca_cert_pem", DROP, "no certificate authorities of others here"),
        Rewrite("body", "jwks_polling_disabled", True, False, "only false is accepted (SDK's description)"),
        _NO_PAGE,
    ),
    prepare=_prepare_federation,
    credential="admin",
)

RULES = Resource(
    name="federation rules",
    files=_files("federation/test_rules"),
    routes=(("POST", f"{_BASE}/federation_rules"),),
    rewrites=(
        Rewrite("path", "id", "federation_rule_id", _archived("archived_rules", "any_rule"), _AGAIN),
        Rewrite("body", "name", "x", _unique, _NAME),
        Rewrite("body", "issuer_id", "issuer_id", Made("issuer_of_rules"), _IDS),
        Rewrite("body", "oauth_scope", "x", "workspace:developer", "scopes that there are (WIF reference)"),
        Rewrite(
            "body",
            "target.service_account_id",
            "svac_01SDCCSbTxrXDpWc1phhtcfK",
            Made("account_of_rules"),
            _IDS,
        ),
        Rewrite("body", "attributes", {"foo": "string"}, DROP, "any non-empty value is rejected (SDK's description)"),
        Rewrite("body", "match.condition", "condition", DROP, "a CEL expression, which this server does not evaluate"),
        Rewrite("body", "workspace_id", "workspace_id", Made("workspace_of_rules"), _IDS),
        _NO_PAGE,
    ),
    excluded=tuple(
        Excluded(f"*::test_{kind}_create", "workspace_id or applies_to_all_workspaces is required, and match not empty")
        for kind in ("method", "raw_response", "streaming_response")
    ),
    credential="admin",
)

RULE_WORKSPACES = Resource(
    name="federation rule workspaces",
    files=_files("federation/rules/test_workspaces"),
    routes=(("POST", f"{_BASE}/federation_rules/{{federation_rule_id}}/workspaces"),),
    rewrites=(
        Rewrite("path", "federation_rule_id", "federation_rule_id", Made("any_rule"), _IDS),
        Rewrite("path", "workspace_id", "workspace_id", Made("workspace_of_rules"), _IDS),
        Rewrite("body", "workspace_id", "workspace_id", Made("workspace_of_rules"), _IDS),
        _NO_PAGE,
    ),
    credential="admin",
)


async def _prepare_groups(client: httpx.AsyncClient) -> Mapping[str, str]:
    _pools["deleted_groups"] = [await _group(client) for _ in range(_ROUND)]
    group = await _group(client)
    _pools["added_to_group"] = [await _user(client) for _ in range(_ROUND)]
    _pools["removed_from_group"] = [await _user(client) for _ in range(_ROUND)]
    for user in _pools["removed_from_group"]:
        await _post(client, f"/rbac_groups/{group}/members", {"user_id": user})
    return {"any_group": group}


_NO_GROUP_PAGE = Rewrite("query", "page", "eyJjdXJzb3IiOiAicmJhY19ncm91cF8wMSJ9", DROP, _PAGE)
_NO_ROLE_PAGE = Rewrite("query", "page", "eyJjdXJzb3IiOiAicmJhY19yb2xlXzAxIn0", DROP, _PAGE)

GROUPS = Resource(
    name="rbac_groups",
    files=_files("test_rbac_groups"),
    routes=(("POST", f"{_BASE}/rbac_groups"),),
    rewrites=(
        Rewrite("path", "id", "rbac_group_id", _taken_if_deleted("deleted_groups", "any_group"), _AGAIN),
        _NO_GROUP_PAGE,
    ),
    prepare=_prepare_groups,
    credential="admin",
)

GROUP_MEMBERS = Resource(
    name="rbac_group members",
    files=_files("rbac_groups/test_members"),
    routes=(("POST", f"{_BASE}/rbac_groups/{{rbac_group_id}}/members"),),
    rewrites=(
        Rewrite("path", "rbac_group_id", "rbac_group_id", Made("any_group"), _IDS),
        Rewrite("path", "user_id", "user_id", _next("removed_from_group"), _AGAIN),
        Rewrite("body", "user_id", "user_01WxYzAbCdEfGhJkMnPqRsTu", _next("added_to_group"), "no member yet"),
        _NO_GROUP_PAGE,
    ),
    credential="admin",
)

ROLES = Resource(
    name="rbac_roles",
    files=(*_files("test_rbac_roles"), *_files("rbac_roles/test_permissions")),
    routes=(("GET", f"{_BASE}/rbac_roles"), ("GET", f"{_BASE}/rbac_roles/{{rbac_role_id}}/permissions")),
    rewrites=(Rewrite("path", "rbac_role_id", "rbac_role_id", "rbac_role_admin", _IDS), _NO_ROLE_PAGE),
    credential="admin",
)

ORGANIZATION = (
    *(ME, USERS, INVITES, API_KEYS, WORKSPACES, MEMBERS),
    *(SERVICE_ACCOUNTS, WORKSPACE_ACCOUNTS, ACCOUNT_WORKSPACES),
    *(ISSUERS, RULES, RULE_WORKSPACES, GROUPS, GROUP_MEMBERS, ROLES),
)
