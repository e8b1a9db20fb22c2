"""GET /v1/models and GET /v1/models/{model_id}."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from understudy.engines.catalog import Lifecycle, Model
from understudy.engines.routing import Routing
from understudy.http.exchange import Exchange
from understudy.http.pagination import PageParams, sync_page
from understudy.http.query import read_query
from understudy.models.shapes import model_info
from understudy.wire.errors import NotFoundError

# The name has brackets, so it cannot be written as a class.
_Filters = TypedDict("_Filters", {"lifecycle[]": NotRequired[Annotated[list[Lifecycle], Field(max_length=3)]]})


class ModelListParams(PageParams, _Filters):
    """The query of GET /v1/models."""


_LIST = TypeAdapter(ModelListParams)
_DEFAULT: tuple[Lifecycle, ...] = ("active", "deprecated")


def _today() -> date:
    return datetime.now(UTC).date()


class ModelsEndpoints:
    """The Models API over the names that this installation serves. `today` is the day whose lifecycles are shown."""

    def __init__(self, routing: Routing, today: Callable[[], date] = _today) -> None:
        self._routing = routing
        self._today = today

    async def list(self, exchange: Exchange) -> None:
        """A page of models, newest first: retired ones only when the query's `lifecycle[]` names them."""
        params = read_query(exchange, _LIST)
        wanted = params.get("lifecycle[]", _DEFAULT)
        today = self._today()

        def render(model: Model) -> dict[str, Any]:
            return model_info(model, exchange.betas, today)

        page = sync_page(
            self._routing.models(),
            params,
            id_of=lambda model: model.id,
            render=render,
            keep=lambda model: model.lifecycle_on(today) in wanted,
        )
        await exchange.respond_json(page)

    async def retrieve(self, exchange: Exchange) -> None:
        """One model by its id or alias, whatever its lifecycle. 404 in the words of the Messages API [guess]."""
        name = exchange.path_params["model_id"]
        if not name:
            raise NotFoundError
        route = self._routing.resolve(name)
        info = model_info(route.model, exchange.betas, self._today())
        await exchange.respond_json(info, headers=[(b"understudy-engine", route.header)])
