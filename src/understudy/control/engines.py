"""/_understudy/admin/engines: what answers requests, how it fares, and loading and unloading of GGUF models.

As with scenarios, what is loaded belongs to the process that is asked. Where several serve, loading and unloading are
refused, and what is shown of an engine's requests and health is that of one of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from understudy.control.guarding import guard
from understudy.engines.llamacpp.failures import ModelLoadError
from understudy.engines.loading import Loader
from understudy.engines.routing import Routing
from understudy.http.body import read_json_body
from understudy.http.credentials import Caller
from understudy.http.exchange import Exchange
from understudy.organization.store import Store, actor_of, principal_of
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.validation import parse_json

PATH: Final = "/_understudy/admin/engines"

_MOST_BYTES: Final = 64 * 1024
_MOST_NAMES: Final = 100
_FIELDS: Final = {"path", "name", "models"}
_ONE_WORKER: Final = (
    "This server has several worker processes, and a model would be loaded by one. Run a llama-server beside it and "
    "name that as an engine, or use one worker (server.workers)."
)


def engine_routes(routing: Routing, loader: Loader, caller: Caller, store: Store, workers: int = 1) -> list[BaseRoute]:
    """The routes, for an admin key or a person: who sees usage sees these, administrators of the organization load.

    `store` keeps who did. `workers`: processes that serve together.
    """

    def described(name: str) -> dict[str, Any]:
        return _described(name, routing, loader)

    async def list_all(_: Exchange, __: Request) -> Response:
        return JSONResponse({"data": [described(name) for name in routing.backends]})

    async def retrieve(_: Exchange, request: Request) -> Response:
        return JSONResponse(described(_known(request.path_params["name"], routing)))

    async def load(exchange: Exchange, _: Request) -> Response:
        path, name, models = _wanted(parse_json(await read_json_body(exchange, _MOST_BYTES)))
        try:
            loaded = loader.load(path, name, models)
        except (ModelLoadError, ValueError) as error:
            raise InvalidRequestError(str(error)) from None
        await _log(store, exchange, "engine_loaded", loaded.name, {"path": str(path), "models": models})
        return JSONResponse(described(loaded.name), status_code=202)

    async def unload(exchange: Exchange, request: Request) -> Response:
        name = _known(request.path_params["name"], routing)
        if name not in loader.models:
            raise InvalidRequestError(f"The engine {name} is no model on this machine, so it cannot be unloaded.")
        await loader.unload(name)
        await _log(store, exchange, "engine_unloaded", name)
        return JSONResponse({"type": "engine_unloaded", "name": name})

    guarded = guard(caller, "usage:read")
    changing = guard(caller, "workspaces:write", refusal=None if workers == 1 else _ONE_WORKER)
    return [
        Route(PATH, guarded(list_all), methods=["GET"]),
        Route(PATH, changing(load), methods=["POST"]),
        Route(PATH + "/{name:path}", guarded(retrieve), methods=["GET"]),
        Route(PATH + "/{name:path}", changing(unload), methods=["DELETE"]),
    ]


async def _log(store: Store, exchange: Exchange, action: str, name: str, after: dict[str, Any] | None = None) -> None:
    async with store.change(principal_of(exchange).organization_id, actor_of(exchange)) as change:
        await change.log(action, "engine", name, after=after)


def _known(name: str, routing: Routing) -> str:
    if name not in routing.backends:
        raise NotFoundError("Engine not found")
    return name


def _described(name: str, routing: Routing, loader: Loader) -> dict[str, Any]:
    backend, local = routing.backends[name], loader.models.get(name)
    targets = [(line.name, target) for line in routing.mapped for target in line.targets if target.engine == name]
    models = [
        {
            "id": model,
            "upstream_model": target.model,
            "weight": target.weight,
            "health": "failing" if routing.breaker(target).is_open else "ok",
        }
        for model, target in targets
    ]
    state, error = ("ready", None) if local is None else (local.state, local.error)
    return {
        "type": "engine",
        "name": name,
        "kind": backend.kind,
        "state": state,
        # From 0 to 1 while a model is loaded, as far as it can be seen; null at all other times.
        "load_progress": None if local is None else local.load_progress,
        "error": error,
        "requests": {"running": backend.slots.in_use, "waiting": backend.slots.waiting},
        "models": models,
    }


def _wanted(body: object) -> tuple[Path, str | None, list[str]]:
    if not isinstance(body, dict):
        raise InvalidRequestError("The body is a JSON object with `path`, and perhaps `name` and `models`.")
    given = cast("dict[str, Any]", body)
    for field in given.keys() - _FIELDS:
        raise InvalidRequestError(f"{field}: Extra inputs are not permitted")
    path, name, models = given.get("path"), given.get("name"), given.get("models", [])
    if not isinstance(path, str) or not path or "\0" in path:
        raise InvalidRequestError("path: the file of a GGUF model")
    if name is not None and (not isinstance(name, str) or not name or not name.isprintable()):
        raise InvalidRequestError("name: a name for the engine")
    if not isinstance(models, list) or len(cast("list[Any]", models)) > _MOST_NAMES:
        raise InvalidRequestError(f"models: a list of at most {_MOST_NAMES} model names")
    for model in cast("list[Any]", models):
        if not isinstance(model, str) or not 0 < len(model) <= 256:
            raise InvalidRequestError("models: names of 1 to 256 characters")
    return Path(path), name, cast("list[str]", models)
