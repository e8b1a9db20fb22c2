"""Content blocks as the parts of a message: texts, and images for those that see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias, cast

from understudy.engines.materials import Document, Materials
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import to_json

_Block: TypeAlias = dict[str, Any]

Part: TypeAlias = str | _Block
"""A text, or an image as upstream takes it."""

# Of a block without a shape of its own: what no reader needs.
_UNREAD: Final = frozenset(
    {
        "abort_reason",
        "cache_control",
        "caller",
        "citations",
        "encrypted_content",
        "encrypted_stdout",
        "file_id",
        "id",
        "retrieved_at",
        "stop_reason",
        "tool_use_id",
        "type",
    }
)


class Reader:
    """Turns blocks into parts. Raises InvalidRequestError for what the upstream's model could not see."""

    def __init__(self, request: _Block, materials: Materials, *, vision: bool) -> None:
        self._request = request
        self._materials = materials
        self._vision = vision
        self._documents: dict[int, Document] | None = None

    def parts(self, block: _Block, path: str) -> list[Part]:
        """`path` names the block in errors, up to its place in its list."""
        match block["type"]:
            case "text":
                return [block["text"]] if block["text"] else []
            case "image":
                return [self._image(block, path)]
            case "document":
                return self._document(block, path)
            case "search_result":
                texts = self.all_parts(block["content"], path)
                return [_tagged("search_result", {"title": block["title"], "source": block["source"]}, texts)]
            case "tool_reference":
                return [f"The tool {block['tool_name']} may be used now."]
            case "web_fetch_tool_result" if block["content"]["type"] == "web_fetch_result":
                content = block["content"]
                inner = self._document(content["content"], f"{path}.{block['type']}.content.content")
                return [_opening("web_page", {"url": content["url"]}), *inner, "</web_page>"]
            case "server_tool_use" | "mcp_tool_use":
                attributes = {"name": block["name"], "server": block.get("server_name")}
                return [_tagged("tool_call", attributes, [to_json(block["input"])])]
            case kind:
                # Results of tools that ran elsewhere, the state of a browser, lists of tools.
                return [_tagged(kind, {}, [to_json(_readable(block))])]

    def all_parts(self, content: Any, path: str) -> list[Part]:
        if isinstance(content, str):
            return [content] if content else []
        blocks = cast("list[_Block]", content or [])
        return [part for place, block in enumerate(blocks) for part in self.parts(block, f"{path}.{place}")]

    def _image(self, block: _Block, path: str) -> _Block:
        if not self._vision:
            raise InvalidRequestError(f"{path}.image: the model behind `{self._request['model']}` does not see images.")
        source = block["source"]
        if source["type"] != "base64":
            raise InvalidRequestError(f"{path}.image.source: the image was not read.")
        url = f"data:{source['media_type']};base64,{source['data']}"
        return {"type": "image_url", "image_url": {"url": url}}

    def _document(self, block: _Block, path: str) -> list[Part]:
        source = block["source"]
        match source["type"]:
            case "text":
                inner: list[Part] = [source["data"]]
            case "content":
                inner = self.all_parts(source["content"], f"{path}.document.source.content")
            case _:
                inner = self._pages(block, path)
        attributes = {"title": block.get("title"), "context": block.get("context")}
        return [_opening("document", attributes), *inner, "</document>"]

    def _pages(self, block: _Block, path: str) -> list[Part]:
        if self._documents is None:
            self._documents = _matched(self._request, self._materials)
        document = self._documents.get(id(block))
        pages = () if document is None else document.parts
        if not any(page.strip() for page in pages):
            raise InvalidRequestError(
                f"{path}.document: no text of this PDF could be read, and the model behind `{self._request['model']}` "
                "is given text only."
            )
        return [_tagged("page", {"number": str(number)}, [page]) for number, page in enumerate(pages, 1)]


def content_of(parts: list[Part]) -> str | list[_Block]:
    """The content of a message: a plain text where there are no images, which every server takes."""
    texts: list[str] = []
    for part in parts:
        if not isinstance(part, str):
            return [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
        texts.append(part)
    return "\n\n".join(texts)


def _opening(tag: str, attributes: dict[str, str | None]) -> str:
    said = "".join(f" {name}={to_json(value)}" for name, value in attributes.items() if value)
    return f"<{tag}{said}>"


def _tagged(tag: str, attributes: dict[str, str | None], texts: list[Part]) -> str:
    inner = "\n\n".join(text for text in texts if isinstance(text, str))
    return f"{_opening(tag, attributes)}\n{inner}\n</{tag}>"


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {name: _readable(item) for name, item in named.items() if name not in _UNREAD and item is not None}
    if isinstance(value, list):
        return [_readable(item) for item in cast("list[Any]", value)]
    return value


def _matched(request: _Block, materials: Materials) -> dict[int, Document]:
    """Which document was read for which block.

    Editing the context may have taken the oldest blocks out since the documents were read, so they are matched from
    the end.
    """
    found: dict[int, Document] = {}
    documents = list(materials.documents)
    blocks = [block for message in request["messages"] for block in _documents_in(message.get("content"))]
    for block in reversed(blocks):
        while documents:
            document = documents.pop()
            if _kind(block) == document.kind and block.get("title") == document.title:
                found[id(block)] = document
                break
    return found


def _kind(block: _Block) -> str:
    kind = block["source"]["type"]
    return kind if kind in {"text", "content"} else "pdf"


def _documents_in(content: Any) -> Iterator[_Block]:
    if not isinstance(content, list):
        return
    for block in cast("list[_Block]", content):
        if block["type"] == "document":
            yield block
        elif block["type"] == "tool_result":
            yield from _documents_in(block.get("content"))
        elif block["type"] == "web_fetch_tool_result" and block["content"]["type"] == "web_fetch_result":
            yield block["content"]["content"]
