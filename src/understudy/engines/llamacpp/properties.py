"""What a llama.cpp server says of itself and of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from .connection import Connection
from .failures import LlamaGoneError


@dataclass(frozen=True, slots=True)
class LlamaProperties:
    """From GET /props. `n_ctx` is in tokens, of one slot; `total_slots` is how many answers are made at once.

    `bos_token` and `eos_token` are texts, empty where the model has none.
    """

    n_ctx: int
    total_slots: int
    model_path: str
    chat_template: str
    vision: bool
    audio: bool
    bos_token: str
    eos_token: str
    build: str


async def read_properties(connection: Connection) -> LlamaProperties:
    """Raises what a request raises, and LlamaGoneError where the answer is not that of a llama.cpp server."""
    found = await connection.get("/props")
    settings = _table(found.get("default_generation_settings"))
    modalities = _table(found.get("modalities"))
    n_ctx, slots = settings.get("n_ctx"), found.get("total_slots")
    if not isinstance(n_ctx, int) or not isinstance(slots, int):
        raise LlamaGoneError("What answers there is no llama.cpp server.")
    return LlamaProperties(
        n_ctx=n_ctx,
        total_slots=slots,
        model_path=_text(found.get("model_path")),
        chat_template=_text(found.get("chat_template")),
        vision=modalities.get("vision") is True,
        audio=modalities.get("audio") is True,
        bos_token=_text(found.get("bos_token")),
        eos_token=_text(found.get("eos_token")),
        build=_text(found.get("build_info")),
    )


def _table(found: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""
