"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from servers import clean_environment
from understudy.testing import __all__ as exported

ROOT = Path(__file__).parents[2]

CODE = """
import os

import anthropic
import pytest


def ask(client, text="Hello"):
    message = client.messages.create(
        model="claude-sonnet-5-5", max_tokens=50, messages=[{"role": "user", "content": text}]
    )
    return message.content[0].text


@pytest.mark.parametrize("number", range(6))
def test_scripted(claude_api, number):
    assert claude_api.requests == []
    claude_api.respond(f"answer {number}")
    assert ask(claude_api.client) == f"answer {number}"
    assert len(claude_api.requests) == 1


@pytest.mark.parametrize("number", range(3))
def test_afresh(claude_api, number):
    assert ask(claude_api.client, "Say 'x'") == "x"
    assert len(claude_api.requests) == 1


def test_client_of_the_app(claude_api):
    assert ask(anthropic.Anthropic(), "Say 'y'") == "y"
    assert len(claude_api.requests) == 1


@pytest.mark.claude_api(environment=False)
def test_environment_is_left_alone(claude_api):
    assert "ANTHROPIC_BASE_URL" not in os.environ


async def test_asynchronous(claude_api):
    claude_api.respond("later")
    message = await claude_api.async_client.messages.create(
        model="claude-sonnet-5-5", max_tokens=50, messages=[{"role": "user", "content": "x"}]
    )
    assert message.content[0].text == "later"


@pytest.mark.claude_api(unmatched="fail")
def test_careless(claude_api):
    claude_api.respond("sunny", when="weather")
    try:
        ask(claude_api.client, "hello")
    except anthropic.BadRequestError:
        pass


class TestUnused:
    @pytest.fixture
    def claude_api_options(self):
        return {"unused": "fail"}

    def test_unused(self, claude_api):
        claude_api.respond("one", "two", name="pair")
        assert ask(claude_api.client) == "one"

    @pytest.mark.claude_api(unused="ignore")
    def test_unused_but_marked(self, claude_api):
        claude_api.respond("one", "two", name="pair")


@pytest.mark.claude_api(unmached="fail")
def test_misspelt(claude_api):
    pass


@pytest.mark.parametrize("number", range(100))
def test_many(claude_api, number):
    pass
"""


class Run(NamedTuple):
    passed: set[str]
    errors: set[str]
    output: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of all of it, in two processes, with every warning an error."""
    directory = tmp_path_factory.mktemp("plugin")
    (directory / "test_it.py").write_text(CODE, "utf-8")
    options = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    (directory / "pytest.ini").write_text(f"[pytest]\n{options}", "utf-8")
    # Whether or not the package is installed with its entry point.
    plugin = ("-p", "no:understudy", "-p", "understudy.testing.plugin")
    command = [sys.executable, "-m", "pytest", "-rA", "-n", "2", "--strict-markers", "-W", "error", *plugin]
    command += ["--durations=0", "-vv"]
    ended = subprocess.run(command, cwd=directory, capture_output=True, text=True, env=clean_environment(), timeout=120)
    outcomes = re.findall(r"^(PASSED|ERROR) test_it\.py::(\S+)", ended.stdout, re.MULTILINE)
    return Run(
        {name for outcome, name in outcomes if outcome == "PASSED"},
        {name for outcome, name in outcomes if outcome == "ERROR"},
        ended.stdout + ended.stderr,
    )


@pytest.mark.slow
def test_every_test_begins_afresh_in_every_process(run: Run) -> None:
    expected = {f"test_scripted[{number}]" for number in range(6)} | {f"test_afresh[{number}]" for number in range(3)}
    assert expected <= run.passed - run.errors, run.output


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "test_client_of_the_app",
        "test_environment_is_left_alone",
        "test_asynchronous",
        "TestUnused::test_unused_but_marked",
    ],
)
def test_it_works_for(run: Run, name: str) -> None:
    assert name in run.passed - run.errors, run.output


@pytest.mark.slow
def test_only_what_should_fail_does(run: Run) -> None:
    assert run.errors == {"test_careless", "TestUnused::test_unused", "test_misspelt"}, run.output


@pytest.mark.slow
def test_a_request_no_rule_is_for_fails_its_test(run: Run) -> None:
    told = "No scenario rule is for POST /v1/messages (model claude-sonnet-5-5, last user text 'hello')"
    assert told in run.output
    assert "rule 1: text_contains 'weather' does not hold" in run.output


@pytest.mark.slow
def test_rules_that_were_not_used_fail_their_test_when_asked_to(run: Run) -> None:
    assert "Rules with answers left: pair" in run.output


@pytest.mark.slow
def test_a_misspelt_option_is_refused(run: Run) -> None:
    assert "claude_api has no option 'unmached'" in run.output


@pytest.mark.slow
def test_a_reset_takes_next_to_no_time(run: Run) -> None:
    """All but the first of each process, which starts the server."""
    found = re.findall(r"^(\d+\.\d+)s setup +test_it\.py::(\S+)", run.output, re.MULTILINE)
    assert len(found) > 100
    assert sorted(float(seconds) for seconds, _ in found)[-3] < 0.5


LAZY = """
import sys
import understudy.testing
import understudy.testing.plugin as plugin
heavy = {"uvicorn", "anthropic", "understudy.app", "sqlalchemy", "pydantic"} & set(sys.modules)
assert not heavy, heavy
"""


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    subprocess.run([sys.executable, "-c", LAZY], check=True, timeout=60)


def test_the_server_needs_no_pytest() -> None:
    code = "import sys, understudy.testing.api; assert not {'pytest', 'aiohttp'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", exported)
def test_every_exported_name_is_there(name: str) -> None:
    import understudy.testing

    assert getattr(understudy.testing, name) is not None


def test_the_package_registers_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"understudy": "understudy.testing.plugin"}
