"""What many parts of a request share: cache_control, citations, the caller of a tool, and the text block."""

from typing import Annotated, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from understudy.wire.schema import Limits, Tagged

FreeForm: TypeAlias = dict[str, object]
"""A JSON object whose inside is the caller's own affair."""

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]

ToolUseId: TypeAlias = Annotated[str, Limits(pattern="^[a-zA-Z0-9_-]+$")]
ServerToolUseId: TypeAlias = Annotated[str, Limits(pattern="^srvtoolu_[a-zA-Z0-9_]+$")]


class CacheControlEphemeralParam(TypedDict):
    type: Literal["ephemeral"]
    ttl: NotRequired[Literal["5m", "1h"]]


# The real service shows the tag in paths (`cache_control.ephemeral.…`), so it is a union with one member.
CacheControl: TypeAlias = Annotated[CacheControlEphemeralParam, Tagged()]


class Cacheable(TypedDict):
    """What can carry a cache breakpoint."""

    cache_control: NotRequired[CacheControl | None]


class CitationsConfigParam(TypedDict):
    enabled: NotRequired[bool]


class _CitationOfDocument(TypedDict):
    # Answers carry it, so it comes back with a replayed conversation [guess: the request type does not have it].
    file_id: NotRequired[str | None]


class CitationCharLocationParam(_CitationOfDocument):
    cited_text: str
    document_index: Annotated[int, Limits(ge=0)]
    document_title: Annotated[str, Limits(min_length=1, max_length=255)] | None
    end_char_index: int
    start_char_index: Annotated[int, Limits(ge=0)]
    type: Literal["char_location"]


class CitationPageLocationParam(_CitationOfDocument):
    cited_text: str
    document_index: Annotated[int, Limits(ge=0)]
    document_title: Annotated[str, Limits(min_length=1, max_length=255)] | None
    end_page_number: int
    start_page_number: Annotated[int, Limits(ge=1)]
    type: Literal["page_location"]


class CitationContentBlockLocationParam(_CitationOfDocument):
    cited_text: str
    document_index: Annotated[int, Limits(ge=0)]
    document_title: Annotated[str, Limits(min_length=1, max_length=255)] | None
    end_block_index: int
    start_block_index: Annotated[int, Limits(ge=0)]
    type: Literal["content_block_location"]


class CitationWebSearchResultLocationParam(TypedDict):
    cited_text: str
    encrypted_index: str
    title: Annotated[str, Limits(min_length=1, max_length=512)] | None
    type: Literal["web_search_result_location"]
    url: Annotated[str, Limits(min_length=1, max_length=2048)]


class CitationSearchResultLocationParam(TypedDict):
    cited_text: str
    end_block_index: int
    search_result_index: Annotated[int, Limits(ge=0)]
    source: str
    start_block_index: Annotated[int, Limits(ge=0)]
    title: str | None
    type: Literal["search_result_location"]


CitationParam: TypeAlias = (
    CitationCharLocationParam
    | CitationPageLocationParam
    | CitationContentBlockLocationParam
    | CitationWebSearchResultLocationParam
    | CitationSearchResultLocationParam
)


class TextBlockParam(TypedDict):
    text: str
    type: Literal["text"]
    cache_control: NotRequired[CacheControl | None]
    citations: NotRequired[list[CitationParam] | None]


class DirectCallerParam(TypedDict):
    type: Literal["direct"]


class ServerToolCallerParam(TypedDict):
    tool_id: ServerToolUseId
    type: Literal["code_execution_20250825"]


class ServerToolCaller20260120Param(TypedDict):
    tool_id: ServerToolUseId
    type: Literal["code_execution_20260120"]


CallerParam: TypeAlias = DirectCallerParam | ServerToolCallerParam | ServerToolCaller20260120Param


class Called(TypedDict):
    """A block that says who called its tool.

    The request type has no null here; answers may lack the key, and clients that dump them write null for it [guess].
    """

    caller: NotRequired[CallerParam | None]
