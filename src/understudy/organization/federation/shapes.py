"""Issuers and rules as the API shows them, and the bodies that make and change them.

Sources: the official SDK 2.12.0; the WIF reference (2026-08).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from understudy.organization.bodies import STRICT, Printable, Shape
from understudy.organization.clock import rfc3339
from understudy.organization.pages import Nullable, ShortCursorParams
from understudy.organization.service_accounts.shapes import Description, Slug, history
from understudy.organization.store import from_json

Url = Annotated[Printable, Field(min_length=1, max_length=2_048)]
Lifetime = Annotated[int, Field(ge=1, le=176_400)]
TokenLifetime = Annotated[int, Field(ge=60, le=86_400)]
Claim = Annotated[Printable, Field(min_length=1, max_length=2_048)]

DEFAULT_JWT_LIFETIME: Final = 3_600
DEFAULT_TOKEN_LIFETIME: Final = 3_600


class Discovery(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    type: Literal["discovery"]
    discovery_base: NotRequired[Url | None]
    ca_cert_pem: NotRequired[str | None]


class ExplicitUrl(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    type: Literal["explicit_url"]
    url: Url
    ca_cert_pem: NotRequired[str | None]


class Inline(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    type: Literal["inline"]
    keys: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]


Jwks = Annotated[Discovery | ExplicitUrl | Inline, Field(discriminator="type")]


class IssuerCreateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    issuer_url: Url
    name: Slug
    check_jti: NotRequired[bool | None]
    jwks: NotRequired[Jwks]
    max_jwt_lifetime_seconds: NotRequired[Lifetime | None]


class IssuerUpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    issuer_url: NotRequired[Url | None]
    name: NotRequired[Slug | None]
    check_jti: NotRequired[bool | None]
    jwks: NotRequired[Jwks | None]
    jwks_polling_disabled: NotRequired[bool | None]
    max_jwt_lifetime_seconds: NotRequired[Lifetime | None]


class Match(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    audience: NotRequired[Claim | None]
    claims: NotRequired[Annotated[dict[Claim, Claim], Field(max_length=50)] | None]
    condition: NotRequired[str | None]
    subject_prefix: NotRequired[Claim | None]


class Target(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    type: Literal["service_account"]
    service_account_id: Printable
    service_account_name: NotRequired[str | None]


def _no_attributes(attributes: dict[str, str]) -> dict[str, str]:
    if attributes:
        raise ValueError("not supported yet")
    return attributes


# Of the beta's types only; as the real service has it (SDK 2.12.0).
Attributes = Annotated[dict[str, str], AfterValidator(_no_attributes)]


class RuleCreateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    issuer_id: Printable
    match: Match
    name: Slug
    oauth_scope: str
    target: Target
    applies_to_all_workspaces: NotRequired[bool]
    attributes: NotRequired[Attributes | None]
    description: NotRequired[Description | None]
    token_lifetime_seconds: NotRequired[TokenLifetime]
    workspace_id: NotRequired[Printable | None]


class RuleUpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    applies_to_all_workspaces: NotRequired[bool | None]
    attributes: NotRequired[Attributes | None]
    description: NotRequired[Description | None]
    match: NotRequired[Match | None]
    name: NotRequired[Slug | None]
    oauth_scope: NotRequired[str | None]
    target: NotRequired[Target | None]
    token_lifetime_seconds: NotRequired[TokenLifetime | None]
    workspace_id: NotRequired[Printable | None]


class RuleListParams(ShortCursorParams):
    include_archived: NotRequired[bool]
    issuer_id: NotRequired[Nullable]


class RuleWorkspaceParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    workspace_id: Printable


ISSUER_CREATE: Final = Shape(IssuerCreateParams)
ISSUER_UPDATE: Final = Shape(IssuerUpdateParams)
RULE_CREATE: Final = Shape(RuleCreateParams)
RULE_UPDATE: Final = Shape(RuleUpdateParams)
RULE_LIST: Final = Shape(RuleListParams)
RULE_WORKSPACE: Final = Shape(RuleWorkspaceParams)


def issuer(row: Any, poll_status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": "federation_issuer",
        "name": row.name,
        "issuer_url": row.issuer_url,
        "jwks": from_json(row.jwks),
        "check_jti": row.check_jti,
        "max_jwt_lifetime_seconds": row.max_jwt_lifetime_seconds,
        # Keys are fetched when a token comes; nothing is polled that could be paused.
        "jwks_polling_disabled_at": None,
        "poll_status": poll_status,
        **history(row),
    }


def rule(row: Any, workspace_ids: list[str]) -> dict[str, Any]:
    """`row` has the names of the rule's issuer and service account beside its own columns."""
    return {
        "id": row.id,
        "type": "federation_rule",
        "name": row.name,
        "description": row.description,
        "issuer_id": row.issuer_id,
        "issuer_name": row.issuer_name,
        "match": from_json(row.match),
        "target": {
            "type": "service_account",
            "service_account_id": row.service_account_id,
            "service_account_name": row.service_account_name,
        },
        "oauth_scope": row.oauth_scope,
        "token_lifetime_seconds": row.token_lifetime_seconds,
        "applies_to_all_workspaces": row.applies_to_all_workspaces,
        "workspace_ids": workspace_ids,
        # Of the beta's types only: the one binding, where there is just one [guess for rules of more].
        "workspace_id": workspace_ids[0] if len(workspace_ids) == 1 else None,
        "attributes": None,
        **history(row),
    }


def rule_workspace(row: Any, name: str | None) -> dict[str, Any]:
    return {
        "type": "federation_rule_workspace",
        "federation_rule_id": row.federation_rule_id,
        "workspace_id": row.workspace_id,
        "workspace_name": name,
        "created_at": rfc3339(row.created_at),
        "created_by_actor_id": row.created_by_id,
    }
