"""What the organization's routes take, and examples of their answers, made by the code that makes the real ones."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, get_args

from understudy.organization.api_keys import shapes as api_keys
from understudy.organization.federation import shapes as federation
from understudy.organization.pages import CursorParams, ShortCursorParams
from understudy.organization.people import shapes as people
from understudy.organization.rbac import shapes as rbac
from understudy.organization.roles import OrganizationRole, WorkspaceRole
from understudy.organization.service_accounts import shapes as accounts
from understudy.organization.workspaces import shapes as workspaces
from understudy.wire.versions import VERSIONS

Examples = Callable[[], list[Any]]

_NEWEST = max(VERSIONS)
_BASE = "/v1/organizations"


def _row(**values: Any) -> Any:
    return SimpleNamespace(**values)


_MADE = {"created_at": 1.0, "created_by_id": "user_1", "updated_at": 1.0, "updated_by_id": "user_1"}
_HISTORIES = [
    {**_MADE, "archived_at": 1.0, "archived_by_id": "user_1"},
    {**_MADE, "created_by_id": None, "updated_by_id": None, "archived_at": None, "archived_by_id": None},
]


def _workspaces() -> list[Any]:
    shared = {"id": "w", "name": "W", "created_at": 1.0, "display_color": "#000000", "workspace_geo": "us"}
    return [
        workspaces.workspace(
            _row(
                **shared,
                archived_at=archived,
                compartment_id="c",
                default_inference_geo=geo,
                allowed_inference_geos=geos,
                tags='{"a": "b"}',
            )
        )
        for archived, geo, geos in ((None, "us", None), (1.0, "global", '["us", "global"]'))
    ]


def _users() -> list[Any]:
    return [
        people.user(_row(id="u", email="e", name="n", role=role, added_at=1.0)) for role in get_args(OrganizationRole)
    ]


def _invites() -> list[Any]:
    shared = {"id": "i", "email": "e", "invited_at": 1.0, "expires_at": 2.0, "rbac_group_ids": '["g"]'}
    moments = ((None, None, 1.5), (None, None, 3.0), (1.0, None, 1.5), (None, 1.0, 1.5))
    return [
        people.invite(_row(**shared, role=role, accepted_at=accepted, deleted_at=deleted), now)
        for role in get_args(OrganizationRole)
        for accepted, deleted, now in moments
    ]


def _members() -> list[Any]:
    return [people.member(_row(user_id="u", workspace_id="w", workspace_role=role)) for role in get_args(WorkspaceRole)]


def _keys() -> list[Any]:
    shared = {"id": "k", "name": "n", "created_at": 1.0, "partial_key_hint": "h"}
    return [
        api_keys.api_key(
            _row(**shared, created_by_id=by, expires_at=expires, principal_id=who, status=status, workspace_id=where),
            2.0,
            _NEWEST,
            "w",
        )
        for by, expires, who, status, where in (
            ("user_1", 3.0, "user_1", "active", "w"),
            ("svac_1", 1.0, "svac_1", "active", None),
            (None, None, None, "inactive", "w"),
            (None, None, None, "archived", "w"),
        )
    ]


def _accounts() -> list[Any]:
    return [
        accounts.service_account(_row(id="s", name="n", description=text, organization_role=role, **history))
        for text, role, history in zip((None, "d"), ("admin", "developer"), _HISTORIES, strict=True)
    ]


def _memberships() -> list[Any]:
    row = {"service_account_id": "s", "workspace_id": "w"}
    given = [accounts.membership(_row(**row, workspace_role=r, created_by_id="u")) for r in get_args(WorkspaceRole)]
    return [*given, accounts.implicit_membership("s", "w")]


def _issuers() -> list[Any]:
    sources = (
        '{"type": "discovery", "discovery_base": "b", "ca_cert_pem": null}',
        '{"type": "explicit_url", "url": "u", "ca_cert_pem": null}',
        '{"type": "inline", "keys": [{"kid": "k"}]}',
    )
    shared = {"id": "i", "name": "n", "issuer_url": "u", "check_jti": True, "max_jwt_lifetime_seconds": 1}
    statuses = [
        {"consecutive_failures": 0, "last_fetched_at": "t", "next_poll_at": None},
        {"consecutive_failures": 1, "last_fetched_at": None, "next_poll_at": None},
        None,
    ]
    return [
        federation.issuer(_row(**shared, jwks=jwks, **history), status)
        for jwks in sources
        for history in _HISTORIES
        for status in statuses
    ]


def _rules() -> list[Any]:
    matches = (
        '{"subject_prefix": "s", "audience": "a", "claims": {"a": "b"}, "condition": null}',
        '{"subject_prefix": null, "audience": null, "claims": null}',
    )
    shared = {"id": "r", "name": "n", "issuer_id": "i", "service_account_id": "s", "oauth_scope": "o"}
    shared |= {"issuer_name": "i", "service_account_name": "s"}
    numbers: dict[str, Any] = {"token_lifetime_seconds": 60, "applies_to_all_workspaces": True}
    return [
        federation.rule(_row(**shared, **numbers, match=match, description=text, **history), enabled)
        for match, text, history, enabled in zip(matches, (None, "d"), _HISTORIES, (["w"], ["v", "w"]), strict=True)
    ]


def _rule_workspaces() -> list[Any]:
    row = {"federation_rule_id": "r", "workspace_id": "w", "created_at": 1.0}
    return [federation.rule_workspace(_row(**row, created_by_id=by), name) for by, name in ((None, None), ("u", "n"))]


def _groups() -> list[Any]:
    row = {"id": "g", "name": "n", "source_type": "direct", "created_at": 1.0, "updated_at": 1.0}
    return [{**rbac.group(_row(**row), _NEWEST), "role_ids": ["r"]}]


def _group_members() -> list[Any]:
    return [rbac.group_member(_row(rbac_group_id="g", user_id="u", email="e", created_at=1.0), _NEWEST)]


def _roles() -> list[Any]:
    return [rbac.role("r", "n", 1.0, _NEWEST)]


def _permissions() -> list[Any]:
    return [
        {"type": "rbac_role_permission", "action": "a", "resource": {"type": "organization", "organization_id": "o"}}
    ]


def _me() -> list[Any]:
    return [{"id": "o", "type": "organization", "name": "n"}]


def _by_id(examples: Examples) -> Examples:
    return lambda: [
        {"data": examples(), "has_more": True, "first_id": "a", "last_id": "b"},
        {"data": examples(), "has_more": False, "first_id": None, "last_id": None},
    ]


def _by_cursor(examples: Examples) -> Examples:
    return lambda: [{"data": examples(), "next_page": page} for page in (None, "page_a")]


def _deleted(kind: str, *ids: str) -> Examples:
    return lambda: [{"type": kind, **dict.fromkeys(ids, "x")}]


_MEMBER_GONE = _deleted("service_account_workspace_member_deleted", "service_account_id", "workspace_id")
_WORKSPACE, _ACCOUNT, _ISSUER = "/workspaces/{}", "/service_accounts/{}", "/federation_issuers/{}"
_RULE, _GROUP, _ROLE = "/federation_rules/{}", "/rbac_groups/{}", "/rbac_roles/{}"

# Method and path below /v1/organizations → body, query, examples of the answer.
_ROWS: dict[tuple[str, str], tuple[Any, Any, Examples]] = {
    ("GET", "/me"): (None, None, _me),
    ("GET", "/users"): (None, people.UserListParams, _by_id(_users)),
    ("GET", "/users/{}"): (None, None, _users),
    ("POST", "/users/{}"): (people.UserUpdateParams, None, _users),
    ("POST", "/users/{}/sign_out"): (None, None, _users),
    ("DELETE", "/users/{}"): (None, None, _deleted("user_deleted", "id")),
    ("GET", "/invites"): (None, people.InviteListParams, _by_id(_invites)),
    ("POST", "/invites"): (people.InviteCreateParams, None, _invites),
    ("GET", "/invites/{}"): (None, None, _invites),
    ("DELETE", "/invites/{}"): (None, None, _deleted("invite_deleted", "id")),
    ("GET", "/workspaces"): (None, workspaces.WorkspaceListParams, _by_id(_workspaces)),
    ("POST", "/workspaces"): (workspaces.WorkspaceCreateParams, None, _workspaces),
    ("GET", _WORKSPACE): (None, None, _workspaces),
    ("POST", _WORKSPACE): (workspaces.WorkspaceUpdateParams, None, _workspaces),
    ("POST", f"{_WORKSPACE}/archive"): (None, None, _workspaces),
    ("GET", f"{_WORKSPACE}/members"): (None, people.PageParams, _by_id(_members)),
    ("POST", f"{_WORKSPACE}/members"): (people.MemberAddParams, None, _members),
    ("GET", f"{_WORKSPACE}/members/{{}}"): (None, None, _members),
    ("POST", f"{_WORKSPACE}/members/{{}}"): (people.MemberUpdateParams, None, _members),
    ("DELETE", f"{_WORKSPACE}/members/{{}}"): (
        *(None, None),
        _deleted("workspace_member_deleted", "user_id", "workspace_id"),
    ),
    ("GET", f"{_WORKSPACE}/service_accounts"): (None, ShortCursorParams, _by_cursor(_memberships)),
    ("POST", f"{_WORKSPACE}/service_accounts"): (accounts.AddServiceAccountParams, None, _memberships),
    ("GET", f"{_WORKSPACE}/service_accounts/{{}}"): (None, None, _memberships),
    ("POST", f"{_WORKSPACE}/service_accounts/{{}}"): (accounts.WorkspaceRoleParams, None, _memberships),
    ("DELETE", f"{_WORKSPACE}/service_accounts/{{}}"): (None, None, _MEMBER_GONE),
    ("GET", "/api_keys"): (None, api_keys.ApiKeyListParams, _by_id(_keys)),
    ("GET", "/api_keys/{}"): (None, None, _keys),
    ("POST", "/api_keys/{}"): (api_keys.ApiKeyUpdateParams, None, _keys),
    ("GET", "/service_accounts"): (None, accounts.ArchivableListParams, _by_cursor(_accounts)),
    ("POST", "/service_accounts"): (accounts.ServiceAccountCreateParams, None, _accounts),
    ("GET", _ACCOUNT): (None, None, _accounts),
    ("POST", _ACCOUNT): (accounts.ServiceAccountUpdateParams, None, _accounts),
    ("POST", f"{_ACCOUNT}/archive"): (None, None, _accounts),
    ("GET", f"{_ACCOUNT}/workspaces"): (None, ShortCursorParams, _by_cursor(_memberships)),
    ("POST", f"{_ACCOUNT}/workspaces"): (accounts.AddToWorkspaceParams, None, _memberships),
    ("DELETE", f"{_ACCOUNT}/workspaces/{{}}"): (None, None, _MEMBER_GONE),
    ("GET", "/federation_issuers"): (None, accounts.ArchivableListParams, _by_cursor(_issuers)),
    ("POST", "/federation_issuers"): (federation.IssuerCreateParams, None, _issuers),
    ("GET", _ISSUER): (None, None, _issuers),
    ("POST", _ISSUER): (federation.IssuerUpdateParams, None, _issuers),
    ("POST", f"{_ISSUER}/archive"): (None, None, _issuers),
    ("GET", "/federation_rules"): (None, federation.RuleListParams, _by_cursor(_rules)),
    ("POST", "/federation_rules"): (federation.RuleCreateParams, None, _rules),
    ("GET", _RULE): (None, None, _rules),
    ("POST", _RULE): (federation.RuleUpdateParams, None, _rules),
    ("POST", f"{_RULE}/archive"): (None, None, _rules),
    ("GET", f"{_RULE}/workspaces"): (None, ShortCursorParams, _by_cursor(_rule_workspaces)),
    ("POST", f"{_RULE}/workspaces"): (federation.RuleWorkspaceParams, None, _rule_workspaces),
    ("DELETE", f"{_RULE}/workspaces/{{}}"): (
        *(None, None),
        _deleted("federation_rule_workspace_deleted", "federation_rule_id", "workspace_id"),
    ),
    ("GET", "/rbac_groups"): (None, CursorParams, _by_cursor(_groups)),
    ("POST", "/rbac_groups"): (rbac.GroupCreateParams, None, _groups),
    ("GET", _GROUP): (None, None, _groups),
    ("POST", _GROUP): (rbac.GroupUpdateParams, None, _groups),
    ("DELETE", _GROUP): (None, None, _deleted("rbac_group_deleted", "id")),
    ("GET", f"{_GROUP}/members"): (None, CursorParams, _by_cursor(_group_members)),
    ("POST", f"{_GROUP}/members"): (rbac.GroupMemberAddParams, None, _group_members),
    ("DELETE", f"{_GROUP}/members/{{}}"): (
        *(None, None),
        _deleted("rbac_group_member_deleted", "rbac_group_id", "user_id"),
    ),
    ("GET", "/rbac_roles"): (None, CursorParams, _by_cursor(_roles)),
    ("GET", _ROLE): (None, None, _roles),
    ("GET", f"{_ROLE}/permissions"): (None, CursorParams, _by_cursor(_permissions)),
}

ROWS = {(method, _BASE + path): row for (method, path), row in _ROWS.items()}
"""Method and path → body, query, examples of the answer."""
