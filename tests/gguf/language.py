"""The frame of a small language model of the `qwen3` architecture, and random weights for it."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.gguf.container import Metadata, Tensor, TensorType, q8_0
from tests.gguf.vocabulary import END_OF_TEXT, END_OF_TURN, PRE_TOKENIZER, TokenType, Vocabulary, as_characters

CHAT_TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Size:
    """A model's dimensions. Its KV cache takes 4 × `layers` × `kv_heads` × `head` bytes for each token of context."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    feed_forward: int
    context: int


class Weights(Protocol):
    """Makes a model's matrices. `name` is a tensor's name without its block and `.weight`."""

    query_norm: float
    """What normed queries are multiplied by."""

    def matrix(self, name: str, block: int | None, row: int, rows: int) -> Tensor: ...


def metadata(name: str, size: Size, vocabulary: Vocabulary) -> Metadata:
    """The keys that llama.cpp reads of a `qwen3` model with a byte-level BPE vocabulary."""
    end_of_text = vocabulary.tokens.index(END_OF_TEXT)
    return {
        "general.architecture": "qwen3",
        "general.name": name,
        "general.quantization_version": 2,
        "qwen3.vocab_size": len(vocabulary.tokens),
        "qwen3.context_length": size.context,
        "qwen3.embedding_length": size.width,
        "qwen3.block_count": size.layers,
        "qwen3.feed_forward_length": size.feed_forward,
        "qwen3.attention.head_count": size.heads,
        "qwen3.attention.head_count_kv": size.kv_heads,
        "qwen3.attention.key_length": size.head,
        "qwen3.attention.value_length": size.head,
        "qwen3.attention.layer_norm_rms_epsilon": 1e-6,
        "qwen3.rope.freq_base": 1e9,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": PRE_TOKENIZER,
        "tokenizer.ggml.tokens": vocabulary.tokens,
        "tokenizer.ggml.token_type": [int(token_type) for token_type in vocabulary.types],
        "tokenizer.ggml.merges": [f"{left} {right}" for left, right in vocabulary.merges],
        "tokenizer.ggml.bos_token_id": end_of_text,
        "tokenizer.ggml.eos_token_id": vocabulary.tokens.index(END_OF_TURN),
        "tokenizer.ggml.padding_token_id": end_of_text,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


def tensors(size: Size, vocabulary: Vocabulary, weights: Weights) -> Iterator[Tensor]:
    """All tensors of a model, in the order of its file."""
    tokens, width = len(vocabulary.tokens), size.width
    yield weights.matrix("token_embd", None, width, tokens)
    yield ones("output_norm.weight", width)
    yield weights.matrix("output", None, width, tokens)
    matrices = {
        "attn_q": (width, size.heads * size.head),
        "attn_k": (width, size.kv_heads * size.head),
        "attn_v": (width, size.kv_heads * size.head),
        "attn_output": (size.heads * size.head, width),
        "ffn_gate": (width, size.feed_forward),
        "ffn_up": (width, size.feed_forward),
        "ffn_down": (size.feed_forward, width),
    }
    for block in range(size.layers):
        yield ones(f"blk.{block}.attn_norm.weight", width)
        yield ones(f"blk.{block}.attn_q_norm.weight", size.head, times=weights.query_norm)
        yield ones(f"blk.{block}.attn_k_norm.weight", size.head)
        yield ones(f"blk.{block}.ffn_norm.weight", width)
        for name, (row, rows) in matrices.items():
            yield weights.matrix(name, block, row, rows)


def tensor_name(name: str, block: int | None) -> str:
    return f"{name}.weight" if block is None else f"blk.{block}.{name}.weight"


def ones(name: str, length: int, times: float = 1.0) -> Tensor:
    return Tensor(name, TensorType.F32, (length,), lambda: struct.pack("<f", times) * length)


class RandomWeights:
    """Q8_0 weights by chance, such that every printable token is about as likely as every other at every place.

    No tag, control token or broken character comes by chance: an answer ends where `max_tokens` or a grammar ends it.
    For that, the first number of a token's state is the same in all tokens, and no layer changes it.
    """

    query_norm = 1.0

    def __init__(self, vocabulary: Vocabulary, seed: int) -> None:
        self._vocabulary = vocabulary
        self._seed = seed

    def matrix(self, name: str, block: int | None, row: int, rows: int) -> Tensor:
        path = tensor_name(name, block)
        return Tensor(path, TensorType.Q8_0, (row, rows), lambda: self._data(name, path, row, rows))

    def _data(self, name: str, path: str, row: int, rows: int) -> bytearray:
        row_size = TensorType.Q8_0.size(row)
        deviation = 1.0 if name == "token_embd" else 1 / math.sqrt(row)
        # Signed bytes by chance deviate by 74 from nought.
        data = q8_0(random.Random(f"{self._seed} {path}").randbytes(row * rows), deviation / 74)
        match name:
            case "token_embd":
                data[2::row_size] = b"\x7f" * rows
            case "attn_output" | "ffn_down":
                data[:row_size] = bytes(row_size)
            case "output":
                silent = struct.pack("<eb", 0.5, -127).ljust(row_size, b"\0")
                for token in range(rows):
                    if not self._is_printable(token):
                        data[token * row_size : (token + 1) * row_size] = silent
            case _:
                pass
        return data

    def _is_printable(self, token: int) -> bool:
        is_normal = self._vocabulary.types[token] == TokenType.NORMAL
        return is_normal and _PRINTABLE.issuperset(self._vocabulary.tokens[token])


_PRINTABLE = frozenset(as_characters(bytes([*range(0x20, 0x7F), 0x0A])))
