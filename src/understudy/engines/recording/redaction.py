"""Secrets are taken out of what is recorded: by the names of fields, and by what keys look like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, cast

import orjson

REMOVED: Final = "[removed]"

# Fields whose text is a secret whatever it looks like. `data` and `signature` of thinking blocks are none.
_SECRET_FIELD: Final = re.compile(
    r"(?:^|_|-)(?:api_?key|authorization|authorization_token|password|passwd|secret|client_secret|access_token|"
    r"refresh_token|auth_token|private_key)$",
    re.IGNORECASE,
)

# The forms in which well-known services give out keys.
_SECRET_TEXT: Final = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"
    r"|\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{20,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{35}"
    r"|\bya29\.[A-Za-z0-9_-]{20,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|\bhf_[A-Za-z0-9]{30,}|\bnpm_[A-Za-z0-9]{36}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"
    r"|(?i:\bbearer\s+)[A-Za-z0-9._~+/-]{16,}=*"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,20000}?-----END [A-Z ]{0,30}PRIVATE KEY-----"
)


def redact_text(text: str) -> str:
    """`text` without what looks like a key."""
    return _SECRET_TEXT.sub(REMOVED, text)


def redact_value(value: Any) -> Any:
    """A JSON value without texts that are, or hold, a secret."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list):
        return [redact_value(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {
            name: REMOVED if isinstance(one, str) and _SECRET_FIELD.search(name) else redact_value(one)
            for name, one in cast("dict[str, Any]", value).items()
        }
    return value


# Where a delta of each kind holds its text.
_DELTA_TEXT: Final = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking"}


def redact_frames(frames: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """A stream's events without secrets, also where a secret is spread over several deltas."""
    texts = [text for _, text in frames]
    for pieces in _blocks(texts).values():
        joined = "".join(piece for _, piece, _ in pieces)
        kept = _kept(joined)
        if kept is None:
            continue
        start = 0
        for place, piece, event in pieces:
            event["delta"][_DELTA_TEXT[event["delta"]["type"]]] = "".join(kept[start : start + len(piece)])
            start += len(piece)
            texts[place] = f"event: {event['type']}\ndata: {orjson.dumps(event).decode()}\n\n"
    return [(seconds, redact_text(text)) for (seconds, _), text in zip(frames, texts, strict=True)]


def _kept(text: str) -> list[str] | None:
    """What is left of each character of `text`; None when nothing is to be removed."""
    kept: list[str] | None = None
    for found in _SECRET_TEXT.finditer(text):
        kept = kept or list(text)
        kept[found.start() : found.end()] = [REMOVED, *[""] * (found.end() - found.start() - 1)]
    return kept


def _blocks(frames: list[str]) -> dict[int, list[tuple[int, str, dict[str, Any]]]]:
    """The deltas of each content block: the frame's place, its text, and the event."""
    blocks: dict[int, list[tuple[int, str, dict[str, Any]]]] = {}
    for place, event in _events(frames):
        delta = event.get("delta")
        if event.get("type") == "content_block_delta" and isinstance(delta, dict):
            known = cast("dict[str, Any]", delta)
            name = _DELTA_TEXT.get(str(known.get("type")))
            if name is not None and isinstance(known.get(name), str):
                blocks.setdefault(int(event["index"]), []).append((place, known[name], event))
    return blocks


def _events(frames: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for place, frame in enumerate(frames):
        _, mark, data = frame.partition("data: ")
        if mark:
            try:
                event = orjson.loads(data)
            except orjson.JSONDecodeError:
                continue
            if isinstance(event, dict):
                yield place, cast("dict[str, Any]", event)
