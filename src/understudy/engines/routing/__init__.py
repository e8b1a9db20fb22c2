"""The model map: which engine answers for a model, and what happens when it does not."""

from .breaker import Breaker
from .chain import Attempt, Chain, Choice, Target
from .engine import PassOn, RoutedEngine
from .facts import Facts
from .map import Backend, Mapped, MappedTarget, Route, Routing
from .slots import Slots

__all__ = [
    "Attempt",
    "Backend",
    "Breaker",
    "Chain",
    "Choice",
    "Facts",
    "Mapped",
    "MappedTarget",
    "PassOn",
    "Route",
    "RoutedEngine",
    "Routing",
    "Slots",
    "Target",
]
