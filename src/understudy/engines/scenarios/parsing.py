"""Scenarios from files and from parsed JSON."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from understudy.engines.scenarios.model import Scenario


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message says where it goes wrong."""


def parse_scenario(value: object) -> Scenario:
    """The scenario that `value`, parsed from JSON or TOML, describes. Raises ScenarioError."""
    try:
        return Scenario.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ScenarioError(f"{place}: {message}" if place else message) from None


def read_scenario(path: Path) -> Scenario:
    """The scenario in a TOML or JSON file, told apart by the name's end. Raises ScenarioError."""
    try:
        content = path.read_bytes()
        value: Any
        if path.suffix == ".json":
            value = orjson.loads(content)
        elif path.suffix == ".toml":
            value = tomllib.loads(content.decode())
        else:
            raise ScenarioError(f"The scenario {path} must be a .toml or a .json file.")
        return parse_scenario(value)
    except ScenarioError as error:
        raise ScenarioError(f"The scenario {path} cannot be used: {error}") from None
    except OSError as error:
        raise ScenarioError(f"The scenario {path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, orjson.JSONDecodeError) as error:
        raise ScenarioError(f"The scenario {path} cannot be read: {error}") from None
