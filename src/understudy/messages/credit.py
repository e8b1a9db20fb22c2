"""Fallback credit: who asks another model what one has declined need not pay again for what that had in its cache.

Source: fallback-credit.md (2026-08) and the official SDK's documentation of `fallback_credit_token` (2.12). A token
holds all there is to know; nothing of it is kept. The words of the refusals were not seen, but for the parts that are
quoted there [guess]. Here a credit is always for the same body once more: `fallback_has_prefill_claim` is false.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from understudy.engines.catalog import Model, public_models
from understudy.messages.caching import CacheUse
from understudy.tools.web.sealed import Sealed
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import canonical_json

PURPOSE: Final = "fallback credit"
"""What `RootSecret.derive_all` is asked for."""

LIFETIME: Final = 300
"""Seconds in which a token is good: "expires five minutes after the refusal"."""

_FAMILIES: Final = ("fallback-credit-", "server-side-fallback-")
# "Every field that shapes the prompt must match exactly."
_SHAPING: Final = (
    "cache_control", "container", "context_management", "mcp_servers", "messages", "output_config", "output_format",
    "system", "thinking", "tool_choice", "tools",
)  # fmt: skip

_Fields: TypeAlias = dict[str, Any]

_WHY: Final = {
    "body_mismatch": "request body or beta headers do not match the refused request",
    "expired": "the token has expired",
    "invalid_target_model": "the model is not a permitted fallback for the model that refused",
    "wrong_workspace": "the token was issued to another workspace",
}


def granted(betas: Collection[str]) -> bool:
    """Whether refusals say what credit there is."""
    return any(beta.startswith(_FAMILIES) for beta in betas)


@dataclass(slots=True)
class Credit:
    """Of one request, which `model` is asked. `outcome` is its `usage.fallback_credit`, None where it brought no
    token."""

    sealed: Sealed
    clock: Callable[[], float]
    organization_id: str
    workspace_id: str
    model: Model
    request: _Fields
    betas: Collection[str]
    outcome: _Fields | None = None

    def details(self, details: _Fields | None, use: CacheUse) -> _Fields:
        """`stop_details` of a refusal, with the credit for what was in the cache of the model that refuses."""
        token = None
        if self.model.allowed_fallback_models:
            held = {
                "workspace": self.workspace_id,
                "model": self.model.id,
                "body": _digest(self.request, self.betas),
                "warm": use.cache_read_input_tokens,
                "until": int(self.clock()) + LIFETIME,
            }
            token = self.sealed.seal(PURPOSE, self.organization_id, orjson.dumps(held).decode())
        told = details or {"type": "refusal", "category": None, "explanation": None}
        return {
            **told,
            "fallback_credit_token": token,
            "fallback_has_prefill_claim": None if token is None else False,
        }

    def redeem(self, given: str | _Fields, use: CacheUse) -> CacheUse:
        """How the prompt is billed with the credit. Raises InvalidRequestError for a token that is none, and, unless
        the request is content with best effort, for one that does not hold for it."""
        fields: _Fields = {"token": given} if isinstance(given, str) else given
        opened = self.sealed.open(PURPOSE, self.organization_id, fields["token"])
        if opened is None:
            raise InvalidRequestError("fallback_credit_token: the token is not valid")
        held: _Fields = orjson.loads(opened)
        reason = self._fault(held)
        if reason is None:
            self.outcome = {"status": {"type": "redeemed"}}
            return repriced(use, held["warm"])
        if fields.get("mode") != "best_effort":
            raise InvalidRequestError(f"fallback_credit_token: {_WHY[reason]}")
        self.outcome = {"status": {"type": "not_applied", "reason": reason}}
        return use

    def _fault(self, held: _Fields) -> str | None:
        if held["workspace"] != self.workspace_id:
            return "wrong_workspace"
        if held["until"] < self.clock():
            return "expired"
        if self.model.id not in _allowed(held["model"]):
            return "invalid_target_model"
        return None if held["body"] == _digest(self.request, self.betas) else "body_mismatch"


def repriced(use: CacheUse, warm: int) -> CacheUse:
    """Up to `warm` of the tokens that are written to the cache, as if they had been read from it."""
    read = min(warm, use.cache_creation_input_tokens)
    short = min(read, use.ephemeral_5m_input_tokens)
    return CacheUse(
        use.input_tokens,
        use.cache_read_input_tokens + read,
        use.ephemeral_5m_input_tokens - short,
        use.ephemeral_1h_input_tokens - (read - short),
    )


def _digest(request: _Fields, betas: Collection[str]) -> str:
    """What must be the same of a refused request and of the one that redeems its credit."""
    shaping = {name: request[name] for name in _SHAPING if request.get(name) is not None}
    asked = sorted(beta for beta in betas if not beta.startswith(_FAMILIES))
    return hashlib.blake2b(canonical_json({"request": shaping, "betas": asked}), digest_size=32).hexdigest()


def check_alone(request: _Fields) -> None:
    """Raise InvalidRequestError for a token beside `fallbacks`, which earn their credit by themselves."""
    if request.get("fallback_credit_token") and request.get("fallbacks"):
        raise InvalidRequestError("fallback_credit_token: cannot be combined with `fallbacks`")


def _allowed(name: str) -> tuple[str, ...]:
    return next((one.allowed_fallback_models for one in public_models() if one.id == name), ())
