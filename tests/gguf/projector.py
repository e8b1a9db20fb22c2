"""A projector of images (`mmproj`) of llama.cpp's kind `mlp`: any image becomes 64 states of a text model."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from functools import partial

from tests.gguf.container import Metadata, Tensor, TensorType
from tests.gguf.language import ones

PATCH, SIDE = 14, 112
"""Pixels. An image is scaled to `SIDE` × `SIDE` and read in squares of `PATCH` × `PATCH`, one state each."""

TOKENS = (SIDE // PATCH) ** 2
_WIDTH, _HEADS, _FEED_FORWARD, _BLOCKS = 64, 2, 128, 2


def metadata(name: str, text_width: int) -> Metadata:
    """The keys that llama.cpp's mtmd reads of an image encoder."""
    return {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "general.name": name,
        "general.file_type": 1,
        "clip.has_vision_encoder": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": True,
        "clip.vision.image_size": SIDE,
        "clip.vision.patch_size": PATCH,
        "clip.vision.embedding_length": _WIDTH,
        "clip.vision.feed_forward_length": _FEED_FORWARD,
        "clip.vision.block_count": _BLOCKS,
        "clip.vision.attention.head_count": _HEADS,
        "clip.vision.attention.layer_norm_epsilon": 1e-5,
        "clip.vision.projection_dim": text_width,
        "clip.vision.image_mean": [0.5, 0.5, 0.5],
        "clip.vision.image_std": [0.5, 0.5, 0.5],
    }


def tensors(text_width: int, seed: int) -> Iterator[Tensor]:
    """Weights by chance. The last two of a text model's states stay nought: scripted models have a use for them."""
    matrix = partial(_matrix, seed)
    yield matrix("v.patch_embd.weight", (PATCH, PATCH, 3, _WIDTH))
    yield matrix("v.position_embd.weight", (_WIDTH, TOKENS), TensorType.F32)
    yield from _layer_norm("v.pre_ln", _WIDTH)
    for block in range(_BLOCKS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            yield from _linear(seed, f"v.blk.{block}.{name}", _WIDTH, _WIDTH)
        yield from _layer_norm(f"v.blk.{block}.ln1", _WIDTH)
        yield from _linear(seed, f"v.blk.{block}.ffn_up", _WIDTH, _FEED_FORWARD)
        yield from _linear(seed, f"v.blk.{block}.ffn_down", _FEED_FORWARD, _WIDTH)
        yield from _layer_norm(f"v.blk.{block}.ln2", _WIDTH)
    yield from _linear(seed, "mm.0", _WIDTH, text_width)
    yield from _linear(seed, "mm.2", text_width, text_width, silent_rows=2)


def _linear(seed: int, name: str, row: int, rows: int, silent_rows: int = 0) -> Iterator[Tensor]:
    yield _matrix(seed, f"{name}.weight", (row, rows), silent_rows=silent_rows)
    yield _zeros(f"{name}.bias", rows)


def _layer_norm(name: str, length: int) -> Iterator[Tensor]:
    yield ones(f"{name}.weight", length)
    yield _zeros(f"{name}.bias", length)


def _zeros(name: str, length: int) -> Tensor:
    return Tensor(name, TensorType.F32, (length,), lambda: bytes(4 * length))


def _matrix(
    seed: int, name: str, shape: tuple[int, ...], type: TensorType = TensorType.F16, silent_rows: int = 0
) -> Tensor:
    """Even chance within bounds that keep the size of what passes through; the last rows are nought if wanted."""
    inputs, rows = math.prod(shape[:-1]), shape[-1]
    bound = math.sqrt(3 / inputs)

    def data() -> bytes:
        chance = random.Random(f"{seed} {name}")
        weights = [chance.uniform(-bound, bound) for _ in range(inputs * (rows - silent_rows))]
        code = {TensorType.F16: "e", TensorType.F32: "f"}[type]
        return struct.pack(f"<{len(weights)}{code}", *weights).ljust(type.size(inputs * rows), b"\0")

    return Tensor(name, type, shape, data)
