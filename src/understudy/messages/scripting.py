"""Scenarios in front of models that others answer for: asked before anything goes to an upstream."""

from __future__ import annotations

from typing import Any

from understudy.engines.routing import Route
from understudy.engines.scenarios.engine import ScenarioEngine


def is_scripted(route: Route) -> bool:
    """Whether a scenario is loaded that must be asked before the targets of `route` are."""
    engine = route.engine
    return route.chain is not None and isinstance(engine, ScenarioEngine) and engine.active


async def as_scripted(route: Route, request: dict[str, Any]) -> tuple[Route, bool]:
    """The route as the scenario has it for `request`, and whether the scenario answers instead of the targets.

    Raises the error that it answers with.
    """
    engine = route.engine
    assert isinstance(engine, ScenarioEngine), "is_scripted was asked"
    decided = await engine.decide(request)
    engine = engine.going_on(decided)
    if decided.scripted:
        return route.without_targets(engine), True
    return route.through(engine), False
