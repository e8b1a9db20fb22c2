"""GET /v1/models and GET /v1/models/{model_id}: shapes, filters, names, faults."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

import pytest
from anthropic.types import ModelInfo
from anthropic.types.beta import BetaModelInfo

from asgi import HEADERS, Answer, InProcess
from understudy.engines.catalog import public_models

NEW = {**HEADERS, "anthropic-version": "2026-10-21"}


@pytest.fixture
def api() -> InProcess:
    return InProcess()


async def get(
    api: InProcess, path: str = "/v1/models", query: str = "", headers: dict[str, str] | None = None
) -> Answer:
    return await api.call("GET", path, headers=headers or NEW, query=query.encode())


async def listed(api: InProcess, query: str = "") -> list[str]:
    answer = await get(api, query=query)
    assert answer.status == 200, answer.body
    return [model["id"] for model in answer.json()["data"]]


def fault(answer: Answer) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status, error["type"], error["message"]


def supported(*names: str, **others: bool) -> dict[str, Any]:
    return {name: {"supported": True} for name in names} | {name: {"supported": it} for name, it in others.items()}


async def test_the_list_holds_active_and_deprecated_models_newest_first(api: InProcess) -> None:
    page = (await get(api)).json()
    assert list(page) == ["data", "has_more", "first_id", "last_id"]
    expected = [model.id for model in public_models() if model.lifecycle != "retired"]
    assert [model["id"] for model in page["data"]] == expected
    assert (page["first_id"], page["last_id"], page["has_more"]) == (expected[0], expected[-1], False)
    assert {model["lifecycle"] for model in page["data"]} == {"active", "deprecated"}


async def test_a_model_is_shown_with_its_lifecycle_and_capabilities(api: InProcess) -> None:
    answer = await get(api, "/v1/models/claude-sonnet-4-5")
    assert answer.json() == {
        "type": "model",
        "id": "claude-sonnet-4-5-20250929",
        "display_name": "Claude Sonnet 4.5",
        "created_at": "2025-09-29T00:00:00Z",
        "lifecycle": "deprecated",
        "deprecated_at": "2026-09-30T00:00:00Z",
        "retires_at": "2026-11-30T00:00:00Z",
        "line": "sonnet",
        "max_input_tokens": 200000,
        "max_tokens": 64000,
        "capabilities": {
            **supported("batch", "citations", "code_execution"),
            "context_management": {
                "supported": True,
                **supported("clear_tool_uses_20250919", "clear_thinking_20251015", compact_20260112=False),
            },
            "effort": {"supported": False, **supported(low=False, medium=False, high=False, xhigh=False, max=False)},
            **supported("image_input", "pdf_input"),
            "server_tools": {"supported": True, **supported("web_search", "code_execution")},
            **supported("structured_outputs"),
            "thinking": {
                "supported": True,
                "types": supported("enabled", "disabled", adaptive=False, between_tools=False),
            },
        },
    }
    assert answer.headers["understudy-engine"] == "simulator/claude-sonnet-4-5-20250929"
    assert answer.headers["content-type"] == "application/json"


async def test_what_was_recorded_of_a_model_comes_first_and_in_its_order(api: InProcess) -> None:
    """Keys, their order and values of a recorded answer of 2026-08; what has come since stands behind them."""
    model = (await get(api, "/v1/models/claude-opus-5", headers=HEADERS)).json()
    recorded = ["type", "id", "display_name", "created_at", "max_input_tokens", "max_tokens", "capabilities"]
    assert list(model) == [*recorded, "lifecycle", "deprecated_at", "retires_at", "line"]
    assert [model[key] for key in recorded[:-1]] == [
        "model",
        "claude-opus-5",
        "Claude Opus 5",
        "2026-07-24T00:00:00Z",
        1000000,
        128000,
    ]
    edits = supported("clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112")
    *known, (thinking, kinds), (added, _) = model["capabilities"].items()
    assert known == [
        *supported("batch", "citations", "code_execution").items(),
        ("context_management", {"supported": True, **edits}),
        ("effort", {"supported": True, **supported("low", "medium", "high", "xhigh", "max")}),
        *supported("image_input", "pdf_input", "structured_outputs").items(),
    ]
    assert (thinking, added) == ("thinking", "server_tools")
    assert list(kinds["types"].items())[:2] == [("enabled", {"supported": False}), ("adaptive", {"supported": True})]


async def test_both_versions_show_the_same(api: InProcess) -> None:
    """Official SDKs of either version require the lifecycle; the oldest ones ignore it."""
    for path in ("/v1/models", "/v1/models/claude-haiku-4-5"):
        assert (await get(api, path, headers=HEADERS)).json() == (await get(api, path, headers=NEW)).json()


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
async def test_every_model_can_be_retrieved_by_each_of_its_names(api: InProcess, version: str) -> None:
    headers = {**HEADERS, "anthropic-version": version}
    for model in public_models():
        for name in (model.id, *model.aliases):
            answer = await get(api, f"/v1/models/{name}", headers=headers)
            assert (answer.status, answer.json()["id"]) == (200, model.id)


async def test_the_shape_is_what_the_official_sdk_expects(api: InProcess) -> None:
    query = urlencode([("lifecycle[]", stage) for stage in ("active", "deprecated", "retired")] + [("limit", "1000")])
    beta = {**NEW, "anthropic-beta": "server-side-fallback-2026-07-01,compact-2026-09-04"}
    plain = (await get(api, query=query)).json()["data"]
    assert len(plain) == len(public_models())
    for model in plain:
        assert set(model) == set(ModelInfo.model_fields)
        ModelInfo.model_validate(model, strict=False)
    for model in (await get(api, query=query, headers=beta)).json()["data"]:
        assert set(model) == set(BetaModelInfo.model_fields)
        assert BetaModelInfo.model_validate(model).capabilities is not None


async def test_a_model_that_does_not_think_takes_thinking_disabled(api: InProcess) -> None:
    model = (await get(api, "/v1/models/claude-3-haiku-20240307")).json()
    assert model["capabilities"]["thinking"] == {
        "supported": False,
        "types": supported("disabled", enabled=False, adaptive=False, between_tools=False),
    }
    assert model["lifecycle"] == "retired"


async def test_fallback_models_are_shown_under_their_beta_only(api: InProcess) -> None:
    for version in ("2023-06-01", "2026-10-21"):
        headers = {**HEADERS, "anthropic-version": version}
        plain = (await get(api, "/v1/models/claude-opus-5", headers=headers)).json()
        assert "allowed_fallback_models" not in plain
        headers["anthropic-beta"] = "server-side-fallback-2026-07-01"
        model = (await get(api, "/v1/models/claude-opus-5", headers=headers)).json()
        assert model["allowed_fallback_models"] == ["claude-opus-4-8"]
        model = (await get(api, "/v1/models/claude-sonnet-5", headers=headers)).json()
        assert model["allowed_fallback_models"] == []


async def test_compaction_is_a_capability_under_its_beta_only(api: InProcess) -> None:
    headers = {**NEW, "anthropic-beta": "compact-2026-09-04"}
    for name, can in (("claude-opus-5", True), ("claude-haiku-4-5", False)):
        assert "compaction" not in (await get(api, f"/v1/models/{name}")).json()["capabilities"]
        capabilities = (await get(api, f"/v1/models/{name}", headers=headers)).json()["capabilities"]
        assert capabilities["compaction"] == {"supported": can, "summarize": {"supported": can}}


@pytest.mark.parametrize("stages", [["active"], ["deprecated"], ["retired"], ["retired", "deprecated"], []])
async def test_the_lifecycle_filter_takes_one_stage_or_more(api: InProcess, stages: list[str]) -> None:
    ids = await listed(api, urlencode([("lifecycle[]", stage) for stage in stages] + [("limit", "1000")]))
    wanted = stages or ["active", "deprecated"]
    assert ids == [model.id for model in public_models() if model.lifecycle in wanted]
    assert ids


async def test_lifecycles_are_told_by_date_and_a_retired_model_goes_on_answering() -> None:
    api = InProcess(today=lambda: date(2026, 12, 1))
    assert "claude-sonnet-4-5-20250929" not in await listed(api)
    assert "claude-sonnet-4-5-20250929" in await listed(api, "lifecycle[]=retired")
    assert (await get(api, "/v1/models/claude-sonnet-4-5")).json()["lifecycle"] == "retired"
    request = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    assert (await api.post(request)).status == 200


async def test_configured_names_are_models_of_unknown_date() -> None:
    api = InProcess(names=["my-model", "lab/llama 3"])
    assert (await listed(api, "limit=1000"))[-2:] == ["my-model", "lab/llama 3"]
    for name in ("my-model", "lab/llama 3"):
        model = (await get(api, f"/v1/models/{name}")).json()
        assert (model["id"], model["display_name"], model["line"]) == (name, name, None)
        assert (model["created_at"], model["lifecycle"]) == ("1970-01-01T00:00:00Z", "active")


@pytest.mark.parametrize("name", ["no-such-model", "claude-haiku", "claude-opus-5/", "CLAUDE-OPUS-5", "a/b", "…", " "])
async def test_an_unknown_model_is_a_404_that_names_it(api: InProcess, name: str) -> None:
    assert fault(await get(api, f"/v1/models/{name}")) == (404, "not_found_error", f"model: {name}")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=-1", "limit: Input should be greater than or equal to 1"),
        ("limit=1001", "limit: Input should be less than or equal to 1000"),
        ("limit=ten", "limit: Input should be a valid integer, unable to parse string as an integer"),
        ("limit=", "limit: Input should be a valid integer, unable to parse string as an integer"),
        ("limit=1.5", "limit: Input should be a valid integer, unable to parse string as an integer"),
        ("after_id=a&before_id=b", "Only one of `before_id` and `after_id` may be provided"),
        ("after_id=no-such-model", "Invalid pagination cursor for 'after_id'"),
        ("before_id=no-such-model", "Invalid pagination cursor for 'before_id'"),
        ("after_id=", "Invalid pagination cursor for 'after_id'"),
        ("lifecycle[]=gone", "lifecycle[].0: Input should be 'active', 'deprecated' or 'retired'"),
        ("lifecycle[]=active&lifecycle[]=gone", "lifecycle[].1: Input should be 'active', 'deprecated' or 'retired'"),
        (
            "&".join(["lifecycle[]=active"] * 4),
            "lifecycle[]: List should have at most 3 items after validation, not 4",
        ),
        ("&".join(["x=1"] * 2_000), "Too many query parameters"),
    ],
)
async def test_a_bad_query_is_a_400_that_says_what_is_wrong(api: InProcess, query: str, message: str) -> None:
    assert fault(await get(api, query=query)) == (400, "invalid_request_error", message)


@pytest.mark.parametrize(
    "query", ["beta=true", "limit=1000", "no_such_parameter=1", "lifecycle%5B%5D=active", "%FF=%00"]
)
async def test_what_clients_add_to_the_query_is_taken(api: InProcess, query: str) -> None:
    assert (await get(api, query=query)).status == 200


async def test_the_models_api_wants_a_key_and_a_version(api: InProcess) -> None:
    for path in ("/v1/models", "/v1/models/claude-opus-5"):
        answer = await get(api, path, headers={"anthropic-version": "2026-10-21"})
        assert fault(answer) == (401, "authentication_error", "x-api-key header is required")
        answer = await get(api, path, headers={"x-api-key": HEADERS["x-api-key"]})
        assert fault(answer) == (400, "invalid_request_error", "anthropic-version: header is required")
        answer = await get(api, path, headers={**NEW, "anthropic-beta": "no-such-beta"})
        assert answer.status == 400
