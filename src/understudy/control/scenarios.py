"""/_understudy/scenarios: load, look at and forget scenarios in a running server, with an admin key.

What is loaded belongs to the process that answers. Where several do, all of these routes are refused: rules would be
used in no order, and received requests be shown in part.
"""

from __future__ import annotations

from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from understudy.control.guarding import guard
from understudy.control.watching import ScenarioWatch
from understudy.engines.scenarios.parsing import ScenarioError, parse_scenario
from understudy.engines.scenarios.store import Scenarios
from understudy.http.body import read_json_body
from understudy.http.credentials import by_key
from understudy.http.envelope import Endpoint, Envelope
from understudy.http.exchange import Exchange
from understudy.http.principal import Authenticator
from understudy.organization.store import Store, actor_of, principal_of
from understudy.wire.errors import InvalidRequestError
from understudy.wire.ids import count_ids
from understudy.wire.validation import parse_json

PATH: Final = "/_understudy/scenarios"

_MOST_BYTES: Final = 4 * 1024 * 1024
_ONE_WORKER: Final = (
    "This server has several worker processes, and a scenario belongs to one. Use a server with one worker "
    "(server.workers) for scenarios."
)


def scenario_routes(
    scenarios: Scenarios, authenticator: Authenticator, store: Store, workers: int = 1
) -> list[BaseRoute]:
    """The routes. All need an admin key, since a scenario changes what everybody is answered.

    `store` keeps who did. `workers`: processes that serve together; with more than one every route is a 400.
    """

    async def log(exchange: Exchange, action: str, after: dict[str, Any] | None = None) -> None:
        async with store.change(principal_of(exchange).organization_id, actor_of(exchange)) as change:
            await change.log(action, "scenarios", "scenarios", after=after)

    async def load(exchange: Exchange, _: Request) -> Response:
        body = parse_json(await read_json_body(exchange, _MOST_BYTES))
        if not isinstance(body, dict):
            raise InvalidRequestError("A scenario is a JSON object.")
        given = cast("dict[str, Any]", body)
        mode = given.pop("mode", "replace")
        if mode not in ("replace", "append"):
            raise InvalidRequestError("mode: must be replace or append")
        try:
            scenario = parse_scenario(given)
        except ScenarioError as error:
            raise InvalidRequestError(str(error)) from None
        # Rules may be megabytes, of what nobody else need read.
        said = scenario.model_dump(mode="json", exclude={"rules"}, exclude_unset=True)
        await log(exchange, "scenarios_loaded", {"mode": mode, **said, "rules": len(scenario.rules)})
        scenarios.load(scenario, append=mode == "append")
        return JSONResponse(scenarios.as_json())

    async def show(_: Exchange, __: Request) -> Response:
        return JSONResponse(scenarios.as_json())

    async def requests(_: Exchange, request: Request) -> Response:
        limit = request.query_params.get("limit", "100")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= 1000:
            raise InvalidRequestError("limit: must be a whole number from 1 to 1000")
        kept = list(scenarios.received)
        return JSONResponse(
            {"data": [one.as_json() for one in kept[-int(limit) :]], "has_more": len(kept) > int(limit)}
        )

    async def reset(exchange: Exchange, _: Request) -> Response:
        await log(exchange, "scenarios_reset")
        scenarios.reset()
        return JSONResponse({"type": "scenarios_reset"})

    guarded = guard(by_key(authenticator), refusal=None if workers == 1 else _ONE_WORKER)
    return [
        Route(PATH, guarded(load), methods=["POST"]),
        Route(PATH, guarded(show), methods=["GET"]),
        Route(PATH, guarded(reset), methods=["DELETE"]),
        Route(f"{PATH}/requests", guarded(requests), methods=["GET"]),
    ]


def connect(envelope: Envelope, scenarios: Scenarios, always: Endpoint | None = None) -> None:
    """Let `envelope` show its requests to `scenarios` from the moment one is loaded, and no longer. `always` sees them
    first, whether or not."""
    watch = ScenarioWatch(scenarios)

    async def both(exchange: Exchange) -> None:
        if always is not None:
            await always(exchange)
        await watch(exchange)

    def follow(active: bool) -> None:
        envelope.watch = both if active else always

    follow(False)
    scenarios.on_active = follow
    scenarios.on_ids = count_ids
    if scenarios.active:
        follow(True)
        count_ids(scenarios.ids == "deterministic")
