"""Fixtures every room's tests share: real servers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from installations import databases, installation
from servers import RunningServer, ServerStarter, start_server
from services import Postgres, RedisServer, postgres_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    """A server with default settings, one for each pytest worker. Tests must not change what others can see."""
    running = start_server(tmp_path_factory.mktemp("server"))
    yield running
    exit_code = running.stop()
    assert exit_code == 0, f"exit code {exit_code} after SIGTERM:\n{running.printed()}"


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerStarter]:
    """Starts servers of this test's own; what the test leaves running is killed at its end."""
    starter = ServerStarter(lambda: tmp_path_factory.mktemp("own-server"))
    yield starter
    for running in starter.started:
        running.kill()


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A PostgreSQL server, one for each pytest worker."""
    # Not below pytest's own directory: root runs it as another user, and every other run of pytest on the machine shuts
    # that directory to all but its owner.
    with (
        tempfile.TemporaryDirectory(prefix="understudy-pg-", ignore_cleanup_errors=True) as directory,
        postgres_server(Path(directory)) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a Redis, one for each pytest worker. Tests use keys of their own."""
    running = RedisServer(tmp_path_factory.mktemp("redis"))
    running.start()
    yield running.url
    running.stop()


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    """A Redis that the test may stop."""
    running = RedisServer(tmp_path_factory.mktemp("own-redis"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Generator[str]:
    """Which database installations of this test are kept in."""
    kind: str = request.param
    with databases.on(request.getfixturevalue("postgres") if kind == "postgresql" else None):
        yield kind


@pytest.fixture(autouse=True)
def _each_database(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("each_database") is not None:
        request.getfixturevalue("database")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `each_database` run on SQLite and on PostgreSQL."""
    if metafunc.definition.get_closest_marker("each_database") is not None:
        if "database" not in metafunc.fixturenames:
            metafunc.fixturenames.append("database")
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failing test shows what its servers printed."""
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            servers = value.started if isinstance(value, ServerStarter) else [value]
            for running in servers:
                if isinstance(running, RunningServer):
                    report.sections.append((f"printed by the server of fixture `{name}`", running.printed(last=8_000)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests gave to `record_property("summary", …)`: numbers to read also when all is well.

    A worker's own standard output is not shown.
    """
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "summary" and report.when == "call":
                    terminalreporter.section(report.nodeid.rpartition("::")[2])
                    terminalreporter.line(str(text))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to be copied: migrating takes longer than most tests here."""
    folder = tmp_path_factory.mktemp("migrated") / "data"

    async def make() -> None:
        async with installation(folder):
            pass

    with databases.on(None):
        asyncio.run(make())
    return folder


@pytest.fixture
def data_dir(tmp_path: Path, migrated: Path) -> Path:
    return shutil.copytree(migrated, tmp_path / "data")
