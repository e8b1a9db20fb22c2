"""What upstreams say when something is wrong, as the API's errors.

Upstreams tell "too long" in words only, each in its own, so those are read; all else goes by status and code. Nothing
that could be a secret, or the address of the upstream, reaches the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from understudy.engines.engine import PromptTooLongError
from understudy.wire.errors import (
    ApiError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    RequestTooLargeError,
)

_LONGEST: Final = 2_000
_SHORTEST_SECRET: Final = 6
_SECRETS: Final = re.compile(r"(?i)\bbearer\s+\S+|\b(?:sk|pk|hf|key|api|gsk|nvapi)[-_][\w.*-]{6,}|https?://\S+")

# Error texts by project, with the groups `prompt` (tokens of the prompt; `least` where it was not counted to its end),
# `answer` (tokens asked for) and `most`.
_TOO_LONG: Final = tuple(
    re.compile(
        pattern.replace("#p", r"(?P<prompt>[\d,]+)")
        .replace("#a", r"(?P<answer>[\d,]+)")
        .replace("#m", r"(?P<most>[\d,]+)"),
        re.IGNORECASE | re.DOTALL,
    )
    for pattern in (
        # OpenAI; vLLM until 0.9.
        r"maximum context length is #m tokens.{0,80}?\(#p (?:tokens )?(?:in|from) (?:the|your) (?:messages|prompt)"
        r"(?:.{0,40}?,.{0,20}?#a (?:tokens )?(?:in|for) the completion)?",
        # SGLang, both of its texts.
        r"maximum context length of #m tokens.{0,80}?: #p tokens from the input messages and #a tokens for the",
        r"input \(#p tokens\) is longer than the model's context length \(#m tokens\)",
        # vLLM since 0.10: the answer's tokens come before, behind, or not at all.
        r"too large: #a\. this model's maximum context length is #m tokens and your request has #p input tokens",
        r"passed #p input tokens and requested #a output tokens.{0,60}?context length is only #m tokens",
        r"maximum context length is #m tokens"
        r".{0,60}?(?:request has|resulted in|requested|contains(?P<least> at least)?) #p (?:input )?tokens",
        # OpenAI's newer models.
        r"limit of #m tokens.{0,60}?resulted in #p tokens",
        # llama-server and LM Studio.
        r"request \(#p tokens\) exceeds the available context size \(#m tokens\)",
        r"first #p tokens.{0,80}?context length of only #m tokens",
        # vLLM of a prompt with so many characters that it counts no tokens, and whoever else names no number.
        r"maximum context length (?:is|of) #m tokens",
    )
)
_TOO_LONG_CODES: Final = frozenset({"context_length_exceeded", "exceed_context_size_error"})
# LiteLLM's proxy keeps its kinds of errors in the text; Ollama names no number.
_TOO_LONG_WORDS: Final = re.compile(
    r"(?i)ContextWindowExceededError|prompt is longer than the context length|input length exceeds the context length"
)
# vLLM, before it looks at the prompt: `max_tokens` alone is more than the context.
_ANSWER_TOO_LONG: Final = re.compile(r"\bmax_(?:completion_)?tokens=(\d+) cannot be greater than max_model_len=(\d+)")
# vLLM stops counting where it is too much, or begins not at all.
_UNCOUNTED: Final = re.compile(r"your prompt contains (?:at least [\d,]+ input tokens|[\d,]+ characters)")
# LiteLLM's proxy says it with a 400.
_NO_MODEL: Final = re.compile(r"(?i)\binvalid model name passed in model=")


class UpstreamTimeoutError(ApiError):
    """The upstream began no answer in time, or stopped in the middle of it."""

    status = 504
    type = "timeout_error"
    default_message = "The model did not answer in time."
    retry = True


class UpstreamError(ApiError):
    """The upstream failed, or said what cannot be understood."""

    default_message = "The model's server failed."
    retry = True


@dataclass(frozen=True, slots=True)
class Said:
    """What an error body says. `code` is a status where the body names one. `bare`: it is a text and nothing else."""

    message: str
    code: int | None
    words: frozenset[str]
    prompt: int | None = None
    most: int | None = None
    bare: bool = False


def read_error(body: Any) -> Said | None:
    """The error that `body` is, None if it is none."""
    if not isinstance(body, dict):
        return None
    outer = cast("dict[str, Any]", body)
    error: Any = outer.get("error")
    if error is None and (
        outer.get("object") == "error" or ("choices" not in outer and ("detail" in outer or "message" in outer))
    ):
        error = outer
    if error is None or error == "":
        return None
    if not isinstance(error, dict):
        return Said(str(error), None, frozenset(), bare=True)
    inner = cast("dict[str, Any]", error)
    message = inner.get("message") or inner.get("detail") or inner.get("error") or ""
    code: int | None = None
    for name in ("code", "status", "status_code"):
        value: Any = inner.get(name)
        if code is None and isinstance(value, int | str) and str(value).isdigit():
            code = int(value)
    words = frozenset(value for value in (inner.get("type"), inner.get("code")) if isinstance(value, str))
    return Said(
        message if isinstance(message, str) else str(cast("object", message)),
        code,
        words,
        _number(inner.get("n_prompt_tokens")),
        _number(inner.get("n_ctx")),
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def is_uncounted(said: Said | None) -> bool:
    """Whether a prompt is said to be too long, and not how long it is."""
    return said is not None and _UNCOUNTED.search(said.message[:_LONGEST]) is not None


def shown(message: str, *secrets: str) -> str:
    """`message` without what could be a secret, an address, or a flood."""
    for secret in secrets:
        # What is shorter keeps nobody out, and would be found in words.
        if len(secret) >= _SHORTEST_SECRET:
            message = message.replace(secret, "…")
    message = _SECRETS.sub("…", message[: _LONGEST * 2])
    return "".join(character for character in message if character.isprintable() or character == "\n")[:_LONGEST]


def api_error(
    status: int,
    said: Said | None,
    headers: Mapping[str, str],
    *,
    model: str,
    max_tokens: int,
    secrets: tuple[str, ...],
    counted: int = 0,
) -> ApiError:
    """The API's error for an answer of `status`; for an error in a stream, `status` is 200 and the body tells.

    `counted`: the tokens of the prompt as they were counted here, for texts that do not say them.
    """
    text = shown(said.message, *secrets) if said is not None else ""
    if status < 400:
        status = said.code if said is not None and said.code is not None and said.code >= 400 else _status_of(said)
    if status in {400, 413, 422, 500} and said is not None:
        too_long = _too_long(said, max_tokens, counted, text)
        if too_long is not None:
            return too_long
    kept = _retry_headers(headers)
    if status == 400 and said is not None:
        if _NO_MODEL.search(said.message):
            return NotFoundError(f"model: {model}")
        if "no_db_connection" in said.words:
            # LiteLLM's proxy without a database, of every key that is not its own.
            status = 401
    match status:
        case 401 | 403:
            # Whose credentials these are is no affair of the caller's, and the text may quote them.
            return UpstreamError("The model's server refused this server's credentials.", retry=False)
        case 404:
            if said is not None and ("model" in said.message.lower() or "model_not_found" in said.words):
                return NotFoundError(f"model: {model}")
            if said is not None and said.bare:
                # mlx_lm.server answers so whatever keeps it from an answer; of a path it says no JSON.
                return InvalidRequestError(text or None)
            return UpstreamError("The model's server has no chat completions at its configured address.", retry=False)
        case 408 | 504:
            return UpstreamTimeoutError()
        case 413:
            return RequestTooLargeError(text or None)
        case 429:
            return RateLimitError(text or None, headers=kept)
        case 503 | 529:
            return OverloadedError(headers=kept)
        case 402 | 405 | 407:
            return UpstreamError(retry=False)
        case _ if 400 <= status < 500:
            return InvalidRequestError(text or None)
        case _:
            return UpstreamError(headers=kept)


def _status_of(said: Said | None) -> int:
    """For a body that names no status: by the words that OpenAI's reference gives its errors."""
    words: frozenset[str] = frozenset() if said is None else frozenset(word.lower() for word in said.words)
    for status, known in (
        (400, {"invalid_request_error", "badrequesterror", "bad_request", "context_length_exceeded"}),
        (401, {"authentication_error", "invalid_api_key", "authenticationerror"}),
        (404, {"model_not_found", "not_found_error", "notfounderror"}),
        (429, {"rate_limit_error", "rate_limit_exceeded", "insufficient_quota"}),
        (503, {"overloaded_error", "service_unavailable", "serviceunavailableerror"}),
    ):
        if not words.isdisjoint(known):
            return status
    return 500


def _too_long(said: Said, max_tokens: int, counted: int, text: str) -> ApiError | None:
    answer = _ANSWER_TOO_LONG.search(said.message[:_LONGEST])
    if answer is not None:
        return PromptTooLongError(text, int(answer[2]))
    prompt, most, asked = said.prompt, said.most, max_tokens
    if prompt is None or most is None:
        for pattern in _TOO_LONG:
            match = pattern.search(said.message[:_LONGEST])
            if match is not None:
                found = match.groupdict()
                least = found.pop("least", None) is not None
                groups = {name: int(value.replace(",", "")) for name, value in found.items() if value}
                prompt, most = groups.get("prompt"), groups["most"]
                asked = groups.get("answer", max_tokens)
                if prompt is None:
                    prompt = counted if counted > most else None
                    if prompt is None:
                        return PromptTooLongError(f"prompt is too long: {text}")
                elif least:
                    prompt = max(prompt, counted)
                break
    if prompt is None or most is None:
        known = bool(_TOO_LONG_CODES & said.words) or _TOO_LONG_WORDS.search(said.message) is not None
        return PromptTooLongError(f"prompt is too long: {text}") if known else None
    if prompt >= most:
        return PromptTooLongError(f"prompt is too long: {prompt} tokens > {most} maximum")
    if prompt + asked <= most:
        return None
    return PromptTooLongError(
        f"input length and `max_tokens` exceed context limit: {prompt} + {asked} > {most}, decrease input length or "
        "`max_tokens` and try again",
        most - prompt,
    )


def _retry_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """When to come again, where it is said in the way that clients read."""
    value = headers.get("retry-after", "").strip()
    return {"retry-after": value} if re.fullmatch(r"\d{1,7}(\.\d{1,3})?|[A-Z][a-z]{2}, [\w :]{1,30}", value) else {}
