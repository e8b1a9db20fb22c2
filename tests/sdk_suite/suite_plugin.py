"""A pytest plugin of the SDK's own test run, which is another process: leaves out tests, and says which one runs.

Imports nothing of this project: it is loaded in an environment that does not have it.
"""

from __future__ import annotations

import http.client
import json
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

_EXCLUDED: list[tuple[str, str]] = [(file, tests) for file, tests in json.loads(os.environ["SUITE_EXCLUDED"])]
_CONTROL_HOST, _CONTROL_PATH = os.environ["SUITE_CONTROL"].split("/", 1)
_report: dict[str, Any] = {"outcomes": {}, "failures": {}, "excluded": []}


def _is_excluded(nodeid: str) -> bool:
    file, _, test = nodeid.partition("::")
    return any(file == of and fnmatchcase(test.partition("[")[0], pattern) for of, pattern in _EXCLUDED)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    excluded = [item for item in items if _is_excluded(item.nodeid)]
    _report["excluded"] = [item.nodeid for item in excluded]
    config.hook.pytest_deselected(items=excluded)
    items[:] = [item for item in items if not _is_excluded(item.nodeid)]


def pytest_runtest_logstart(nodeid: str) -> None:
    connection = http.client.HTTPConnection(_CONTROL_HOST, timeout=10)
    connection.request("POST", "/" + _CONTROL_PATH, nodeid.encode())
    connection.getresponse().read()
    connection.close()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        # A failure stays one, whatever its teardown says.
        if _report["outcomes"].get(report.nodeid) != "failed":
            _report["outcomes"][report.nodeid] = report.outcome
        if report.failed:
            _report["failures"][report.nodeid] = report.longreprtext[-4000:]


def pytest_sessionfinish() -> None:
    Path(os.environ["SUITE_REPORT"]).write_text(json.dumps(_report), "utf-8")
