"""Which targets a model's name leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from understudy.engines.catalog import Catalog, Model, configured_model
from understudy.engines.engine import Counting, Engine, EngineModel, Measuring, counts, measures
from understudy.wire.errors import NotFoundError

from .breaker import Breaker
from .chain import Chain, Choice, Target, engine_header
from .engine import RoutedEngine
from .facts import NO_FACTS, Facts
from .slots import Slots

if TYPE_CHECKING:
    from understudy.engines.claude.responses import Upstream

# Characters of an unknown name that are repeated in the error.
_LONGEST_NAME: Final = 1_000
# Names that only `*` knows: so many are remembered, and longer ones are none.
_MOST_OTHERS: Final = 1_024
_LONGEST_OTHER: Final = 256

EVERY: Final = "*"


@dataclass(frozen=True, slots=True)
class Backend:
    """A configured engine. `claude`, where it is a Claude upstream, is passed bytes; `engine` is asked for events where
    there are none to pass.

    `slots` bounds the requests it has at once. `failures` and `cool_down` are those of the breakers of its models.
    `kind` is the word for it in the settings.
    """

    engine: Engine | None = None
    claude: Upstream | None = None
    slots: Slots = field(default_factory=Slots)
    failures: int = 5
    cool_down: float = 10.0
    kind: str = "simulator"


@dataclass(frozen=True, slots=True)
class MappedTarget:
    """`engine` is the name of a backend. `model`: what it calls the model; `*` is the name that was asked for."""

    engine: str
    model: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Mapped:
    """A line of the model map. `name` may be `*`: all names that nothing else answers for."""

    name: str
    targets: tuple[MappedTarget, ...]
    facts: Facts = NO_FACTS
    queue_timeout: float = 30.0
    retry_rate_limits: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request for a model goes. `header` is the value of `understudy-engine`.

    With a `chain`, `target` and `header` are those of its first target; who has answered is known afterwards.
    `takes_foreign`: thinking that a Claude upstream has signed belongs to this model, though none is asked.
    """

    model: Model
    target: EngineModel
    engine: Engine
    header: bytes
    chain: Chain | None = None
    takes_foreign: bool = False

    @property
    def forwards(self) -> bool:
        """Whether a Claude upstream may answer."""
        return self.takes_foreign or (self.chain is not None and self.chain.forwards)

    @property
    def counter(self) -> Counting | None:
        """Who counts the tokens of a prompt for this model: its first target, where it can."""
        engine = self._first
        return engine if counts(engine) else None

    @property
    def measurer(self) -> Measuring | None:
        """Who says, where it can, which part of a prompt it need not compute again: the first target."""
        engine = self._first
        return engine if measures(engine) else None

    @property
    def alternatives(self) -> bool:
        """Whether another target may answer where the first one fails."""
        return self.chain is not None and len(self.chain.targets) > 1

    @property
    def _first(self) -> Engine | None:
        if self.chain is None:
            return self.engine
        first = self.chain.targets[0]
        # One that is left alone is asked nothing, unless there is no other.
        return None if self.alternatives and not first.breaker.ready() else first.engine

    def along(self, choice: Choice) -> Route:
        """The same, on a way that has begun."""
        assert self.chain is not None
        return Route(self.model, self.target, RoutedEngine(self.chain, choice), self.header, self.chain)

    def through(self, engine: Engine) -> Route:
        """The same, with `engine` in front of its targets."""
        return Route(self.model, self.target, engine, self.header, self.chain)

    def without_targets(self, engine: Engine) -> Route:
        """The same, answered by `engine`: the targets are not even asked to count."""
        return Route(self.model, self.target, engine, self.header, takes_foreign=self.forwards)


class Routing:
    """The model map.

    Names of `mapped` go to their targets, together with the other names of the same model that are not mapped
    themselves. The catalog's other names, and `further_names`, go to `engine`, unless that is None. What is left is
    unknown, or goes where `*` does. `front` puts something before what answers for a model, all its targets together.
    Raises ValueError for a map that cannot be.
    """

    def __init__(
        self,
        engine: Engine | None,
        further_names: Iterable[str] = (),
        *,
        mapped: Sequence[Mapped] = (),
        backends: Mapping[str, Backend] | None = None,
        front: Callable[[Engine], Engine] = lambda engine: engine,
    ) -> None:
        self._engine = None if engine is None else front(engine)
        self._front = front
        self._catalog = Catalog(further_names)
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._build(tuple(mapped), dict(backends or {}))

    def _build(self, mapped: tuple[Mapped, ...], backends: dict[str, Backend]) -> None:
        every = _check(mapped, backends)
        self.backends: Mapping[str, Backend] = backends
        self.mapped, self._every = mapped, every
        self._others: dict[str, Route] = {}
        engine, catalog = self._engine, self._catalog
        self._routes = self._map(catalog, mapped)
        if engine is not None:
            for name in catalog.names() - self._routes.keys():
                model = catalog.find(name)
                assert model is not None
                target = EngineModel(id=model.id, engine=engine.name, upstream=model.id)
                self._routes[name] = Route(model=model, target=target, engine=engine, header=engine_header(target))
        listed = dict.fromkeys(route.model for name, route in self._routes.items() if name == route.model.id)
        order = {model.id: place for place, model in enumerate(catalog.models())}
        # Newest first; of two that came on one day the catalog's order tells, and what it does not know comes last.
        self._models = tuple(
            sorted(
                sorted(listed, key=lambda model: order.get(model.id, len(order))),
                key=lambda model: model.created_at,
                reverse=True,
            )
        )
        chains = [route.chain for route in self._routes.values() if route.chain is not None]
        self.forwards = any(chain.forwards for chain in chains) or any(
            backends[target.engine].claude is not None for target in (() if every is None else every.targets)
        )

    @property
    def estimates(self) -> bool:
        """Whether tokens are counted here for any model: not by the engine, nor by a Claude upstream."""
        engines = {target.engine for one in self.mapped for target in one.targets}
        backends = [self.backends[name] for name in engines]
        return self._engine is not None or any(one.claude is None and not counts(one.engine) for one in backends)

    def put(self, name: str, backend: Backend, mapped: Sequence[Mapped]) -> None:
        """Add an engine and the lines that lead to it; requests under way go on as they are.

        Raises ValueError where the engine or a name is there already.
        """
        if name in self.backends:
            raise ValueError(f"there is an engine {name} already")
        self._build((*self.mapped, *mapped), {**self.backends, name: backend})

    def drop(self, name: str) -> Backend:
        """Take an engine away: lines lose it as a target, and those that led to it alone go. Raises KeyError."""
        dropped = self.backends[name]
        left = (
            replace(one, targets=tuple(target for target in one.targets if target.engine != name))
            for one in self.mapped
        )
        self._build(
            tuple(one for one in left if one.targets),
            {other: backend for other, backend in self.backends.items() if other != name},
        )
        for place in [place for place in self._breakers if place[0] == name]:
            del self._breakers[place]
        return dropped

    def breaker(self, target: MappedTarget) -> Breaker:
        """The breaker of a target of `mapped`."""
        backend = self.backends[target.engine]
        place = (target.engine, target.model)
        return self._breakers.setdefault(place, Breaker(backend.failures, backend.cool_down))

    def find(self, name: str) -> Route | None:
        route = self._routes.get(name)
        if route is None and self._every is not None:
            return self._other(name, self._every)
        return route

    def resolve(self, name: str) -> Route:
        """The route of an id or alias. 404 in the API's words for any other name."""
        route = self.find(name)
        if route is None:
            raise NotFoundError(f"model: {name[:_LONGEST_NAME]}")
        return route

    def models(self) -> tuple[Model, ...]:
        """Each model once, newest first; not those that only `*` knows."""
        return self._models

    def names(self) -> frozenset[str]:
        """All names but those that only `*` knows."""
        return frozenset(self._routes)

    def _map(self, catalog: Catalog, mapped: Sequence[Mapped]) -> dict[str, Route]:
        routes: dict[str, Route] = {}
        further: dict[str, Route] = {}
        for one in mapped:
            if one.name == EVERY:
                continue
            known = catalog.find(one.name)
            model = one.facts.applied_to(configured_model(one.name) if known is None else known)
            routes[one.name] = route = self._route(model, one, one.name)
            for name in (model.id, *model.aliases):
                further.setdefault(name, route)
        for name, route in further.items():
            routes.setdefault(name, route)
        return routes

    def _route(self, model: Model, one: Mapped, name: str) -> Route:
        chain = Chain(
            one.name,
            [self._target(model, each, name) for each in one.targets],
            queue_timeout=one.queue_timeout,
            retry_rate_limits=one.retry_rate_limits,
        )
        first = chain.targets[0]
        return Route(model, first.model, self._front(RoutedEngine(chain)), first.header, chain)

    def _target(self, model: Model, each: MappedTarget, name: str) -> Target:
        backend = self.backends[each.engine]
        upstream = name if each.model == EVERY else each.model
        return Target(
            EngineModel(id=model.id, engine=each.engine, upstream=upstream),
            engine=backend.engine,
            claude=backend.claude,
            weight=each.weight,
            breaker=self.breaker(each),
            slots=backend.slots,
        )

    def _other(self, name: str, every: Mapped) -> Route | None:
        route = self._others.get(name)
        if route is None:
            if not name or len(name) > _LONGEST_OTHER:
                return None
            known = self._catalog.find(name)
            model = every.facts.applied_to(configured_model(name) if known is None else known)
            if len(self._others) >= _MOST_OTHERS:
                del self._others[next(iter(self._others))]
            self._others[name] = route = self._route(model, every, name)
        return route


def _check(mapped: Sequence[Mapped], backends: Mapping[str, Backend]) -> Mapped | None:
    """The line of all other names, if there is one. Raises ValueError for a map that cannot be."""
    seen: set[str] = set()
    for one in mapped:
        if one.name in seen:
            raise ValueError(f"the model {one.name} is mapped twice")
        seen.add(one.name)
        if not one.targets:
            raise ValueError(f"the model {one.name} has no target")
        for target in one.targets:
            if target.engine not in backends:
                raise ValueError(
                    f"the model {one.name} is mapped to the engine {target.engine}, which is not configured"
                )
    return next((one for one in mapped if one.name == EVERY), None)
