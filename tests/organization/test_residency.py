"""Where a workspace's inference may run (guide on data residency)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from fake_claude import MESSAGE, fake_claude
from installations import query
from servers import start_server

from .acting import VERSION, Organization, refused

NEW, OLD = "claude-opus-5-5", "claude-sonnet-4-5"
US: dict[str, Any] = {"allowed_inference_geos": ["us"], "default_inference_geo": "us"}
PREFERS_US: dict[str, Any] = {"allowed_inference_geos": "unrestricted", "default_inference_geo": "us"}


def key_of(organization: Organization, residency: dict[str, Any]) -> str:
    workspace = organization.workspace(data_residency=residency)
    return str(organization.key(workspace_id=workspace.id)["raw_key"])


def ask(organization: Organization, key: str, model: str = NEW, **more: Any) -> anthropic.types.Message:
    return organization.sdk(key).messages.create(
        model=model, max_tokens=8, messages=[{"role": "user", "content": "Hi"}], **more
    )


def test_a_request_that_names_no_place_runs_where_its_workspace_says(organization: Organization) -> None:
    key = key_of(organization, PREFERS_US)
    assert ask(organization, key).usage.inference_geo == "us"
    assert ask(organization, key, inference_geo=None).usage.inference_geo == "us"
    assert ask(organization, key, inference_geo="global").usage.inference_geo == "global"
    assert ask(organization, organization.server.api_key).usage.inference_geo == "global"
    with organization.sdk(key).messages.stream(
        model=NEW, max_tokens=8, messages=[{"role": "user", "content": "Hi"}]
    ) as stream:
        assert stream.get_final_message().usage.inference_geo == "us"


def test_a_place_that_the_workspace_does_not_allow_is_a_400(organization: Organization) -> None:
    key = key_of(organization, US)
    assert ask(organization, key, inference_geo="us").usage.inference_geo == "us"
    message = refused(400, ask, organization, key, inference_geo="global")
    assert message == "inference_geo: 'global' is not allowed in this workspace. Allowed: us"


def test_models_that_know_no_places_are_left_alone(organization: Organization) -> None:
    key = key_of(organization, US)
    assert ask(organization, key, model=OLD).usage.inference_geo == "not_available"
    assert "not supported" in refused(400, ask, organization, key, model=OLD, inference_geo="us")


def test_counting_tokens_is_the_same_everywhere(organization: Organization) -> None:
    key = key_of(organization, US)
    counted = organization.sdk(key).messages.count_tokens(model=NEW, messages=[{"role": "user", "content": "Hi"}])
    assert counted.input_tokens > 0


def test_the_place_is_recorded_and_priced(organization: Organization) -> None:
    key = key_of(organization, PREFERS_US)
    ids = [ask(organization, key, **more)._request_id for more in ({}, {"inference_geo": "global"})]
    rows: list[tuple[Any, ...]] = []
    deadline = time.monotonic() + 10
    while len(rows) < 2 and time.monotonic() < deadline:
        rows = query(
            organization.server.data_dir,
            f"SELECT inference_geo, cost FROM request_log WHERE request_id IN ('{ids[0]}', '{ids[1]}') ORDER BY 1",
        )
        time.sleep(0.05)
    (elsewhere, cost), (here, dearer) = rows
    assert (elsewhere, here) == ("global", "us")
    assert dearer == pytest.approx(cost * 1.1, abs=1)
    assert cost > 0


def test_a_claude_upstream_is_told_the_place(tmp_path: Path) -> None:
    with fake_claude(lambda talk: talk.whole(200, json.dumps(MESSAGE).encode())) as fake:
        config = tmp_path / "understudy.toml"
        targets = '[{ engine = "up", model = "*" }]'
        config.write_text(
            f'[engines.up]\nkind = "claude"\nbase_url = "{fake.url}"\n[[models.map]]\nname = "{NEW}"\n'
            f"targets = {targets}\n"
        )
        server = start_server(tmp_path, "--config", str(config))
        with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
            organization = Organization(
                server, anthropic.Anthropic(api_key=server.admin_key, base_url=server.url, max_retries=0), client
            )
            key = key_of(organization, US)
            body = {"model": NEW, "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
            answers = [
                organization.call("POST", "/v1/messages", {**body, **more}, key=used, version=VERSION)
                for used, more in ((key, {}), (key, {"inference_geo": "global"}), (server.api_key, {}))
            ]
        assert server.stop() == 0
    assert [answer.status_code for answer in answers] == [200, 400, 200]
    assert [json.loads(one.body).get("inference_geo") for one in fake.asked] == ["us", None]
