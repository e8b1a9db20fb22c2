"""What your own tests import: a server that speaks the whole API, and answers as the test says.

With pytest, ask for the fixture `claude_api`. Elsewhere, `with ClaudeApi() as api:`. Importing this package imports
neither pytest nor the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from understudy.engines.scenarios.failures import Failure
    from understudy.engines.scenarios.model import (
        Answer,
        Fault,
        Redacted,
        Rule,
        Scenario,
        Text,
        Thinking,
        ToolCall,
        When,
    )
    from understudy.engines.scenarios.parsing import ScenarioError, read_scenario
    from understudy.engines.scenarios.transport import Received
    from understudy.testing.api import ClaudeApi

__all__ = [
    "Answer",
    "ClaudeApi",
    "Failure",
    "Fault",
    "Received",
    "Redacted",
    "Rule",
    "Scenario",
    "ScenarioError",
    "Text",
    "Thinking",
    "ToolCall",
    "When",
    "read_scenario",
]

_HOMES = {
    "ClaudeApi": "understudy.testing.api",
    "Failure": "understudy.engines.scenarios.failures",
    "Received": "understudy.engines.scenarios.transport",
    "ScenarioError": "understudy.engines.scenarios.parsing",
    "read_scenario": "understudy.engines.scenarios.parsing",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "understudy.engines.scenarios.model")), name)
