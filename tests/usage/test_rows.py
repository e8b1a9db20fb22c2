from __future__ import annotations

import dataclasses

import orjson
from hypothesis import given
from hypothesis import strategies as st

from understudy.http.record import RequestRecord
from understudy.usage.prices import MOST_TOKENS
from understudy.usage.request_lines import render
from understudy.usage.rows import (
    REQUEST_COLUMNS,
    ROW_COLUMNS,
    USAGE_COLUMNS,
    clean,
    costs_of,
    from_mapping,
    request_rows,
    usage_row,
)
from usage_records import plain_record, record

KEY = "sk-understudy-api-" + "k3Y" * 16 + "z"


def test_a_request_row_holds_everything_of_the_record() -> None:
    # Calls of other models have rows of their own.
    assert set(REQUEST_COLUMNS) > {field.name for field in dataclasses.fields(RequestRecord)} - {"further"}
    one = record()
    (row,) = request_rows([one])
    kept = dict(zip(ROW_COLUMNS, row, strict=True))
    values = dataclasses.asdict(one)
    del values["further"]
    assert kept.items() >= values.items()
    assert kept["cost"] == sum(costs_of(one))
    assert request_rows([]) == []


def test_only_a_request_that_asked_a_model_has_a_usage_row() -> None:
    asked, plain = request_rows([record(output_tokens=None), plain_record()])
    row = usage_row(asked)
    assert row is not None
    values = dict(zip(USAGE_COLUMNS, row, strict=True))
    assert values["model"] == "claude-sonnet-4-5"
    assert [values[name] for name in USAGE_COLUMNS if name.endswith("_tokens")] == [10, 20, 30, 40, 0]
    assert usage_row(plain) is None
    (refused,) = request_rows([record(status=400, input_tokens=None, output_tokens=None)])
    assert usage_row(refused) is None


def test_abuse_09_a_key_in_any_text_of_a_request_is_not_kept() -> None:
    for field in ("method", "path", "user_agent", "model", "upstream_model", "error_type", "stop_reason"):
        (row,) = request_rows([record(**{field: f"/v1/{KEY}?{KEY}"})])
        assert "k3Yk3Y" not in repr(row), field
        assert "k3Yk3Y" not in render([row]).decode(), field
        assert "k3Yk3Y" not in repr(usage_row(row)), field


TEXT = st.text(st.characters(), max_size=1500)  # lone surrogates too


@given(path=TEXT, user_agent=TEXT, model=TEXT)
def test_abuse_59_whatever_a_client_sends_is_one_printable_line_of_log(path: str, user_agent: str, model: str) -> None:
    harmless = record()
    rows = request_rows([harmless, record(path=path, user_agent=user_agent, model=model)])
    lines = render(rows).decode("utf-8")
    assert lines.count("\n") == 2
    assert lines.replace("\n", "").isprintable()
    first, second = (orjson.loads(line) for line in lines.splitlines())
    assert first["request_id"] == harmless.request_id
    assert (second["event"], second["path"]) == ("request", clean(path))
    assert max(map(len, (second["path"], second["user_agent"], second["model"]))) <= 512


@given(tokens=st.integers())
def test_token_counts_are_kept_between_zero_and_what_a_request_can_have(tokens: int) -> None:
    for field in ("input_tokens", "output_tokens", "cache_read_input_tokens"):
        (row,) = request_rows([record(**{field: tokens})])
        assert row[REQUEST_COLUMNS.index(field)] == min(max(tokens, 0), MOST_TOKENS)


@given(TEXT)
def test_cleaning_once_is_enough(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert clean(text).isprintable()


def test_printable_text_of_any_script_is_kept_as_it_is() -> None:
    for text in ("/v1/messages", "Modèle", "模型", "🙂"):
        assert clean(text) == text


def test_a_row_of_an_older_spill_file_gets_defaults_for_columns_it_lacks() -> None:
    (row,) = request_rows([plain_record()])
    values = dict(zip(ROW_COLUMNS, row, strict=True))
    for name in ("inference_geo", "disconnected", "cache_read_input_tokens"):
        del values[name]
    assert from_mapping({**values, "a column of a newer program": 1}) == row


def test_a_row_of_a_spill_file_from_before_prices_is_priced_when_it_is_read() -> None:
    (row,) = request_rows([record(model="claude-sonnet-4-5-20250929")])
    values = dict(zip(ROW_COLUMNS, row, strict=True))
    assert values["cost"] > 0
    for name in ("cost", "context_window", "output_cost", "web_search_requests", "actor_id"):
        del values[name]
    assert from_mapping(values) == row


def test_a_log_line_says_what_was_asked_and_what_it_took() -> None:
    (row,) = request_rows([record(received_at=1_760_000_000.25, request_id="req_1", message_id="msg_1")])
    assert render([row]).decode() == (
        '{"timestamp":"2025-10-09T08:53:20.250000Z","level":"info","event":"request","request_id":"req_1",'
        '"method":"POST","path":"/v1/messages","status":200,"duration_ms":250.0,"error_type":null,'
        '"workspace_id":"wrkspc_011CabcdefghijklmnoABCDE","api_key_id":"apikey_011CabcdefghijklmnoABCDE",'
        '"user_agent":"Anthropic/Python 2.12.0","model":"claude-sonnet-4-5","engine":"simulator","message_id":"msg_1",'
        '"stream":true,"stop_reason":"end_turn","time_to_first_token":0.05,"input_tokens":10,'
        '"cache_creation_5m_input_tokens":20,"cache_creation_1h_input_tokens":30,"cache_read_input_tokens":40,'
        '"output_tokens":101,"disconnected":false}\n'
    )


def test_a_log_line_of_a_request_without_a_model_says_nothing_of_one() -> None:
    line = orjson.loads(render(request_rows([plain_record(status=404, error_type="not_found_error")])))
    assert (line["status"], line["error_type"]) == (404, "not_found_error")
    assert "model" not in line
    assert "input_tokens" not in line
