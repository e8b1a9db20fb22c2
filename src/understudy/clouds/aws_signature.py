"""Signature Version 4: reading who signed a request, and computing what the signature must be.

Source: "Signature Version 4 signing process" of AWS; error texts are those that AWS's front ends answer with.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from understudy.wire.errors import AuthenticationError

ALGORITHM: Final = "AWS4-HMAC-SHA256"

# Longer ones are no header of a signer.
_LONGEST: Final = 8_192
_TIME: Final = "%Y%m%dT%H%M%SZ"
_STAMP: Final = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_REGION: Final = re.compile(r"[a-z0-9-]{1,64}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")
_PLAIN_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")
# Where one of these is sent, it must be signed: else somebody between could change what they say.
_MUST_BE_SIGNED: Final = ("x-amz-date", "x-amz-security-token", "x-amz-content-sha256")


class AwsAuthError(AuthenticationError):
    """A caller whom AWS would not let in; `exception` is its name for why."""

    status = 403

    def __init__(self, exception: str, message: str) -> None:
        super().__init__(message, headers={"x-amzn-errortype": exception})


@dataclass(frozen=True, slots=True)
class Signed:
    """What the `Authorization` header, or the query of a presigned URL, says. `time` is that of the signature."""

    access_key_id: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    time: str

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True)
class Request:
    """What is signed of a request. `path` and `query` are as they were sent, `headers` by lower-case name."""

    method: str
    path: bytes
    query: bytes
    headers: Mapping[bytes, bytes]


def missing() -> AwsAuthError:
    return AwsAuthError("MissingAuthenticationTokenException", "Missing Authentication Token")


def mismatch() -> AwsAuthError:
    return AwsAuthError(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.",
    )


def unknown_key() -> AwsAuthError:
    return AwsAuthError("UnrecognizedClientException", "The security token included in the request is invalid.")


def _incomplete(message: str) -> AwsAuthError:
    return AwsAuthError("IncompleteSignatureException", message)


def _invalid(message: str) -> AwsAuthError:
    return AwsAuthError("InvalidSignatureException", message)


def read_authorization(authorization: str, headers: Mapping[bytes, bytes]) -> Signed:
    """Raises AwsAuthError for a header that is no whole signature. Nothing of it is repeated in the error."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM or len(authorization) > _LONGEST:
        raise _incomplete(f"Unsupported AWS 'algorithm': it must be {ALGORITHM}.")
    given: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name in given:
            raise _incomplete("Authorization header is not a list of name=value pairs.")
        given[name] = value
    lacking = [name for name in ("Credential", "Signature", "SignedHeaders") if not given.get(name)]
    if lacking:
        raise _incomplete(" ".join(f"Authorization header requires '{name}' parameter." for name in lacking))
    if b"x-amz-date" not in headers:
        raise _incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return signed_with(
        given["Credential"], given["SignedHeaders"], given["Signature"], headers[b"x-amz-date"].decode("latin-1")
    )


def signed_with(credential: str, signed_headers: str, signature: str, time: str) -> Signed:
    """From the parts that a header and a presigned URL have in common."""
    parts = credential.split("/")
    if len(parts) != 5:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term"
        )
    access_key_id, day, region, service, end = parts
    if end != "aws4_request":
        raise _invalid("Credential should be scoped with a valid terminator: 'aws4_request'.")
    if _STAMP.fullmatch(time) is None:
        raise _incomplete("Date must be in ISO-8601 'basic format', e.g. 20260131T235959Z.")
    if time[:8] != day:
        raise _invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    if _SIGNATURE.fullmatch(signature) is None:
        raise mismatch()
    names = tuple(signed_headers.split(";"))
    if len(set(names)) != len(names):
        # A long header that is named again and again would be put together and hashed as often, for anybody who asks.
        raise mismatch()
    if "host" not in names:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    return Signed(access_key_id, day, region, service, names, signature, time)


def check_scope(signed: Signed, services: Iterable[str], regions: Iterable[str]) -> None:
    """AwsAuthError for a signature that is for another service or region. No regions: any."""
    services, regions = tuple(services), tuple(regions)
    if signed.service not in services:
        raise _invalid(f"Credential should be scoped to correct service: '{services[0]}'.")
    if (regions and signed.region not in regions) or _REGION.fullmatch(signed.region) is None:
        raise _invalid("Credential should be scoped to a valid region.")


def check_time(signed: Signed, now: float, skew: float) -> None:
    """AwsAuthError for a signature made more than `skew` seconds before or after `now` (since the epoch): one that is
    replayed later, or by a clock that goes wrong."""
    at, today = _moment(signed.time), datetime.fromtimestamp(int(now), UTC)
    allowed = timedelta(seconds=skew)
    minutes = f"{skew / 60:g} min."
    if at < today - allowed:
        raise _invalid(
            f"Signature expired: {at:{_TIME}} is now earlier than {today - allowed:{_TIME}} ({today:{_TIME}} - "
            f"{minutes})"
        )
    if at > today + allowed:
        raise _invalid(
            f"Signature not yet current: {at:{_TIME}} is still later than {today + allowed:{_TIME}} ({today:{_TIME}} + "
            f"{minutes})"
        )


def _moment(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete("Date must be in ISO-8601 'basic format', e.g. 20260131T235959Z.") from None


def check_expiry(signed: Signed, now: float, seconds: int, skew: float) -> None:
    """AwsAuthError for a presigned URL that is over, or not begun."""
    at = _moment(signed.time).timestamp()
    if not 0 < seconds <= 43_200 or now > at + seconds or now < at - skew:
        raise AwsAuthError("ExpiredTokenException", "The security token included in the request is expired")


def check_headers(signed: Signed, headers: Mapping[bytes, bytes], payload_hash: str) -> None:
    """AwsAuthError where something that must be signed is not, or the payload is another than was declared.

    A payload is always signed here: what says that it is not is for other services.
    """
    for name in _MUST_BE_SIGNED:
        if name.encode() in headers and name not in signed.headers:
            raise _invalid(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    declared = headers.get(b"x-amz-content-sha256", b"").decode("latin-1")
    if declared and not (_PLAIN_DIGEST.fullmatch(declared) and hmac.compare_digest(declared.lower(), payload_hash)):
        raise mismatch()


def signature(signed: Signed, secret: str, request: Request, payload_hash: str) -> str:
    """The signature that `secret` makes for the request, in hexadecimal."""
    canonical = "\n".join(
        (
            request.method,
            # Encoded once more than it was sent, as for all services but S3.
            quote(request.path, safe="/-_.~"),
            _canonical_query(request.query),
            *(f"{name}:{_value(request.headers, name)}" for name in signed.headers),
            "",
            ";".join(signed.headers),
            payload_hash,
        )
    )
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    to_sign = f"{ALGORITHM}\n{signed.time}\n{signed.scope}\n{digest}"
    key = _signing_key(secret, signed.day, signed.region, signed.service)
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def _value(headers: Mapping[bytes, bytes], name: str) -> str:
    value = headers.get(name.encode("utf-8", "surrogateescape"))
    if value is None:
        raise mismatch()
    return " ".join(value.decode("utf-8", "surrogateescape").split())


def _canonical_query(query: bytes) -> str:
    pairs: list[tuple[str, str]] = []
    for part in query.split(b"&") if query else ():
        name, _, value = part.partition(b"=")
        pairs.append((quote(unquote_to_bytes(name), safe="-_.~"), quote(unquote_to_bytes(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


@lru_cache(maxsize=256)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
