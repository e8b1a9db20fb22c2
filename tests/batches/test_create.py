"""POST /v1/messages/batches: what is stored, and what is refused in which words."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
import orjson
import pytest
import zstandard
from sqlalchemy import select

from understudy.batches.tables import batch_chunks, message_batches
from understudy.http.principal import Principal, WorkspaceGrant

from .api import ORGANIZATION, PARAMS, PATH, BatchesApi, batch_of, batches_api, error_of

GOOD = {"custom_id": "a", "params": {}}


async def test_a_new_batch_is_in_progress_for_a_day_and_all_of_it_processing(api: BatchesApi) -> None:
    made = await api.create("one", "two")
    created = made["created_at"]
    assert list(made) == [
        *("id", "type", "processing_status", "request_counts", "ended_at", "created_at", "expires_at"),
        *("archived_at", "cancel_initiated_at", "results_url"),
    ]
    assert made["id"].startswith("msgbatch_01")
    assert (made["type"], made["processing_status"]) == ("message_batch", "in_progress")
    assert made["request_counts"] == {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    assert created.endswith("+00:00")
    assert len(created) == len("2026-08-19T14:44:51.493319+00:00")
    # A day later, to the microsecond.
    assert made["expires_at"][11:] == created[11:]
    assert [made[name] for name in ("ended_at", "archived_at", "cancel_initiated_at", "results_url")] == [None] * 4
    assert await api.retrieve(made["id"]) == made


async def test_params_are_stored_as_the_client_wrote_them(api: BatchesApi) -> None:
    params = (
        '{"model" : "m",\n\t"temperature": 1.0, "big": 123456789012345678901234567890, "text": "\\u00e9\\n ü {[\\"",'
        "\r\n"
        '"model": "twice" , "stream":true}'
    )
    bodies = [
        f'{{"custom_id":"in-order","params":{params}}}',
        f' {{ "params" : {params} , "custom_id" : "other_way" }} ',
        f'{{"params":{{"x":1}},"custom_id":"first","params":{params},"custom_id":"twice"}}',
        f'{{"custom_id":"escaped","p\\u0061rams":{params}}}',
    ]
    answer = await api.send(("{\n" + '"requests":[' + ",\n".join(bodies) + "]}").encode())
    assert answer.status == 200, answer.body
    kept = params.replace("\n", " ").replace("\r", " ").replace("\\ ", "\\n")
    assert await api.lines(answer.json()["id"]) == [
        f'{{"custom_id":"{custom_id}","params":{kept}}}'.encode()
        for custom_id in ("in-order", "other_way", "twice", "escaped")
    ]


async def test_requests_are_cut_in_chunks_by_number_and_by_size(api: BatchesApi) -> None:
    long = {"text": "x" * 400_000}
    requests = [{"custom_id": f"r{place}", "params": {}} for place in range(250)]
    requests += [{"custom_id": f"l{place}", "params": long} for place in range(4)]
    requests += [{"custom_id": "huge", "params": {"text": "y" * 2_000_000}}, {"custom_id": "last", "params": {}}]
    answer = await api.send({"requests": requests})
    assert answer.status == 200
    stored = b"\n".join(await api.lines(answer.json()["id"])) + b"\n"
    async with api.db.connect() as connection:
        rows = (await connection.execute(select(batch_chunks).order_by(batch_chunks.c.number))).mappings().all()
    assert [row["count"] for row in rows] == [100, 100, 52, 2, 1, 1]
    assert [row["number"] for row in rows] == list(range(6))
    first = offset = 0
    for row in rows:
        assert (row["first"], row["offset"]) == (first, offset)
        lines = stored[offset : offset + row["length"]].split(b"\n")[:-1]
        assert [orjson.loads(line) for line in lines] == requests[first : first + row["count"]]
        first, offset = first + row["count"], offset + row["length"]
        assert (row["state"], row["attempt"], row["not_before"], row["workspace_id"]) == (0, 0, 0, "wrkspc_a")
    assert (first, offset) == (len(requests), len(stored))


async def test_the_row_keeps_who_asked_and_how(api: BatchesApi) -> None:
    from understudy.batches.caller import caller_of

    made = await api.create("one", anthropic_beta="output-300k-2026-03-24, prompt-caching-2024-07-31")
    batch = await api.service.retrieve("wrkspc_a", made["id"])
    assert (batch.anthropic_version, batch.api_key_id) == ("2026-10-21", "apikey_a")
    assert json.loads(batch.betas) == ["output-300k-2026-03-24", "prompt-caching-2024-07-31"]
    grant = WorkspaceGrant("workspace_user", "us", ("us", "global"))
    assert caller_of(batch) == Principal(ORGANIZATION, "wrkspc_a", "apikey_a", actor_id="user_x", grant=grant)


REFUSED: list[tuple[object, str]] = [
    # Recorded.
    ([GOOD, GOOD], "requests: custom_id's must be unique within a batch. Duplicate custom_id found: a"),
    ([], "requests: List should have at least 1 item after validation, not 0"),
    ([{"params": {}}], "requests.0.custom_id: Field required"),
    ([{"custom_id": "x" * 65, "params": {}}], "requests.0.custom_id: String should have at most 64 characters"),
    (
        [GOOD, {"custom_id": "a:b", "params": {}}],
        "requests.1.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
    ),
    # What pydantic says of the same.
    ([{"custom_id": "", "params": {}}], "requests.0.custom_id: String should have at least 1 character"),
    ([{"custom_id": "a\n", "params": {}}], "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
    ([{"custom_id": "é", "params": {}}], "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
    ([{"custom_id": 1, "params": {}}], "requests.0.custom_id: Input should be a valid string"),
    ([{"custom_id": None, "params": {}}], "requests.0.custom_id: Input should be a valid string"),
    ([{"custom_id": "a"}], "requests.0.params: Field required"),
    ([{"custom_id": "a", "params": []}], "requests.0.params: Input should be an object"),
    ([{"custom_id": "a", "params": None}], "requests.0.params: Input should be an object"),
    ([{"custom_id": "a", "params": {}, "more": 1}], "requests.0.more: Extra inputs are not permitted"),
    (["a"], "requests.0: Input should be an object"),
    ([None], "requests.0: Input should be an object"),
    ({}, "requests: Input should be a valid array"),
    (None, "requests: Input should be a valid array"),
    ("a", "requests: Input should be a valid array"),
    # The first fault is told.
    ([GOOD, GOOD, {"custom_id": "b"}], "requests.2.params: Field required"),
    ([{"params": 1}], "requests.0.custom_id: Field required"),
]


@pytest.mark.parametrize(("requests", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
async def test_what_is_not_well_formed_is_refused_and_leaves_nothing(
    api: BatchesApi, requests: object, message: str
) -> None:
    answer = await api.send({"requests": requests})
    assert error_of(answer) == (400, "invalid_request_error", message)
    await api.nothing_is_left()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "requests: Field required"),
        (b"[]", "Input should be an object"),
        (b"12", "Input should be an object"),
        (b'{"requests":[{"custom_id":"a","params":{}}],"model":"x"}', "model: Extra inputs are not permitted"),
        (b'{"model":"x","requests":[]}', "requests: List should have at least 1 item after validation, not 0"),
        (b'{"requests":[{"custom_id":"a","params":{}}],"requests":[]}', "requests: must be given once"),
        (b'{"requests":1,"requests":[{"custom_id":"a","params":{}}]}', "requests: must be given once"),
        (
            b"",
            "The request body is not valid JSON: Input is a zero-length, empty document: line 1 column 1 (char 0)",
        ),
        # What is no JSON is told before anything else that is wrong.
        (
            b'{"requests":[{"custom_id":"a:b"}, {"custom_id":"b","params":{"x":NaN}}]}',
            "The request body is not valid JSON: unexpected character, expected a JSON value: line 1 column 66 "
            "(char 65)",
        ),
        (
            b'{"requests":[{"custom_id":"a","params":{}}]',
            "The request body is not valid JSON: unexpected end of data: line 1 column 44 (char 43)",
        ),
        (
            b'{"requests":[{"custom_id":"a","params":{"x":tru}}],\n"y":"\xff"}',
            "The request body is not valid JSON: str is not valid UTF-8: surrogates not allowed: line 1 column 1 "
            "(char 0)",
        ),
        (
            b'{"requests":[' + b",".join([b'{"custom_id":"a","params":{}}'] * 301) + b"]",
            "requests: List should have at most 100 items after validation, not 301",
        ),
        (
            b'{"x":0' + b',"a":1' * 1_001 + b"}",
            "requests: Field required",
        ),
    ],
)
async def test_bodies_that_are_none(data_dir: Path, body: bytes, message: str) -> None:
    from understudy.batches.config import QueueLimit

    async with batches_api(data_dir, limit_of=lambda *_: QueueLimit(per_batch=100)) as api:
        assert error_of(await api.send(body)) == (400, "invalid_request_error", message)
        pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
        assert error_of(await api.ask("POST", body=pieces)) == (400, "invalid_request_error", message)
        await api.nothing_is_left()


async def test_a_hundred_thousand_requests_are_taken_and_one_more_is_not(api: BatchesApi) -> None:
    one = b',{"custom_id":"r%d","params":{}}'
    many = b"".join(one % place for place in range(100_000))
    answer = await api.send(b'{"requests":[' + many[1:] + b"]}")
    assert answer.status == 200
    assert answer.json()["request_counts"]["processing"] == 100_000
    assert await api.rows(batch_chunks) == 1_000
    answer = await api.send(b'{"requests":[' + many[1:] + one % 100_000 + b"]}")
    message = "requests: List should have at most 100000 items after validation, not 100001"
    assert error_of(answer) == (400, "invalid_request_error", message)
    assert await api.rows(message_batches) == 1


async def test_a_body_or_a_request_that_is_too_large_is_a_413(data_dir: Path) -> None:
    async with batches_api(data_dir, max_body_bytes=2_000_000, max_request_bytes=1_000_000) as api:
        body = orjson.dumps({"requests": [{"custom_id": "a", "params": {"x": "y" * 1_000_001}}]})
        answer = await api.ask("POST", body=[body[:500_000], body[500_000:]])
        assert error_of(answer)[:2] == (413, "request_too_large")
        two = [{"custom_id": f"r{place}", "params": {"x": "y" * 900_000}} for place in range(2)]
        whole = orjson.dumps({"requests": two})
        pieces = [whole[:-1], b" " * (2_000_000 - len(whole)), b"}"]
        assert (await api.ask("POST", body=pieces)).status == 200
        pieces[1] += b" "
        answer = await api.ask("POST", body=pieces)
        assert error_of(answer)[:2] == (413, "request_too_large")
        declared = await api.send(whole, content_length="2000001")
        assert error_of(declared)[2].startswith("Request exceeds the maximum allowed number of bytes.")
        assert [name for name in await api.stored() if "#" in name] == []


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    "identity": bytes,
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_content_codings_are_those_of_other_bodies(api: BatchesApi, coding: str) -> None:
    body = orjson.dumps({"requests": [{"custom_id": f"r{n}", "params": {"n": n, "x": "y" * n}} for n in range(600)]})
    sent = CODINGS[coding](body)
    pieces = [sent[at : at + 100] for at in range(0, len(sent), 100)]
    answer = await api.ask("POST", body=pieces, content_encoding=coding, content_type="application/json")
    assert answer.status == 200, answer.body
    assert [orjson.loads(line) for line in await api.lines(answer.json()["id"])] == orjson.loads(body)["requests"]
    if coding != "identity":
        for broken in (sent[: len(sent) // 2], b"x" * 20):
            answer = await api.send(broken, content_encoding=coding)
            assert answer.json()["error"]["details"] == {"error_code": "request_body_encoding_invalid"}


@pytest.mark.parametrize("coding", [coding for coding in CODINGS if coding != "identity"])
async def test_a_body_that_grows_beyond_its_bound_is_refused(data_dir: Path, coding: str) -> None:
    async with batches_api(data_dir, max_body_bytes=5_000_000) as api:
        bomb = CODINGS[coding](b" " * 20_000_000)
        answer = await api.send(bomb, content_encoding=coding)
        assert answer.status == 413
        assert answer.json()["error"]["details"] == {"error_code": "request_body_too_large_after_decoding"}
        await api.nothing_is_left()


async def test_bytes_may_come_in_latin_1(api: BatchesApi) -> None:
    body = '{"requests":[{"custom_id":"a","params":{"x":"é"}}]}'.encode("latin-1")
    answer = await api.send(body, content_type="application/json; charset=iso-8859-1")
    assert await api.lines(answer.json()["id"]) == ['{"custom_id":"a","params":{"x":"é"}}'.encode()]
    answer = await api.send(b"x=1", content_type="application/x-www-form-urlencoded")
    assert error_of(answer) == (400, "invalid_request_error", "content-type: must be application/json")


async def test_params_are_judged_when_they_are_carried_out(api: BatchesApi) -> None:
    odd: list[Any] = [{}, {"model": 1}, {**PARAMS, "stream": True}, {**PARAMS, "max_tokens": 0}, {"unknown": []}]
    requests = [{"custom_id": f"r{place}", "params": params} for place, params in enumerate(odd)]
    assert (await api.send({"requests": requests})).status == 200


async def test_both_versions_and_the_beta_path_are_served(api: BatchesApi) -> None:
    for version in ("2023-06-01", "2026-10-21"):
        answer = await api.send(
            batch_of("a"), anthropic_version=version, anthropic_beta="message-batches-2024-09-24", query="beta=true"
        )
        assert answer.status == 200
        stored = await api.service.retrieve("wrkspc_a", answer.json()["id"])
        assert stored.anthropic_version == version
    assert error_of(await api.send(batch_of("a"), anthropic_beta="nothing-2020-01-01"))[0] == 400
    assert api.records.kept[-1].path == PATH


async def test_bodies_may_have_several_members_and_frames(api: BatchesApi) -> None:
    body = orjson.dumps(batch_of("a", "b"))
    zstd = zstandard.ZstdCompressor()
    for coding, encode in (("gzip", gzip.compress), ("zstd", zstd.compress)):
        sent = b"".join(encode(body[at : at + 50]) for at in range(0, len(body), 50))
        assert (await api.send(sent, content_encoding=coding)).status == 200
    for place in range(2):
        bare = zlib.compressobj(wbits=-15)
        sent = bare.compress(body) + bare.flush()
        pieces = [sent[:place], sent[place:]]
        assert (await api.ask("POST", body=pieces, content_encoding="deflate")).status == 200
    answer = await api.send(gzip.compress(b"") * 2_000 + gzip.compress(body), content_encoding="gzip")
    assert answer.status == 400
