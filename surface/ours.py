"""What this server has, in the same terms as the SDK: its routes, and the types of what each takes and answers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from surface.batches import BatchResult, MessageBatchCreateParams, batches, deleted_batches, pages_of_batches
from surface.files import deleted_files, files, pages_of_files
from surface.organization import ROWS
from surface.rate_limits import ROWS as RATE_LIMITS
from surface.shapes import Shape, Shapes, merged
from surface.skills import ROWS as SKILLS
from surface.spending import ROWS as SPENDING
from understudy.app import create_app
from understudy.engines.catalog import public_models
from understudy.files.pages import FileListParams
from understudy.files.uploads import FileUploadParams
from understudy.http.pagination import PageParams, sync_page
from understudy.models.endpoints import ModelListParams
from understudy.models.shapes import model_info
from understudy.settings import load_settings
from understudy.wire import errors
from understudy.wire.events import ErrorEvent, Message, MessageTokensCount, StreamEvent
from understudy.wire.requests.params import MessageCountTokensParams, MessageCreateParams
from understudy.wire.versions import BETAS

Route: TypeAlias = tuple[str, str]
"""Method and path; a parameter of the path is `{}`."""


@dataclass(frozen=True, slots=True)
class Types:
    """What a route takes and answers: annotations, or examples where the code has no type for it."""

    body: Any = None
    query: Any = None
    answer: Any = None
    stream: Any = None
    examples: Callable[[], list[Any]] = list


def _models() -> list[Any]:
    today = datetime.now(UTC).date()
    return [model_info(model, BETAS, today) for model in public_models()]


def _pages_of_models() -> list[Any]:
    pages: tuple[PageParams, ...] = ({"limit": 1}, {"limit": 1000}, {"after_id": public_models()[-1].id})
    today = datetime.now(UTC).date()
    return [
        sync_page(
            public_models(), page, id_of=lambda model: model.id, render=lambda model: model_info(model, BETAS, today)
        )
        for page in pages
    ]


# A route that is built and in the SDK has a row here. The types are those of the newest version, as the SDK's.
TYPES: Mapping[Route, Types] = {
    ("POST", "/v1/messages"): Types(body=MessageCreateParams, answer=Message, stream=StreamEvent),
    ("POST", "/v1/messages/count_tokens"): Types(body=MessageCountTokensParams, answer=MessageTokensCount),
    ("GET", "/v1/models"): Types(query=ModelListParams, examples=_pages_of_models),
    ("GET", "/v1/models/{}"): Types(examples=_models),
    ("POST", "/v1/files"): Types(body=FileUploadParams, examples=files),
    ("GET", "/v1/files"): Types(query=FileListParams, examples=pages_of_files),
    ("GET", "/v1/files/{}"): Types(examples=files),
    ("DELETE", "/v1/files/{}"): Types(examples=deleted_files),
    ("GET", "/v1/files/{}/content"): Types(),
    ("POST", "/v1/messages/batches"): Types(body=MessageBatchCreateParams, examples=batches),
    ("GET", "/v1/messages/batches"): Types(query=PageParams, examples=pages_of_batches),
    ("GET", "/v1/messages/batches/{}"): Types(examples=batches),
    ("DELETE", "/v1/messages/batches/{}"): Types(examples=deleted_batches),
    ("POST", "/v1/messages/batches/{}/cancel"): Types(examples=batches),
    ("GET", "/v1/messages/batches/{}/results"): Types(stream=BatchResult),
    **{
        route: Types(body=body, query=query, examples=examples)
        for route, (body, query, examples) in {**ROWS, **RATE_LIMITS, **SPENDING, **SKILLS}.items()
    },
}


@dataclass(frozen=True, slots=True)
class Ours:
    """`shapes` has the fields of all objects; `types` says which belong to a route."""

    routes: list[Route]
    types: dict[Route, dict[str, Shape]]
    shapes: Shapes
    betas: list[str]
    errors: set[str]
    error: Shape


def template(path: str) -> str:
    """`/v1/models/{model_id:path}` → `/v1/models/{}`."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def routes() -> list[Route]:
    """Every route of the API that is built."""
    with tempfile.TemporaryDirectory() as directory:
        settings = load_settings(environment={"UNDERSTUDY_STORAGE_DATA_DIR": directory})
        return [(method, template(path)) for method, path in create_app(settings).routes]


def describe() -> Ours:
    """This server."""
    shapes = Shapes(lambda cls: cls.__name__)
    types: dict[Route, dict[str, Shape]] = {}
    for route, given in TYPES.items():
        parts = {"body": given.body, "query": given.query, "answer": given.answer, "stream": given.stream}
        types[route] = {name: shapes.of(part) for name, part in parts.items() if part is not None}
        examples = [shapes.example(example, " ".join(route)) for example in given.examples()]
        if examples:
            types[route]["answer"] = merged(examples)
    raised = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.ApiError)]
    return Ours(
        routes=routes(),
        types=types,
        shapes=shapes,
        betas=list(BETAS),
        errors={cls.type for cls in raised},
        error=shapes.of(ErrorEvent),
    )
