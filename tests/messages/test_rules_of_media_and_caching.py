"""Images by their first bytes, and breakpoints of the prompt cache."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from messages.judging import CACHED, MIDDLE, NEW, OLD, TOOL, assistant, fault, result, text, use, user

HOUR: dict[str, Any] = {"type": "ephemeral", "ttl": "1h"}
STARTS = {"image/jpeg": b"\xff\xd8\xff\xe0", "image/gif": b"GIF89a" + bytes(8), "image/webp": b"RIFF\0\0\0\0WEBPVP8 "}


def png(width: int = 1, height: int = 1) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(32)


def image(data: bytes | None = None, media_type: str = "image/png") -> dict[str, Any]:
    encoded = base64.b64encode(png() if data is None else data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}}


def test_an_image_is_what_it_is_said_to_be():
    assert fault([user(image())]) is None
    for media_type, start in STARTS.items():
        assert fault([user(image(start + bytes(64), media_type))]) is None
        assert fault([user(text("a"), image(start + bytes(64)))]) == (
            "messages.0.content.1.image.source.base64: The image was specified using the image/png media type, but the "
            f"image appears to be a {media_type} image"
        )
    answered = [user("a"), assistant(use()), user(result(content=[text("b"), image(media_type="image/gif")]))]
    refusal = fault(answered, tools=[TOOL])
    assert refusal is not None
    assert refusal.startswith("messages.2.content.0.tool_result.content.1.image.source.base64: The image was specified")


@pytest.mark.parametrize("data", ["", "aGVsbG8=", "!!!!", "é", "data:image/png;base64,iVBORw0KGgo="])
def test_what_is_no_image_cannot_be_processed(data: str):
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    assert fault([user(block)]) == "Could not process image"


def test_an_image_is_bounded_as_base64():
    """5 MB up to the 4.5 models, 10 MB later."""
    small = image(png() + bytes(5 * 1024 * 1024 // 4 * 3 - len(png())))
    large = image(png() + bytes(5 * 1024 * 1024 // 4 * 3 - len(png()) + 1))
    assert fault([user(small)], model=OLD) is None
    assert fault([user(large)], model=OLD) == (
        "messages.0.content.0.image.source.base64.data: image exceeds 5 MB maximum: 5242884 bytes > 5242880 bytes"
    )
    assert fault([user(large)], model=MIDDLE) is None


def test_an_image_is_bounded_in_pixels_and_more_so_among_many():
    assert fault([user(image(png(8000, 8000)))]) is None
    assert fault([user(image(png(1, 8001)))]) == (
        "messages.0.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size: "
        "8000 pixels"
    )
    wide, plain = image(png(2001, 1)), image(png(2000, 1))
    assert fault([user(wide, *[plain] * 19)]) is None
    assert fault([user(plain, wide, *[plain] * 19)]) == (
        "messages.0.content.1.image.source.base64.data: At least one of the image dimensions exceed max allowed size "
        "for many-image requests: 2000 pixels"
    )


@pytest.mark.parametrize(("model", "limit"), [(OLD, 100), (NEW, 600)])
def test_images_are_counted_wherever_they_stand(model: str, limit: int):
    one = image()
    link = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    inside = [user("a"), assistant(use()), user(result(content=[one]), link, *[one] * (limit - 2))]
    assert fault(inside, model=model, tools=[TOOL]) is None
    inside[2]["content"].append(one)
    assert fault(inside, model=model, tools=[TOOL]) == (
        f"Too much media: 0 document pages + {limit + 1} images > {limit}"
    )


def test_at_most_four_breakpoints_wherever_they_stand():
    mark: dict[str, Any] = {"cache_control": CACHED}
    messages = [user("a"), assistant(use()), user(result(content=[text("b", **mark)], **mark))]
    fields: dict[str, Any] = {"tools": [{**TOOL, **mark}], "system": [text("s", **mark)]}
    assert fault(messages, **fields) is None
    refusal = "A maximum of 4 blocks with cache_control may be provided. Found 5."
    assert fault(messages, **fields, **mark) == refusal
    assert fault([*messages, assistant("c"), user(text("d", **mark))], **fields) == refusal
    assert fault([*messages, assistant("c"), user(text("d", cache_control=None))], **fields) is None


def test_longer_lived_breakpoints_come_first():
    note = (
        "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are "
        "processed in the following order: `tools`, `system`, `messages`."
    )
    last = [user(text("a", cache_control=HOUR))]
    assert fault(last, system=[text("s", cache_control=CACHED)]) == f"messages.0.content.0.cache_control.ttl: {note}"
    assert fault(system=[text("s", cache_control=HOUR)], tools=[{**TOOL, "cache_control": CACHED}]) == (
        f"system.0.cache_control.ttl: {note}"
    )
    assert fault(last, system=[text("s", cache_control=HOUR)]) is None
    assert fault(last, cache_control={"type": "ephemeral", "ttl": "5m"}) is None
    assert fault([user(text("a", cache_control=CACHED))], cache_control=HOUR) == f"cache_control.ttl: {note}"


def test_an_empty_text_cannot_be_cached_and_that_is_said_first():
    empty = text("", cache_control=CACHED)
    assert fault([user(text(""), empty)]) == (
        "messages.0.content.1.text: cache_control cannot be set for empty text blocks"
    )
    assert fault(system=[text("s"), empty]) == "system.1: cache_control cannot be set for empty text blocks"
    thought = {"type": "thinking", "thinking": "t", "signature": "s", "cache_control": CACHED}
    assert fault([user("a"), assistant(thought, text("b")), user("c")]) == (
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted"
    )
