"""The body of POST /v1/messages/batches. What `params` holds is checked when the batch runs, not when it is made."""

from typing import Annotated, TypeAlias

from typing_extensions import TypedDict

from understudy.wire.schema import Limits

from .common import FreeForm

CustomId: TypeAlias = Annotated[str, Limits(pattern="^[a-zA-Z0-9_-]{1,64}$")]


class BatchRequestParam(TypedDict):
    custom_id: CustomId
    params: FreeForm


class BatchCreateParams(TypedDict):
    requests: Annotated[list[BatchRequestParam], Limits(min_length=1, max_length=100_000)]
