"""Headers of model files, whole and malformed, and which directories they may be in."""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from hypothesis import example, given, settings
from hypothesis import strategies as st

import gguf as reference
from tests.gguf.models import model_file
from understudy.engines.llamacpp.failures import ModelLoadError
from understudy.engines.llamacpp.gguf import _BLOCKS, GgufInfo, allowed, read_header
from understudy.engines.llamacpp.supervisor import LlamaWorker, WorkerSettings


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


NAMED = pair("general.architecture", 8, text("llama"))


def header(*pairs: bytes, tensors: bytes = b"", n_tensors: int = 0, keys: int | None = None, version: int = 3) -> bytes:
    counts = struct.pack("<IQQ", version, n_tensors, len(pairs) if keys is None else keys)
    return b"GGUF" + counts + b"".join(pairs) + tensors


def tensor(kind: int, elements: int, offset: int = 0, name: str = "t") -> bytes:
    return text(name) + struct.pack("<IQIQ", 1, elements, kind, offset)


def of(data: bytes, directory: Path) -> GgufInfo:
    path = directory / "model.gguf"
    path.write_bytes(data)
    return read_header(path)


def test_a_header_says_what_the_reference_reads_of_it() -> None:
    path = model_file("tiny")
    found = read_header(path)
    reader = reference.GGUFReader(path)

    def value(key: str) -> object:
        field = reader.get_field(key)
        return None if field is None else field.contents()

    assert found.architecture == value("general.architecture")
    assert found.name == value("general.name")
    assert found.context_length == value(f"{found.architecture}.context_length")
    assert found.has_chat_template is (value("tokenizer.chat_template") is not None)
    assert found.file_type == value("general.file_type")
    assert found.size == path.stat().st_size
    assert found.tensors == len(reader.tensors)
    assert found.parts == 1


def test_the_sizes_of_blocks_are_the_references() -> None:
    for kind, sizes in _BLOCKS.items():
        assert GGML_QUANT_SIZES[GGMLQuantizationType(kind)] == sizes


def test_every_kind_of_value_is_passed_over(tmp_path: Path) -> None:
    kinds = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    scalars = [pair(f"s{kind}", kind, b"\1" * size) for kind, size in kinds.items()]
    lists = [
        pair(f"l{kind}", 9, struct.pack("<IQ", kind, 90_000) + b"\1" * size * 90_000) for kind, size in kinds.items()
    ]
    strings = pair("words", 9, struct.pack("<IQ", 8, 70_000) + b"".join(text("w" * (n % 9)) for n in range(70_000)))
    longer = pair("long", 9, struct.pack("<IQ", 8, 3) + text(b"x" * 900_000) * 3)
    last = pair("llama.context_length", 4, struct.pack("<I", 77))
    found = of(header(*scalars, *lists, strings, longer, NAMED, last), tmp_path)
    assert (found.architecture, found.context_length) == ("llama", 77)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is not a GGUF file"),
        (b"GGU", "is not a GGUF file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "is not a GGUF file"),
        (b"GGUF", "ends in the middle"),
        (header(NAMED, version=1), "version 1"),
        (header(NAMED, version=0x03000000), "version"),
        (header(NAMED, keys=2**63), "more than a model can"),
        (header(NAMED, n_tensors=2**64 - 1), "more than a model can"),
        (header(NAMED, keys=2), "ends in the middle"),
        (header(NAMED, n_tensors=5), "ends in the middle"),
        (header(), "no architecture"),
        (header(pair("general.architecture", 4, b"\0\0\0\0")), "no architecture"),
        (header(struct.pack("<Q", 2**64 - 1)), "too long"),
        (header(struct.pack("<Q", 60_000)), "ends in the middle"),
        (header(pair("general.name", 8, struct.pack("<Q", 2**40))), "too long"),
        (header(pair("other", 8, struct.pack("<Q", 2**40))), "ends in the middle"),
        (header(pair("other", 9, struct.pack("<IQ", 4, 2**62))), "ends in the middle"),
        (header(pair("other", 9, struct.pack("<IQ", 8, 2**62))), "more than a model can"),
        (header(pair("other", 9, struct.pack("<IQ", 8, 5_000_000))), "ends in the middle"),
        (header(pair("other", 9, struct.pack("<IQ", 9, 1)) * 1), "list of the unknown type 9"),
        (header(pair("other", 13, b"\0" * 8)), "unknown type 13"),
        (header(NAMED, pair("general.alignment", 4, struct.pack("<I", 0))), "alignment"),
        (header(NAMED, pair("general.alignment", 4, struct.pack("<I", 48))), "alignment"),
        (header(NAMED, n_tensors=1, tensors=text("t") + struct.pack("<I", 9)), "too many dimensions"),
        (header(NAMED, n_tensors=1, tensors=tensor(0, 2**62)), "is not whole"),
        (header(NAMED, n_tensors=1, tensors=tensor(0, 8)) + b"\0" * 20, "is not whole"),
        (header(NAMED, n_tensors=1, tensors=tensor(8, 32, offset=2**63)) + b"\0" * 99, "is not whole"),
    ],
)
def test_a_malformed_file_is_told_from_a_whole_one(data: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=why):
        of(data, tmp_path)


def test_a_file_is_whole_with_the_last_byte_of_its_last_tensor(tmp_path: Path) -> None:
    front = header(NAMED, n_tensors=2, tensors=tensor(8, 64) + tensor(0, 3, offset=96))
    front += b"\0" * (-len(front) % 32)
    data = front + b"\0" * (96 + 12)
    assert of(data, tmp_path).tensors == 2
    with pytest.raises(ModelLoadError, match=rf"has {len(data) - 1} bytes and needs {len(data)}"):
        of(data[:-1], tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.mkdir(), lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_opened(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "model.gguf")
    with pytest.raises(ModelLoadError, match="is not a file"):
        read_header(tmp_path / "model.gguf")


@cache
def _front() -> bytes:
    """The start of a real model: its keys, and all that is behind them until the tensors' data."""
    return model_file("tiny").read_bytes()[:700_000]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=12)), max_size=4),
    st.integers(0, 700_000),
)
@example([], 0)
@example([(8, b"\xff" * 8)], 700_000)
@example([(16, b"\xff" * 8)], 700_000)
def test_whatever_the_bytes_of_a_header_are_it_is_read_or_refused(
    changes: list[tuple[int, bytes]], length: int
) -> None:
    data = bytearray(_front())
    for at, new in changes:
        data[at : at + len(new)] = new
    with TemporaryDirectory() as directory:
        try:
            found = of(bytes(data[:length]), Path(directory))
        except ModelLoadError:
            return
        assert found.size == length


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 3), st.integers(0, 12))
def test_whatever_follows_the_magic_is_read_or_refused(tail: bytes, tensors: int, keys: int) -> None:
    with TemporaryDirectory() as directory:
        try:
            of(header(NAMED, tensors=tail, n_tensors=tensors, keys=keys + 1), Path(directory))
        except ModelLoadError:
            pass


def test_a_header_that_claims_much_takes_little_memory(tmp_path: Path) -> None:
    names = b"".join(pair(f"n{number}", 8, text(b"x" * 60_000)) for number in range(500))
    bombs = [
        header(pair("other", 9, struct.pack("<IQ", 0, 2**62)) + b"\0" * 1000),
        header(NAMED, names, keys=501),
        header(pair("general.name", 8, text(b"y" * 4_000_000)) * 8, NAMED, keys=9),
    ]
    for bomb in bombs:
        path = tmp_path / "model.gguf"
        path.write_bytes(bomb)
        tracemalloc.start()
        try:
            read_header(path)
        except ModelLoadError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 24_000_000


async def test_llama_cpp_crashing_over_a_header_is_an_error_of_that_model_alone(tmp_path: Path) -> None:
    whole = model_file("tiny").read_bytes()
    chance = random.Random(67)
    tried = 0
    while tried < 2:
        data = bytearray(whole)
        for _ in range(3):
            at = chance.randrange(24, 1500)
            data[at] ^= 1 << chance.randrange(8)
        path = tmp_path / f"{tried}.gguf"
        path.write_bytes(data)
        try:
            read_header(path)
        except ModelLoadError:
            continue
        tried += 1
        worker = LlamaWorker(
            WorkerSettings(path, n_ctx=512, n_parallel=1, n_threads=1, cache_ram_mib=0, warmup=False, load_timeout=10)
        )
        try:
            await worker.start()
        except ModelLoadError as error:
            assert worker.state == "failed"
            assert str(error)
        finally:
            await worker.stop()


def test_a_model_must_be_in_an_allowed_directory(tmp_path: Path) -> None:
    inside, outside, other = tmp_path / "models", tmp_path / "models-of-others", tmp_path / "other"
    for directory in (inside, outside, other):
        directory.mkdir()
        (directory / "m.gguf").touch()
    (inside / "link.gguf").symlink_to(outside / "m.gguf")
    (inside / "own.gguf").symlink_to(inside / "m.gguf")
    (tmp_path / "alias").symlink_to(inside)
    assert allowed(inside / "m.gguf", [other, inside]) == inside / "m.gguf"
    assert allowed(inside / "own.gguf", [inside]) == inside / "m.gguf"
    assert allowed(tmp_path / "alias" / "m.gguf", [tmp_path / "alias"]) == inside / "m.gguf"
    for path in (outside / "m.gguf", inside / "link.gguf", inside / ".." / "other" / "m.gguf"):
        with pytest.raises(ModelLoadError, match="outside the directories"):
            allowed(path, [inside])
    with pytest.raises(ModelLoadError, match="outside the directories"):
        allowed(inside / "m.gguf", [])
    for missing in (inside / "none.gguf", inside / "a\0b"):
        with pytest.raises(ModelLoadError, match="There is no model"):
            allowed(missing, [inside])
