"""CEL conditions of federation rules (WIF reference, 2026-08)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from understudy.organization.federation import conditions
from understudy.organization.federation.conditions import check_condition, holds
from understudy.wire.errors import InvalidRequestError

from .acting import Organization, unique
from .identity_provider import claims
from .test_federation import SUBJECT, denied, workload

EXAMPLE = 'claims.sub.startsWith("repo:acme/") && claims.ref in ["refs/heads/main", "refs/heads/release"]'


@pytest.mark.parametrize(
    ("more", "passes"),
    [
        ({"ref": "refs/heads/main"}, True),
        ({"ref": "refs/heads/release"}, True),
        ({"ref": "refs/heads/other"}, False),
        ({"ref": None}, False),
        ({"ref": ["refs/heads/main"]}, False),
        ({"ref": "refs/heads/main", "sub": "repo:acmes/app"}, False),
    ],
    ids=str,
)
def test_a_condition_decides_who_gets_a_token(organization: Organization, more: dict[str, Any], passes: bool) -> None:
    one = workload(organization, match={"condition": EXAMPLE})
    assert one.rule.match.condition == EXAMPLE
    answer = one.exchange(one.signer.sign(claims(one.issuer.issuer_url, **more)))
    assert answer.status_code == 200 if passes else denied(answer)


def test_all_matchers_must_hold_beside_the_condition(organization: Organization) -> None:
    one = workload(organization, match={"subject_prefix": SUBJECT, "condition": 'claims.env == "prod"'})
    for more, passes in (({"env": "prod"}, True), ({"env": "prod", "sub": "other"}, False), ({}, False)):
        answer = one.exchange(one.signer.sign(claims(one.issuer.issuer_url, **more)))
        assert answer.status_code == 200 if passes else denied(answer)


@pytest.mark.parametrize(
    ("condition", "found", "expected"),
    [
        ("claims.n > 1 && claims.b", {"n": 2, "b": True}, True),
        ("claims.b", {"b": "true"}, False),
        ("claims.n", {"n": 1}, False),
        ("claims.n == 1", {"n": True}, False),
        ('claims.google.compute_engine.project_id == "p"', {"google": {"compute_engine": {"project_id": "p"}}}, True),
        ('claims["https://sts.example/"].account == "7"', {"https://sts.example/": {"account": "7"}}, True),
        ('"deploy" in claims.groups', {"groups": ["deploy"]}, True),
        ('claims.groups.exists(g, g.startsWith("team-"))', {"groups": ["x", "team-a"]}, True),
        ("!has(claims.blocked)", {}, True),
        ("!has(claims.blocked)", {"blocked": 1}, False),
        ('claims.ref.matches("^refs/tags/v[0-9]+$")', {"ref": "refs/tags/v12"}, True),
        ('claims.ref.matches("^(a+)+$")', {"ref": "a" * 40 + "b"}, False),
        ("claims.missing == 1", {}, False),
        ("claims.s + 1 == 2", {"s": "1"}, False),
    ],
    ids=str,
)
async def test_an_expression_holds_when_it_is_true_and_in_no_other_case(
    condition: str, found: dict[str, Any], expected: bool
) -> None:
    await check_condition(condition)
    assert await holds(condition, found) is expected


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("true", "must depend on the claims"),
        ("1 == 1", "must depend on the claims"),
        ("true || claims.sub == 'x'", "must depend on the claims"),
        ("claims.sub ==", "is not a CEL expression"),
        ("", "is not a CEL expression"),
        ("request.sub == 'x'", "may reference only the `claims` variable"),
        ("claims.sub == sub", "may reference only the `claims` variable"),
        ("claims.a.exists(x, x == y)", "may reference only the `claims` variable"),
        ("reverse(claims.sub) == 'x'", "reverse is not a function of CEL"),
        ("claims.sub == '" + "x" * 3_000 + "'", "must be at most 2048 characters"),
    ],
)
async def test_a_condition_that_cannot_be_judged_is_refused(condition: str, reason: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await check_condition(condition)
    assert refused.value.message == f"match.condition: {reason}"


async def test_what_is_no_expression_ends_with_its_process() -> None:
    for condition in ("(" * 2_000, "claims.\x00", "claims.\U0010ffff", "claims." + "[" * 1_000):
        with pytest.raises(InvalidRequestError, match=r"match\.condition: is not a CEL expression"):
            await check_condition(condition)
    # Deep, but one.
    await check_condition("!" * 2_040 + "claims.b")
    assert await holds("!" * 2_040 + "claims.b", {"b": True, "number": 10**40, "not": float("nan")})
    assert not await holds("claims.b", {"b": True, "half": "\ud800"})


async def test_an_evaluation_that_takes_too_long_is_a_no_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "_TIMEOUT", 0.5)
    slow = "claims.l.all(x, claims.l.all(y, claims.l + claims.l != []))"
    gaps: list[float] = []

    async def look() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - before)

    looking = asyncio.create_task(look())
    begun = time.monotonic()
    answers = await asyncio.gather(*(holds(slow, {"l": list(range(3_000))}) for _ in range(2)))
    assert answers == [False, False]
    assert time.monotonic() - begun < 3
    looking.cancel()
    assert max(gaps) < 0.5


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ('claims.repository_owner == "acme"', True),
        ('claims["repository_owner"] == "acme"', True),
        ('claims.ref == "refs/heads/main"', False),
        ('claims.x == "claims.repo"', False),
    ],
)
def test_a_condition_too_must_say_whose_workload_a_shared_issuer_means(
    organization: Organization, condition: str, allowed: bool
) -> None:
    one = workload(organization)
    shared = organization.admin.organization.federation.issuers.create(
        name=unique("issuer"),
        issuer_url="https://token.actions.githubusercontent.com",
        jwks={"type": "inline", "keys": [one.signer.jwk]},
    )
    body = {
        "name": unique("rule"),
        "issuer_id": shared.id,
        "match": {"condition": condition},
        "oauth_scope": "workspace:developer",
        "target": {"type": "service_account", "service_account_id": one.account.id},
        "workspace_id": organization.default_workspace,
    }
    answer = organization.call("POST", "/v1/organizations/federation_rules", body)
    assert answer.status_code == (200 if allowed else 400), answer.text


async def test_without_the_library_conditions_are_refused_and_kept_ones_hold_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conditions, "_library", lambda: None)
    with pytest.raises(InvalidRequestError, match="understudy\\[federation\\]"):
        await check_condition('claims.sub == "x"')
    assert not await holds('claims.sub == "x"', {"sub": "x"})
