"""Every route of the Admin API that is the organization's own."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import BaseRoute, Route

from understudy.http.envelope import ApiRoute, Endpoint
from understudy.http.exchange import Exchange
from understudy.http.limiting import LimitedPart
from understudy.net.client import Fetcher
from understudy.organization.api_keys.creating import KeyMaker
from understudy.organization.api_keys.endpoints import ApiKeysEndpoints
from understudy.organization.api_keys.service import ApiKeys
from understudy.organization.attempts import FailedAttempts
from understudy.organization.audit.service import AuditLog
from understudy.organization.federation.endpoints import IssuersEndpoints, RulesEndpoints, token_endpoint
from understudy.organization.federation.exchange import TokenExchange
from understudy.organization.federation.issuers import Issuers
from understudy.organization.federation.jwks import KeySource
from understudy.organization.federation.rule_workspaces import RuleWorkspaces
from understudy.organization.federation.rules import Rules
from understudy.organization.naming import Naming
from understudy.organization.pages import Cursors
from understudy.organization.people.endpoints import InvitesEndpoints, MembersEndpoints, UsersEndpoints
from understudy.organization.people.invites import Invites
from understudy.organization.people.members import Members
from understudy.organization.people.users import Users
from understudy.organization.rbac.endpoints import GroupsEndpoints, RolesEndpoints
from understudy.organization.rbac.groups import Groups
from understudy.organization.rbac.roles import Roles
from understudy.organization.service_accounts.endpoints import MembershipsEndpoints, ServiceAccountsEndpoints
from understudy.organization.service_accounts.memberships import Memberships
from understudy.organization.service_accounts.service import ServiceAccounts
from understudy.organization.store import Store, principal_of
from understudy.organization.tokens import Tokens
from understudy.organization.workspaces.endpoints import WorkspacesEndpoints
from understudy.storage.secrets import RootSecret

_BASE = "/v1/organizations"

# Creating invites has a limit of its own instead of the one that all others share (guide on user management, 2026-08).
_LIMITED: dict[tuple[str, str], LimitedPart] = {("/invites", "POST"): "invites"}


@dataclass(frozen=True, slots=True)
class AdminServices:
    """What our own routes need beyond those of the Admin API (see control/admin_keys.py)."""

    keys: KeyMaker
    users: Users
    invites: Invites
    audit_log: AuditLog
    naming: Naming


class OrganizationRoutes:
    """The organization's rooms, put together. The clock of `store` should be the authenticator's, so that all expire at
    one time."""

    def __init__(self, store: Store, cursors: Cursors, root: RootSecret, fetcher: Fetcher | None) -> None:
        self._store, self._cursors, self._fetcher = store, cursors, fetcher
        self._keys = KeySource(fetcher)
        self._tokens = TokenExchange(store, Tokens(root), self._keys)
        self._attempts = FailedAttempts()
        self.services = AdminServices(
            KeyMaker(store, root), Users(store), Invites(store, root), AuditLog(store), Naming(store)
        )

    def api_routes(self) -> list[ApiRoute]:
        """For callers who are known."""
        return [
            ApiRoute(_BASE + path, method, endpoint, limited=_LIMITED.get((path, method)))
            for table in (self._people(), self._workspaces(), self._workloads(), self._groups())
            for path, methods in table.items()
            for method, endpoint in methods.items()
        ]

    def other_routes(self) -> list[BaseRoute]:
        """For callers who are not."""
        return [Route("/v1/oauth/token", token_endpoint(self._tokens, self._attempts), methods=["POST"])]

    def _people(self) -> _Table:
        users, invites = UsersEndpoints(self.services.users), InvitesEndpoints(self.services.invites)
        return {
            "/me": {"GET": self._me},
            "/users": {"GET": users.list},
            "/users/{user_id}": {"GET": users.retrieve, "POST": users.update, "DELETE": users.remove},
            "/users/{user_id}/sign_out": {"POST": users.sign_out},
            "/invites": {"GET": invites.list, "POST": invites.create},
            "/invites/{invite_id}": {"GET": invites.retrieve, "DELETE": invites.delete},
        }

    def _workspaces(self) -> _Table:
        workspaces, members = WorkspacesEndpoints(self._store), MembersEndpoints(Members(self._store))
        accounts = MembershipsEndpoints(Memberships(self._store, self._cursors))
        keys = ApiKeysEndpoints(ApiKeys(self._store))
        one = "/workspaces/{workspace_id}"
        return {
            "/workspaces": {"GET": workspaces.list, "POST": workspaces.create},
            one: {"GET": workspaces.retrieve, "POST": workspaces.update},
            f"{one}/archive": {"POST": workspaces.archive},
            f"{one}/members": {"GET": members.list, "POST": members.add},
            f"{one}/members/{{user_id}}": {"GET": members.retrieve, "POST": members.update, "DELETE": members.remove},
            f"{one}/service_accounts": {"GET": accounts.list_of_workspace, "POST": accounts.add_service_account},
            f"{one}/service_accounts/{{service_account_id}}": {
                "GET": accounts.retrieve,
                "POST": accounts.update,
                "DELETE": accounts.remove,
            },
            "/api_keys": {"GET": keys.list},
            "/api_keys/{api_key_id}": {"GET": keys.retrieve, "POST": keys.update},
        }

    def _workloads(self) -> _Table:
        accounts = ServiceAccountsEndpoints(ServiceAccounts(self._store, self._cursors))
        memberships = MembershipsEndpoints(Memberships(self._store, self._cursors))
        issuers = IssuersEndpoints(Issuers(self._store, self._cursors, self._fetcher, self._keys))
        rules = RulesEndpoints(Rules(self._store, self._cursors), RuleWorkspaces(self._store, self._cursors))
        account, issuer = "/service_accounts/{service_account_id}", "/federation_issuers/{federation_issuer_id}"
        rule = "/federation_rules/{federation_rule_id}"
        return {
            "/service_accounts": {"GET": accounts.list, "POST": accounts.create},
            account: {"GET": accounts.retrieve, "POST": accounts.update},
            f"{account}/archive": {"POST": accounts.archive},
            f"{account}/workspaces": {"GET": memberships.list_of_account, "POST": memberships.add_to_workspace},
            f"{account}/workspaces/{{workspace_id}}": {"DELETE": memberships.remove},
            "/federation_issuers": {"GET": issuers.list, "POST": issuers.create},
            issuer: {"GET": issuers.retrieve, "POST": issuers.update},
            f"{issuer}/archive": {"POST": issuers.archive},
            "/federation_rules": {"GET": rules.list, "POST": rules.create},
            rule: {"GET": rules.retrieve, "POST": rules.update},
            f"{rule}/archive": {"POST": rules.archive},
            f"{rule}/workspaces": {"GET": rules.list_workspaces, "POST": rules.add_workspace},
            f"{rule}/workspaces/{{workspace_id}}": {"DELETE": rules.remove_workspace},
        }

    def _groups(self) -> _Table:
        groups = GroupsEndpoints(Groups(self._store, self._cursors))
        roles = RolesEndpoints(Roles(self._store, self._cursors))
        group, role = "/rbac_groups/{rbac_group_id}", "/rbac_roles/{rbac_role_id}"
        return {
            "/rbac_groups": {"GET": groups.list, "POST": groups.create},
            group: {"GET": groups.retrieve, "POST": groups.update, "DELETE": groups.delete},
            f"{group}/members": {"GET": groups.members, "POST": groups.add_member},
            f"{group}/members/{{user_id}}": {"DELETE": groups.remove_member},
            "/rbac_roles": {"GET": roles.list},
            role: {"GET": roles.retrieve},
            f"{role}/permissions": {"GET": roles.permissions},
        }

    async def _me(self, exchange: Exchange) -> None:
        await exchange.respond_json(await self.services.naming.me(principal_of(exchange)))


_Table = dict[str, dict[str, Endpoint]]
