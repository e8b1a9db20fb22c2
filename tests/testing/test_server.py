"""A server in a thread is a guest in the process of the tests."""

from __future__ import annotations

import gc
import threading

import httpx
import pytest

from understudy.http.protocol import BoundedHttpProtocol
from understudy.testing import ClaudeApi


def test_it_leaves_the_process_as_it_was() -> None:
    thresholds, log = gc.get_threshold(), BoundedHttpProtocol.request_log
    threads = set(threading.enumerate())
    with ClaudeApi() as api:
        assert gc.get_threshold() == thresholds
        assert gc.get_freeze_count() == 0
        assert BoundedHttpProtocol.request_log is log
        url = api.base_url
        assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/livez", trust_env=False)
    assert not [one for one in set(threading.enumerate()) - threads if one.name == "understudy"]


def test_two_servers_in_one_process_know_nothing_of_each_other(api: ClaudeApi) -> None:
    api.respond("the first")
    with ClaudeApi() as other:
        other.respond("the second")
        texts = [
            each.client.messages.create(
                model="claude-sonnet-5-5", max_tokens=50, messages=[{"role": "user", "content": "x"}]
            )
            .content[0]
            .to_dict()["text"]
            for each in (api, other)
        ]
        assert texts == ["the first", "the second"]
        headers = {"x-api-key": api.api_key, "anthropic-version": "2023-06-01"}
        refused = httpx.get(f"{other.base_url}/v1/models", headers=headers, trust_env=False)
        assert refused.status_code == 401
