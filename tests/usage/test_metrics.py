from __future__ import annotations

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from installations import output_of, start_python
from understudy.usage.metrics import Metrics
from understudy.usage.route_class import route_class
from understudy.usage.rows import request_rows
from usage_records import plain_record, record

MODELS = ["claude-sonnet-4-5"]
CHAT = {"gen_ai_operation_name": "chat", "gen_ai_request_model": "claude-sonnet-4-5"}


def samples(rendered: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(rendered.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics.render()[0]).get((name, frozenset(labels.items())))


def test_durations_first_tokens_and_tokens_are_counted_by_model() -> None:
    metrics = Metrics(MODELS)
    metrics.observe(request_rows([record(), record(duration=0.75, time_to_first_token=None)]))
    name = "gen_ai_server_request_duration_seconds"
    assert value(metrics, f"{name}_count", **CHAT, error_type="") == 2
    assert value(metrics, f"{name}_sum", **CHAT, error_type="") == 1.0
    assert value(metrics, f"{name}_bucket", **CHAT, error_type="", le="0.16") == 0
    assert value(metrics, f"{name}_bucket", **CHAT, error_type="", le="0.32") == 1
    assert value(metrics, f"{name}_bucket", **CHAT, error_type="", le="1.28") == 2
    assert value(metrics, f"{name}_bucket", **CHAT, error_type="", le="+Inf") == 2
    assert value(metrics, "gen_ai_server_time_to_first_token_seconds_count", **CHAT) == 1
    per_token = value(metrics, "gen_ai_server_time_per_output_token_seconds_sum", **CHAT)
    assert per_token == pytest.approx(0.002)
    for token_type, tokens in (("input", 20), ("cache_creation_5m", 40), ("cache_read", 80), ("output", 202)):
        assert value(metrics, "gen_ai_client_token_usage_sum", **CHAT, gen_ai_token_type=token_type) == tokens


def test_a_value_on_the_border_of_a_bucket_is_in_it() -> None:
    metrics = Metrics(MODELS)
    metrics.observe(request_rows([plain_record(duration=0.25), plain_record(duration=1e9)]))
    labels = {"http_request_method": "GET", "http_route": "/livez", "http_response_status_code": "200"}
    assert value(metrics, "http_server_request_duration_seconds_bucket", **labels, le="0.25") == 1
    assert value(metrics, "http_server_request_duration_seconds_bucket", **labels, le="300.0") == 1
    assert value(metrics, "http_server_request_duration_seconds_bucket", **labels, le="+Inf") == 2


def test_what_clients_send_makes_no_new_time_series() -> None:
    metrics = Metrics(MODELS)

    def send(number: int) -> None:
        metrics.observe(
            request_rows(
                [
                    record(
                        model=f"model-{number}",
                        method=f"M{number}",
                        path=f"/v1/x/{number}",
                        status=400,
                        error_type=f"error-{number}",
                    ),
                    record(path=f"/v1/models/{number}"),
                ]
            )
        )

    send(0)
    before = samples(metrics.render()[0]).keys()
    for number in range(1, 50):
        send(number)
    assert {key for key in samples(metrics.render()[0]) if not key[0].startswith(("python_", "process_"))} == {
        key for key in before if not key[0].startswith(("python_", "process_"))
    }
    labels = {"gen_ai_operation_name": "chat", "gen_ai_request_model": "other", "error_type": "other"}
    assert value(metrics, "gen_ai_server_request_duration_seconds_count", **labels) == 50


def test_abuse_09_no_key_becomes_a_label() -> None:
    metrics = Metrics(MODELS)
    key = "sk-understudy-api-" + "k3Y" * 16 + "z"
    metrics.observe(request_rows([record(model=key, path=f"/v1/models/{key}", method=key, user_agent=key)]))
    assert b"k3Y" not in metrics.render()[0]


def test_requests_in_flight_are_shown_as_they_are() -> None:
    metrics = Metrics(MODELS)
    metrics.request_started()
    metrics.request_started()
    assert value(metrics, "http_server_active_requests") == 2
    metrics.request_ended()
    assert value(metrics, "http_server_active_requests") == 1


def test_the_content_type_is_the_one_prometheus_asks_for() -> None:
    assert Metrics(MODELS).render()[1].startswith("text/plain; version=")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/messages", "/v1/messages"),
        ("/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/v1/models/claude-sonnet-4-5", "/v1/models/{model_id}"),
        ("/v1/messages/batches/msgbatch_1/results", "/v1/messages/batches/{message_batch_id}"),
        ("/_understudy/keys", "/_understudy"),
        ("/wp-login.php", "other"),
        ("", "other"),
    ],
)
def test_a_path_is_counted_under_its_route(path: str, route: str) -> None:
    assert route_class(path) == route


_OBSERVE = """
import sys
sys.path.insert(0, sys.argv[1])
from understudy.usage.metrics import Metrics
from understudy.usage.rows import request_rows
from usage_records import record

metrics = Metrics(["claude-sonnet-4-5"])
metrics.request_started()
metrics.observe(request_rows([record(), record()]))
print(metrics.render()[0].decode())
"""


def test_several_processes_show_the_sum_of_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    tests = os.fspath(Path(__file__).parent.parent)
    output_of(start_python(_OBSERVE, tests))
    shown = samples(output_of(start_python(_OBSERVE, tests)).encode())
    labels = frozenset({**CHAT, "error_type": ""}.items())
    assert shown["gen_ai_server_request_duration_seconds_count", labels] == 4
    assert shown["gen_ai_server_request_duration_seconds_sum", labels] == 1.0
    assert shown["http_server_active_requests", frozenset[tuple[str, str]]()] >= 1
