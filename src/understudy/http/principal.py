"""Who is calling, and where. `organization` implements the Authenticator; `app` plugs it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol

from understudy.wire.errors import InvalidRequestError, PermissionDeniedError

ORGANIZATION_PATHS: Final = "/v1/organizations/"
"""Routes below are the organization's: they belong to no workspace, and ordinary keys are none of theirs."""

_ORG_ADMIN: Final = "org:admin"
_INFERENCE_PATHS: Final = ("/v1/messages", "/v1/messages/count_tokens", "/v1/complete", "/v1/chat/completions")
_MODELS_PATH: Final = "/v1/models"


@dataclass(frozen=True, slots=True)
class WorkspaceGrant:
    """What a credential may do in one workspace, and where its inference may run (None: anywhere)."""

    role: str = "workspace_developer"
    default_inference_geo: str = "global"
    allowed_inference_geos: tuple[str, ...] | None = None


_WHOLE: Final = WorkspaceGrant()


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller behind a credential that was accepted.

    `organization_id` is a UUID, `workspace_id` a `wrkspc_…` id (None for admin keys, and on the organization's own
    routes), `api_key_id` an `apikey_…` id (None for tokens). `actor_id` is the `user_…` or `svac_…` that the credential
    acts as, if any. `permissions` are what it may do to the organization (see organization/roles.py). `grant` is what
    it may do in the workspace; `workspaces` holds those that a credential may choose from that is bound to none.
    `scopes` are an OAuth token's.
    """

    organization_id: str
    workspace_id: str | None
    api_key_id: str | None
    kind: Literal["api", "admin", "oauth"] = "api"
    actor_id: str | None = None
    permissions: frozenset[str] = frozenset()
    grant: WorkspaceGrant = _WHOLE
    workspaces: Mapping[str, WorkspaceGrant] | None = field(default=None, hash=False)
    scopes: frozenset[str] = frozenset()

    def is_known_at(self, path: str) -> bool:
        """Whether credentials of this kind are any for `path`; if not, the caller is answered as a stranger is."""
        if path.startswith(ORGANIZATION_PATHS):
            return self.kind != "api" or self.workspaces is not None
        return self.kind != "admin"

    def at(self, path: str, workspace: str | None) -> Principal:
        """The principal of a request to `path` whose `anthropic-workspace-id` is `workspace`.

        403 for a workspace that the credential is not for, whether there is one of that id or not; 400 for none where
        one must be named. Texts: [guess].
        """
        if path.startswith(ORGANIZATION_PATHS):
            if self.kind == "oauth" and _ORG_ADMIN not in self.scopes:
                raise PermissionDeniedError(f"This token's scope does not allow this. It needs: {_ORG_ADMIN}")
            return self if self.workspace_id is None else replace(self, workspace_id=None)
        if self.workspaces is None:
            if workspace is not None and workspace != self.workspace_id:
                raise PermissionDeniedError("anthropic-workspace-id: this API key belongs to another workspace")
            if self.kind == "oauth":
                _check_scope(self.scopes, path)
            return self
        if workspace is None:
            raise InvalidRequestError(
                "anthropic-workspace-id: header is required with an API key that is not bound to one workspace"
            )
        grant = self.workspaces.get(workspace)
        if grant is None:
            raise PermissionDeniedError("anthropic-workspace-id: this API key has no access to that workspace")
        return replace(self, workspace_id=workspace, grant=grant)


def _check_scope(scopes: frozenset[str], path: str) -> None:
    """403 for a route that a token's scope does not reach. Source: the WIF reference (2026-08), OAuth scopes."""
    if "workspace:developer" in scopes:
        return
    inference = path in _INFERENCE_PATHS or path == _MODELS_PATH or path.startswith(_MODELS_PATH + "/")
    if inference and "workspace:inference" in scopes:
        return
    needed = "workspace:inference" if inference else "workspace:developer"
    raise PermissionDeniedError(f"This token's scope does not allow this. It needs: {needed}")


class Authenticator(Protocol):
    async def authenticate(self, secret: str, address: str = "", /) -> Principal | None:
        """The principal that `secret` stands for, or None. Never writes to the database.

        Takes the same way for every kind of bad secret, so that time tells nothing apart. `address` is whence it came:
        RateLimitError when that has sent too many bad ones. Raises nothing else.
        """
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """A workspace and the organization it belongs to."""

    organization_id: str
    workspace_id: str

    @classmethod
    def of(cls, principal: Principal | None) -> Owner:
        """The workspace of a request's caller. Raises InvalidRequestError for a caller in none."""
        if principal is None or principal.workspace_id is None:
            raise InvalidRequestError("anthropic-workspace-id: header is required")
        return cls(principal.organization_id, principal.workspace_id)
