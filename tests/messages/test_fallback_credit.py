"""`fallback_credit_token`: what a refusal gives and what the next model's request redeems."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
import pytest

from servers import RunningServer
from understudy.engines.catalog import public_models
from understudy.engines.simulator.plan import _REFUSAL as REFUSAL  # pyright: ignore[reportPrivateUsage]
from understudy.messages.caching import CacheUse
from understudy.messages.credit import LIFETIME, Credit, repriced
from understudy.tools.web.sealed import Sealed
from understudy.wire.errors import InvalidRequestError

FIRST, NEXT, OTHER = "claude-opus-5-5", "claude-opus-5", "claude-sonnet-5-5"
BETA = "fallback-credit-2026-07-01"
SYSTEM = [{"type": "text", "text": "Rules of the house. " * 600, "cache_control": {"type": "ephemeral"}}]
USE = CacheUse(5, 70, 20, 30)
MODELS = {model.id: model for model in public_models()}


@pytest.fixture
def client(server: RunningServer) -> Generator[httpx.Client]:
    headers = {"x-api-key": server.api_key, "anthropic-version": "2026-10-21", "anthropic-beta": BETA}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        yield client


def body(model: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Go. {REFUSAL}"}]
    return {"model": model, "max_tokens": 50, "system": SYSTEM, "messages": messages, **more}


def ask(client: httpx.Client, asked: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = client.post("/v1/messages", json=asked)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_refusal_of_a_warm_prompt_makes_the_next_models_as_cheap(client: httpx.Client) -> None:
    ask(client, body(FIRST))
    refused = ask(client, body(FIRST))
    warm = refused["usage"]["cache_read_input_tokens"]
    assert warm > 1000
    details = refused["stop_details"]
    assert details["fallback_has_prefill_claim"] is False
    retried = ask(client, body(NEXT, fallback_credit_token=details["fallback_credit_token"], max_tokens=40))
    usage = retried["usage"]
    assert usage["fallback_credit"] == {"status": {"type": "redeemed"}}
    assert (usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (warm, 0)


def test_a_token_is_for_the_same_body_only(client: httpx.Client) -> None:
    token = ask(client, body(FIRST))["stop_details"]["fallback_credit_token"]
    changed = body(NEXT, system="Other rules.")
    told = ask(client, {**changed, "fallback_credit_token": token}, 400)["error"]["message"]
    assert told.startswith("fallback_credit_token: request body") and "match" in told
    served = ask(client, {**changed, "fallback_credit_token": {"token": token, "mode": "best_effort"}})
    assert served["usage"]["fallback_credit"]["status"] == {"type": "not_applied", "reason": "body_mismatch"}
    assert "permitted" in ask(client, body(OTHER, fallback_credit_token=token), 400)["error"]["message"]


def test_a_token_that_is_none_is_refused_whatever_the_mode(client: httpx.Client) -> None:
    for token in ("x", {"token": "x", "mode": "best_effort"}):
        told = ask(client, body(NEXT, fallback_credit_token=token), 400)["error"]["message"]
        assert told == "fallback_credit_token: the token is not valid"
    client.headers["anthropic-beta"] += ",server-side-fallback-2026-07-01"
    told = ask(client, body(FIRST, fallback_credit_token="x", fallbacks="default"), 400)["error"]["message"]
    assert "combined" in told


def test_without_the_beta_or_a_permitted_model_there_is_no_token(client: httpx.Client) -> None:
    none = ask(client, body(OTHER))["stop_details"]
    assert (none["fallback_credit_token"], none["fallback_has_prefill_claim"]) == (None, None)
    del client.headers["anthropic-beta"]
    assert "fallback_credit_token" not in ask(client, body(FIRST))["stop_details"]


def credit(
    model: str = FIRST, workspace: str = "w", now: float = 0.0, organization: str = "o", **request: Any
) -> Credit:
    asked = {"model": model, "messages": [], **request}
    return Credit(Sealed([("k", b"k" * 32)]), lambda: now, organization, workspace, MODELS[model], asked, (BETA,))


def token_of(given: Credit) -> str:
    return given.details(None, USE)["fallback_credit_token"]


@pytest.mark.parametrize(
    ("redeemer", "reason"),
    [
        (credit(NEXT, "elsewhere"), "wrong_workspace"),
        (credit(NEXT, now=LIFETIME + 1), "expired"),
        (credit(OTHER), "invalid_target_model"),
        (credit(NEXT, tools=[{"name": "x"}]), "body_mismatch"),
    ],
)
def test_best_effort_says_why_there_is_no_credit(redeemer: Credit, reason: str) -> None:
    token = token_of(credit())
    assert redeemer.redeem({"token": token, "mode": "best_effort"}, USE) == USE
    assert redeemer.outcome == {"status": {"type": "not_applied", "reason": reason}}
    with pytest.raises(InvalidRequestError, match="fallback_credit_token"):
        redeemer.redeem(token, USE)


def test_what_does_not_shape_the_prompt_may_change() -> None:
    token = token_of(credit(max_tokens=1, stream=True))
    assert credit(NEXT, now=LIFETIME, max_tokens=9, temperature=1).redeem(token, USE) == CacheUse(5, 120, 0, 0)
    with pytest.raises(InvalidRequestError, match="not valid"):
        credit(NEXT, organization="another").redeem(token, USE)


def test_a_credit_never_makes_more_of_the_prompt_than_there_is() -> None:
    for warm in range(70):
        use = repriced(USE, warm)
        assert use.total_tokens == USE.total_tokens
        assert use.cache_read_input_tokens - USE.cache_read_input_tokens == min(warm, 50)
        assert min(use.ephemeral_5m_input_tokens, use.ephemeral_1h_input_tokens) >= 0
