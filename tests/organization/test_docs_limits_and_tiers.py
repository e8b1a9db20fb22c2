"""What docs/limits-and-tiers.md shows and says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from curl import path_with_curl
from servers import clean_environment
from understudy.limits.groups import Groups
from understudy.limits.tiers import TableName, tier_table

from .acting import Organization

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "limits-and-tiers.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_python_example_runs(organization: Organization) -> None:
    code = block("python").replace("http://127.0.0.1:8484", organization.server.url)
    code = code.replace("sk-understudy-admin-…", organization.server.admin_key)
    printed = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert printed.stdout.splitlines() == [
        "requests_per_minute 1000",
        "input_tokens_per_minute_cache_aware 2000000",
        "output_tokens_per_minute 400000",
        "20 of 1000",
    ]


def test_the_curl_example_lets_a_workspace_be_held_to_its_limits(organization: Organization, tmp_path: Path) -> None:
    workspace = organization.workspace()
    code = block("bash").replace("http://127.0.0.1:8484", organization.server.url).replace("wrkspc_…", workspace.id)
    environment = clean_environment({"PATH": path_with_curl(tmp_path), "ADMIN_KEY": organization.server.admin_key})
    printed = subprocess.run(
        ["sh", "-ec", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(printed.stdout)["mode_in_force"] == "enforce"


def routes() -> list[tuple[str, str, Any]]:
    """Those that stand on lines of their own, with their bodies."""
    found = re.findall(r"^(GET|POST) (/\S+)(?: +(\{.*\}))?$", PAGE, re.MULTILINE)
    return [(method, path, json.loads(body) if body else None) for method, path, body in found]


def test_every_route_that_is_shown_answers(organization: Organization) -> None:
    key = organization.key(workspace_id=organization.workspace().id)
    assert len(routes()) == 4
    try:
        for method, path, body in routes():
            named = path.replace("{api_key_id}", key["id"]).replace("…", "01none")
            answer = organization.call(method, named, body)
            assert answer.status_code == 200, (path, answer.text)
    finally:
        organization.ours("POST", "limits/tier", {"tier": "start"})


@pytest.mark.parametrize("name", ["2026-01", "2026-10"])
def test_the_tiers_of_the_page_are_those_of_the_data(name: str) -> None:
    table = tier_table(cast("TableName", name))
    group = Groups().of_model("claude-sonnet-4-6")
    expected: list[str] = []
    for tier in table.tiers:
        limits = tier.limits(group)
        if limits:
            default = " (the default)" if tier.name == table.default_tier else ""
            numbers = " / ".join(f"{value:,}" for value in limits.values())
            expected.append(
                f"| `{tier.name}`{default} | {name} | {numbers} | ${tier.monthly_spend_cap:,} | "
                f"${tier.cumulative_spend:,} |"
            )
    assert re.findall(rf"^\| `.*\| {name} \|.*$", PAGE, re.MULTILINE) == expected
