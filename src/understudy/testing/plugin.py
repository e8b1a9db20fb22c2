"""The pytest plugin: the fixture `claude_api`. It imports the server when a test first asks for it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from understudy.testing.api import ClaudeApi
    from understudy.testing.server import ThreadedServer

_OPTIONS: Final = {"ids", "unmatched", "unused", "scenario", "environment"}

# What points the official SDKs somewhere else, or lends them another credential.
_FOREIGN: Final = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS", "ANTHROPIC_PROFILE")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "claude_api(ids, unmatched, unused, scenario, environment): how the fixture `claude_api` is to behave",
    )


@pytest.fixture(scope="session")
def _claude_api_server() -> Generator[ThreadedServer]:
    from understudy.testing.server import ThreadedServer

    server = ThreadedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def claude_api_options() -> Mapping[str, Any]:
    """Override this to set options for a module or a directory; the marker's come on top."""
    return {}


@pytest.fixture
def claude_api(
    request: pytest.FixtureRequest,
    _claude_api_server: ThreadedServer,
    claude_api_options: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Generator[ClaudeApi]:
    """A server that speaks the Claude API and answers as the test says; reset for every test.

    Options: `ids` ("random" or "deterministic"); `unmatched` ("answer", or "fail": the test fails when it made a
    request no rule was for); `unused` ("ignore", or "fail": when a rule has answers left); `scenario` (a file);
    `environment` (True: clients that read ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY find this server).
    """
    from understudy.testing.api import ClaudeApi

    options = _options(request, claude_api_options)
    if options.get("environment", True):
        for name in _FOREIGN:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", _claude_api_server.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", _claude_api_server.api_key)
    with ClaudeApi(
        ids=options.get("ids", "random"), unmatched=options.get("unmatched", "answer"), server=_claude_api_server
    ) as api:
        if "scenario" in options:
            api.load(options["scenario"])
        yield api
        unmatched, unused = api.unmatched_requests, api.unused_rules
    if unmatched:
        pytest.fail("\n".join(["Requests that no rule was for:", *unmatched]), pytrace=False)
    if unused and options.get("unused") == "fail":
        pytest.fail(f"Rules with answers left: {', '.join(unused)}", pytrace=False)


def _options(request: pytest.FixtureRequest, given: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(given)
    for marker in reversed(list(request.node.iter_markers("claude_api"))):
        options.update(marker.kwargs)
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise pytest.UsageError(f"claude_api has no option {unknown[0]!r}; it has {', '.join(sorted(_OPTIONS))}")
    return options
