"""Who calls where AWS authenticates: by a signature, a key that is sent as it is, or a short-lived key of Bedrock."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64decode
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Final, TypeAlias
from urllib.parse import unquote

from understudy.clouds.aws_signature import (
    ALGORITHM,
    AwsAuthError,
    Request,
    Signed,
    check_expiry,
    check_headers,
    check_scope,
    check_time,
    mismatch,
    missing,
    read_authorization,
    signature,
    signed_with,
    unknown_key,
)
from understudy.clouds.credentials import Cloud, CloudCredentials, address_of, bearer_token, one_of
from understudy.clouds.reading import LARGE, read_bytes
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.organization.attempts import FailedAttempts
from understudy.settings import CloudsSettings
from understudy.wire.errors import ApiError

# A URL to call Bedrock, signed with an access key and packed into one word; AWS's token generators make them.
_PACKED: Final = "bedrock-api-key-"
_PACKED_LONGEST: Final = 8_192
_Judged: TypeAlias = Awaitable[tuple[Principal, str | None]]
_NOTHING: Final = hashlib.sha256(b"").hexdigest()


def _bad_key() -> AwsAuthError:
    return AwsAuthError("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.")


def _no_access() -> AwsAuthError:
    return AwsAuthError("AccessDeniedException", "The credential has no access to its workspace.")


class AwsCallers:
    """`clock`: seconds since the epoch. `most_bytes`: of a body that is signed."""

    def __init__(
        self,
        credentials: CloudCredentials,
        settings: CloudsSettings,
        most_bytes: int,
        clock: Callable[[], float],
        attempts: FailedAttempts | None = None,
    ) -> None:
        self._credentials = credentials
        self._regions = tuple(settings.aws_regions)
        self._skew = settings.aws_clock_skew
        self._most_bytes = most_bytes
        self._clock = clock
        self._attempts = FailedAttempts() if attempts is None else attempts

    async def caller(
        self, exchange: Exchange, cloud: Cloud, service: str, path: str = "/v1/messages"
    ) -> tuple[Principal, str | None]:
        """The caller, and the region that the request is signed for, if it is signed.

        `path` is that of the Messages API that the request's stands for. Raises AwsAuthError, RateLimitError for an
        address that has sent too many bad credentials, and what `Principal.at` raises.
        """
        principal, region = await self._identified(exchange, cloud, service)
        if not principal.is_known_at(path):
            raise _bad_key()
        return principal.at(path, exchange.header(b"anthropic-workspace-id")), region

    async def _identified(self, exchange: Exchange, cloud: Cloud, service: str) -> tuple[Principal, str | None]:
        key = exchange.header(b"x-api-key")
        authorization = exchange.header(b"authorization") or ""
        if authorization.startswith("AWS4-"):
            if key is not None:
                raise mismatch()
            return await self._counted(exchange, self._by_signature(exchange, authorization, service))
        token = one_of(bearer_token(exchange), key)
        if token is None:
            raise missing()
        if token.startswith(_PACKED) and cloud == "bedrock":
            return await self._counted(exchange, self._by_packed(token))
        principal = await self._credentials.bearer(cloud, token, address_of(exchange))
        if principal is None:
            raise _bad_key()
        return principal, None

    async def _counted(self, exchange: Exchange, judged: _Judged) -> tuple[Principal, str | None]:
        address = address_of(exchange)
        try:
            return await judged
        except AwsAuthError as error:
            if address:
                limited = self._limited(address)
                if limited is not None:
                    raise limited from None
                self._attempts.note(address)
            raise error from None

    def _limited(self, address: str) -> ApiError | None:
        try:
            self._attempts.check(address)
        except ApiError as error:
            return error
        return None

    async def _by_signature(self, exchange: Exchange, authorization: str, service: str) -> tuple[Principal, str | None]:
        signed = read_authorization(authorization, exchange.headers)
        check_scope(signed, (service,), self._regions)
        check_time(signed, self._clock(), self._skew)
        scope = exchange.scope
        request = Request(
            scope["method"],
            scope.get("raw_path") or scope["path"].encode(),
            scope["query_string"],
            exchange.headers,
        )
        if self._credentials.aws_key(signed.access_key_id) is None:
            # Nobody's body is waited for.
            self._checked(signed, request, _NOTHING, "")
        body = await read_bytes(exchange, self._most_bytes)
        exchange.give_back(body)
        payload_hash = await _digest(body)
        check_headers(signed, exchange.headers, payload_hash)
        token = exchange.header(b"x-amz-security-token") or ""
        return self._checked(signed, request, payload_hash, token), signed.region

    async def _by_packed(self, packed: str) -> tuple[Principal, str | None]:
        host, query = _unpacked(packed)
        read: dict[str, str] = {}
        for pair in query:
            name, _, value = pair.partition("=")
            read[name] = unquote(value)
        if len(read) != len(query) or read.get("Action") != "CallWithBearerToken":
            raise _bad_key()
        if read.get("X-Amz-Algorithm") != ALGORITHM or not read.get("X-Amz-Expires", "").isdecimal():
            raise _bad_key()
        signed = signed_with(
            read.get("X-Amz-Credential", ""),
            read.get("X-Amz-SignedHeaders", ""),
            read.get("X-Amz-Signature", ""),
            read.get("X-Amz-Date", ""),
        )
        check_scope(signed, ("bedrock",), self._regions)
        check_expiry(signed, self._clock(), int(read["X-Amz-Expires"][:9]), self._skew)
        # What was added after signing.
        left = [pair for pair in query if pair.partition("=")[0] not in ("X-Amz-Signature", "Version")]
        request = Request("POST", b"/", "&".join(left).encode(), {b"host": host.encode()})
        return self._checked(signed, request, _NOTHING, read.get("X-Amz-Security-Token", "")), signed.region

    def _checked(self, signed: Signed, request: Request, payload_hash: str, session_token: str) -> Principal:
        """A key that is not known takes as long as one whose signature is wrong."""
        known = self._credentials.aws_key(signed.access_key_id)
        key = self._credentials.no_key if known is None else known
        wanted = signature(signed, key.secret, request, payload_hash)
        right = compare_digest(wanted, signed.signature)
        if known is None or not compare_digest(key.session_token.encode(), session_token.encode("utf-8", "replace")):
            raise unknown_key()
        if not right:
            raise mismatch()
        principal = self._credentials.caller(key.workspace)
        if principal is None:
            raise _no_access()
        return principal


async def _digest(body: bytes) -> str:
    if len(body) > LARGE:
        return await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())
    return hashlib.sha256(body).hexdigest()


def _unpacked(packed: str) -> tuple[str, list[str]]:
    """Host and query of the URL. AwsAuthError for what is none."""
    try:
        if len(packed) > _PACKED_LONGEST:
            raise _bad_key()
        url = b64decode(packed.removeprefix(_PACKED), validate=True).decode("ascii")
    except ValueError:
        raise _bad_key() from None
    host, slash, query = url.partition("/?")
    if not slash or "/" in host:
        raise _bad_key()
    return host, query.split("&")
