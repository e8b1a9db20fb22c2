"""/_understudy/admin/engines over a socket, with a model that llama.cpp really runs."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from servers import RunningServer, ServerStarter
from tests.gguf.models import model_file

PATH = "/_understudy/admin/engines"
PROMPT: Any = [{"role": "user", "content": "Hi"}]


def admin(server: RunningServer) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"x-api-key": server.admin_key})


def models(server: RunningServer) -> Path:
    directory = server.data_dir / "models"
    directory.mkdir(exist_ok=True)
    return directory


def wait_until_loaded(client: httpx.Client, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        engine = client.get(f"{PATH}/{name}").json()
        if engine["state"] not in ("starting", "stopped"):
            return engine
        time.sleep(0.05)
    pytest.fail("the model was not loaded within half a minute")


def test_a_model_is_loaded_answers_and_is_taken_away(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_LLAMACPP_THREADS": "1"})
    path = models(server) / "small.gguf"
    shutil.copy(model_file("tiny"), path)
    with admin(server) as client, anthropic.Anthropic(base_url=server.url, api_key=server.api_key) as sdk:
        assert [engine["name"] for engine in client.get(PATH).json()["data"]] == ["simulator"]
        loading = client.post(PATH, json={"path": str(path), "models": ["small", "claude-haiku-4-5"]})
        assert loading.status_code == 202, loading.text
        assert (loading.json()["kind"], loading.json()["name"]) == ("llamacpp", "small")
        assert (loading.json()["load_progress"] or 0.0) <= 1.0
        engine = wait_until_loaded(client, "small")
        assert (engine["state"], engine["error"], engine["load_progress"]) == ("ready", None, None)
        assert [(model["id"], model["health"]) for model in engine["models"]] == [
            ("small", "ok"),
            ("claude-haiku-4-5", "ok"),
        ]
        for name in ("small", "claude-haiku-4-5"):
            answer = sdk.messages.with_raw_response.create(model=name, max_tokens=3, messages=PROMPT)
            assert answer.headers["understudy-engine"] == "small/small"
        assert client.delete(f"{PATH}/small").json() == {"type": "engine_unloaded", "name": "small"}
        with pytest.raises(anthropic.NotFoundError):
            sdk.messages.create(model="small", max_tokens=3, messages=PROMPT)
        # The simulator has the name again.
        answer = sdk.messages.with_raw_response.create(model="claude-haiku-4-5", max_tokens=3, messages=PROMPT)
        assert answer.headers["understudy-engine"].startswith("simulator/")
        assert client.get(f"{PATH}/small").status_code == 404
        log = client.get("/_understudy/admin/audit_log").json()["data"]
        told = [(one["action"], one["object"]) for one in log]
        small = {"type": "engine", "id": "small"}
        assert told[:2] == [("engine_unloaded", small), ("engine_loaded", small)]
        assert log[1]["after"] == {"path": str(path), "models": ["small", "claude-haiku-4-5"]}


def test_abuse_67_only_sound_files_of_the_directories_are_loaded(serve: ServerStarter, tmp_path: Path) -> None:
    server = serve()
    elsewhere = tmp_path / "elsewhere.gguf"
    shutil.copy(model_file("tiny"), elsewhere)
    (models(server) / "link.gguf").symlink_to(elsewhere)
    (models(server) / "broken.gguf").write_bytes(b"GGUF" + b"\xff" * 4_000)
    (models(server) / "cut.gguf").write_bytes(model_file("tiny").read_bytes()[:200_000])
    with admin(server) as client:
        for path in (elsewhere, models(server) / "link.gguf", models(server) / ".." / ".." / "elsewhere.gguf"):
            refused = client.post(PATH, json={"path": str(path)})
            assert refused.status_code == 400, refused.text
        assert "outside the directories" in client.post(PATH, json={"path": str(elsewhere)}).json()["error"]["message"]
        for name in ("broken", "cut", "missing"):
            refused = client.post(PATH, json={"path": str(models(server) / f"{name}.gguf")})
            assert refused.status_code == 400, refused.text
            assert refused.json()["error"]["type"] == "invalid_request_error"
        assert [engine["name"] for engine in client.get(PATH).json()["data"]] == ["simulator"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "JSON object"),
        ({}, "path"),
        ({"path": 1}, "path"),
        ({"path": "a\0b"}, "path"),
        ({"path": "/x.gguf", "speed": 1}, "speed: Extra inputs are not permitted"),
        ({"path": "/x.gguf", "name": ""}, "name"),
        ({"path": "/x.gguf", "models": "a"}, "models"),
        ({"path": "/x.gguf", "models": [""]}, "models"),
    ],
)
def test_a_wrong_body_is_told(server: RunningServer, body: Any, told: str) -> None:
    with admin(server) as client:
        refused = client.post(PATH, json=body)
    assert refused.status_code == 400
    assert told in refused.json()["error"]["message"]


def test_an_api_key_reaches_none_of_it(server: RunningServer) -> None:
    with httpx.Client(base_url=server.url, headers={"x-api-key": server.api_key}) as client:
        for method, path in (
            ("GET", PATH),
            ("POST", PATH),
            ("GET", f"{PATH}/simulator"),
            ("DELETE", f"{PATH}/simulator"),
        ):
            assert client.request(method, path, json={}).status_code == 403


def test_what_is_not_on_this_machine_cannot_be_unloaded(server: RunningServer) -> None:
    with admin(server) as client:
        assert client.delete(f"{PATH}/simulator").status_code == 400
        assert client.delete(f"{PATH}/nothing").status_code == 404
