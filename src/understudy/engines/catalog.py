"""The public Claude models: ids, aliases and limits, as data with its sources (catalog.json)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import orjson

_DATA = Path(__file__).with_name("catalog.json")


@dataclass(frozen=True, slots=True)
class Model:
    """What the API promises of a model. Limits are tokens.

    `inference_geo`: usage names a place ("global"), not "not_available". `counts_thinking_by_default`: usage names
    thinking tokens also when the request does not mention thinking. `mid_conversation_system`: takes `system` messages
    after the first.
    """

    id: str
    aliases: tuple[str, ...]
    display_name: str
    line: str | None
    created_at: str | None
    lifecycle: str
    max_input_tokens: int
    max_tokens: int
    inference_geo: bool
    counts_thinking_by_default: bool
    mid_conversation_system: bool


def _model(row: dict[str, Any]) -> Model:
    fields = {name: row[name] for name in Model.__slots__}
    fields["aliases"] = tuple(row["aliases"])
    return Model(**fields)


@lru_cache(maxsize=1)
def public_models() -> tuple[Model, ...]:
    """Every public Claude model, retired ones too, newest first."""
    data = cast("dict[str, Any]", orjson.loads(_DATA.read_bytes()))
    return tuple(_model(row) for row in data["models"])


def configured_model(name: str) -> Model:
    """A model that only this installation knows: the newest generation's limits and ways."""
    return Model(
        id=name,
        aliases=(),
        display_name=name,
        line=None,
        created_at=None,
        lifecycle="active",
        max_input_tokens=1_000_000,
        max_tokens=128_000,
        inference_geo=True,
        counts_thinking_by_default=False,
        mid_conversation_system=True,
    )


class Catalog:
    """Finds a model by id or alias."""

    def __init__(self, further_names: Iterable[str] = ()) -> None:
        self._by_name: dict[str, Model] = {}
        for model in (*public_models(), *(configured_model(name) for name in further_names)):
            for name in (model.id, *model.aliases):
                self._by_name.setdefault(name, model)

    def find(self, name: str) -> Model | None:
        return self._by_name.get(name)

    def names(self) -> frozenset[str]:
        """All ids and aliases."""
        return frozenset(self._by_name)
