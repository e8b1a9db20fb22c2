"""POST /v1/oauth/token: an issuer's assertion (RFC 7523) for an access token of ours.

Every denial is the same 401; the log has the reason. Source: the WIF reference (2026-08).
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from typing import Any, Final, NotRequired, cast

from pydantic import ConfigDict
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from typing_extensions import TypedDict

from understudy.organization.api_keys.service import default_workspace
from understudy.organization.bodies import Shape, check
from understudy.organization.federation.jwks import ALGORITHMS, KeySource, KeysUnavailableError, can_verify
from understudy.organization.federation.matching import mismatch
from understudy.organization.federation.rules import workspaces_of
from understudy.organization.roles import WORKSPACE
from understudy.organization.store import Store, from_json
from understudy.organization.tables import (
    federation_issuers,
    federation_rules,
    federation_used_assertions,
    service_accounts,
    workspace_service_accounts,
    workspaces,
)
from understudy.organization.tokens import AccessToken, Tokens
from understudy.wire.errors import AuthenticationError, InvalidRequestError

GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LONGEST_ASSERTION: Final = 16 * 1024
_LEEWAY: Final = 30
_LONGEST_JTI: Final = 4_096
_RULE_ID: Final = re.compile(r"fdrl_[A-Za-z0-9]{1,64}")
_WORKSPACE_ID: Final = re.compile(r"wrkspc_[A-Za-z0-9]{1,64}|default")

_log = logging.getLogger("understudy.organization.federation")


class TokenParams(TypedDict):
    # Not strict about unknown fields: OAuth clients may send more (RFC 6749, section 3.2).
    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")  # pyright: ignore[reportGeneralTypeIssues]

    grant_type: str
    assertion: str
    federation_rule_id: str
    organization_id: str
    service_account_id: NotRequired[str | None]
    workspace_id: NotRequired[str | None]


_PARAMS: Final = Shape(TokenParams)


class _DeniedError(Exception):
    """Why, in a word for the log."""


class TokenExchange:
    def __init__(self, store: Store, tokens: Tokens, keys: KeySource) -> None:
        self._store, self._tokens, self._keys = store, tokens, keys

    async def exchange(self, body: object) -> dict[str, Any]:
        """The answer to a request whose JSON body is `body`. 400 for a malformed one, 401 for any that is denied."""
        params = check(body, _PARAMS)
        if params["grant_type"] != GRANT:
            raise InvalidRequestError(f"grant_type: must be {GRANT}")
        if not _RULE_ID.fullmatch(params["federation_rule_id"]):
            raise InvalidRequestError("federation_rule_id: must be the id of a federation rule (fdrl_...)")
        workspace_id = params.get("workspace_id")
        if workspace_id is not None and not _WORKSPACE_ID.fullmatch(workspace_id):
            raise InvalidRequestError("workspace_id: must be the id of a workspace (wrkspc_...) or default")
        try:
            return await self._grant(params)
        except _DeniedError as denied:
            _log.warning("token exchange denied: %s (rule %s)", denied, params["federation_rule_id"])
            raise AuthenticationError("Authentication failed") from None

    async def _grant(self, params: TokenParams) -> dict[str, Any]:
        rule = await self._rule(params)
        claims = await self._verified(params["assertion"], rule)
        failed = await mismatch(from_json(rule.match), claims)
        if failed is not None:
            raise _DeniedError(failed)
        scopes = rule.oauth_scope.split()
        if "org:admin" in scopes and rule.organization_role != "admin":
            raise _DeniedError("service_account_role")
        workspace_id = await self._workspace(rule, params.get("workspace_id"))
        if rule.check_jti and claims.get("jti") is not None:
            await self._use(rule.issuer_id, claims)
        now = self._store.clock()
        remaining = float(claims["exp"]) - now
        lifetime = int(max(60, min(rule.token_lifetime_seconds, 2 * remaining)))
        token = AccessToken(
            rule.organization_id, workspace_id, rule.service_account_id, rule.id, rule.oauth_scope, now + lifetime
        )
        return {
            "access_token": self._tokens.mint(token),
            "token_type": "Bearer",
            "expires_in": lifetime,
            "scope": rule.oauth_scope,
        }

    async def _rule(self, params: TokenParams) -> Any:
        async with self._store.connect() as connection:
            where = federation_rules.c.id == params["federation_rule_id"]
            rule = (await connection.execute(_RULE.where(where))).one_or_none()
        if rule is None or rule.organization_id != params["organization_id"] or rule.archived_at is not None:
            raise _DeniedError("federation_rule")
        if rule.issuer_archived_at is not None:
            raise _DeniedError("federation_issuer_archived")
        if params.get("service_account_id") not in (None, rule.service_account_id):
            raise _DeniedError("service_account")
        if rule.account_archived_at is not None:
            raise _DeniedError("service_account_archived")
        return rule

    async def _verified(self, assertion: str, rule: Any) -> Mapping[str, Any]:
        """The claims, once the signature and the times are good."""
        if not can_verify():
            raise _DeniedError("not_installed")
        import jwt

        if len(assertion) > _LONGEST_ASSERTION or not assertion.isascii():
            raise _DeniedError("assertion_size")
        try:
            header = jwt.get_unverified_header(assertion)
            kid, algorithm = header.get("kid"), header.get("alg")
            if not isinstance(kid, str) or not kid or algorithm not in ALGORITHMS:
                raise _DeniedError("assertion_header")
            if "crit" in header:
                raise _DeniedError("assertion_header")
            said: object = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
            # Before anything is fetched for it.
            if said != rule.issuer_url:
                raise _DeniedError("issuer")
            try:
                key = await self._keys.key(from_json(rule.jwks), rule.issuer_url, kid, algorithm)
            except KeysUnavailableError as error:
                raise _DeniedError(f"jwks: {error}") from None
            if key is None:
                raise _DeniedError("key")
            claims = cast(
                "Mapping[str, Any]",
                jwt.decode(
                    assertion,
                    key,
                    algorithms=[algorithm],
                    issuer=rule.issuer_url,
                    # The audience is the rule's to judge.
                    options={"require": ["exp", "iat", "sub"], "verify_aud": False},
                    leeway=_LEEWAY,
                ),
            )
            lifetime = float(claims["exp"]) - float(claims["iat"])
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise _DeniedError(type(error).__name__) from None
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise _DeniedError("subject")
        if not 0 <= lifetime <= rule.max_jwt_lifetime_seconds:
            raise _DeniedError("assertion_lifetime")
        return claims

    async def _workspace(self, rule: Any, wanted: str | None) -> str:
        """The one workspace of the token: enabled for the rule, and the service account a member of it."""
        async with self._store.connect() as connection:
            default = await default_workspace(connection, rule.organization_id)
            where = (workspaces.c.organization_id == rule.organization_id) & workspaces.c.archived_at.is_(None)
            active = set((await connection.execute(select(workspaces.c.id).where(where))).scalars().all())
            enabled = (
                active if rule.applies_to_all_workspaces else active & set(await workspaces_of(connection, rule.id))
            )
            if wanted is None:
                if len(enabled) != 1:
                    raise _DeniedError("workspace_id_required")
                (workspace_id,) = enabled
            else:
                workspace_id = default if wanted == "default" else wanted
            if workspace_id not in enabled:
                raise _DeniedError("workspace")
            table = workspace_service_accounts
            this = (table.c.workspace_id == workspace_id) & (table.c.service_account_id == rule.service_account_id)
            role = (await connection.execute(select(table.c.workspace_role).where(this))).scalar()
        if role is None and workspace_id != default:
            raise _DeniedError("workspace_member")
        if role is not None and "inference" not in WORKSPACE[role]:
            raise _DeniedError("workspace_role")
        return workspace_id

    async def _use(self, issuer_id: str, claims: Mapping[str, Any]) -> None:
        """An assertion that names itself is good once."""
        jti = claims["jti"]
        if not isinstance(jti, str) or len(jti) > _LONGEST_JTI:
            raise _DeniedError("jti")
        used = federation_used_assertions
        values = {
            "issuer_id": issuer_id,
            "jti_hash": hashlib.sha256(jti.encode("utf-8", "surrogatepass")).hexdigest(),
            "expires_at": float(claims["exp"]) + 2 * _LEEWAY,
        }
        try:
            # No change that servers need to notice, so it is not numbered.
            async with self._store.db.begin() as connection:
                await connection.execute(delete(used).where(used.c.expires_at < self._store.clock()))
                await connection.execute(insert(used).values(values))
        except IntegrityError:
            raise _DeniedError("jti_used") from None


_RULE = (
    select(
        federation_rules,
        federation_issuers.c.issuer_url,
        federation_issuers.c.jwks,
        federation_issuers.c.check_jti,
        federation_issuers.c.max_jwt_lifetime_seconds,
        federation_issuers.c.archived_at.label("issuer_archived_at"),
        service_accounts.c.organization_role,
        service_accounts.c.archived_at.label("account_archived_at"),
    )
    .join(federation_issuers, federation_issuers.c.id == federation_rules.c.issuer_id)
    .join(service_accounts, service_accounts.c.id == federation_rules.c.service_account_id)
)
