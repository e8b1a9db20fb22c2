"""Which engine answers for a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from understudy.engines.catalog import Catalog, Model
from understudy.engines.engine import Engine, EngineModel
from understudy.wire.errors import NotFoundError

# Characters of an unknown name that are repeated in the error.
_LONGEST_NAME = 1_000


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request for a model goes. `header` is the value of `understudy-engine`."""

    model: Model
    target: EngineModel
    engine: Engine
    header: bytes


class Routing:
    """The model map: every name of the catalog, and further configured ones, to one engine."""

    def __init__(self, engine: Engine, further_names: Iterable[str] = ()) -> None:
        catalog = Catalog(further_names)
        self._models = catalog.models()
        self._routes: dict[str, Route] = {}
        for name in catalog.names():
            model = catalog.find(name)
            assert model is not None
            target = EngineModel(id=model.id, engine=engine.name, upstream=model.id)
            header = f"{engine.name}/{model.id}".encode("ascii", "replace")
            self._routes[name] = Route(model=model, target=target, engine=engine, header=header)

    def find(self, name: str) -> Route | None:
        return self._routes.get(name)

    def resolve(self, name: str) -> Route:
        """The route of an id or alias. 404 in the API's words for any other name."""
        route = self._routes.get(name)
        if route is None:
            raise NotFoundError(f"model: {name[:_LONGEST_NAME]}")
        return route

    def models(self) -> tuple[Model, ...]:
        """Each model once, newest first."""
        return self._models

    def names(self) -> frozenset[str]:
        return frozenset(self._routes)
