"""Who may call where AWS authenticates: what botocore signs is let in, and nothing that was changed since."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Generator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi import KEY, Answer
from clouds.chat_requests import quick
from clouds.served import (
    ACCESS_KEY,
    BEDROCK_MODEL,
    OF_AWS,
    OF_TOKENS,
    SECRET,
    SESSION,
    TEMPORARY,
    TO_BEDROCK,
    TOKENS,
    Clouds,
    packed_key,
    sign,
)
from understudy.clouds.aws_signature import AwsAuthError, Request, read_authorization, signature
from understudy.clouds.reading import LARGE
from understudy.organization.attempts import FailedAttempts

PATH = f"/bedrock/model/{BEDROCK_MODEL}/invoke"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile%2Fus.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def patient() -> Clouds:
    """One that has not seen any bad credential yet."""
    return Clouds()


@pytest.fixture(scope="module")
def api() -> Clouds:
    return Clouds()


def refused(answer: Answer, exception: str, part: str = "") -> None:
    """As AWS refuses: 403, its exception in the header, a message and nothing else in the body."""
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, exception), answer.body
    assert set(answer.json()) == {"message"}
    assert part in answer.json()["message"]
    assert SECRET.encode() not in answer.body


# --- good ones ---


@pytest.mark.parametrize("path", [PATH, f"/bedrock/model/{ARN}/invoke"])
async def test_what_botocore_signs_is_let_in_and_stands_for_its_workspace(api: Clouds, path: str) -> None:
    answer = await api.signed(path)
    assert answer.status == 200, answer.body
    assert answer.headers["anthropic-workspace-id"] == OF_AWS
    record = api.records.kept[-1]
    assert (record.workspace_id, record.api_key_id, record.model) == (OF_AWS, None, "claude-sonnet-4-5-20250929")
    assert record.input_tokens and record.output_tokens


_words = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"], include_characters=" "), max_size=12)


@given(
    body=st.binary(max_size=50),
    query=st.lists(st.tuples(st.text("abAB-_.~ %+=/é", max_size=5), st.text("abAB-_.~ %+/é", max_size=5)), max_size=4),
    words=st.lists(_words, max_size=3),
    name=st.text("abc-._~ :/;@é$!'()*,", min_size=1, max_size=12),
)
@quick
def test_any_request_has_the_signature_that_botocore_makes(
    body: bytes, query: list[tuple[str, str]], words: list[str], name: str
) -> None:
    path = "/bedrock/model/" + quote(name, safe=":;") + "/invoke"
    if name in (".", ".."):
        # botocore leaves such a part of a path out; no model has that name, and nothing is found by it here.
        return
    asked = "&".join(f"{quote(a, safe='')}={quote(b, safe='')}" for a, b in query)
    extra = {f"x-amz-word-{place}": f"  {word}  {word} " for place, word in enumerate(words)}
    headers = sign(path, body, headers=extra, query=asked)
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    signed = read_authorization(headers["authorization"], raw)
    request = Request("POST", path.encode(), asked.encode(), raw)
    assert signature(signed, SECRET, request, hashlib.sha256(body).hexdigest()) == signed.signature


async def test_temporary_credentials_need_their_session_token(api: Clouds) -> None:
    assert (await api.signed(PATH, key=TEMPORARY, token=SESSION)).status == 200
    refused(await api.signed(PATH, key=TEMPORARY), "UnrecognizedClientException")
    refused(await api.signed(PATH, key=TEMPORARY, token="another"), "UnrecognizedClientException")
    refused(await api.signed(PATH, token="of a key without one"), "UnrecognizedClientException")


async def test_a_payload_s_declared_hash_is_taken_when_it_is_true(api: Clouds) -> None:
    body = json.dumps(TO_BEDROCK).encode()
    digest = hashlib.sha256(body).hexdigest()
    assert (await api.signed(PATH, headers={"x-amz-content-sha256": digest})).status == 200


@pytest.mark.parametrize("token", [KEY, TOKENS["bedrock"]])
async def test_a_key_of_this_server_and_a_configured_one_are_bearer_tokens(api: Clouds, token: str) -> None:
    answer = await api.bearer(PATH, TO_BEDROCK, token)
    assert answer.status == 200
    assert (answer.headers["anthropic-workspace-id"] == OF_TOKENS) == (token == TOKENS["bedrock"])
    # The newer endpoint's clients send it in the other header, too.
    answer = await api.call(
        path="/bedrock/anthropic/v1/messages",
        headers={"x-api-key": token, "anthropic-version": "2023-06-01"},
        body=b"{}",
    )
    assert answer.status == 400


async def test_a_short_lived_key_that_aws_s_generators_make_is_let_in(api: Clouds) -> None:
    answer = await api.bearer(PATH, TO_BEDROCK, packed_key())
    assert (answer.status, answer.headers["anthropic-workspace-id"]) == (200, OF_AWS)
    # It is Bedrock's alone.
    elsewhere = await api.bearer("/aws/v1/messages", {}, packed_key(), anthropic_workspace_id=OF_AWS)
    assert (elsewhere.status, elsewhere.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")


# --- bad ones ---


async def test_without_a_credential_aws_says_what_is_missing(api: Clouds) -> None:
    refused(await api.call(path=PATH, headers={}, body=b"{}"), "MissingAuthenticationTokenException")


@pytest.mark.parametrize("token", ["", "nonsense", TOKENS["vertex"], "bedrock-api-key-", "bedrock-api-key-AAAA"])
async def test_a_bad_bearer_token_is_refused(api: Clouds, token: str) -> None:
    refused(await api.bearer(PATH, TO_BEDROCK, token), "AccessDeniedException")


@pytest.mark.parametrize(
    ("made", "exception"),
    [
        ({"at": -43_300}, "ExpiredTokenException"),
        ({"at": 400}, "ExpiredTokenException"),
        ({"expires": 1, "at": -5}, "ExpiredTokenException"),
        ({"expires": 99_999}, "ExpiredTokenException"),
        ({"secret": "another"}, "InvalidSignatureException"),
        ({"key": "NOBODYSKEY0000000000"}, "UnrecognizedClientException"),
        ({"action": "Other"}, "AccessDeniedException"),
    ],
)
async def test_a_short_lived_key_that_is_over_or_forged_is_refused(
    api: Clouds, made: dict[str, Any], exception: str
) -> None:
    at = time.time() + made.pop("at", 0)
    refused(await api.bearer(PATH, TO_BEDROCK, packed_key(at=at, **made)), exception)


async def test_a_wrong_secret_and_an_unknown_key_are_refused(api: Clouds) -> None:
    refused(await api.signed(PATH, secret="wrong"), "InvalidSignatureException", "does not match")
    refused(await api.signed(PATH, key="NOBODYSKEY0000000000"), "UnrecognizedClientException")


async def test_a_key_of_an_archived_workspace_is_refused(api: Clouds) -> None:
    refused(await api.signed(PATH, key="UNDERSTUDYGONEKEY003"), "AccessDeniedException")


async def test_the_body_of_a_key_that_nobody_knows_is_not_waited_for(api: Clouds) -> None:
    headers = sign(PATH, b"", key="NOBODYSKEY0000000000")
    # No piece ever comes: who waited would wait for ever.
    refused(await api.call(path=PATH, headers=headers, body=[]), "UnrecognizedClientException")


@pytest.mark.parametrize(("at", "part"), [(-301, "Signature expired"), (302, "not yet current")])
async def test_a_skewed_clock_and_a_replay_after_the_window_are_refused(api: Clouds, at: float, part: str) -> None:
    refused(await api.signed(PATH, at=time.time() + at), "InvalidSignatureException", part)


@pytest.mark.parametrize("at", [-295, 295])
async def test_a_clock_that_is_a_little_wrong_is_let_in(api: Clouds, at: float) -> None:
    assert (await api.signed(PATH, at=time.time() + at)).status == 200


async def test_the_skew_is_a_setting() -> None:
    api = Clouds(aws_clock_skew=10.0)
    refused(await api.signed(PATH, at=time.time() - 12), "InvalidSignatureException", "expired")


@pytest.mark.parametrize("service", ["s3", "bedrock-mantle", "aws-external-anthropic", ""])
async def test_a_signature_for_another_service_is_refused(api: Clouds, service: str) -> None:
    refused(await api.signed(PATH, service=service), "InvalidSignatureException", "correct service: 'bedrock'")


async def test_a_signature_for_another_region_is_refused_where_regions_are_named() -> None:
    api = Clouds(aws_regions=["eu-west-1"])
    refused(await api.signed(PATH), "InvalidSignatureException", "valid region")
    answer = await api.signed("/bedrock/model/eu.anthropic.claude-opus-4-8/invoke", region="eu-west-1")
    assert answer.status == 200


async def test_a_tampered_body_is_refused(api: Clouds) -> None:
    body = json.dumps(TO_BEDROCK).encode()
    headers = sign(PATH, body)
    refused(await api.call(path=PATH, headers=headers, body=body + b" "), "InvalidSignatureException")
    declared = sign(PATH, body, headers={"x-amz-content-sha256": hashlib.sha256(body).hexdigest()})
    refused(await api.call(path=PATH, headers=declared, body=body + b" "), "InvalidSignatureException")


@pytest.mark.parametrize(
    "path", ["/bedrock/model/us.anthropic.claude-opus-4-8/invoke", PATH + "-with-response-stream", PATH + "?a=b"]
)
async def test_a_signature_is_for_one_path_and_query(api: Clouds, path: str) -> None:
    body = json.dumps(TO_BEDROCK).encode()
    bare, _, query = path.partition("?")
    answer = await api.call(path=bare, headers=sign(PATH, body), body=body, query=query.encode())
    refused(answer, "InvalidSignatureException")


@pytest.mark.parametrize(
    "payload",
    ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "0" * 64],
)
async def test_a_payload_that_is_not_signed_is_refused(api: Clouds, payload: str) -> None:
    refused(await api.signed(PATH, headers={"x-amz-content-sha256": payload}), "InvalidSignatureException")


@pytest.mark.parametrize("name", ["x-amz-security-token", "x-amz-content-sha256"])
async def test_what_is_added_behind_the_signature_is_refused(api: Clouds, name: str) -> None:
    refused(await api.signed(PATH, extra={name: "added"}), "InvalidSignatureException", name)


async def test_a_changed_header_that_is_signed_is_refused(api: Clouds) -> None:
    for name, value in (("host", "elsewhere"), ("content-type", "text/plain"), ("x-amz-date", "20260101T000000Z")):
        answer = await api.signed(PATH, extra={name: value})
        refused(answer, "InvalidSignatureException")


async def test_two_credentials_that_differ_are_none(api: Clouds) -> None:
    refused(await api.bearer(PATH, TO_BEDROCK, KEY, x_api_key="another"), "AccessDeniedException")
    refused(await api.signed(PATH, extra={"x-api-key": KEY}), "InvalidSignatureException")


GOOD = (
    f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{{day}}/us-east-1/bedrock/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)


@pytest.mark.parametrize(
    ("old", "new", "exception"),
    [
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 ", "AWS4-", "IncompleteSignatureException"),
        ("Credential=", "Credentials=", "IncompleteSignatureException"),
        ("Signature=", "Signature", "IncompleteSignatureException"),
        ("SignedHeaders=host", "SignedHeaders=", "InvalidSignatureException"),
        ("/bedrock/aws4_request", "/aws4_request", "IncompleteSignatureException"),
        ("aws4_request", "aws5_request", "InvalidSignatureException"),
        ("/us-east-1/", "//", "InvalidSignatureException"),
        ("0" * 64, "0" * 63, "InvalidSignatureException"),
        ("0" * 64, "Z" * 64, "InvalidSignatureException"),
        ("{day}", "20200101", "InvalidSignatureException"),
        ("host;", "host;missing;", "InvalidSignatureException"),
        (", Sig", ", SignedHeaders=a, Sig", "IncompleteSignatureException"),
        ("Credential=", "Credential=" + "A" * 9_000, "IncompleteSignatureException"),
    ],
)
async def test_an_authorization_that_is_not_whole_is_refused(api: Clouds, old: str, new: str, exception: str) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    header = GOOD.replace(old, new, 1).replace("{day}", stamp[:8])
    answer = await api.call(path=PATH, headers={"host": "h", "x-amz-date": stamp, "authorization": header}, body=b"{}")
    refused(answer, exception)
    # Nothing of a header is repeated.
    assert ACCESS_KEY.encode() not in answer.body


def test_a_header_that_is_named_twice_is_not_put_together_twice() -> None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    header = GOOD.replace("{day}", stamp[:8])
    headers = {b"host": b"h", b"x-amz-date": stamp.encode(), b"a": b"x" * 30_000}
    assert read_authorization(header, headers).headers == ("host", "x-amz-date")
    # By anybody, as often as fits into the header: a hundred megabytes to hash.
    with pytest.raises(AwsAuthError) as refusal:
        read_authorization(header.replace("host;", "host;" + "a;" * 3_900), headers)
    assert refusal.value.headers["x-amzn-errortype"] == "InvalidSignatureException"


async def test_a_large_body_is_hashed_elsewhere_and_taken(api: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    sha256 = hashlib.sha256

    def watched(data: bytes = b"") -> Any:
        if len(data) > LARGE:
            threads.append(threading.get_ident())
        return sha256(data)

    body = json.dumps(TO_BEDROCK).encode() + b" " * LARGE
    headers = sign(PATH, body)
    monkeypatch.setattr(hashlib, "sha256", watched)
    answer = await api.call(path=PATH, headers=headers, body=body)
    assert answer.status == 200, answer.body
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("stamp", ["", "20261399T999999Z", "now", "20260101", "２０２６１１２３T000000Z"])
async def test_a_time_that_is_none_is_refused(api: Clouds, stamp: str) -> None:
    header = GOOD.replace("{day}", stamp[:8])
    headers = {"host": "h", "x-amz-date": stamp, "authorization": header}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert (await api.call(path=PATH, headers=pairs, body=b"{}")).status == 403


@given(authorization=st.one_of(st.text(max_size=60), st.text(max_size=60).map(lambda text: "AWS4-HMAC-SHA256 " + text)))
@quick
def test_any_authorization_is_refused_and_never_a_fault_of_ours(
    runner: asyncio.Runner, patient: Clouds, authorization: str
) -> None:
    headers = [(b"authorization", authorization.encode()), (b"x-amz-date", b"20260101T000000Z")]
    answer = runner.run(patient.call(path=PATH, headers=headers, body=b"{}"))
    assert answer.status == 403, answer.body


async def test_an_address_that_sends_many_bad_signatures_is_told_to_slow_down(monkeypatch: pytest.MonkeyPatch) -> None:
    few = partial(FailedAttempts, burst=3.0, rate=0.01)
    monkeypatch.setattr("understudy.clouds.aws_callers.FailedAttempts", few)
    api = Clouds()
    answers = [await api.signed(PATH, secret="wrong") for _ in range(4)]
    assert [answer.status for answer in answers] == [403, 403, 403, 429]
    assert answers[-1].headers["x-amzn-errortype"] == "ThrottlingException"
    assert int(answers[-1].headers["retry-after"]) > 0
    # Whoever has the key is not locked out.
    assert (await api.signed(PATH)).status == 200
