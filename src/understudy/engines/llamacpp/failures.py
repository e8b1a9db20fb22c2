"""What can go wrong between us and a llama.cpp server. The adapter turns it into errors of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class LlamaError(Exception):
    """The server's own `{"error": {"code", "message", "type", …}}`.

    `status` is the HTTP status, or the error's code where it came inside a stream. `type` is llama.cpp's:
    `invalid_request_error`, `exceed_context_size_error` (`details` then has `n_prompt_tokens` and `n_ctx`),
    `server_error`, `unavailable_error` and others; empty where it said none. `details` has what else it said.
    """

    def __init__(self, status: int, type: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status} {type}: {message}")
        self.status = status
        self.type = type
        self.message = message
        self.details: dict[str, Any] = dict(details or {})


class LlamaGoneError(Exception):
    """There is no connection to the server, or it broke off before the answer was whole."""


class LlamaTimeoutError(Exception):
    """The server did not answer, or did not go on, in time."""


class ModelLoadError(Exception):
    """A model cannot be served. The text is one sentence or two for the operator, without a stack trace.

    `known` is whether the text names the reason.
    """

    def __init__(self, message: str, *, known: bool = True) -> None:
        super().__init__(message)
        self.known = known
