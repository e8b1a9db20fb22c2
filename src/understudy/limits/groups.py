"""Rate-limit groups: which models share a limit, and the parts of the API with limits of their own (data/groups.json).

Models of the catalog stand in the data. A configured name has a group to itself. All other names, which only `*` in
the model map knows, share one: otherwise a caller could have a fresh limit by making up a name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

import orjson

from understudy.engines.catalog import public_models

GroupType: TypeAlias = Literal[
    "model_group", "batch", "token_count", "files", "skills", "web_search", "models", "admin", "invites"
]
LimiterType: TypeAlias = Literal[
    "requests_per_minute",
    "requests_per_hour",
    "input_tokens_per_minute",
    "input_tokens_per_minute_cache_aware",
    "output_tokens_per_minute",
    "tokens_per_minute",
    "tokens_per_day",
    "fast_itpmca",
    "fast_otpm",
    "tool_uses_per_second",
    "enqueued_batch_requests",
]

_DATA = Path(__file__).with_name("data") / "groups.json"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Group(NamedTuple):
    """A rate-limit group.

    `id` (`rlg_…`) is the same in every organization and never changes. `name` is how the tables of tiers call it,
    None for models that are in no table. `models` are ids of the catalog; empty where `type` is not model_group, and
    for names that only `*` knows. `counts_cache_reads`: tokens read from the cache count as input. `listed`: the Admin
    API knows groups of this type.
    """

    id: str
    type: GroupType
    name: str | None
    display_name: str
    models: tuple[str, ...]
    counts_cache_reads: bool = False
    listed: bool = True

    @property
    def input_type(self) -> LimiterType:
        """The type of the group's limit on input tokens."""
        return "input_tokens_per_minute" if self.counts_cache_reads else "input_tokens_per_minute_cache_aware"


def stable_id(prefix: str, what: str) -> str:
    """An id in the API's form that is always the same for `what`."""
    number = int.from_bytes(hashlib.blake2b(what.encode(), digest_size=17).digest(), "big")
    digits: list[str] = []
    for _ in range(22):
        number, digit = divmod(number, 58)
        digits.append(_BASE58[digit])
    return f"{prefix}01{''.join(digits)}"


@lru_cache(maxsize=1)
def _published() -> tuple[Group, ...]:
    data = cast("dict[str, Any]", orjson.loads(_DATA.read_bytes()))
    models = [
        Group(
            row["id"],
            "model_group",
            row["name"],
            row["display_name"],
            tuple(row["models"]),
            counts_cache_reads=row["counts_cache_reads"],
        )
        for row in data["model_groups"]
    ]
    others = [
        Group(row["id"], row["type"], row["type"], row["type"], (), listed=row["listed"])
        for row in data["other_groups"]
    ]
    return (*models, *others)


OTHER_MODELS: Final = Group(stable_id("rlg_", "other models"), "model_group", None, "Other models", ())


class Groups:
    """All groups of an installation. `configured`: the ids of models that stand in its configuration only."""

    def __init__(self, configured: Iterable[str] = ()) -> None:
        self._of_model = {model: group for group in _published() for model in group.models}
        self._ids = {alias: model.id for model in public_models() for alias in model.aliases}
        own: list[Group] = []
        for name in sorted(set(configured) - self._of_model.keys()):
            group = Group(stable_id("rlg_", f"configured/{name}"), "model_group", None, name, (name,))
            self._of_model[name] = group
            own.append(group)
        self._all = (*_published(), *own, OTHER_MODELS)
        self._of_type = {group.type: group for group in self._all if group.type != "model_group"}
        self._of_id = {group.id: group for group in self._all}

    def all(self) -> tuple[Group, ...]:
        return self._all

    def of_model(self, model: str) -> Group:
        """The group of a model, by the id that an alias stands for."""
        return self._of_model.get(model, OTHER_MODELS)

    def of_name(self, name: str) -> Group | None:
        """The group of an id or alias that is known by name; None for any other."""
        return self._of_model.get(self._ids.get(name, name))

    def names(self, group: Group) -> list[str]:
        """The ids and aliases of a group's models, as the Admin API lists them."""
        return sorted({*group.models, *(alias for alias, of in self._ids.items() if of in group.models)})

    def of_type(self, group_type: GroupType) -> Group:
        """The one group of a type that is not model_group. Raises KeyError for that one."""
        return self._of_type[group_type]

    def of_id(self, group_id: str) -> Group | None:
        return self._of_id.get(group_id)
