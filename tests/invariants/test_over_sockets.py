"""Invariants 1, 2, 10, 13, 14, 15 and 16 on a real server over real sockets."""

from __future__ import annotations

import http.client
import json
import random
import socket
import sqlite3
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated import NEW_MODELS, json_values, over_socket, text_requests
from rawhttp import MESSAGE, MESSAGE_BYTES, connect, exchange, head, post, read_answer
from servers import RunningServer, ServerStarter, clean_environment
from streams import check_stream, parse_sse, without_ids, without_signatures
from understudy.messages.fold import Fold


def ask(server: RunningServer, request: dict[str, Any]) -> Any:
    return post(server, json.dumps(request).encode())


@given(request_=text_requests())
@over_socket
def test_01_streams_over_a_socket_pass_the_automaton_and_02_equal_whole_answers(
    server: RunningServer, request_: dict[str, Any]
) -> None:
    streamed, whole = ask(server, {**request_, "stream": True}), ask(server, request_)
    assert streamed.status == whole.status == 200
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert streamed.headers["cache-control"] == "no-cache"
    events = parse_sse(streamed.body)
    check_stream(events)
    folded = Fold()
    folded.add_all(events)
    assert without_ids(folded.message) == without_ids(json.loads(whole.body))


@given(
    method=st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH"]),
    path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?%"), max_size=30),
    body=st.one_of(st.binary(max_size=100), json_values.map(lambda value: json.dumps(value).encode())),
)
@over_socket
def test_10_anything_over_a_socket_is_answered_in_the_envelope(
    server: RunningServer, method: bytes, path: str, body: bytes
) -> None:
    line = b"content-length: %d" % len(body)
    answer = exchange(server, head(server, line, method=method, path=b"/" + path.encode()) + body)
    assert 400 <= answer.status < 500
    answer.error()


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/nowhere", "/livez", "/api/hello"])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH"])
def test_10_every_method_of_every_path_ends_properly_on_a_connection_that_goes_on(
    server: RunningServer, path: str, method: str
) -> None:
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    try:
        for _ in range(2):
            connection.request(method, path, headers={"x-api-key": server.api_key, "anthropic-version": "2023-06-01"})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status < 500
            assert answer.headers["request-id"].startswith("req_")
            if method == "HEAD":
                assert body == b""
    finally:
        connection.close()


def test_13_no_further_route_takes_an_id_of_an_object(server: RunningServer) -> None:
    """For files, batches and the organization's objects it is held where they are tested; these are the next."""
    for path in ("/v1/sessions/sesn_x", "/v1/environments/env_x"):
        answer = exchange(server, head(server, method=b"GET", path=path.encode()))
        assert (answer.status, answer.error()["message"]) == (404, "Not found")


def run_command(server: RunningServer, *words: str) -> str:
    command = [sys.executable, "-m", "understudy", *words, "--data-dir", str(server.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(), check=True)
    return done.stdout.strip()


def test_14_and_abuse_09_a_key_is_found_nowhere_but_where_it_was_shown(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_LOGGING_LEVEL": "debug"})
    secret = run_command(server, "keys", "create", "--name", "planted")
    wrong = secret[:-4] + "zzzz"
    for key in (secret, wrong):
        for line in (f"x-api-key: {key}", f"authorization: Bearer {key}", f"Authorization: bearer {key}"):
            request = head(server, b"content-length: %d" % len(MESSAGE_BYTES)).replace(
                b"x-api-key: " + server.api_key.encode(), line.encode()
            )
            answer = exchange(server, request + MESSAGE_BYTES)
            assert answer.status == (200 if key == secret else 401)
            assert key.encode() not in answer.body + json.dumps(answer.headers).encode()
        # Where keys do not belong.
        answers = [
            post(server, MESSAGE_BYTES, b"user-agent: " + key.encode()),
            post(server, MESSAGE_BYTES, b"anthropic-version: " + key.encode()),
            exchange(server, head(server, method=b"GET", path=f"/v1/{key}".encode())),
            exchange(server, head(server, method=b"GET", path=f"/v1/models?key={key}".encode())),
            post(server, json.dumps({**MESSAGE, "metadata": {"user_id": key}}).encode()),
            exchange(server, f"GET /{key} HTTP/1.1\r\nbad {key}\r\n\r\n".encode()),
        ]
        assert all(key.encode() not in json.dumps(answer.headers).encode() for answer in answers)
    metrics = exchange(server, head(server, method=b"GET", path=b"/metrics")).body
    assert secret.encode() not in metrics and wrong.encode() not in metrics
    time.sleep(0.5)
    assert server.stop() == 0
    with sqlite3.connect(server.data_dir / "understudy.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert database.execute("SELECT count(*) FROM request_log").fetchone()[0] >= 15
        dump = "\n".join(database.iterdump())
    everything = {"log": server.output.read_text("utf-8"), "dump": dump}
    for file in server.data_dir.rglob("*"):
        if file.is_file():
            everything[file.name] = file.read_bytes().decode("latin-1")
    for place, text in everything.items():
        assert secret not in text, place
        assert wrong not in text, place
        # The 256 bits alone, without the prefix, are the secret too.
        assert secret.removeprefix("sk-understudy-api-")[:20] not in text, place


# --- 15: disconnects ---

_SLOW = {"UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "50", "UNDERSTUDY_SIMULATOR_TIME_TO_FIRST_TOKEN": "0.5"}
_LONG = {
    "model": NEW_MODELS[0],
    "max_tokens": 4000,
    "messages": [{"role": "user", "content": "Write 2000 words about rivers."}],
}


def _active_requests(server: RunningServer) -> int:
    metrics = exchange(server, head(server, method=b"GET", path=b"/metrics")).body.decode()
    line = next(line for line in metrics.splitlines() if line.startswith("http_server_active_requests"))
    return int(float(line.split()[-1])) - 1  # the one that asks


def _last_rows(server: RunningServer, count: int) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{server.data_dir / 'understudy.db'}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute(
            "SELECT * FROM request_log WHERE path = '/v1/messages' ORDER BY received_at DESC LIMIT ?", (count,)
        ).fetchall()
    return [dict(row) for row in rows]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    starter = ServerStarter(lambda: tmp_path_factory.mktemp("slow"))
    yield starter(env=_SLOW)
    for running in starter.started:
        running.kill()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_15_when_the_client_goes_the_engine_stops_and_what_was_produced_is_recorded(
    slow: RunningServer, stream: bool
) -> None:
    rounds = 12
    generator = random.Random(15)
    body = json.dumps({**_LONG, "stream": stream}).encode()
    waited: list[float] = []
    for _ in range(rounds):
        with connect(slow) as connection:
            connection.sendall(head(slow, b"content-length: %d" % len(body)) + body)
            time.sleep(generator.uniform(0.05, 1.2))
            assert _active_requests(slow) == 1
            if generator.random() < 0.5:
                # A reset instead of an orderly end.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        closed = time.monotonic()
        while _active_requests(slow) > 0:
            assert time.monotonic() - closed < 2, "the engine goes on"
            time.sleep(0.005)
        waited.append(time.monotonic() - closed)
    assert max(waited) < 0.25, waited
    time.sleep(0.4)
    rows = _last_rows(slow, rounds)
    assert len(rows) == rounds
    assert all(row["disconnected"] for row in rows)
    assert all(row["duration"] < 2.0 for row in rows)
    if stream:
        # Those that saw tokens have them counted: 50 a second after half a second.
        assert any(row["output_tokens"] for row in rows)
        for row in rows:
            expected = max(0.0, (row["duration"] - 0.5) * 50)
            assert abs((row["output_tokens"] or 0) - expected) <= 15, row


@pytest.mark.parametrize("padding", [0, 100_000, 3_000_000], ids=["small", "100 KB", "3 MB"])
def test_15_a_disconnect_is_noticed_while_the_first_token_is_awaited(serve: ServerStarter, padding: int) -> None:
    server = serve(env={"UNDERSTUDY_SIMULATOR_TIME_TO_FIRST_TOKEN": "30"})
    body = json.dumps({**_LONG, "stream": True}).encode() + b" " * padding
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: %d" % len(body)) + body)
        time.sleep(0.5)
        assert _active_requests(server) == 1
    closed = time.monotonic()
    while _active_requests(server) > 0:
        assert time.monotonic() - closed < 2
        time.sleep(0.005)
    assert time.monotonic() - closed < 0.25


def test_15_when_a_client_with_pipelined_requests_goes_the_one_that_is_answered_stops(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "20"})
    body = json.dumps({**_LONG, "stream": True}).encode()
    with connect(server) as connection:
        connection.sendall((head(server, b"content-length: %d" % len(body)) + body) * 2)
        connection.recv(100)
        time.sleep(0.3)
    time.sleep(0.8)
    assert _active_requests(server) == 0
    (row,) = _last_rows(server, 5)
    assert row["disconnected"] and row["error_type"] is None


def test_an_http_1_0_client_gets_a_stream_without_chunks(server: RunningServer) -> None:
    body = json.dumps({**MESSAGE, "stream": True}).encode()
    request = head(server, b"content-length: %d" % len(body)).replace(b"HTTP/1.1", b"HTTP/1.0") + body
    with connect(server) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    top, _, events = received.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in top.lower()
    check_stream(parse_sse(events))


# --- 16: determinism over restarts ---


def test_16_a_restarted_server_gives_the_same_events(serve: ServerStarter) -> None:
    questions = ["Hello", "Write 80 words about glass.", "What is 6 * 7?", "こんにちは", "Why do birds sing?"]
    streams: list[list[Any]] = []
    for hash_seed in ("1", "2"):
        server = serve(env={"PYTHONHASHSEED": hash_seed})
        streams.append(
            [
                without_ids(
                    parse_sse(
                        ask(
                            server,
                            {**_LONG, "stream": True, "messages": [{"role": "user", "content": question}]},
                        ).body
                    )
                )
                for question in questions
            ]
        )
        assert server.stop() == 0
    assert without_signatures(streams[0]) == without_signatures(streams[1])


# --- draining, pings, padding ---


def test_sigterm_lets_an_open_stream_end_and_takes_no_new_request(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "40"})
    request = {**_LONG, "stream": True, "max_tokens": 60}
    body = json.dumps(request).encode()
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: %d" % len(body)) + body)
        first = connection.recv(1000)
        assert b"200 OK" in first
        server.process.terminate()
        time.sleep(0.3)
        with pytest.raises(OSError):
            connect(server, timeout=2).sendall(b"GET /livez HTTP/1.1\r\n\r\n")
        rest = first
        while piece := connection.recv(65536):
            rest += piece
    assert b"event: message_stop" in rest
    assert server.process.wait(20) == 0


def test_a_stream_that_outlasts_the_drain_time_ends_with_an_error_event(serve: ServerStarter) -> None:
    server = serve(
        env={"UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "5", "UNDERSTUDY_SERVER_DRAIN_TIMEOUT": "0.5"},
    )
    body = json.dumps({**_LONG, "stream": True}).encode()
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: %d" % len(body)) + body)
        connection.recv(10)
        server.process.terminate()
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert b'"type":"overloaded_error"' in answer
    assert b"message_stop" not in answer
    assert server.process.wait(20) == 0
    assert "Traceback" not in server.printed()


def test_silence_in_a_stream_is_filled_with_pings(serve: ServerStarter) -> None:
    server = serve(
        env={"UNDERSTUDY_STREAM_PING_INTERVAL": "0.2", "UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "1.5"},
    )
    answer = ask(server, {**_LONG, "stream": True, "max_tokens": 3})
    events = parse_sse(answer.body)
    check_stream(events)
    kinds = [event["type"] for event in events]
    assert kinds.count("ping") >= 4
    assert kinds[-1] == "message_stop"


def test_several_workers_serve_one_port_and_add_up_their_metrics(serve: ServerStarter) -> None:
    server = serve("--workers", "2")
    for _ in range(30):
        assert post(server, MESSAGE_BYTES).status == 200
    time.sleep(0.5)
    metrics = exchange(server, head(server, method=b"GET", path=b"/metrics")).body.decode()
    count = next(
        line
        for line in metrics.splitlines()
        if line.startswith("http_server_request_duration_seconds_count") and 'http_route="/v1/messages"' in line
    )
    assert float(count.split()[-1]) == 30
    assert server.stop() == 0


def test_a_pipelined_pair_of_requests_gets_its_answers_in_order(server: RunningServer) -> None:
    one = json.dumps({**MESSAGE, "messages": [{"role": "user", "content": 'Say "first"'}]}).encode()
    two = json.dumps({**MESSAGE, "stream": True, "messages": [{"role": "user", "content": 'Say "second"'}]}).encode()
    three = b"{"
    with connect(server) as connection:
        requests = [head(server, b"content-length: %d" % len(body)) + body for body in (one, two, three, one)]
        connection.sendall(b"".join(requests))
        received = b""
        while received.count(b"first") < 2:
            piece = connection.recv(65536)
            assert piece
            received += piece
    places = [received.find(word) for word in (b"first", b"second", b"not valid JSON")]
    assert places == sorted(places) and -1 not in places


def test_an_expect_100_continue_is_answered(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: %d" % len(MESSAGE_BYTES), b"expect: 100-continue"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(MESSAGE_BYTES)
        assert read_answer(connection).status == 200
