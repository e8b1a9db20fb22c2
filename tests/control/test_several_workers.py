"""Two worker processes on PostgreSQL and Redis: what they share is the same in both, and what they cannot is refused.

To know which of them answers, the other is stopped for that moment: they take connections from one socket.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from servers import RunningServer, clean_environment, start_server
from services import Postgres, RedisServer
from understudy.app import open_foundations
from understudy.organization.service import Organizations
from understudy.settings import SettingsError, load_settings

SCENARIOS = "/_understudy/scenarios"
ENGINES = "/_understudy/admin/engines"
A_DAY = 40
"""Requests that each key may make: more than all tests but one need, and too few for a day's refill to show."""
LONG = "Every word of this stands in the prompt again and again. " * 400


@dataclass
class Pair:
    """A server with two workers, and what they share."""

    server: RunningServer
    redis: RedisServer
    environment: dict[str, str]
    workers: tuple[psutil.Process, psutil.Process]

    @contextmanager
    def only(self, number: int) -> Generator[httpx.Client]:
        """A client whose connections the worker of that number takes."""
        other = self.workers[1 - number]
        other.suspend()
        try:
            while other.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                time.sleep(0.001)
            with httpx.Client(base_url=self.server.url, trust_env=False, timeout=20) as client:
                yield client
        finally:
            other.resume()

    def ask(self, number: int, text: str, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = {"x-api-key": key or self.server.api_key, "anthropic-version": "2023-06-01"}
        block = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
        body = {"model": "claude-sonnet-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": [block]}]}
        with self.only(number) as client:
            return client.post("/v1/messages", json={**body, **fields}, headers=headers)

    def cached(self, number: int, text: str) -> tuple[int, int]:
        """Tokens that were written and read."""
        answer = self.ask(number, text)
        if answer.status_code == 429:
            # The limits of a minute begin empty in a Redis that lost them.
            time.sleep(float(answer.headers["retry-after"]))
            answer = self.ask(number, text)
        usage = answer.raise_for_status().json()["usage"]
        return usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]

    @asynccontextmanager
    async def organizations(self) -> AsyncGenerator[Organizations]:
        """Where keys are made, in a third process: this one."""
        settings = load_settings(flags={"storage": {"data_dir": self.server.data_dir}}, environment=self.environment)
        foundations = await open_foundations(settings)
        try:
            yield foundations.organizations
        finally:
            await foundations.db.dispose()


def workers_of(server: RunningServer) -> tuple[psutil.Process, psutil.Process]:
    children = psutil.Process(server.pid).children()
    one, other = (child for child in children if "spawn_main" in " ".join(child.cmdline()))
    return one, other


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Generator[Pair]:
    directory = tmp_path_factory.mktemp("pair")
    redis = RedisServer(tmp_path_factory.mktemp("pair-redis"))
    redis.start()
    environment = {
        "UNDERSTUDY_STORAGE_DATABASE_URL": postgres.database(str(directory)),
        "UNDERSTUDY_REDIS_URL": redis.url,
        "UNDERSTUDY_LIMITS_MODE": "enforce",
        "UNDERSTUDY_LIMITS_KEY_REQUESTS_PER_DAY": str(A_DAY),
    }
    try:
        server = start_server(directory, "--workers", "2", env=environment)
        try:
            yield Pair(server, redis, environment, workers_of(server))
            assert server.stop() == 0, server.printed()
        finally:
            server.kill()
    finally:
        redis.stop()


def test_each_worker_answers_when_it_is_asked(pair: Pair) -> None:
    """What the other tests rest on: connections taken while one worker is stopped are the other's."""
    for number, worker in enumerate(pair.workers):
        with pair.only(number) as client:
            client.get("/livez").raise_for_status()
            port = client.base_url.port
            assert [one for one in worker.net_connections("tcp") if one.laddr.port == port and one.raddr]
        assert not [one for one in pair.workers[1 - number].net_connections("tcp") if one.status == "ESTABLISHED"]


@pytest.mark.parametrize("writer", [0, 1])
def test_what_one_worker_caches_the_other_reads(pair: Pair, writer: int) -> None:
    text = f"{writer} {LONG}"
    written, nothing = pair.cached(writer, text)
    assert written > 1_000
    assert nothing == 0
    assert pair.cached(1 - writer, text) == (0, written)
    assert pair.cached(writer, text) == (0, written)


async def test_a_key_works_in_both_workers_at_once_and_is_revoked_in_both(pair: Pair) -> None:
    async with pair.organizations() as organizations:
        made = await organizations.create_key("shared")
        assert [pair.ask(number, "Hi", made.secret).status_code for number in (0, 1)] == [200, 200]
        await organizations.revoke_key(made.key.id)
    deadline = time.monotonic() + 5
    for number in (0, 1):
        while pair.ask(number, "Hi", made.secret).status_code != 401:
            assert time.monotonic() < deadline, "a revoked key is refused within five seconds"
            time.sleep(0.1)


async def test_both_workers_draw_on_the_same_limits(pair: Pair) -> None:
    async with pair.organizations() as organizations:
        key = (await organizations.create_key("limited")).secret
    answers = [pair.ask(number % 2, "Hi", key).status_code for number in range(A_DAY + 2)]
    assert answers == [200] * A_DAY + [429] * 2


def test_an_answer_that_one_worker_signed_is_accepted_by_the_other(pair: Pair) -> None:
    thinking: dict[str, Any] = {"max_tokens": 2_000, "thinking": {"type": "enabled", "budget_tokens": 1_024}}
    first = pair.ask(0, "Why?", model="claude-sonnet-4-5", **thinking).raise_for_status().json()
    assert first["content"][0]["type"] == "thinking"
    messages = [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": "And then?"},
    ]
    pair.ask(1, "", model="claude-sonnet-4-5", messages=messages, **thinking).raise_for_status()


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("GET", ""), ("DELETE", ""), ("GET", "/requests")], ids=lambda value: str(value)
)
def test_scenarios_are_refused_with_the_reason(pair: Pair, method: str, path: str) -> None:
    with httpx.Client(base_url=pair.server.url, trust_env=False) as client:
        body = {"rules": [{"answer": "scripted"}]} if method == "POST" else None
        answer = client.request(method, SCENARIOS + path, json=body, headers={"x-api-key": pair.server.admin_key})
        assert answer.status_code == 400
        assert answer.json()["error"] == {
            "type": "invalid_request_error",
            "message": "This server has several worker processes, and a scenario belongs to one. Use a server with one "
            "worker (server.workers) for scenarios.",
        }
        # Only who may load one is told.
        assert client.request(method, SCENARIOS + path, json=body).status_code == 401
        forbidden = client.request(method, SCENARIOS + path, json=body, headers={"x-api-key": pair.server.api_key})
        assert forbidden.status_code == 403


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("DELETE", "/simulator")])
def test_models_are_not_loaded_into_one_of_them(pair: Pair, method: str, path: str) -> None:
    with httpx.Client(base_url=pair.server.url, trust_env=False) as client:
        client.headers["x-api-key"] = pair.server.admin_key
        answer = client.request(method, ENGINES + path, json={"path": "model.gguf"} if method == "POST" else None)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
        assert answer.json()["error"]["message"].startswith("This server has several worker processes")
        assert [engine["name"] for engine in client.get(ENGINES).raise_for_status().json()["data"]] == ["simulator"]


def test_what_keeps_the_workers_from_being_made_is_said_once(tmp_path: Path) -> None:
    flags = ("--workers", "2", "--port", "0", "--data-dir", str(tmp_path))
    environment = {"UNDERSTUDY_REDIS_URL": "redis://:pa/ss@host"}
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "serve", *flags],
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("understudy: redis.url is not the URL of a Redis.")
    assert "pa/ss" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_scenario_file_and_several_workers_do_not_go_together(tmp_path: Path) -> None:
    flags = {"server": {"workers": 2}, "scenarios": {"file": tmp_path / "scenario.toml"}}
    with pytest.raises(SettingsError, match=r"^scenarios\.file: every worker process .* Use one worker"):
        load_settings(flags=flags, environment={})
    load_settings(flags={**flags, "server": {"workers": 1}}, environment={})
    load_settings(flags={"server": {"workers": 2}}, environment={})


def test_while_redis_is_away_both_go_on_and_share_again_when_it_is_back(pair: Pair) -> None:
    text = f"away {LONG}"
    written, _ = pair.cached(0, text)
    pair.redis.stop()
    try:
        for _ in range(2):
            assert [pair.cached(number, text) for number in (0, 1)] == [(written, 0), (written, 0)]
    finally:
        pair.redis.start()
    # One request of each tries it again, a second after the last try.
    time.sleep(1.1)
    assert pair.cached(0, text) == (written, 0)
    assert pair.cached(1, text) == (0, written)
    printed = pair.server.printed(last=1_000_000)
    assert printed.count("the shared prompt cache does not answer") == 2
    assert printed.count("the shared prompt cache is back") == 2
