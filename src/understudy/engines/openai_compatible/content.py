"""Content blocks as the parts of a message: texts, and images for those that see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast

from understudy.engines.materials import Document, Materials
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import to_json

from .pages import NO_IMAGES, PageImages, matched

_Block: TypeAlias = dict[str, Any]

Part: TypeAlias = str | _Block
"""A text, or an image as upstream takes it."""

Path: TypeAlias = str | tuple[int, int]
"""Where a block stands, for an error that names it: as text, or as the index of its message and its place there, of
which the text is made when it is needed."""

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
    """Turns blocks into parts. Raises InvalidRequestError for what the upstream's model could not see.

    `images`: the pages of PDFs that are shown.
    """

    def __init__(self, request: _Block, materials: Materials, *, vision: bool, images: PageImages = NO_IMAGES) -> None:
        self._request = request
        self._materials = materials
        self._vision = vision
        self._images = images
        self._documents: dict[int, Document] | None = None

    def parts(self, block: _Block, path: Path) -> list[Part]:
        """`path` names the block in errors, up to its place in its list."""
        if block["type"] == "text":
            return [block["text"]] if block["text"] else []
        return self._others(block, named(path))

    def _others(self, block: _Block, path: str) -> list[Part]:
        match block["type"]:
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
            case "web_search_tool_result" if isinstance(block["content"], list):
                return [_found(cast("list[_Block]", block["content"]))]
            case "tool_search_tool_result" if "tool_references" in block["content"]:
                found = self.all_parts(block["content"]["tool_references"], path)
                return ["\n".join(cast("list[str]", found)) or "No tool was found."]
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
        return _shown(source["media_type"], source["data"])

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
            self._documents = matched(self._request, self._materials)
        document = self._documents.get(id(block))
        pages = () if document is None else document.parts
        images = () if document is None else self._images.get(document.index, ())
        if not any(page.strip() for page in pages) and not any(images):
            raise InvalidRequestError(
                f"{path}.document: no text of this PDF could be read, and the model behind `{self._request['model']}` "
                "is given text only."
            )
        parts: list[Part] = []
        for number, text in enumerate(pages, 1):
            attributes = {"number": str(number)}
            if number <= len(images) and images[number - 1]:
                # The picture, then the words: vision.md has images before what is said of them.
                parts += [_opening("page", attributes), _shown("image/png", images[number - 1]), f"{text}\n</page>"]
            else:
                parts.append(_tagged("page", attributes, [text]))
        return parts


def named(path: Path) -> str:
    return path if isinstance(path, str) else f"messages.{path[0]}.content.{path[1]}"


def content_of(parts: list[Part]) -> str | list[_Block]:
    """The content of a message: a plain text where there are no images, which every server takes."""
    texts: list[str] = []
    for part in parts:
        if not isinstance(part, str):
            return [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
        texts.append(part)
    return "\n\n".join(texts)


def _shown(media_type: str, data: str) -> _Block:
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}


def _opening(tag: str, attributes: Mapping[str, str | None]) -> str:
    said = "".join(f" {name}={to_json(value)}" for name, value in attributes.items() if value)
    return f"<{tag}{said}>"


def _tagged(tag: str, attributes: Mapping[str, str | None], texts: list[Part]) -> str:
    inner = "\n\n".join(text for text in texts if isinstance(text, str))
    return f"{_opening(tag, attributes)}\n{inner}\n</{tag}>"


def _found(results: list[_Block]) -> str:
    """Results of a web search as they are read; one that is sealed has no text."""
    said = [
        _tagged(
            "search_result",
            {"title": result["title"], "url": result["url"], "age": result.get("page_age")},
            [result.get("text", "")],
        )
        for result in results
    ]
    return "\n\n".join(said) or "Nothing was found."


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {name: _readable(item) for name, item in named.items() if name not in _UNREAD and item is not None}
    if isinstance(value, list):
        return [_readable(item) for item in cast("list[Any]", value)]
    return value
