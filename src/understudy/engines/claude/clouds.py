"""What becomes of a request of the Messages API on its way to Claude in a cloud.

Source of the betas: Bedrock's user guide ("Anthropic Claude Messages API"), the platforms named by the documentation's
overview of features, and what other gateways let through (2026-11). A cloud refuses a request for one that it does not
know ("invalid beta flag"), so only what is known to be known there is sent. What such a beta would have opened the
cloud refuses by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import structlog

from understudy.wire.errors import error_body
from understudy.wire.json_text import to_json

from .errors import BadGatewayError
from .responses import GivenResponse

_log = structlog.stdlib.get_logger("understudy.engines")

COUNT_PATH: Final = "/v1/messages/count_tokens"
NO_CREDENTIALS: Final = "The upstream's credentials cannot be had."
_REFUSED: Final = {
    401: "The upstream does not accept the credentials that this server has for it.",
    403: "The upstream does not let this server ask the model.",
}

_BOTH: Final = frozenset(
    {
        "compact-2026-01-12",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dangerous-tool-use-2026-09-03",
        "interleaved-thinking-2025-05-14",
        "thinking-binding-controls-2026-08-01",
        "thinking-display-updates-2026-08-18",
        "tool-search-tool-2025-10-19",
    }
)
# The API's name of it, and the one that the clouds have for tool search.
_RENAMED: Final = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}


@dataclass(frozen=True, slots=True)
class Cloud:
    """`betas` are those that it knows. `left_out`: fields of a request that it refuses and that change nothing of an
    answer but its price. `version` is its own word for the API's first version."""

    betas: frozenset[str]
    left_out: frozenset[str]
    version: str


BEDROCK: Final = Cloud(
    _BOTH
    | {
        "dev-full-thinking-2025-05-14",
        "effort-2025-11-24",
        "fine-grained-tool-streaming-2025-05-14",
        "mid-conversation-output-config-2026-07-01",
        "mid-conversation-tool-changes-2026-07-01",
        "output-128k-2025-02-19",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29",
    },
    # "Features not supported": automatic caching.
    frozenset({"cache_control", "service_tier"}),
    "bedrock-2023-05-31",
)
VERTEX: Final = Cloud(
    _BOTH | {"compact-2026-09-04", "per-turn-control-2026-07-01", "web-search-2025-03-05"},
    frozenset({"service_tier"}),
    "vertex-2023-10-16",
)

# The newest version of the API is called by its own name in the clouds.
_OWN_NAMES: Final = frozenset({"2026-10-21"})
# Bytes of a body that is translated in a thread, so that others get their turns.
LARGE: Final = 256 * 1024


def cloud_betas(cloud: Cloud, header: str | None, further: Sequence[str] = ()) -> list[str]:
    """Of the betas in a request's header those that `cloud` knows, by its names, and `further` ones that an operator
    knows it to know; in order and without repetition."""
    asked = [beta.strip() for beta in (header or "").split(",")]
    named = [beta if beta in further else _RENAMED.get(beta, beta) for beta in asked]
    return list(dict.fromkeys(beta for beta in named if beta in cloud.betas or beta in further))


def cloud_version(cloud: Cloud, header: str | None) -> str:
    """`anthropic_version` for a request of the version in its header."""
    return header if header in _OWN_NAMES else cloud.version


def cloud_fields(cloud: Cloud, request: dict[str, Any], without: frozenset[str], *, in_us: bool) -> dict[str, Any]:
    """The request's fields that go there. The model stands in the path, and the place of inference with it: where that
    is the one asked for, nothing is left to say; any other the cloud is told, and refuses."""
    if request.get("inference_geo") == "global" or (in_us and request.get("inference_geo") == "us"):
        without = without | {"inference_geo"}
    return {name: value for name, value in request.items() if name not in cloud.left_out and name not in without}


# Names of things in an account of the operator's are not the client's business.
_RESOURCES: Final = re.compile(r"arn:[a-z-]+:[^\s\"',]*|projects/[^\s\"'`,]+")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An upstream's error in the API's terms, and its own text."""

    status: int
    type: str
    message: str

    @classmethod
    def unknown(cls, status: int, message: str = "") -> Refusal:
        """For an answer that nothing else is known of than its status. What is no error at all (a redirect, a 204) is a
        fault of the upstream's."""
        if 400 <= status <= 499:
            return cls(400, "invalid_request_error", message)
        return cls(status, "api_error", message) if 500 <= status <= 599 else cls(502, "api_error", "")

    def envelope(self, upstream: str) -> dict[str, Any]:
        """The body of the API's error; `request_id` is for others to fill. What is wrong between this server and the
        upstream is for the log."""
        if self.status in _REFUSED:
            _log.warning("upstream refuses our credentials", engine=upstream, status=self.status, text=self.message)
            return error_body(self.type, _REFUSED[self.status], "")
        text = _RESOURCES.sub("the model", self.message) or f"The upstream answered with status {self.status}."
        return error_body(self.type, text, "")

    def response(self, upstream: str, headers: Sequence[tuple[bytes, bytes]], request_id: str | None) -> GivenResponse:
        return GivenResponse(self.status, to_json(self.envelope(upstream)).encode(), headers, request_id)


def without_threads(request: dict[str, Any]) -> GivenResponse | None:
    """The refusal of a request that belongs to a thread: the clouds keep none. The official SDKs' tool runners ask for
    one by default, and go on without it after this very code."""
    if not request.get("thread"):
        return None
    details = {"error_code": "thread_unsupported_request"}
    body = error_body("invalid_request_error", "thread: Claude in this cloud keeps no threads.", "", details)
    return GivenResponse(400, to_json(body).encode(), [], None)


def credentials_missing(upstream: str, error: Exception) -> NoReturn:
    """Raise what becomes of a request for which the vendor's chain gives no credentials: another target may answer."""
    _log.warning("no credentials for an upstream", engine=upstream, error=str(error)[:500])
    raise BadGatewayError(NO_CREDENTIALS) from error


def header_of(headers: Mapping[str, str], name: str) -> dict[str, str]:
    """The header alone, where it is there."""
    return {name: headers[name]} if name in headers else {}
