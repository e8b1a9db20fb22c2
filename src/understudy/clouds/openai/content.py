"""The contents of messages: strings, and arrays of parts."""

from __future__ import annotations

import re
from typing import Any, Final

from .reading import a_string, an_object, objects, refused

Block = dict[str, Any]

# Documented as ignored: they are stripped from the input.
_STRIPPED: Final = ("input_audio", "audio", "file", "refusal")

_DATA_URL: Final = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,", re.IGNORECASE)
# Names that clients use and that the Messages API does not have.
_MEDIA_TYPES: Final = {"image/jpg": "image/jpeg"}


def text_of(content: object, param: str) -> str:
    """A content that is text alone. The texts of parts are joined with a newline, as the documentation joins system
    messages [guess]."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "\n".join(texts_of(content, param))


def texts_of(content: object, param: str) -> list[str]:
    """The texts of an array of parts."""
    texts: list[str] = []
    for path, part in objects(content, param):
        kind = part.get("type")
        if kind == "text":
            texts.append(a_string(part.get("text"), f"{path}.text"))
        elif kind not in _STRIPPED:
            raise _unknown(path)
    return texts


def text_blocks(content: object, param: str) -> list[Block]:
    """What an assistant, or a tool, said. An empty text is nothing to the Messages API."""
    if content is None or content == "":
        return []
    texts = [content] if isinstance(content, str) else texts_of(content, param)
    return [{"type": "text", "text": text} for text in texts if text]


def user_content(content: object, param: str) -> str | list[Block]:
    """What a user said, and the pictures shown."""
    if isinstance(content, str):
        return content
    blocks: list[Block] = []
    for path, part in objects(content, param):
        kind = part.get("type")
        if kind == "text":
            text = a_string(part.get("text"), f"{path}.text")
            if text:
                blocks.append({"type": "text", "text": text})
        elif kind == "image_url":
            blocks.append(_image(part.get("image_url"), f"{path}.image_url"))
        elif kind not in _STRIPPED:
            raise _unknown(path)
    return blocks


def _image(image: object, param: str) -> Block:
    # `detail` is ignored (documented).
    url = a_string(an_object(image, param).get("url"), f"{param}.url")
    if url[:5].lower() != "data:":
        return {"type": "image", "source": {"type": "url", "url": url}}
    head = _DATA_URL.match(url)
    if head is None:
        raise refused(f"{param}.url", "a data URL must be of an image in base64")
    media_type = head[1].strip().lower()
    source = {
        "type": "base64",
        "media_type": _MEDIA_TYPES.get(media_type, media_type),
        "data": url[head.end() :],
    }
    return {"type": "image", "source": source}


def _unknown(path: str) -> Exception:
    return refused(f"{path}.type", "this type of content is not supported")
