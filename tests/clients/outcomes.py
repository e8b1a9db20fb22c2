"""What the cases of a client's script came to, each by itself: one that failed does not hide the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clients.installs import python_client, run
from clients.nodejs import NODE_DIRECTORY, node, node_modules
from servers import RunningServer, clean_environment

SCRIPTS = Path(__file__).with_name("scripts")
TIMEOUT = 180.0

ADA = {"name": "Ada Lovelace", "age": 36, "email": "ada@example.com"}
"""What every script has taken out of the same sentence."""


class Outcomes:
    """The printed outcomes by the name of the case; a case that raised fails the test that asks for it."""

    def __init__(self, printed: str) -> None:
        self._outcomes: dict[str, dict[str, Any]] = json.loads(printed.splitlines()[-1])

    def __getitem__(self, case: str) -> Any:
        outcome = self._outcomes[case]
        if "error" in outcome:
            pytest.fail(f"{case}:\n{outcome['error']}", pytrace=False)
        return outcome["value"]


def python_outcomes(name: str, server: RunningServer, *arguments: str) -> Outcomes:
    """Run scripts/<name>_script.py in the environment of requirements/clients-<name>.txt."""
    python = python_client(name)
    script = SCRIPTS / f"{name.replace('-', '_')}_script.py"
    command = [str(python), str(script), server.url, server.api_key, *arguments]
    return Outcomes(run(command, env=clean_environment(), timeout=TIMEOUT))


def node_outcomes(script: str, server: RunningServer) -> Outcomes:
    """Run node/<script>."""
    node_modules()
    command = [str(node()), str(NODE_DIRECTORY / script), server.url, server.api_key]
    return Outcomes(run(command, env=clean_environment(), timeout=TIMEOUT))
