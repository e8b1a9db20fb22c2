"""Abuse over a real socket. The numbers are those of the project's list of abuse cases."""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
import time
import zlib
from collections.abc import Generator
from typing import Any

import brotli
import psutil
import pytest
import zstandard

from rawhttp import MESSAGE, MESSAGE_BYTES, connect, exchange, head, post, read_answer
from servers import RunningServer, ServerFailed, ServerStarter

MEGABYTE = 1024 * 1024

_LONG_ANSWER = [{"role": "user", "content": "Write 1500 words about the sea."}]


def resident_memory(server: RunningServer) -> int:
    return psutil.Process(server.pid).memory_info().rss


@pytest.fixture
def memory_stays_bounded(server: RunningServer) -> Generator[None]:
    """The server's memory after the test is at most a few bodies' worth above what it was."""
    before = resident_memory(server)
    yield
    grown = resident_memory(server) - before
    assert grown < 160 * MEGABYTE, f"grew by {grown / MEGABYTE:.0f} MB"


# --- 33: sizes ---


@pytest.mark.usefixtures("memory_stays_bounded")
def test_abuse_33_a_declared_length_over_the_limit_is_refused_before_the_body_comes(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: %d" % (32 * MEGABYTE + 1)))
        answer = read_answer(connection)
    assert answer.status == 413
    assert answer.error()["type"] == "request_too_large"


@pytest.mark.usefixtures("memory_stays_bounded")
def test_abuse_33_a_chunked_body_over_the_limit_is_refused_while_it_comes(server: RunningServer) -> None:
    chunk = b"a" * MEGABYTE
    with connect(server) as connection:
        connection.sendall(head(server, b"transfer-encoding: chunked"))
        for _ in range(33):
            connection.sendall(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        answer = read_answer(connection)
    assert answer.status == 413
    assert answer.error()["type"] == "request_too_large"


def test_abuse_33_a_body_of_exactly_the_limit_is_read(server: RunningServer) -> None:
    filler = 32 * MEGABYTE - len(MESSAGE_BYTES)
    answer = post(server, MESSAGE_BYTES + b" " * filler)
    assert answer.status == 200


def _zip_bomb(coding: str) -> bytes:
    """Compressed zeros: 300 MB and more behind less than a megabyte."""
    size, piece = 300, b"0" * MEGABYTE
    out = io.BytesIO()
    if coding == "gzip":
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as file:
            for _ in range(size):
                file.write(piece)
    elif coding == "deflate":
        deflater = zlib.compressobj(9)
        for _ in range(size):
            out.write(deflater.compress(piece))
        out.write(deflater.flush())
    elif coding == "br":
        brotlier = brotli.Compressor(quality=5)
        for _ in range(size):
            out.write(brotlier.process(piece))
        out.write(brotlier.finish())
    else:
        with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as writer:
            for _ in range(size):
                writer.write(piece)
    return out.getvalue()


@pytest.mark.usefixtures("memory_stays_bounded")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_abuse_33_a_compression_bomb_is_refused_at_the_limit(server: RunningServer, coding: str) -> None:
    bomb = _zip_bomb(coding)
    assert len(bomb) < MEGABYTE
    began = time.monotonic()
    answer = post(server, bomb, b"content-encoding: " + coding.encode())
    assert answer.status == 413
    assert answer.error()["details"] == {"error_code": "request_body_too_large_after_decoding"}
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(MESSAGE_BYTES, mtime=0)),
        ("gzip", gzip.compress(MESSAGE_BYTES[:50], mtime=0) + gzip.compress(MESSAGE_BYTES[50:], mtime=0)),
        ("deflate", zlib.compress(MESSAGE_BYTES)),
        ("deflate", zlib.compress(MESSAGE_BYTES)[2:-4]),
        ("br", brotli.compress(MESSAGE_BYTES)),
        ("zstd", zstandard.compress(MESSAGE_BYTES)),
        ("gzip, br", brotli.compress(gzip.compress(MESSAGE_BYTES, mtime=0))),
        ("identity", MESSAGE_BYTES),
        ("GZIP", gzip.compress(MESSAGE_BYTES, mtime=0)),
    ],
)
def test_a_compressed_body_is_read(server: RunningServer, coding: str, packed: bytes) -> None:
    assert post(server, packed, b"content-encoding: " + coding.encode()).status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("fault", ["nonsense", "cut", "empty"])
def test_a_badly_compressed_body_is_a_400(server: RunningServer, coding: str, fault: str) -> None:
    packed = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.compress,
    }[coding](MESSAGE_BYTES)
    sent = {"nonsense": b"\xff\xfe\xfd nonsense " * 9, "cut": packed[: len(packed) // 2], "empty": b""}[fault]
    answer = post(server, sent, b"content-encoding: " + coding.encode())
    assert answer.status == 400
    assert answer.error()["details"] == {"error_code": "request_body_encoding_invalid"}


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip, gzip", "lzma", "x"])
def test_an_unknown_content_coding_is_a_400(server: RunningServer, coding: str) -> None:
    answer = post(server, MESSAGE_BYTES, b"content-encoding: " + coding.encode())
    assert answer.status == 400
    assert answer.error()["details"] == {"error_code": "request_body_encoding_unsupported"}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('application/json; charset="UTF-8"', 200),
        ("Application/JSON;charset=ISO-8859-1", 200),
        ("application/json; charset=us-ascii", 200),
        ("application/vnd.api+json", 200),
        ("application/json; charset=utf-16", 400),
        ("text/plain", 400),
        ("multipart/form-data; boundary=x", 400),
        ("", 400),
    ],
)
def test_content_types_and_charsets_are_judged(server: RunningServer, content_type: str, status: int) -> None:
    request = head(server, b"content-length: %d" % len(MESSAGE_BYTES)) + MESSAGE_BYTES
    request = request.replace(b"content-type: application/json", b"content-type: " + content_type.encode())
    answer = exchange(server, request)
    assert answer.status == status, answer.body
    if "utf-16" in content_type:
        assert answer.error()["details"] == {"error_code": "unsupported_charset"}


def test_a_latin_1_body_is_understood(server: RunningServer) -> None:
    body = json.dumps({**MESSAGE, "messages": [{"role": "user", "content": "Say 'café'"}]}, ensure_ascii=False)
    request = head(server, b"content-length: %d" % len(body.encode("latin-1"))) + body.encode("latin-1")
    answer = exchange(server, request.replace(b"application/json", b"application/json; charset=iso-8859-1"))
    assert json.loads(answer.body)["content"][0]["text"] == "café"


@pytest.mark.parametrize(
    "lines",
    [
        [b"content-length: 5", b"content-length: 6"],
        [b"content-length: 5", b"transfer-encoding: chunked"],
        [b"transfer-encoding: chunked", b"content-length: 5"],
        [b"content-length: -1"],
        [b"content-length: 5x"],
        [b"content-length: 99999999999999999999999"],
        [b"transfer-encoding: chunked, identity"],
        [b"transfer-encoding: xchunked"],
    ],
)
def test_abuse_33_ambiguous_framing_is_refused_and_the_connection_closed(
    server: RunningServer, lines: list[bytes]
) -> None:
    smuggled = b"5\r\nhello\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = exchange(server, head(server, *lines) + smuggled, until_closed=True)
    assert answer.status in {400, 413}
    assert answer.error()["type"] in {"invalid_request_error", "request_too_large"}
    if answer.status == 400:
        assert answer.closed


def test_abuse_33_a_body_shorter_than_declared_is_cut_when_the_client_goes(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: 500") + b"{")
        connection.shutdown(socket.SHUT_WR)
        assert read_answer(connection).status in {0, 400}
    assert post(server, MESSAGE_BYTES).status == 200


# --- 34: JSON ---

_DEEP = b"[" * 100_000
_PATHOLOGICAL = {
    "depth 10^5": _DEEP,
    "depth 10^5, closed": _DEEP + b"]" * 100_000,
    "depth inside a block": b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":' + b'{"a":' * 100_000,
    "depth 900 in a tool's input": json.dumps(
        {**MESSAGE, "tools": [{"name": "t", "input_schema": {"type": "object", "x": 1}}]}
    )
    .encode()
    .replace(b'"x": 1', b'"x": ' + b'{"a":' * 900 + b"1" + b"}" * 900),
    "10^6 keys": b"{" + b",".join(b'"k%d":1' % number for number in range(1_000_000)) + b"}",
    "NaN": b'{"model":"claude-sonnet-4-5","max_tokens":NaN,"messages":[]}',
    "Infinity": b'{"model":"claude-sonnet-4-5","max_tokens":Infinity,"messages":[]}',
    "lone high surrogate": b'{"model":"\\ud800"}',
    "lone low surrogate": b'{"model":"\\udc00"}',
    "10 MB number": b'{"max_tokens":' + b"9" * (10 * MEGABYTE) + b"}",
    "huge exponent": b'{"model":"claude-sonnet-4-5","max_tokens":1e999,"messages":[]}',
    "NUL": b'{"model":"a\x00b"}',
    "invalid UTF-8": b'{"model":"\xff\xfe"}',
    "UTF-16": '{"model":"x"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + MESSAGE_BYTES,
    "two values": MESSAGE_BYTES + MESSAGE_BYTES,
    "trailing comma": MESSAGE_BYTES[:-1] + b",}",
    "comment": b"/* x */" + MESSAGE_BYTES,
    "empty": b"",
    "array": b"[]",
    "null": b"null",
}


@pytest.mark.parametrize("name", _PATHOLOGICAL)
def test_abuse_34_pathological_json_is_refused_fast(server: RunningServer, name: str) -> None:
    began = time.monotonic()
    answer = post(server, _PATHOLOGICAL[name])
    took = time.monotonic() - began
    if name == "depth 900 in a tool's input":
        assert answer.status in {200, 400}
    else:
        assert answer.status == 400, answer.body[:300]
        assert answer.error()["type"] == "invalid_request_error"
    assert len(answer.body) < 20_000
    assert took < 10, f"{took:.1f} s"
    assert post(server, MESSAGE_BYTES).status == 200


def test_abuse_34_of_duplicate_keys_the_last_wins(server: RunningServer) -> None:
    body = MESSAGE_BYTES[:-1] + b',"max_tokens":"x","max_tokens":1}'
    answer = post(server, body)
    assert answer.status == 200
    assert json.loads(answer.body)["usage"]["output_tokens"] == 1


def test_abuse_34_a_nul_escaped_in_text_is_only_text(server: RunningServer) -> None:
    body = json.dumps({**MESSAGE, "messages": [{"role": "user", "content": "a\x00b"}]}).encode()
    assert post(server, body).status == 200


@pytest.mark.parametrize("members", [1_000, 200_000])
def test_abuse_33_a_gzip_body_of_very_many_members_costs_little(server: RunningServer, members: int) -> None:
    body = gzip.compress(MESSAGE_BYTES) + gzip.compress(b"") * (members - 1)
    began = time.monotonic()
    answer = post(server, body, b"content-encoding: gzip")
    assert answer.status == (200 if members == 1_000 else 400)
    assert time.monotonic() - began < 3


def test_abuse_34_a_text_of_opened_notes_is_read_in_linear_time(server: RunningServer) -> None:
    hostile = "<system-reminder>" * 100_000 + "</" + "".join(f"<ide_{'a' * (n % 40)}>" for n in range(50_000))
    began = time.monotonic()
    answer = post(server, json.dumps({**MESSAGE, "messages": [{"role": "user", "content": hostile}]}).encode())
    assert answer.status in {200, 400}
    assert time.monotonic() - began < 5


def test_abuse_43_thousands_of_stop_sequences_cost_little(server: RunningServer) -> None:
    sequences = [f"q{number:x}z" for number in range(8_000)] + ["x" * length for length in range(2, 190)]
    request = {**MESSAGE, "max_tokens": 4_000, "stop_sequences": sequences, "messages": _LONG_ANSWER}
    began = time.monotonic()
    answer = post(server, json.dumps(request).encode())
    assert answer.status == 200
    assert json.loads(answer.body)["stop_reason"] == "end_turn"
    assert time.monotonic() - began < 5


# --- 35: slowness ---

_IMPATIENT = {
    "UNDERSTUDY_HTTP_HEADER_TIMEOUT": "1",
    "UNDERSTUDY_HTTP_BODY_TIMEOUT": "1",
    "UNDERSTUDY_HTTP_WRITE_TIMEOUT": "1",
    "UNDERSTUDY_HTTP_KEEP_ALIVE_TIMEOUT": "2",
}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    starter = ServerStarter(lambda: tmp_path_factory.mktemp("impatient"))
    yield starter(env=_IMPATIENT)
    for running in starter.started:
        running.kill()


def _drip(connection: socket.socket, data: bytes, seconds: float, pause: float = 0.1) -> None:
    """Send a byte every `pause` seconds, until the server has had enough or the time is over."""
    deadline = time.monotonic() + seconds
    for place in range(len(data)):
        if time.monotonic() > deadline:
            return
        try:
            connection.sendall(data[place : place + 1])
        except OSError:
            return
        time.sleep(pause)


def _dripped(server: RunningServer, opening: bytes, drops: bytes) -> tuple[int, float]:
    began = time.monotonic()
    with connect(server) as connection:
        connection.sendall(opening)
        thread = threading.Thread(target=_drip, args=(connection, drops, 8))
        thread.start()
        answer = read_answer(connection)
        took = time.monotonic() - began
        thread.join()
    return answer.status, took


def test_abuse_35_headers_that_drip_are_cut_off(impatient: RunningServer) -> None:
    status, took = _dripped(impatient, b"POST /v1/messages HTTP/1.1\r\n", b"x-slow: " + b"a" * 500)
    assert status == 408
    assert took < 4


def test_abuse_35_headers_that_stop_are_cut_off_on_a_reused_connection_too(impatient: RunningServer) -> None:
    with connect(impatient) as connection:
        connection.sendall(head(impatient, b"content-length: %d" % len(MESSAGE_BYTES)) + MESSAGE_BYTES)
        assert read_answer(connection).status == 200
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nx-half: ")
        began = time.monotonic()
        answer = read_answer(connection, until_closed=True)
    assert answer.status == 408
    assert answer.error()["type"] == "timeout_error"
    assert time.monotonic() - began < 4


def test_abuse_35_a_connection_that_says_nothing_is_closed(impatient: RunningServer) -> None:
    with connect(impatient) as connection:
        began = time.monotonic()
        assert connection.recv(1) == b""
    assert time.monotonic() - began < 4


def test_abuse_35_a_body_that_stops_is_a_408(impatient: RunningServer) -> None:
    with connect(impatient) as connection:
        connection.sendall(head(impatient, b"content-length: 500") + b'{"model"')
        began = time.monotonic()
        answer = read_answer(connection, until_closed=True)
    assert answer.status == 408
    assert answer.error() == {
        "type": "timeout_error",
        "message": "The request body was not received in time",
        "details": {"error_code": "request_body_timeout"},
    }
    assert answer.closed
    assert time.monotonic() - began < 4


def test_abuse_35_a_body_that_drips_is_cut_off(impatient: RunningServer) -> None:
    status, took = _dripped(impatient, head(impatient, b"content-length: 500"), b"{" * 500)
    assert status == 408
    assert took < 4


def test_abuse_35_a_slow_but_steady_body_is_read(impatient: RunningServer) -> None:
    with connect(impatient) as connection:
        padded = MESSAGE_BYTES + b" " * 20_000
        connection.sendall(head(impatient, b"content-length: %d" % len(padded)))
        for start in range(0, len(padded), 1_000):
            connection.sendall(padded[start : start + 1_000])
            time.sleep(0.1)
        assert read_answer(connection).status == 200


def test_abuse_35_a_client_that_never_reads_its_stream_is_cut_off_and_others_are_served(
    impatient: RunningServer,
) -> None:
    request = {
        "model": "claude-opus-5-5",
        "max_tokens": 100_000,
        "stream": True,
        "messages": [{"role": "user", "content": "Write 20000 words about the sea."}],
    }
    body = json.dumps(request).encode()
    before = resident_memory(impatient)
    connections = []
    for _ in range(10):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(impatient.address)
        connection.sendall(head(impatient, b"content-length: %d" % len(body)) + body)
        connections.append(connection)
    deadline = time.monotonic() + 15
    process = psutil.Process(impatient.pid)
    open_now: list[Any] = connections
    while time.monotonic() < deadline:
        assert post(impatient, MESSAGE_BYTES).status == 200
        open_now = [c for c in process.net_connections("tcp") if c.status == psutil.CONN_ESTABLISHED]
        if not open_now:
            break
        time.sleep(0.2)
    assert not open_now, "streams that nobody reads are still open"
    assert resident_memory(impatient) - before < 80 * MEGABYTE
    for connection in connections:
        connection.close()


def test_abuse_35_stray_bytes_and_early_answers_leave_no_connection_without_a_timer(impatient: RunningServer) -> None:
    early = head(impatient, b"content-length: 400").replace(impatient.api_key.encode(), b"nope") + b"x" * 100
    for opening, rest in ((early, b"x" * 300), (head(impatient, b"content-length: 0"), b"\r\n")):
        with connect(impatient) as connection:
            connection.sendall(opening)
            assert read_answer(connection).status in {400, 401}
            connection.sendall(rest)
            began = time.monotonic()
            assert connection.recv(1) == b""
        assert time.monotonic() - began < 5


def test_abuse_35_a_stray_line_break_does_not_cut_the_stream_before_it(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_HTTP_HEADER_TIMEOUT": "0.5", "UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "10"})
    body = json.dumps({**MESSAGE, "stream": True, "max_tokens": 20, "messages": _LONG_ANSWER}).encode()
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: %d" % len(body)) + body)
        connection.recv(10)
        connection.sendall(b"\r\n")
        received = b""
        while b"message_stop" not in received:
            piece = connection.recv(65536)
            assert piece, "cut"
            received += piece


# --- 36: headers ---


def test_abuse_36_trailers_are_no_headers_and_are_bounded(server: RunningServer) -> None:
    opening = head(server, b"transfer-encoding: chunked").replace(b"x-api-key", b"x-no-key")
    chunk = b"%x\r\n%s\r\n0\r\n" % (len(MESSAGE_BYTES), MESSAGE_BYTES)
    smuggled = exchange(server, opening + chunk + b"x-api-key: " + server.api_key.encode() + b"\r\n\r\n")
    assert smuggled.status == 401
    with connect(server) as connection:
        connection.sendall(head(server, b"transfer-encoding: chunked") + chunk)
        try:
            for number in range(20_000):
                connection.sendall(b"a%d: b\r\n" % number)
        except OSError:
            pass
        assert read_answer(connection).status in {0, 200, 431}
    assert post(server, MESSAGE_BYTES).status == 200


def test_abuse_36_a_pipelined_head_is_bounded_too(server: RunningServer) -> None:
    first = head(server, b"content-length: %d" % len(MESSAGE_BYTES)) + MESSAGE_BYTES
    second = head(server, b"x-big: " + b"a" * 90_000, b"content-length: 0")
    with connect(server) as connection:
        connection.sendall(first + second)
        answers = b""
        while piece := connection.recv(65536):
            answers += piece
    assert answers.count(b"HTTP/1.1 200") <= 1
    assert b"HTTP/1.1 400" not in answers, "the second request was taken"


def test_abuse_36_headers_of_100_kb_are_refused(server: RunningServer) -> None:
    for line in (b"anthropic-beta: " + b"a" * 100_000, b"x-anything: " + b"a" * 100_000):
        answer = post(server, MESSAGE_BYTES, line)
        assert answer.status == 431
        assert answer.error()["type"] == "invalid_request_error"


def test_abuse_36_endless_headers_are_refused_while_they_come(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nx-endless: ")
        sent = 0
        try:
            while sent < 4 * MEGABYTE:
                connection.sendall(b"a" * 16_384)
                sent += 16_384
        except OSError:
            pass
        answer = read_answer(connection)
    assert answer.status in {0, 431}
    assert post(server, MESSAGE_BYTES).status == 200


@pytest.mark.parametrize("repeated", [False, True], ids=["one header", "a header each"])
def test_abuse_36_thousands_of_betas_are_refused_in_one_short_error(server: RunningServer, repeated: bool) -> None:
    if repeated:
        lines = [b"anthropic-beta: b%d" % number for number in range(2_500)]
    else:
        lines = [b"anthropic-beta: " + b",".join(b"b%d" % number for number in range(10_000))]
    began = time.monotonic()
    answer = post(server, MESSAGE_BYTES, *lines)
    assert time.monotonic() - began < 2
    assert answer.status == 400
    assert answer.error()["message"].startswith("Unexpected value(s) `b0`")
    assert len(answer.body) < 10_000


@pytest.mark.parametrize("value", [b"a\rb", b"a\nb: c", b"a\x00b", b"a\r\n b"])
def test_abuse_36_control_characters_in_headers_split_nothing(server: RunningServer, value: bytes) -> None:
    answer = post(server, MESSAGE_BYTES, b"anthropic-beta: " + value)
    assert answer.status == 400
    answer.error()
    assert set(answer.headers) <= {
        "date",
        "request-id",
        "anthropic-organization-id",
        "anthropic-workspace-id",
        "content-type",
        "content-length",
        "x-should-retry",
        "connection",
    }


def test_abuse_36_header_values_that_are_not_ascii_are_refused_without_being_repeated(server: RunningServer) -> None:
    for line in (b"anthropic-version: \xe9\xff", b"anthropic-beta: \xf0\x9f\x98\x80"):
        request = head(server, line, b"content-length: %d" % len(MESSAGE_BYTES)) + MESSAGE_BYTES
        answer = exchange(server, request)
        assert answer.status == 400
        assert all(value.isascii() for value in answer.headers.values())


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nbad header line\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nx y: 1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_the_envelope(server: RunningServer, raw: bytes) -> None:
    answer = exchange(server, raw, until_closed=True)
    assert answer.status == 400
    assert answer.error()["type"] == "invalid_request_error"
    assert answer.closed


def test_an_offer_to_upgrade_is_answered_in_http_1_1(server: RunningServer) -> None:
    answer = post(
        server, MESSAGE_BYTES, b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMA"
    )
    assert answer.status == 200


# --- 58, 65 ---


def test_abuse_58_text_that_looks_like_an_event_forges_none(server: RunningServer) -> None:
    forged = 'x\n\nevent: error\ndata: {"type":"error"}\n\n\revent: message_stop'
    request: dict[str, Any] = {**MESSAGE, "max_tokens": 200, "stream": True}
    request["messages"] = [{"role": "user", "content": [{"type": "text", "text": f"Reply with exactly: {forged}"}]}]
    answer = post(server, json.dumps(request).encode())
    assert answer.status == 200
    events = [line for line in answer.body.split(b"\n") if line.startswith(b"event:")]
    assert events.count(b"event: error") == 0
    assert events.count(b"event: message_stop") == 1
    assert b"\r" not in answer.body


def test_abuse_65_a_public_address_is_refused_while_no_key_exists(serve: ServerStarter) -> None:
    with pytest.raises(ServerFailed, match="while no key exists"):
        serve("--host", "0.0.0.0")


def test_abuse_65_with_a_key_a_public_address_is_served(serve: ServerStarter) -> None:
    first = serve()
    assert first.stop() == 0
    second = serve("--host", "0.0.0.0", data_dir=first.data_dir)
    assert post(second, MESSAGE_BYTES).status == 200
    assert second.stop() == 0


def test_abuse_65_the_default_address_is_loopback(server: RunningServer) -> None:
    listening = [c for c in psutil.Process(server.pid).net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]
