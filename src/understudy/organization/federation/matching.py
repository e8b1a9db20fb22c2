"""Which assertions a rule takes, and which rules are too wide to be one. Source: the WIF reference (2026-08)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from understudy.organization.federation.conditions import claims_named, holds
from understudy.organization.federation.shapes import Match
from understudy.wire.errors import InvalidRequestError

DEFAULT_AUDIENCE: Final = "https://api.anthropic.com"
"""What an assertion must be meant for where its rule says nothing: what the real service's clients ask for."""

# Issuers that sign for everybody: their rules must say whose workload is meant. The claims that do [guess: the list].
_SHARED: Final[Mapping[str, frozenset[str]]] = {
    "token.actions.githubusercontent.com": frozenset(
        {"repository", "repository_id", "repository_owner", "repository_owner_id", "sub"}
    ),
    "gitlab.com": frozenset({"namespace_id", "namespace_path", "project_id", "project_path", "sub"}),
    "agent.buildkite.com": frozenset({"organization_id", "organization_slug", "pipeline_id", "sub"}),
    "app.terraform.io": frozenset({"terraform_organization_id", "terraform_organization_name", "sub"}),
    "accounts.google.com": frozenset({"email", "hd", "sub"}),
}


def tenant_claims(issuer_url: str) -> frozenset[str] | None:
    """Of an issuer that signs for everybody the claims that say whose workload it is; None of any other."""
    # Google's tokens may name theirs without a scheme.
    return _SHARED.get(urlsplit(issuer_url if "://" in issuer_url else f"https://{issuer_url}").hostname or "")


def check_match(match: Match, issuer_url: str) -> None:
    """400 for a rule that would take what it should not. Its condition was checked (conditions.py)."""
    condition = match.get("condition")
    prefix, claims = match.get("subject_prefix"), match.get("claims")
    if (prefix is None or not prefix.strip("*")) and not claims and condition is None:
        raise InvalidRequestError("match: at least one of subject_prefix, claims and condition is required")
    identifying = tenant_claims(issuer_url)
    if identifying is None or identifying & ((claims or {}).keys() | claims_named(condition or "")):
        return
    # A prefix pins a tenant once it reaches beyond the tenant's own name.
    body = (prefix or "").rstrip("*").partition(":")[2]
    if not body or ("/" not in body and ":" not in body and (prefix or "").endswith("*")):
        raise InvalidRequestError(
            "match: this issuer signs for everybody, so the rule must say whose workload it means, by a "
            f"subject_prefix, or one of the claims {', '.join(sorted(identifying))} in claims or condition"
        )


async def mismatch(match: Match, claims: Mapping[str, Any]) -> str | None:
    """The first matcher that verified `claims` do not meet, by its name in the log; None if they meet all."""
    prefix = match.get("subject_prefix")
    if prefix is not None:
        subject = str(claims["sub"])
        fits = subject.startswith(prefix[:-1]) if prefix.endswith("*") else subject == prefix
        if not fits:
            return "match_subject_prefix"
    audience = claims.get("aud")
    audiences = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    if (match.get("audience") or DEFAULT_AUDIENCE) not in audiences:
        return "match_audience"
    for name, value in (match.get("claims") or {}).items():
        # Only texts: what looks like another's True must not pass for it.
        if not isinstance(claims.get(name), str) or claims[name] != value:
            return "match_claims"
    condition = match.get("condition")
    if condition is not None and not await holds(condition, claims):
        return "match_condition"
    return None
