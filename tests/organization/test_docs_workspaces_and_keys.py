"""What docs/workspaces-and-keys.md shows and says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from curl import path_with_curl
from servers import clean_environment
from understudy.organization.api_keys.shapes import PRESETS
from understudy.organization.keys import PREFIXES
from understudy.organization.roles import OrganizationRole, WorkspaceRole
from understudy.organization.tokens import PREFIX

from .acting import Organization

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "workspaces-and-keys.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_python_example_runs(organization: Organization) -> None:
    code = block("python").replace("http://127.0.0.1:8484", organization.server.url)
    code = code.replace("sk-understudy-admin-…", organization.server.admin_key)
    printed = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert printed.stdout == "True\n"


def test_the_curl_example_makes_a_key(organization: Organization, tmp_path: Path) -> None:
    code = block("bash").replace("http://127.0.0.1:8484", organization.server.url)
    code = code.replace("wrkspc_…", organization.workspace().id)
    environment = clean_environment({"PATH": path_with_curl(tmp_path), "ADMIN_KEY": organization.server.admin_key})
    printed = subprocess.run(
        ["sh", "-ec", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    made = json.loads(printed.stdout)
    assert organization.talk(made["raw_key"]).status_code == 200


def test_the_page_names_every_role_every_preset_and_every_kind_of_credential() -> None:
    names = {*get_args(OrganizationRole), *get_args(WorkspaceRole), *PRESETS, *PREFIXES.values(), PREFIX}
    assert {name for name in names if f"`{name}`" not in PAGE} == set()
