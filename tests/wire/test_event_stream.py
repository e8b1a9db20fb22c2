"""AWS event-stream frames: what botocore reads of ours, what we read of any, and what is no stream."""

from __future__ import annotations

import base64
import itertools
import json
import struct
import time
from binascii import crc32
from uuid import UUID

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from understudy.wire.event_stream import (
    MOST_HEADER_BYTES,
    MOST_PAYLOAD_BYTES,
    Decoder,
    EventStreamError,
    Message,
    chunk_data,
    decode_headers,
    encode_chunk,
    encode_exception,
    encode_headers,
    encode_message,
)

DELTA = json.dumps(
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "An otter, öä, swims"}}
).encode()

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: 0 < len(name.encode()) < 256
)
header_sets = st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]), max_size=50), max_size=5)


def read(frames: bytes) -> list[Message]:
    decoder = Decoder()
    found = decoder.feed(frames)
    decoder.finish()
    return found


# --- both ways ---


@given(headers=header_sets, payload=st.binary(max_size=300))
def test_what_is_written_is_read_by_botocore_and_here(headers: dict[str, str], payload: bytes) -> None:
    frame = encode_message(encode_headers(headers), payload)
    buffer = EventStreamBuffer()
    buffer.add_data(frame)
    (theirs,) = list(buffer)
    (ours,) = read(frame)
    assert theirs.headers == dict(ours.headers) == headers
    assert theirs.payload == ours.payload == payload


@given(payloads=st.lists(st.binary(max_size=60), max_size=5), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_03_it_does_not_matter_how_the_bytes_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    frames = b"".join(encode_chunk(payload) for payload in payloads)
    decoder = Decoder()
    places = sorted({0, len(frames), *(cut for cut in cuts if cut < len(frames))})
    found = [message for a, b in itertools.pairwise(places) for message in decoder.feed(frames[a:b])]
    decoder.finish()
    assert [chunk_data(message) for message in found] == payloads


def test_byte_by_byte_is_as_good() -> None:
    decoder = Decoder()
    found = [message for byte in encode_chunk(DELTA) * 3 for message in decoder.feed(bytes([byte]))]
    assert [chunk_data(message) for message in found] == [DELTA] * 3


def test_a_chunk_is_what_bedrock_sends() -> None:
    (message,) = read(encode_chunk(DELTA))
    assert message.headers == {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    assert json.loads(message.payload) == {"bytes": base64.b64encode(DELTA).decode()}


def test_padding_beside_the_bytes_is_left() -> None:
    payload = json.dumps({"bytes": base64.b64encode(DELTA).decode(), "p": "abcdefgh"}).encode()
    assert chunk_data(Message({}, payload)) == DELTA


def test_an_exception_names_its_type() -> None:
    (message,) = read(encode_exception("throttlingException", b'{"message":"slow"}'))
    assert (message.headers[":message-type"], message.headers[":exception-type"]) == (
        "exception",
        "throttlingException",
    )
    assert message.payload == b'{"message":"slow"}'


def test_values_of_every_type_are_read_as_botocore_reads_them() -> None:
    def header(name: str, kind: int, value: bytes) -> bytes:
        return bytes((len(name),)) + name.encode() + bytes((kind,)) + value

    raw = b"".join(
        (
            header("yes", 0, b""),
            header("no", 1, b""),
            header("byte", 2, struct.pack("!b", -5)),
            header("short", 3, struct.pack("!h", -500)),
            header("int", 4, struct.pack("!i", -70_000)),
            header("long", 5, struct.pack("!q", -(1 << 40))),
            header("bytes", 6, struct.pack("!H", 3) + b"\x00\xff\x01"),
            header("text", 7, struct.pack("!H", 5) + "ötte".encode()),
            header("time", 8, struct.pack("!q", 1_773_856_211_400)),
        )
    )
    found = decode_headers(raw + header("id", 9, bytes(range(16))))
    assert found.pop("id") == UUID(bytes=bytes(range(16)))
    buffer = EventStreamBuffer()
    buffer.add_data(encode_message(raw, b""))
    assert found == next(iter(buffer)).headers
    assert (found["yes"], found["no"], found["short"], found["text"]) == (True, False, -500, "ötte")


# --- no stream ---


@pytest.mark.parametrize("place", range(len(encode_chunk(b"{}"))))
def test_a_flipped_bit_anywhere_is_noticed(place: int) -> None:
    frame = bytearray(encode_chunk(b"{}"))
    frame[place] ^= 1
    with pytest.raises(EventStreamError):
        read(bytes(frame))


@given(data=st.binary(min_size=12, max_size=200))
def test_noise_is_refused_and_never_a_crash(data: bytes) -> None:
    with pytest.raises(EventStreamError):
        read(data)


@given(headers=st.binary(max_size=40))
def test_headers_of_noise_are_refused_or_read(headers: bytes) -> None:
    try:
        read(encode_message(headers, b""))
    except EventStreamError:
        pass


@pytest.mark.parametrize("end", [1, 11, 15, 40, -1])
def test_a_stream_that_ends_within_a_frame_is_told_apart(end: int) -> None:
    decoder = Decoder()
    assert decoder.feed(encode_chunk(DELTA)[:end]) == []
    with pytest.raises(EventStreamError, match="ended within"):
        decoder.finish()


def test_after_a_fault_nothing_is_read() -> None:
    decoder = Decoder()
    assert len(decoder.feed(encode_chunk(DELTA))) == 1
    with pytest.raises(EventStreamError):
        decoder.feed(b"\x00" * 16)
    with pytest.raises(EventStreamError, match="before"):
        decoder.feed(encode_chunk(DELTA))


@pytest.mark.parametrize(
    ("total", "head"),
    [(15, 0), (16, 1), (2**31, MOST_HEADER_BYTES + 1), (MOST_PAYLOAD_BYTES + 17, 0), (2**32 - 1, 0)],
)
def test_lengths_that_cannot_be_are_refused_before_anything_is_kept(total: int, head: int) -> None:
    lengths = struct.pack("!II", total, head)
    with pytest.raises(EventStreamError):
        Decoder().feed(lengths + struct.pack("!I", crc32(lengths)))


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"bytes":1}', b'{"bytes":"*"}', b"\xff", b'{"bytes":"YQ"}'])
def test_a_chunk_without_bytes_is_refused(payload: bytes) -> None:
    with pytest.raises(EventStreamError):
        chunk_data(Message({}, payload))


# --- what it costs ---


def test_framing_an_event_costs_less_than_ten_microseconds_each_way() -> None:
    frame = encode_chunk(DELTA)
    decoder = Decoder()
    writing = reading = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(1_000):
            encode_chunk(DELTA)
        writing = min(writing, time.process_time() - began)
        began = time.process_time()
        for _ in range(1_000):
            for message in decoder.feed(frame):
                chunk_data(message)
        reading = min(reading, time.process_time() - began)
    # Seconds of a thousand events: milliseconds here are microseconds of one.
    assert (writing < 0.010, reading < 0.010) == (True, True), (writing, reading)
