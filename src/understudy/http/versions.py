"""The version and beta headers of a request."""

from __future__ import annotations

from understudy.http.exchange import Exchange
from understudy.wire.errors import InvalidRequestError
from understudy.wire.versions import BETAS, VERSIONS, parse_betas, unknown_betas, unknown_betas_message


def read_version(exchange: Exchange) -> None:
    """Sets `exchange.version`. 400 when the header is missing or names a version that does not exist."""
    version = exchange.header(b"anthropic-version")
    if version is None:
        raise InvalidRequestError("anthropic-version: header is required")
    version = version.strip()
    if version not in VERSIONS:
        # The real service's words were never recorded. The value is not repeated: headers are not echoed.
        raise InvalidRequestError(
            "anthropic-version: unknown version. Supported versions: " + ", ".join(sorted(VERSIONS))
        )
    exchange.version = version
    exchange.record.anthropic_version = version


def read_betas(exchange: Exchange) -> None:
    """Sets `exchange.betas` and `exchange.unknown_betas`.

    Claude Code sends values that the API's own list does not name, and drops one a try when they are refused; with it
    none is unknown.
    """
    header = exchange.header(b"anthropic-beta")
    if header is None:
        return
    betas = parse_betas([header])
    unknown = unknown_betas(betas)
    if unknown:
        if not (exchange.header(b"user-agent") or "").startswith("claude-cli/"):
            exchange.unknown_betas = unknown
        betas = tuple(beta for beta in betas if beta in BETAS)
    exchange.betas = betas


def refuse_unknown_betas(exchange: Exchange) -> None:
    """The documented 400 for betas that nobody knows."""
    if exchange.unknown_betas:
        raise InvalidRequestError(unknown_betas_message(exchange.unknown_betas))
