from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from .acting import Organization, refused, unique
from .identity_provider import CURVES, JwksServer, Signer, claims

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SUBJECT = "repo:acme/app:ref:refs/heads/main"
DENIED = {"type": "authentication_error", "message": "Authentication failed"}


@dataclass
class Workload:
    """An issuer, a rule and an account, and the signer whose tokens the rule takes."""

    organization: Organization
    signer: Signer
    issuer: Any
    rule: Any
    account: Any

    def exchange(self, assertion: str | None = None, **body: Any) -> httpx.Response:
        """The answer to an exchange, of a good assertion unless one is given. None takes a field away."""
        given = {
            "grant_type": GRANT,
            "assertion": self.signer.sign(claims(self.issuer.issuer_url)) if assertion is None else assertion,
            "federation_rule_id": self.rule.id,
            "organization_id": self.organization.admin.organization.retrieve().id,
            "service_account_id": self.account.id,
            **body,
        }
        sent = {name: value for name, value in given.items() if value is not None}
        return self.organization.http.post("/v1/oauth/token", json=sent)

    def token(self, **body: Any) -> str:
        answer = self.exchange(**body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


def workload(
    organization: Organization,
    *,
    algorithm: str = "ES256",
    jwks: Any = None,
    issuer_url: str | None = None,
    role: Any = "developer",
    issuer: dict[str, Any] | None = None,
    **rule: Any,
) -> Workload:
    sdk, signer = organization.admin.organization, Signer.make(algorithm)
    made = sdk.federation.issuers.create(
        name=unique("issuer"),
        issuer_url=issuer_url or "https://idp.example.com",
        jwks=jwks or {"type": "inline", "keys": [signer.jwk]},
        **(issuer or {}),
    )
    account = sdk.service_accounts.create(name=unique("svc"), organization_role=role)
    given: dict[str, Any] = {
        "match": {"subject_prefix": SUBJECT},
        "oauth_scope": "workspace:developer",
        "workspace_id": organization.default_workspace,
        **rule,
    }
    made_rule = sdk.federation.rules.create(
        name=unique("rule"),
        issuer_id=made.id,
        target={"type": "service_account", "service_account_id": account.id},
        **given,
    )
    return Workload(organization, signer, made, made_rule, account)


def denied(answer: httpx.Response) -> bool:
    return answer.status_code == 401 and answer.json()["error"] == DENIED


# --- the exchange ---


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES])
def test_an_assertion_of_each_algorithm_is_exchanged(organization: Organization, algorithm: str) -> None:
    answer = workload(organization, algorithm=algorithm).exchange()
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["access_token"].startswith("sk-understudy-oat-")
    assert (body["token_type"], body["scope"]) == ("Bearer", "workspace:developer")
    # Twice what is left of the assertion, and no more than the rule's hour.
    assert 590 <= body["expires_in"] <= 600
    assert answer.headers["cache-control"] == "no-store"


def test_a_token_is_a_credential_of_its_workspace(organization: Organization) -> None:
    workspace = organization.workspace()
    one = workload(organization, workspace_id=workspace.id)
    organization.admin.organization.service_accounts.workspaces.add(
        one.account.id, workspace_id=workspace.id, workspace_role="workspace_developer"
    )
    client = anthropic.Anthropic(auth_token=one.token(), base_url=organization.server.url, max_retries=0)
    raw = client.messages.with_raw_response.create(
        model="claude-opus-5-5", max_tokens=8, messages=[{"role": "user", "content": "Hi"}]
    )
    assert raw.headers["anthropic-workspace-id"] == workspace.id
    assert client.models.list(limit=1).data
    refused(403, client.organization.retrieve)


def test_the_sdk_exchanges_by_itself(
    organization: Organization, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = workload(organization)
    token_file = tmp_path / "token"
    token_file.write_text(one.signer.sign(claims(one.issuer.issuer_url)))
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_FEDERATION_RULE_ID", one.rule.id)
    monkeypatch.setenv("ANTHROPIC_ORGANIZATION_ID", organization.admin.organization.retrieve().id)
    monkeypatch.setenv("ANTHROPIC_SERVICE_ACCOUNT_ID", one.account.id)
    monkeypatch.setenv("ANTHROPIC_IDENTITY_TOKEN_FILE", str(token_file))
    client = anthropic.Anthropic(base_url=organization.server.url, max_retries=0)
    assert client.models.list(limit=1).data


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://idp.example.com/"},
        {"iss": None},
        {"sub": "repo:acme/app:ref:refs/heads/other"},
        {"sub": ""},
        {"sub": None},
        {"aud": "https://example.com"},
        {"aud": None},
        {"exp": None},
        {"iat": None},
        {"exp": timedelta(seconds=-31)},
        {"iat": timedelta(minutes=10), "exp": timedelta(minutes=15)},
        {"nbf": timedelta(minutes=10)},
        {"exp": timedelta(seconds=3_700)},
        {"exp": 10**18},
        {"exp": "soon"},
        {"jti": 7},
    ],
    ids=str,
)
def test_an_assertion_that_is_not_as_it_must_be_is_denied_and_nobody_is_told_why(
    organization: Organization, changes: dict[str, Any]
) -> None:
    one = workload(organization)
    # Times are told from when the test runs.
    now = int(time.time())
    changed = {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in changes.items()
    }
    assert denied(one.exchange(one.signer.sign(claims(one.issuer.issuer_url, **changed))))


def unsigned(one: Workload) -> str:
    import jwt

    return jwt.encode(claims(one.issuer.issuer_url), "", algorithm="none", headers={"kid": one.signer.kid})


def shared_secret(one: Workload) -> str:
    import jwt

    # The well-known confusion: the public key, taken for a secret.
    secret = str(one.signer.jwk["x"]) + "padding to be long enough for a key"
    return jwt.encode(claims(one.issuer.issuer_url), secret, algorithm="HS256", headers={"kid": one.signer.kid})


def of_another_key(one: Workload) -> str:
    return Signer.make("ES256", one.signer.kid).sign(claims(one.issuer.issuer_url))


def without_kid(one: Workload) -> str:
    return one.signer.sign(claims(one.issuer.issuer_url), {"kid": None})


def of_unknown_kid(one: Workload) -> str:
    return one.signer.sign(claims(one.issuer.issuer_url), {"kid": "other"})


def of_another_curve(one: Workload) -> str:
    return Signer.make("ES384", one.signer.kid).sign(claims(one.issuer.issuer_url))


def too_long(one: Workload) -> str:
    return one.signer.sign(claims(one.issuer.issuer_url, padding="x" * 16_384))


def critical(one: Workload) -> str:
    return one.signer.sign(claims(one.issuer.issuer_url), {"crit": ["exp"]})


def flipped(one: Workload) -> str:
    head, body, seal = one.signer.sign(claims(one.issuer.issuer_url)).split(".")
    return f"{head}.{body}.{'A' if seal[0] != 'A' else 'B'}{seal[1:]}"


@pytest.mark.parametrize(
    "forge",
    [
        *(unsigned, shared_secret, of_another_key, without_kid, of_unknown_kid, of_another_curve, too_long),
        *(critical, flipped, lambda _: "", lambda _: "x.y.z", lambda _: "é" * 40),
    ],
)
def test_an_assertion_that_the_issuer_did_not_sign_is_denied(
    organization: Organization, forge: Callable[[Workload], str]
) -> None:
    one = workload(organization)
    assert denied(one.exchange(forge(one)))


def test_an_assertion_is_exchanged_once(organization: Organization) -> None:
    one = workload(organization)
    assertion = one.signer.sign(claims(one.issuer.issuer_url))
    assert one.exchange(assertion).status_code == 200
    assert denied(one.exchange(assertion))
    without_id = one.signer.sign(claims(one.issuer.issuer_url, jti=None))
    assert [one.exchange(without_id).status_code for _ in range(2)] == [200, 200]
    lenient = workload(organization, issuer={"check_jti": False})
    assertion = lenient.signer.sign(claims(lenient.issuer.issuer_url))
    assert [lenient.exchange(assertion).status_code for _ in range(2)] == [200, 200]


def test_whom_and_what_the_exchange_names_must_all_belong_together(organization: Organization) -> None:
    one, other = workload(organization), workload(organization)
    for body in (
        {"service_account_id": other.account.id},
        {"federation_rule_id": other.rule.id},
        {"federation_rule_id": "fdrl_none"},
        {"organization_id": "00000000-0000-0000-0000-000000000000"},
        {"workspace_id": organization.workspace().id},
        {"workspace_id": "wrkspc_none"},
    ):
        assert denied(one.exchange(**body)), body
    assert one.exchange(workspace_id="default").status_code == 200
    assert one.exchange(workspace_id=organization.default_workspace).status_code == 200
    assert one.exchange(service_account_id=None).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"grant_type": "password"}, "grant_type: must be"),
        ({"grant_type": None}, "grant_type: Field required"),
        ({"federation_rule_id": "rule' OR 1=1 --"}, "federation_rule_id: must be"),
        ({"workspace_id": "mine"}, "workspace_id: must be"),
        ({"organization_id": None}, "organization_id: Field required"),
        ({"organization_id": 5}, "organization_id: Input should be a valid string"),
    ],
)
def test_a_malformed_exchange_is_told_so(organization: Organization, body: dict[str, Any], message: str) -> None:
    answer = workload(organization).exchange(**body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)


def test_a_rule_of_many_workspaces_needs_one_named_and_the_account_must_be_in_it(organization: Organization) -> None:
    sdk, workspace = organization.admin.organization, organization.workspace()
    one = workload(organization, workspace_id=None, applies_to_all_workspaces=True)
    assert denied(one.exchange())
    assert one.exchange(workspace_id="default").status_code == 200
    assert denied(one.exchange(workspace_id=workspace.id))
    sdk.service_accounts.workspaces.add(one.account.id, workspace_id=workspace.id, workspace_role="workspace_user")
    assert denied(one.exchange(workspace_id=workspace.id))
    sdk.workspaces.service_accounts.update(
        one.account.id, workspace_id=workspace.id, workspace_role="workspace_restricted_developer"
    )
    assert one.exchange(workspace_id=workspace.id).status_code == 200
    sdk.workspaces.archive(workspace.id)
    assert denied(one.exchange(workspace_id=workspace.id))


@pytest.mark.parametrize(
    ("match", "changes", "taken"),
    [
        ({"subject_prefix": "repo:acme/*"}, {}, True),
        ({"subject_prefix": "repo:acme/"}, {}, False),
        ({"subject_prefix": "REPO:acme/*"}, {}, False),
        ({"claims": {"environment": "prod"}}, {"environment": "prod"}, True),
        ({"claims": {"environment": "prod"}}, {"environment": "test"}, False),
        ({"claims": {"environment": "prod"}}, {}, False),
        ({"claims": {"admin": "True"}}, {"admin": True}, False),
        ({"subject_prefix": SUBJECT, "audience": "ours"}, {"aud": ["theirs", "ours"]}, True),
        ({"subject_prefix": SUBJECT, "audience": "ours"}, {"aud": "ours too"}, False),
        ({"subject_prefix": SUBJECT, "audience": "ours"}, {}, False),
    ],
)
def test_all_that_a_rule_matches_must_fit(
    organization: Organization, match: dict[str, Any], changes: dict[str, Any], taken: bool
) -> None:
    one = workload(organization, match=match)
    answer = one.exchange(one.signer.sign(claims(one.issuer.issuer_url, **changes)))
    assert (answer.status_code == 200) is taken
    assert taken or denied(answer)


def test_archived_rules_issuers_and_accounts_give_no_tokens_and_those_given_live_on(
    organization: Organization,
) -> None:
    sdk = organization.admin.organization
    one = workload(organization)
    token = one.token()
    refused(400, sdk.federation.issuers.archive, one.issuer.id)
    refused(400, sdk.service_accounts.archive, one.account.id)
    archived = sdk.federation.rules.archive(one.rule.id)
    assert (archived.workspace_ids, archived.archived_at is not None) == ([], True)
    assert sdk.federation.rules.archive(one.rule.id) == archived
    assert denied(one.exchange())
    assert organization.talk(token).status_code == 200
    refused(400, sdk.federation.rules.update, one.rule.id, description="x")
    sdk.federation.issuers.archive(one.issuer.id)
    # The account is whom the token acts as.
    sdk.service_accounts.archive(one.account.id)
    begun = time.monotonic()
    while organization.talk(token).status_code != 401:
        assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize("lifetime", [60, 3_600])
def test_a_token_lives_as_long_as_its_rule_and_its_assertion_allow(organization: Organization, lifetime: int) -> None:
    one = workload(organization, token_lifetime_seconds=lifetime)
    soon = one.signer.sign(claims(one.issuer.issuer_url, exp=int(time.time()) + 10))
    assert one.exchange(soon).json()["expires_in"] == 60
    assert one.exchange().json()["expires_in"] == (60 if lifetime == 60 else pytest.approx(600, abs=5))


# --- scopes ---


def test_each_scope_reaches_what_is_documented(organization: Organization) -> None:
    inference = workload(organization, oauth_scope="workspace:inference").token()
    assert organization.talk(inference).status_code == 200
    assert organization.call("GET", "/v1/models", key=inference).status_code == 200
    assert organization.call("GET", "/v1/organizations/me", key=inference).status_code == 403
    admin = workload(organization, oauth_scope="org:admin", role="admin").token()
    me = organization.call("GET", "/v1/organizations/me", key=admin)
    assert me.status_code == 200
    assert "anthropic-workspace-id" not in me.headers
    assert organization.talk(admin).status_code == 403
    assert organization.call("GET", "/v1/organizations/service_accounts", key=admin).status_code == 200


def test_abuse_11_a_workload_hands_out_no_more_than_workspace_scopes(organization: Organization) -> None:
    one = workload(organization, oauth_scope="org:admin", role="admin")
    sdk = organization.sdk(one.token()).organization
    developer = sdk.service_accounts.create(name=unique("svc"))
    refused(403, sdk.service_accounts.create, name=unique("svc"), organization_role="admin")
    refused(403, sdk.service_accounts.update, developer.id, organization_role="admin")
    refused(403, sdk.service_accounts.update, one.account.id, organization_role="admin")
    # Nor does it change the issuer and the rule that made it what it is.
    refused(403, sdk.federation.issuers.update, one.issuer.id, name=unique("issuer"))
    refused(403, sdk.federation.rules.update, one.rule.id, description="x")
    refused(403, sdk.federation.rules.archive, one.rule.id)
    refused(403, sdk.federation.rules.workspaces.add, one.rule.id, workspace_id=organization.workspace().id)
    issuer = sdk.federation.issuers.create(
        name=unique("issuer"), issuer_url="https://i.example.com", jwks={"type": "inline", "keys": [one.signer.jwk]}
    )
    rule: dict[str, Any] = {
        "issuer_id": issuer.id,
        "match": {"subject_prefix": SUBJECT},
        "workspace_id": organization.default_workspace,
    }
    mine: Any = {"type": "service_account", "service_account_id": one.account.id}
    theirs: Any = {"type": "service_account", "service_account_id": developer.id}
    refused(403, sdk.federation.rules.create, name=unique("r"), oauth_scope="org:admin", target=mine, **rule)
    made: Any = sdk.federation.rules.create(
        name=unique("r"),
        oauth_scope="workspace:inference",
        target=theirs,
        **rule,
    )
    refused(403, sdk.federation.rules.update, made.id, oauth_scope="org:admin", target=mine)
    assert made.created_by_actor_id == one.account.id
    # And mints no keys.
    for params in ({}, {"kind": "admin"}, {"kind": "service_account", "service_account_id": one.account.id}):
        body = {"name": "x", **params}
        assert organization.call("POST", "/_understudy/admin/api_keys", body, key=one.token()).status_code == 403


def test_a_token_of_an_administrator_that_is_one_no_more_is_refused(organization: Organization) -> None:
    one = workload(organization, oauth_scope="org:admin", role="admin")
    token = one.token()
    assert organization.call("GET", "/v1/organizations/me", key=token).status_code == 200
    organization.admin.organization.service_accounts.update(one.account.id, organization_role="developer")
    begun = time.monotonic()
    while organization.call("GET", "/v1/organizations/me", key=token).status_code != 403:
        assert time.monotonic() - begun < 1.5
    assert denied(one.exchange())


@pytest.mark.parametrize("place", [18, 40, -1, -30])
def test_a_token_with_one_character_changed_is_none(organization: Organization, place: int) -> None:
    token = workload(organization).token()
    characters = list(token)
    characters[place] = "A" if characters[place] != "A" else "B"
    changed = "".join(characters)
    assert organization.talk(changed).status_code == 401


# --- issuers and rules ---


@pytest.fixture
def provider() -> Generator[tuple[JwksServer, Signer]]:
    signer = Signer.make("ES256")
    server = JwksServer([signer.jwk])
    yield server, signer
    server.close()


@pytest.mark.parametrize("kind", ["discovery", "discovery_base", "explicit_url"])
def test_keys_are_fetched_from_where_the_issuer_has_them(
    organization: Organization, provider: tuple[JwksServer, Signer], kind: str
) -> None:
    server, signer = provider
    jwks: Any = {
        "discovery": {"type": "discovery"},
        "discovery_base": {"type": "discovery", "discovery_base": server.url},
        "explicit_url": {"type": "explicit_url", "url": f"{server.url}/jwks"},
    }[kind]
    url = server.url if kind == "discovery" else "https://internal.example"
    one = workload(organization, jwks=jwks, issuer_url=url)
    for _ in range(3):
        assert one.exchange(signer.sign(claims(url))).status_code == 200
    assert server.asked.count("/jwks") == 1
    status: Any = organization.admin.organization.federation.issuers.retrieve(one.issuer.id).poll_status
    assert (status.consecutive_failures, status.last_fetched_at is not None) == (0, True)
    # A key that nobody knows has them asked once more at most, and not at once.
    for _ in range(5):
        assert denied(one.exchange(Signer.make("ES256").sign(claims(url))))
    assert server.asked.count("/jwks") == 1


def test_key_sets_that_redirect_or_are_none_are_denied(
    organization: Organization, provider: tuple[JwksServer, Signer]
) -> None:
    server, signer = provider
    server.documents |= {"/list": [signer.jwk], "/none": {"keys": "x"}}
    server.redirects["/moved"] = f"{server.url}/jwks"
    for path in ("/moved", "/list", "/none", "/missing"):
        one = workload(organization, jwks={"type": "explicit_url", "url": server.url + path})
        assert denied(one.exchange(signer.sign(claims(one.issuer.issuer_url)))), path


def test_abuse_44_a_discovery_document_leads_to_no_private_address(
    organization: Organization, provider: tuple[JwksServer, Signer]
) -> None:
    server, signer = provider
    document = server.documents["/.well-known/openid-configuration"]
    for url in ("http://127.0.0.2:1/jwks", "https://169.254.169.254/jwks", "file:///etc/passwd", "http://localhost/x"):
        document["jwks_uri"] = url
        one = workload(organization, jwks={"type": "discovery", "discovery_base": f"{server.url}/"})
        assert denied(one.exchange(signer.sign(claims(one.issuer.issuer_url)))), url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://idp.example.com", "issuer_url: url must use https scheme"),
        ("https://idp.example.com:8443", "issuer_url: url"),
        ("https://10.0.0.1", "issuer_url: url is not allowed"),
        ("https://8.8.8.8", "issuer_url: url must name a public host"),
        ("https://localhost", "issuer_url: url must name a public host"),
        ("https://user:password@idp.example.com", "issuer_url: url is not allowed"),
        ("ftp://idp.example.com", "issuer_url: url is not allowed"),
    ],
)
def test_abuse_44_an_issuer_that_would_be_fetched_from_must_be_public(
    organization: Organization, url: str, message: str
) -> None:
    create = organization.admin.organization.federation.issuers.create
    assert refused(400, create, name=unique("issuer"), issuer_url=url).startswith(message)


@pytest.mark.parametrize(
    "change",
    [
        {"d": "AQAB"},
        {"kid": ""},
        {"kid": None},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "RSA"},
        {"crv": "P-192"},
        {"x": "!"},
        {"use": "enc"},
        {"alg": "HS256"},
    ],
    ids=str,
)
def test_an_inline_key_that_signs_nothing_is_refused(organization: Organization, change: dict[str, Any]) -> None:
    key = {name: value for name, value in {**Signer.make("ES256").jwk, **change}.items() if value is not None}
    message = refused(
        *(400, organization.admin.organization.federation.issuers.create),
        name=unique("issuer"),
        issuer_url="https://idp.example.com",
        jwks={"type": "inline", "keys": [key]},
    )
    assert message.startswith("jwks.keys.0")


def test_issuers_are_changed_and_listed(organization: Organization) -> None:
    issuers, one = organization.admin.organization.federation.issuers, workload(organization)
    assert one.issuer.id.startswith("fdis_")
    assert (one.issuer.check_jti, one.issuer.max_jwt_lifetime_seconds) == (True, 3_600)
    assert issuers.retrieve(one.issuer.id) == one.issuer
    other = Signer.make("ES256")
    changed = issuers.update(
        one.issuer.id,
        check_jti=False,
        max_jwt_lifetime_seconds=120,
        jwks={"type": "inline", "keys": [other.jwk]},
        jwks_polling_disabled=False,
    )
    assert (changed.check_jti, changed.max_jwt_lifetime_seconds) == (False, 120)
    assert denied(one.exchange())
    assert denied(one.exchange(other.sign(claims(one.issuer.issuer_url))))
    brief = claims(one.issuer.issuer_url, exp=int(time.time()) + 100)
    assert one.exchange(other.sign(brief)).status_code == 200
    refused(400, issuers.update, one.issuer.id, jwks_polling_disabled=True)
    refused(409, issuers.create, name=one.issuer.name, issuer_url="https://x.example.com")
    assert one.issuer.id in [each.id for each in issuers.list(limit=3)]


def test_rules_are_changed_and_listed(organization: Organization) -> None:
    rules, one, workspace = organization.admin.organization.federation.rules, workload(organization), None
    assert one.rule.id.startswith("fdrl_")
    assert (one.rule.issuer_name, one.rule.target.service_account_name) == (one.issuer.name, one.account.name)
    assert one.rule.workspace_ids == [organization.default_workspace]
    workspace = organization.workspace()
    changed = rules.update(
        one.rule.id,
        match={"claims": {"environment": "prod"}},
        workspace_id=workspace.id,
        token_lifetime_seconds=60,
        description="Deploys",
    )
    assert (changed.workspace_ids, changed.token_lifetime_seconds) == ([workspace.id], 60)
    assert (changed.match.claims, changed.match.subject_prefix) == ({"environment": "prod"}, None)
    assert [each.id for each in rules.list(issuer_id=one.issuer.id)] == [one.rule.id]
    added = rules.workspaces.add(one.rule.id, workspace_id=organization.default_workspace)
    assert rules.workspaces.add(one.rule.id, workspace_id=organization.default_workspace) == added
    listed = list(rules.workspaces.list(one.rule.id))
    assert [(each.workspace_id, each.workspace_name) for each in listed] == [
        (workspace.id, workspace.name),
        (organization.default_workspace, "Default"),
    ]
    refused(400, rules.update, one.rule.id, workspace_id=workspace.id)
    for _ in range(2):
        assert rules.workspaces.remove(workspace.id, federation_rule_id=one.rule.id).workspace_id == workspace.id
    everywhere = rules.update(one.rule.id, applies_to_all_workspaces=True)
    assert everywhere.applies_to_all_workspaces is True
    rules.workspaces.remove(organization.default_workspace, federation_rule_id=one.rule.id)
    refused(400, rules.update, one.rule.id, applies_to_all_workspaces=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"match": {}}, "match: at least one of"),
        ({"match": {"audience": "x"}}, "match: at least one of"),
        ({"match": {"subject_prefix": "*"}}, "match: at least one of"),
        ({"match": {"subject_prefix": "x", "condition": "true"}}, "match.condition: must depend on the claims"),
        ({"oauth_scope": "everything"}, "oauth_scope: must be made of"),
        ({"oauth_scope": ""}, "oauth_scope: must be made of"),
        ({"oauth_scope": "org:admin"}, "oauth_scope: org:admin needs"),
        ({"issuer_id": "fdis_none"}, "issuer_id: Federation issuer not found"),
        ({"workspace_id": "wrkspc_none"}, "workspace_id: workspace not found"),
        ({"workspace_id": None}, "workspace_id: Field required"),
        ({"token_lifetime_seconds": 59}, "token_lifetime_seconds: Input should be"),
        ({"token_lifetime_seconds": 86_401}, "token_lifetime_seconds: Input should be"),
        ({"target": {"type": "service_account", "service_account_id": "svac_none"}}, "target.service_account_id: "),
    ],
    ids=str,
)
def test_a_rule_that_cannot_be_is_refused(organization: Organization, change: Any, message: str) -> None:
    one = workload(organization)
    body = {
        "name": unique("rule"),
        "issuer_id": one.issuer.id,
        "match": {"subject_prefix": SUBJECT},
        "oauth_scope": "workspace:developer",
        "target": {"type": "service_account", "service_account_id": one.account.id},
        "workspace_id": organization.default_workspace,
        **change,
    }
    answer = organization.call("POST", "/v1/organizations/federation_rules", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    ("match", "allowed"),
    [
        ({"subject_prefix": "repo:*"}, False),
        ({"subject_prefix": "repo:acme*"}, False),
        ({"subject_prefix": "repo:acme/*"}, True),
        ({"subject_prefix": "repo:acme/app:ref:refs/heads/main"}, True),
        ({"claims": {"repository_owner": "acme"}}, True),
        ({"claims": {"ref": "refs/heads/main"}}, False),
    ],
    ids=str,
)
def test_a_rule_of_an_issuer_that_signs_for_everybody_must_say_whose_workload_it_means(
    organization: Organization, match: dict[str, Any], allowed: bool
) -> None:
    signer = Signer.make("ES256")
    make: Any = {
        "issuer_url": "https://token.actions.githubusercontent.com",
        "jwks": {"type": "inline", "keys": [signer.jwk]},
        "match": match,
    }
    if allowed:
        assert workload(organization, **make).rule.id
    else:
        refused(400, workload, organization, **make)
