"""Routes of the API whose path holds an id get what the exact ones get: credentials, versions, methods, browsers."""

from __future__ import annotations

import pytest

from asgi import HEADERS, InProcess

OPT_IN = "anthropic-dangerous-direct-browser-access"
PATHS = ["/v1/models", "/v1/models/claude-opus-5"]


@pytest.fixture
def api() -> InProcess:
    return InProcess()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_405_names_the_methods_that_are_allowed(api: InProcess, path: str, method: str) -> None:
    answer = await api.call(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", PATHS)
async def test_a_get_route_answers_head(api: InProcess, path: str) -> None:
    assert (await api.call("HEAD", path)).status == 200
    assert (await api.call("HEAD", path, headers={})).status == 401


@pytest.mark.parametrize("path", ["/v1/models/", "/v1/messages/", "/v1/models//"])
async def test_a_trailing_slash_leads_nowhere(api: InProcess, path: str) -> None:
    assert (await api.call("GET", path)).status == 404


@pytest.mark.parametrize("path", PATHS)
async def test_a_browser_must_opt_in(api: InProcess, path: str) -> None:
    asked = {"origin": "https://example.com", "access-control-request-method": "GET"}
    assert (await api.call("OPTIONS", path, headers=asked)).status == 401
    answer = await api.call("OPTIONS", path, headers={**asked, "access-control-request-headers": OPT_IN})
    assert answer.status == 204
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert (await api.call("GET", path, headers={**HEADERS, "origin": "https://example.com"})).status == 401
    answer = await api.call("GET", path, headers={**HEADERS, "origin": "https://example.com", OPT_IN: "true"})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


@pytest.mark.parametrize("path", PATHS)
async def test_a_request_is_recorded_with_its_caller(api: InProcess, path: str) -> None:
    await api.call("GET", path)
    (record,) = api.records.kept
    assert (record.status, record.path, record.api_key_id) == (200, path, "apikey_in_process")
    assert record.anthropic_version == "2023-06-01"
    assert record.input_tokens is None


async def test_an_unknown_path_below_a_known_one_is_not_found(api: InProcess) -> None:
    answer = await api.call("GET", "/v1/messages/msg_1")
    assert (answer.status, answer.json()["error"]["message"]) == (404, "Not found")
