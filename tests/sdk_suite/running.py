"""The SDK's own tests: taken from its source distribution, run in an environment of their own, through the proxy.

Nothing of it is kept in this repository: `requirements/clients-sdk-suite.txt` pins what is fetched, by hash.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from clients.installs import CACHE, ROOT, install_once, python_client, run
from servers import RunningServer, clean_environment

from .proxy import CONTROL_PATH, Passed, Proxy
from .table import Resource

NAME = "sdk-suite"
REQUIREMENTS = ROOT / "requirements" / f"clients-{NAME}.txt"
RUN_TIMEOUT = 240.0
"""Seconds. It takes a quarter of a minute; a loaded machine stretches that."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """What the SDK's tests said, by the id of a test, and what their requests were."""

    outcomes: dict[str, str]
    failures: dict[str, str]
    excluded: list[str]
    passed: list[Passed]
    printed: str


def source() -> Path:
    """The SDK's source distribution, unpacked. Fetched once, from the pin that its environment has too."""
    python = python_client(NAME)
    folder = CACHE / f"{NAME}-source"

    def make() -> None:
        folder.mkdir()
        (pin,) = re.findall(r"^anthropic\b.*?(?<!\\)\n", REQUIREMENTS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        (folder / "pin.txt").write_text(pin, "utf-8")
        # pip builds the metadata of what it downloads; the environment has what that takes, pinned like the rest.
        download = [str(python), "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-deps"]
        download += ["--no-build-isolation", "--no-binary", ":all:", "--require-hashes", "-r", str(folder / "pin.txt")]
        environment = clean_environment()
        environment.pop("PYTHONPATH", None)
        run([*download, "-d", str(folder)], env=environment)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        (unpacked,) = (path.parent for path in folder.glob("*/pyproject.toml"))
        # The installed package is what the tests are to import, not the sources beside them.
        shutil.rmtree(unpacked / "src", ignore_errors=True)
        unpacked.rename(folder / "sdk")

    return install_once(folder, [REQUIREMENTS], make) / "sdk"


async def run_suite(server: RunningServer, resources: Sequence[Resource], directory: Path) -> SuiteRun:
    """Run the tests of `resources` against `server`. `directory` takes the report."""
    sdk, python = await asyncio.to_thread(lambda: (source(), python_client(NAME)))
    report = directory / "report.json"
    made: dict[str, str] = {}
    for resource in resources:
        made.update(await _prepared(server, resource))
    keys = {"api": server.api_key, "admin": server.admin_key}
    by_file = {file: resource for resource in resources for file in resource.files}

    async def anew(resource: Resource) -> Mapping[str, str]:
        return await _prepared(server, resource)

    async with Proxy(server.url, keys, by_file, made, anew) as proxy:
        excluded = [(file, row.tests) for file, resource in by_file.items() for row in resource.excluded]
        environment = clean_environment(
            {
                "TEST_API_BASE_URL": proxy.url,
                "SUITE_CONTROL": proxy.url.removeprefix("http://") + CONTROL_PATH,
                "SUITE_EXCLUDED": json.dumps(excluded),
                "SUITE_REPORT": str(report),
                "PYTHONPATH": str(Path(__file__).parent),
            }
        )
        # One process: the proxy is told which test runs, so there may be only one.
        command = [str(python), "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", "-p", "suite_plugin"]
        process = await asyncio.create_subprocess_exec(
            *command,
            *by_file,
            cwd=sdk,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            printed, _ = await asyncio.wait_for(process.communicate(), RUN_TIMEOUT)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    text = printed.decode("utf-8", "replace")
    assert report.exists(), f"the SDK's tests did not end as they should:\n{text[-8000:]}"
    return SuiteRun(**json.loads(report.read_text("utf-8")), passed=proxy.passed, printed=text)


async def _prepared(server: RunningServer, resource: Resource) -> Mapping[str, str]:
    if resource.prepare is None:
        return {}
    key = server.admin_key if resource.credential == "admin" else server.api_key
    headers = {"x-api-key": key, "anthropic-version": "2026-10-21"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as client:
        return await resource.prepare(client)
