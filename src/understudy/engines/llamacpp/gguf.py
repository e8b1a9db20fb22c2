"""What the header of a GGUF file says, read before llama.cpp's own parser gets the file.

A model file comes from wherever its user found it, so nothing in it is believed: every length is held against the
size of the file and against a bound of our own, and what is not needed is passed over, not kept. The format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

from .failures import ModelLoadError

# The largest models have some 60 keys, 260,000 tokens, 520,000 merges and 60,000 tensors (an expert each).
_MOST_KEYS: Final = 10_000
_MOST_STRINGS: Final = 8_000_000
_MOST_TENSORS: Final = 1_000_000
_MOST_NAME: Final = 64 * 1024
_MOST_VALUE: Final = 4 * 1024 * 1024
_MOST_DIMENSIONS: Final = 4
_WANTED: Final = frozenset(
    {
        "general.architecture", "general.name", "general.file_type", "general.alignment", "split.count",
        "tokenizer.chat_template",
    }
)  # fmt: skip
_WINDOW: Final = 256 * 1024
_ALIGNMENT: Final = 32

_STRING: Final = 8
_ARRAY: Final = 9
_FORMATS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_SCALARS: Final = {kind: struct.Struct("<" + letter) for kind, letter in _FORMATS.items()}
_LENGTH: Final = _SCALARS[10]

# Elements and bytes of one block of each type of tensor. A type that is not here is not measured.
_BLOCKS: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GgufInfo:
    """`context_length` is in tokens and `size` in bytes; None is what the file does not say.

    `file_type` is the number llama.cpp gives the commonest quantization. `parts` is how many files the model is in.
    """

    architecture: str
    name: str | None
    context_length: int | None
    has_chat_template: bool
    file_type: int | None
    size: int
    tensors: int
    parts: int


def read_header(path: Path) -> GgufInfo:
    """Raises ModelLoadError where `path` is no whole GGUF file. Takes up to a second for a large vocabulary."""
    try:
        # A pipe would let open() wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ModelLoadError(f"The model {path} is not a file.")
        with path.open("rb") as file:
            return _Header(path, file).read()
    except FileNotFoundError as error:
        raise ModelLoadError(f"There is no model at {path}.") from error
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"The model {path} cannot be read: {error}.") from error


def allowed(path: Path, directories: Sequence[Path]) -> Path:
    """`path` with its symbolic links followed, which must be inside one of `directories`. Raises ModelLoadError."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelLoadError(f"There is no model at {path}.") from error
    if not any(real.is_relative_to(directory.resolve()) for directory in directories):
        raise ModelLoadError(f"The model {path} is outside the directories that models may be in.")
    return real


class _Header:
    """One pass over the bytes of a header, of which a window is held."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self._path = path
        self._file = file
        self._size = file.seek(0, 2)
        file.seek(0)
        self._data = b""
        self._at = 0
        # Where in the file the window begins.
        self._base = 0
        self._strings = 0

    def read(self) -> GgufInfo:
        if self._size < 4 or self._take(4) != b"GGUF":
            raise ModelLoadError(f"{self._path} is not a GGUF file.")
        version = self._number(4)
        if version not in (2, 3):
            raise ModelLoadError(f"{self._path} is a GGUF file of version {version}; 2 and 3 can be read.")
        tensors, keys = self._number(10), self._number(10)
        if tensors > _MOST_TENSORS or keys > _MOST_KEYS:
            raise self._malformed("it claims to have more than a model can")
        values: dict[str, str | int | float] = {}
        for _ in range(keys):
            key = self._string(_MOST_NAME)
            kind = self._number(4)
            wanted = key in _WANTED or key.endswith(".context_length")
            if kind == _ARRAY:
                self._pass_array()
            elif kind != _STRING:
                value = self._scalar(kind)
                if wanted:
                    values[key] = value
            elif wanted:
                values[key] = self._string(_MOST_VALUE)
            else:
                self._pass(self._number(10))
        self._check_tensors(tensors, values)
        architecture = values.get("general.architecture")
        if not isinstance(architecture, str) or not architecture:
            raise self._malformed("it names no architecture")
        return GgufInfo(
            architecture=architecture,
            name=_text(values.get("general.name")),
            context_length=_count(values.get(f"{architecture}.context_length")),
            has_chat_template=bool(values.get("tokenizer.chat_template")),
            file_type=_count(values.get("general.file_type")),
            size=self._size,
            tensors=tensors,
            parts=_count(values.get("split.count")) or 1,
        )

    def _check_tensors(self, count: int, values: dict[str, str | int | float]) -> None:
        """Every tensor's data must be inside the file."""
        alignment = _count(values.get("general.alignment", _ALIGNMENT))
        if not alignment or alignment & (alignment - 1) or alignment > 1 << 20:
            raise self._malformed("its alignment is no power of two")
        end = 0
        for _ in range(count):
            self._string(_MOST_NAME)
            dimensions = self._number(4)
            if dimensions > _MOST_DIMENSIONS:
                raise self._malformed("a tensor has too many dimensions")
            elements = 1
            for _ in range(dimensions):
                elements *= self._number(10)
            kind, offset = self._number(4), self._number(10)
            per_block, block = _BLOCKS.get(kind, (1, 0))
            end = max(end, offset + -(-elements // per_block) * block)
        start = self._base + self._at
        start += -start % alignment
        if count and start + end > self._size:
            raise ModelLoadError(
                f"{self._path} is not whole: it has {self._size} bytes and needs {start + end}. Download it again."
            )

    def _scalar(self, kind: int) -> int | float:
        form = _SCALARS.get(kind)
        if form is None:
            raise self._malformed(f"it has a value of the unknown type {kind}")
        return form.unpack(self._take(form.size))[0]

    def _number(self, kind: int) -> int:
        return int(self._scalar(kind))

    def _string(self, most: int) -> str:
        length = self._number(10)
        if length > most:
            raise self._malformed("it has a text that is too long")
        return self._take(length).decode("utf-8", "replace")

    def _pass_array(self) -> None:
        kind, count = self._number(4), self._number(10)
        form = _SCALARS.get(kind)
        if form is not None:
            self._pass(count * form.size)
            return
        # llama.cpp reads no lists of lists.
        if kind != _STRING:
            raise self._malformed(f"it has a list of the unknown type {kind}")
        self._strings += count
        if self._strings > _MOST_STRINGS:
            raise self._malformed("it claims to have more than a model can")
        unpack = _LENGTH.unpack_from
        for _ in range(count):
            # Written out, for there are hundreds of thousands of them.
            if self._at + 8 > len(self._data):
                self._fill(8)
            (length,) = unpack(self._data, self._at)
            if self._at + 8 + length <= len(self._data):
                self._at += 8 + length
            else:
                self._pass(8 + length)

    def _pass(self, count: int) -> None:
        at = self._base + self._at + count
        if at > self._size:
            raise self._malformed("it ends in the middle of its header")
        if self._at + count <= len(self._data):
            self._at += count
        else:
            self._file.seek(at)
            self._base, self._at, self._data = at, 0, b""

    def _take(self, count: int) -> bytes:
        """The next `count` bytes, which is bounded by whoever asks."""
        if self._at + count > len(self._data):
            self._fill(count)
        self._at += count
        return self._data[self._at - count : self._at]

    def _fill(self, count: int) -> None:
        """Move the window on, so that it holds `count` bytes."""
        self._base += self._at
        self._data = self._data[self._at :] + self._file.read(max(count, _WINDOW))
        self._at = 0
        if len(self._data) < count:
            raise self._malformed("it ends in the middle of its header")

    def _malformed(self, why: str) -> ModelLoadError:
        return ModelLoadError(f"{self._path} is not a GGUF file that can be read: {why}.")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
