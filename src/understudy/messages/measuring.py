"""What engines say of a prompt before they are asked to go on from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from understudy.engines.catalog import Model
from understudy.engines.engine import EngineTurn, Measuring
from understudy.engines.materials import Materials
from understudy.engines.routing import Route
from understudy.messages.caching.cache import Measure
from understudy.messages.caching.verified import prefixes
from understudy.messages.counting import Mark, count_prompt
from understudy.messages.turn import thinking_type
from understudy.wire.errors import ApiError
from understudy.wire.server_tools import ServerFunction

_T = TypeVar("_T")


def only_counted(
    request: dict[str, Any], route: Route, materials: Materials, functions: Sequence[ServerFunction]
) -> EngineTurn:
    """A turn that is only counted."""
    return EngineTurn(
        model=route.target,
        request=request,
        max_tokens=1,
        input_tokens=0,
        thinking=thinking_type(request, route.model),
        materials=materials,
        server_functions=functions,
    )


async def unless_failed(asked: Awaitable[_T], route: Route) -> _T | None:
    """What an engine says of a prompt; None where it fails but another target may answer. What it refuses is raised."""
    try:
        return await asked
    except ApiError as error:
        if error.status < 500 or not route.alternatives:
            raise
        return None


def measured_by(engine: Measuring, route: Route, asked: EngineTurn) -> Measure:
    async def measured(marks: Sequence[Mark]) -> tuple[int, Sequence[int]]:
        return await engine.count(asked), await engine.offsets(asked, prefixes(asked.request, marks))

    return lambda marks: unless_failed(measured(marks), route)


def counter_of(model: Model) -> Callable[[dict[str, Any]], Any]:
    return lambda request: count_prompt(request, model)
