"""Writes GGUF files, version 3, as `docs/gguf.md` of the ggml project lays them out.

A header, key-value metadata, one description for each tensor, then the tensors' bytes, each at a multiple of 32.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

VERSION = 3
ALIGNMENT = 32

Scalar = str | bool | int | float
Value = Scalar | Sequence[str] | Sequence[int] | Sequence[float]
Metadata = Mapping[str, Value]


class TensorType(IntEnum):
    """The formats used here, with ggml's numbers."""

    F32 = 0
    F16 = 1
    Q8_0 = 8
    """Blocks of 32 weights: one F16 scale, then 32 signed bytes."""

    def size(self, weights: int) -> int:
        """Bytes of so many weights."""
        return {TensorType.F32: weights * 4, TensorType.F16: weights * 2, TensorType.Q8_0: weights // 32 * 34}[self]


@dataclass(frozen=True)
class Tensor:
    """`shape` begins with the length of a row, as ggml counts. `data` is called when its turn to be written comes."""

    name: str
    type: TensorType
    shape: tuple[int, ...]
    data: Callable[[], bytes | bytearray]

    @property
    def size(self) -> int:
        weights = 1
        for length in self.shape:
            weights *= length
        return self.type.size(weights)


def q8_0(weights: bytes, scale: float) -> bytearray:
    """A Q8_0 tensor of these signed bytes, all blocks with the same scale."""
    blocks = len(weights) // 32
    data = bytearray(blocks * 34)
    data[0::34], data[1::34] = (bytes([byte]) * blocks for byte in struct.pack("<e", scale))
    for place in range(32):
        data[2 + place :: 34] = weights[place::32]
    return data


def set_q8_0(data: bytearray, number: int, weight: int) -> None:
    """Set one signed byte of such a tensor."""
    struct.pack_into("<b", data, number // 32 * 34 + 2 + number % 32, weight)


def write_gguf(path: Path, metadata: Metadata, tensors: Sequence[Tensor]) -> None:
    """Write a whole file. The same arguments give the same bytes."""
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", VERSION, len(tensors), len(metadata)))
        for key, value in metadata.items():
            file.write(_text(key) + _typed(value))
        offset = 0
        for tensor in tensors:
            shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
            file.write(_text(tensor.name) + shape + struct.pack("<IQ", tensor.type, offset))
            offset += tensor.size + -tensor.size % ALIGNMENT
        _pad(file)
        for tensor in tensors:
            data = tensor.data()
            assert len(data) == tensor.size, f"{tensor.name} has {len(data)} bytes instead of {tensor.size}"
            file.write(data)
            _pad(file)


def _pad(file: BinaryIO) -> None:
    file.write(b"\0" * (-file.tell() % ALIGNMENT))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


# GGUF's own numbers of the value types. llama.cpp reads a whole number as UINT32, but in an array as INT32.
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9


def _typed(value: Value) -> bytes:
    if isinstance(value, str | bool | int | float):
        kind, data = _scalar(value)
        return struct.pack("<I", kind) + data
    items = [_scalar(item) for item in value]
    (kind,) = {kind for kind, _ in items}
    kind = _INT32 if kind == _UINT32 else kind
    return struct.pack("<IIQ", _ARRAY, kind, len(items)) + b"".join(data for _, data in items)


def _scalar(value: Scalar) -> tuple[int, bytes]:
    match value:
        case str():
            return _STRING, _text(value)
        case bool():
            return _BOOL, struct.pack("<?", value)
        case float():
            return _FLOAT32, struct.pack("<f", value)
        case _:
            return _UINT32, struct.pack("<I", value)
