"""Our files in a request that is passed on: the upstream does not know them, so their bytes go in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias, cast

from understudy.messages.files import TYPES_OF, Files, source_of
from understudy.messages.sources import BYTES_OF_ALL
from understudy.wire.errors import NotFoundError, RequestTooLargeError

_Block: TypeAlias = dict[str, Any]

# Kinds of blocks that hold no source.
_WITHOUT: Final = ("text", "tool_use", "thinking")


async def inline_files(request: _Block, files: Files, workspace_id: str) -> _Block:
    """The request, or a copy of it in which our files stand inline. Nothing else of it was judged before.

    A `file_id` that is none of ours in this workspace stays as it is, and so does a block that does not take the file:
    the upstream judges them. Raises NotFoundError for ours that have expired, RequestTooLargeError.
    """
    wanted = list(_sources(request))
    if not wanted:
        return request
    replaced: dict[int, _Block] = {}
    known: dict[str, _Block | None] = {}
    total = 0
    for kind, source in wanted:
        file_id: str = source["file_id"]
        if file_id not in known:
            known[file_id] = None
            try:
                file = await files.resolve(workspace_id, file_id)
            except NotFoundError as error:
                if error.details:
                    raise
                continue
            if file.media_type in TYPES_OF[kind]:
                total += file.size
                if total > BYTES_OF_ALL:
                    raise RequestTooLargeError
                known[file_id] = await source_of(file, file_id)
        inline = known[file_id]
        if inline is not None:
            replaced[id(source)] = inline
    return cast("_Block", _copy(request, replaced)) if replaced else request


def _sources(value: Any) -> Iterator[tuple[str, _Block]]:
    """Sources of type file, with the kind of their block, wherever messages hold blocks."""
    messages = value.get("messages")
    for message in cast("list[Any]", messages) if isinstance(messages, list) else ():
        content: Any = message.get("content") if message.__class__ is dict else None
        if content.__class__ is list:
            for block in content:
                # Nearly all are these, and a long history is looked through for every request.
                if block.__class__ is dict and block.get("type") not in _WITHOUT:
                    yield from _in_block(block)


def _in_block(block: _Block) -> Iterator[tuple[str, _Block]]:
    kind, source = block.get("type"), block.get("source")
    if kind == "tool_result":
        yield from _in_content(block.get("content"))
    # Nobody has looked yet whether it is a type at all.
    elif isinstance(kind, str) and kind in TYPES_OF and isinstance(source, dict):
        inner = cast("_Block", source)
        if inner.get("type") == "file" and isinstance(inner.get("file_id"), str):
            yield kind, inner
        else:
            yield from _in_content(inner.get("content"))


def _in_content(content: Any) -> Iterator[tuple[str, _Block]]:
    if isinstance(content, list):
        for block in cast("list[Any]", content):
            if isinstance(block, dict):
                yield from _in_block(cast("_Block", block))


def _copy(value: Any, replaced: dict[int, _Block]) -> Any:
    if id(value) in replaced:
        return replaced[id(value)]
    if isinstance(value, dict):
        return {name: _copy(item, replaced) for name, item in cast("_Block", value).items()}
    if isinstance(value, list):
        return [_copy(item, replaced) for item in cast("list[Any]", value)]
    return value
