"""A server that enforces small limits, over sockets."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import Callable, Generator
from typing import Any

import anthropic
import httpx
import pytest

from rawhttp import connect, head
from servers import RunningServer, start_server

VERSION = "2026-10-21"
MARK = "Take your time."
# A twentieth of each minute's requests may come at once: 50 for a model, 5 on the Admin API.
SETTINGS = {"LIMITS_MODE": "enforce", "LIMITS_BURST": "0.05", "LIMITS_OTPM_ACCOUNTING": "reserve"}
_names = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    directory = tmp_path_factory.mktemp("enforced")
    running = start_server(directory, env={f"UNDERSTUDY_{name}": value for name, value in SETTINGS.items()})
    yield running
    assert running.stop() == 0, running.printed()


@pytest.fixture(scope="module")
def http(server: RunningServer) -> Generator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        yield client


def ours(http: httpx.Client, server: RunningServer, method: str, path: str, body: Any = None) -> Any:
    answer = http.request(method, f"/_understudy/{path}", json=body, headers={"x-api-key": server.admin_key})
    assert answer.status_code == 200, answer.text
    return answer.json()


def admin(server: RunningServer) -> anthropic.Anthropic:
    """It waits as it is told: five requests at once are all that the Admin API takes here."""
    return anthropic.Anthropic(api_key=server.admin_key, base_url=server.url, max_retries=10)


def workspace_with(http: httpx.Client, server: RunningServer, model: str, requests_per_minute: int) -> tuple[str, str]:
    """A new workspace that may send so many requests to a model, and a key of it."""
    client = admin(server)
    made = client.organization.workspaces.create(name=f"limited-{next(_names)}")
    (entry,) = client.organization.rate_limits.list(model=model).data
    client.organization.workspaces.rate_limits.update(
        entry.id, workspace_id=made.id, limits=[{"type": "requests_per_minute", "value": requests_per_minute}]
    )
    key = ours(http, server, "POST", "admin/api_keys", {"name": made.name, "workspace_id": made.id})
    return made.id, key["raw_key"]


def message(model: str, text: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": text}], **more}


def send(http: httpx.Client, key: str, model: str, **headers: str) -> httpx.Response:
    given = {"x-api-key": key, "anthropic-version": VERSION, **headers}
    return http.post("/v1/messages", json=message(model), headers=given)


async def test_the_sdk_s_own_retries_converge(server: RunningServer, http: httpx.Client) -> None:
    _, key = workspace_with(http, server, "claude-sonnet-5-5", 600)
    # 30 at once and 10 a second: the last of 45 has its turn after a second and a half.
    client = anthropic.AsyncAnthropic(api_key=key, base_url=server.url, max_retries=5)
    answers = await asyncio.gather(
        *(client.messages.with_raw_response.create(**message("claude-sonnet-5-5")) for _ in range(45))
    )
    assert all([(await answer.parse()).content for answer in answers])
    assert sum(answer.retries_taken > 0 for answer in answers) >= 10
    await client.close()


def test_a_refusal_is_the_sdk_s_rate_limit_error_and_says_when_to_come_back(
    server: RunningServer, http: httpx.Client
) -> None:
    workspace_id, key = workspace_with(http, server, "claude-opus-5", 60)
    client = anthropic.Anthropic(api_key=key, base_url=server.url, max_retries=0)
    with pytest.raises(anthropic.RateLimitError) as caught:
        for _ in range(4):
            client.messages.create(**message("claude-opus-5"))
    headers = caught.value.response.headers
    assert f"workspace: {workspace_id}" in str(caught.value)
    assert (headers["retry-after"], headers["x-should-retry"]) == ("1", "true")
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    time.sleep(1)
    assert client.messages.create(**message("claude-opus-5")).content


def test_a_workspace_may_observe_what_all_others_are_held_to(server: RunningServer, http: httpx.Client) -> None:
    (loose, free), (_, held) = (workspace_with(http, server, "claude-fable-5-1", 20) for _ in range(2))
    ours(http, server, "POST", f"admin/limits/workspaces/{loose}", {"mode": "observe"})
    assert [send(http, key, "claude-fable-5-1").status_code for key in (free, free, held, held)] == [200, 200, 200, 429]


@pytest.mark.parametrize("after", [0, 3])
def test_abuse_24_what_a_client_that_goes_had_reserved_comes_back(
    server: RunningServer, http: httpx.Client, after: int
) -> None:
    model, group = ("claude-haiku-5-5", "Claude Haiku 5.5") if after else ("claude-haiku-4-5", "Claude Haiku 4.5")
    slow = {"text": " ".join(["word"] * 2_000), "delta_tokens": 4, "delay": 0 if after else 60, "delay_between": 0.1}
    ours(http, server, "POST", "scenarios", {"rules": [{"when": {"text_contains": MARK}, "answer": slow}]})

    def levels() -> dict[str, int]:
        return {
            each["limiter"]: each["remaining"]
            for each in ours(http, server, "GET", "admin/limits")["levels"]
            if each["group"]["display_name"] == group
        }

    full = levels()
    # Some 20,000 tokens of input, and 60,000 that the answer might have.
    body = json.dumps(message(model, f"{MARK} {'lorem ipsum ' * 10_000}", max_tokens=60_000, stream=True)).encode()
    with connect(server) as connection:
        connection.sendall(head(server, b"content-length: %d" % len(body)) + body)
        if after:
            received = b""
            while received.count(b"content_block_delta") < after:
                received += connection.recv(65_536)
        reserved = until(levels, lambda found: found["output_tokens_per_minute"] < 345_000)
        assert reserved["input_tokens_per_minute_cache_aware"] < full["input_tokens_per_minute_cache_aware"] - 10_000
    gone = time.monotonic()
    settled = until(levels, lambda found: found["output_tokens_per_minute"] > 399_000)
    # The buckets alone would not have filled so much: 400,000 a minute.
    assert time.monotonic() - gone < 5
    if not after:
        # The request itself stays counted.
        assert {**settled, "requests_per_minute": 0} == {**full, "requests_per_minute": 0}
    ours(http, server, "DELETE", "scenarios")


def until(read: Callable[[], dict[str, int]], so: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    deadline = time.monotonic() + 10
    while not so(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_openai_s_clients_are_told_the_limits_by_their_names(server: RunningServer, http: httpx.Client) -> None:
    _, key = workspace_with(http, server, "claude-opus-4-8", 60)
    model = "claude-opus-4-8"

    def ask(**more: Any) -> httpx.Response:
        return http.post(
            "/v1/chat/completions", json=message(model, **more), headers={"authorization": f"Bearer {key}"}
        )

    answers = [ask(), ask(stream=True), *(ask() for _ in range(3))]
    assert {answer.status_code for answer in answers} == {200, 429}
    whole, streaming, refused = (
        answers[place].headers for place in (0, 1, [answer.status_code for answer in answers].index(429))
    )
    assert "chat.completion.chunk" in answers[1].text
    for headers in (whole, streaming, refused):
        assert [name for name in headers if name.startswith("anthropic-ratelimit")] == []
        assert headers["x-ratelimit-limit-requests"] == "60"
        assert int(headers["x-ratelimit-limit-tokens"]) == 2_400_000
        assert int(headers["x-ratelimit-remaining-tokens"]) <= 2_400_000
        for limit in ("requests", "tokens"):
            assert re.fullmatch(r"(\d+m)?\d+s", headers[f"x-ratelimit-reset-{limit}"])
    remaining = [int(each["x-ratelimit-remaining-requests"]) for each in (whole, streaming, refused)]
    assert remaining == [2, 1, 0]
    assert refused["retry-after"] == "1"


def test_a_browser_s_script_may_read_the_limits(server: RunningServer, http: httpx.Client) -> None:
    browser = {"origin": "https://app.example", "anthropic-dangerous-direct-browser-access": "true"}
    answer = send(http, server.api_key, "claude-sonnet-5", **browser)
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    limits = {name for name in answer.headers if "ratelimit" in name}
    assert len(limits) == 12
    assert limits | {"retry-after", "request-id"} <= exposed
    chat = http.post(
        "/v1/chat/completions",
        json=message("claude-sonnet-5"),
        headers={"authorization": f"Bearer {server.api_key}", **browser},
    )
    told = {name for name in chat.headers if "ratelimit" in name}
    assert len(told) == 6
    assert told <= exposed


def test_abuse_31_the_models_and_admin_apis_have_limits_of_their_own(server: RunningServer, http: httpx.Client) -> None:
    def exhaust(path: str, key: str) -> httpx.Response:
        for _ in range(400):
            answer = http.get(path, headers={"x-api-key": key, "anthropic-version": VERSION})
            if answer.status_code != 200:
                return answer
        raise AssertionError(f"{path} has no limit")

    refusals = [
        exhaust("/v1/models", server.api_key),
        exhaust("/v1/models/claude-opus-5-5", server.api_key),
        exhaust("/v1/organizations/me", server.admin_key),
        exhaust("/v1/organizations/rate_limits", server.admin_key),
    ]
    for answer in refusals:
        assert (answer.status_code, answer.json()["error"]["type"]) == (429, "rate_limit_error")
        assert "retry-after" in answer.headers
    # What runs out there takes nothing from messages.
    assert send(http, server.api_key, "claude-opus-5-5").status_code == 200
