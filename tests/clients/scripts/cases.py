"""For scripts that run in a client's own environment: runs its cases and prints what came of each as one JSON object.

A script is run as `python SCRIPT URL KEY`. What it prints is {name of the case: {"value": …} or {"error": …}}.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

URL, KEY = sys.argv[1:3]
MODEL = "claude-sonnet-4-5"

PARIS = "What is the weather in Paris?"
WEATHER = {"temperature": 18, "condition": "light rain"}
ADA = "Extract: Ada Lovelace is 36 years old, mail ada@example.com"

_cases: dict[str, Callable[[], Any]] = {}


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    """Make of a function, plain or async, a case under its own name; it returns what JSON can hold."""
    _cases[function.__name__] = function
    return function


def run_cases() -> None:
    # One loop for all: connections that a case leaves open are closed under the loop they were made in.
    with asyncio.Runner() as runner:
        outcomes = {name: _outcome(function, runner) for name, function in _cases.items()}
    print(json.dumps(outcomes))


def _outcome(function: Callable[[], Any], runner: asyncio.Runner) -> dict[str, Any]:
    try:
        value = function()
        return {"value": runner.run(value) if inspect.iscoroutine(value) else value}
    except Exception:
        return {"error": traceback.format_exc()}
