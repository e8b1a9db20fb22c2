"""The official Python SDK's own tests pass against this server, through a proxy that makes their requests valid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import anthropic
import pytest

from servers import RunningServer
from surface import ours

from .resources import RESOURCES
from .rewriting import Request, rewrite
from .running import REQUIREMENTS, SuiteRun, run_suite, source
from .table import DROP, Made, NeedsBeta, Resource, Rewrite


def is_built(resource: Resource) -> bool:
    routes = set(ours.routes())
    return all((method, ours.template(path)) in routes for method, path in resource.routes)


def summary(run: SuiteRun, unbuilt: list[Resource]) -> str:
    rewritten = {passed.test for passed in run.passed if passed.rewritten}
    changes = Counter(change for passed in run.passed for change in passed.rewritten)
    lines = [
        f"the SDK's own tests, {anthropic.__version__}: {len(run.outcomes)} run, {len(rewritten)} of them rewritten, "
        f"{len(run.excluded)} excluded; {len(run.passed)} requests",
        *(f"  rewritten: {change}, {times} times" for change, times in sorted(changes.items())),
        *(f"  excluded: {row.tests} of {one.name}: {row.rule}" for one in RESOURCES for row in one.excluded),
        *(f"  excluded: all of {resource.name}: its routes are unbuilt" for resource in unbuilt),
    ]
    return "\n".join(lines)


@pytest.mark.slow
async def test_the_official_sdks_own_tests_pass(
    server: RunningServer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    built = [resource for resource in RESOURCES if is_built(resource)]
    run = await run_suite(server, built, tmp_path)
    record_property("summary", summary(run, [resource for resource in RESOURCES if resource not in built]))
    failed = "\n".join(f"{test}\n    {failure.splitlines()[-1]}" for test, failure in run.failures.items())
    assert not run.failures, failed
    # The SDK itself leaves out what its mock of HTTP cannot do.
    skipped = [test for test, outcome in run.outcomes.items() if outcome == "skipped"]
    assert [test for test in skipped if "download" not in test or "aiohttp" not in test] == []
    assert set(run.outcomes.values()) - {"skipped"} == {"passed"}
    # Each row of the table is needed.
    used = {change for passed in run.passed for change in passed.rewritten}
    rows = {f"{row.place} {row.key}" for resource in built for row in resource.rewrites}
    assert rows - used == set()
    left_out = {test.partition("[")[0] for test in run.excluded}
    for resource in built:
        for row in resource.excluded:
            patterns = [f"{file}::{row.tests}" for file in resource.files]
            assert any(fnmatchcase(test, pattern) for test in left_out for pattern in patterns), row


@pytest.mark.slow
def test_every_file_of_the_table_is_in_the_source_distribution() -> None:
    files = [file for resource in RESOURCES for file in resource.files]
    assert [file for file in files if not (source() / file).is_file()] == []


def test_the_suite_and_the_comparison_are_of_one_sdk() -> None:
    assert f"\nanthropic=={anthropic.__version__} " in REQUIREMENTS.read_text("utf-8")


# --- the rewriting itself ---


def request(body: dict[str, object] | None = None) -> Request:
    return Request("GET", path="/v1/things/thing_id", query=[("after_id", "x"), ("limit", "1")], headers={}, body=body)


def rewritten(asked: Request, *rows: Rewrite, betas: tuple[NeedsBeta, ...] = ()) -> Request:
    rewrite(asked, Resource("things", (), (), rewrites=rows, betas=betas), {"thing": "thing_7"})
    return asked


def test_a_placeholder_in_a_path_gives_way_to_the_id_of_an_object_made_beforehand() -> None:
    asked = rewritten(request(), Rewrite("path", "thing_id", "thing_id", Made("thing"), "an id"))
    assert asked.path == "/v1/things/thing_7"
    assert asked.rewritten == ["path thing_id"]


def test_a_placeholder_in_a_query_is_replaced_or_dropped() -> None:
    assert rewritten(request(), Rewrite("query", "after_id", "x", DROP, "")).query == [("limit", "1")]
    assert rewritten(request(), Rewrite("query", "limit", "1", 5, "")).query == [("after_id", "x"), ("limit", "5")]
    untouched = rewritten(request(), Rewrite("query", "limit", "2", 5, ""))
    assert (untouched.query, untouched.rewritten) == (request().query, [])


def test_a_placeholder_in_every_item_of_a_list_is_replaced_and_other_values_stay() -> None:
    asked = request({"tools": [{"defer": True}, {"defer": False}, {"name": "x"}]})
    row = Rewrite("body", "tools.*.defer", True, None, "")
    assert rewritten(asked, row).body == {"tools": [{"defer": None}, {"defer": False}, {"name": "x"}]}


def test_the_betas_that_fields_need_take_the_place_of_those_the_test_named() -> None:
    asked = request({"tools": [{"inner": {"field": 1}}]})
    asked.headers["anthropic-beta"] = "string"
    needs = (NeedsBeta("tools.*.inner.field", "field-beta", ""), NeedsBeta("other", "other-beta", ""))
    assert rewritten(asked, betas=needs).headers == {"anthropic-beta": "field-beta"}
