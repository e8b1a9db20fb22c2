"""Headers of images, read from the first bytes of their base64."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generated import in_process
from pictures import base64_of, gif, jpeg, png, png_header, webp_extended, webp_lossless, webp_lossy
from understudy.documents.images import ImageHeader, read_image_header

FORMATS = {
    "png": (png, "image/png"),
    "jpeg": (jpeg, "image/jpeg"),
    "gif": (gif, "image/gif"),
    "lossy webp": (webp_lossy, "image/webp"),
    "lossless webp": (webp_lossless, "image/webp"),
    "extended webp": (webp_extended, "image/webp"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (640, 480), (16, 8000)])
def test_an_image_says_its_format_and_size(name: str, size: tuple[int, int]) -> None:
    make, media_type = FORMATS[name]
    assert read_image_header(base64_of(make(*size))) == ImageHeader(media_type, *size)


@pytest.mark.parametrize("frame", [0xC0, 0xC1, 0xC2, 0xC3, 0xCF])
@pytest.mark.parametrize("before", [0, 1, 2, 3, 65_533, 300_000])
def test_a_jpeg_is_read_through_its_metadata(before: int, frame: int) -> None:
    found = read_image_header(base64_of(jpeg(1024, 768, before=before, frame=frame)))
    assert found == ImageHeader("image/jpeg", 1024, 768)


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    image = jpeg(10, 20)
    assert read_image_header(base64_of(image[:2] + b"\xff" * 5 + image[2:])) == ImageHeader("image/jpeg", 10, 20)


def test_a_size_that_would_not_fit_in_memory_is_only_read() -> None:
    found = read_image_header(base64_of(png_header(2**31 - 1, 2**31 - 1)))
    assert found == ImageHeader("image/png", 2**31 - 1, 2**31 - 1)


def test_base64_may_be_broken_into_lines_and_lack_its_padding() -> None:
    text = base64_of(jpeg(1024, 768, before=200))
    lines = "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    assert read_image_header(lines) == ImageHeader("image/jpeg", 1024, 768)
    assert read_image_header(base64_of(gif(3, 5)).rstrip("=")) == ImageHeader("image/gif", 3, 5)


@pytest.mark.parametrize(
    "data", ["", "=", "====", "A", "not base64!", "é" * 40, base64_of(b"<svg/>"), base64_of(b"BM" * 20)]
)
def test_what_is_no_image_has_no_header(data: str) -> None:
    assert read_image_header(data) is None


@pytest.mark.parametrize("name", FORMATS)
def test_an_image_cut_anywhere_is_of_its_format_or_none(name: str) -> None:
    make, media_type = FORMATS[name]
    image = make(300, 200)
    for end in range(min(len(image), 400)):
        found = read_image_header(base64_of(image[:end]))
        assert found is None or found == ImageHeader(media_type, 300, 200) or found.media_type == media_type


@in_process
@given(
    st.binary(max_size=200), st.sampled_from([b"", *(make(5, 5)[:12] for make, _ in FORMATS.values()), b"\xff\xd8\xff"])
)
@example(b"", b"\xff\xd8\xff")
def test_no_bytes_break_the_reading(data: bytes, beginning: bytes) -> None:
    found = read_image_header(base64_of(beginning + data))
    assert found is None or (found.width >= 0 and found.height >= 0)


@pytest.mark.parametrize(
    "image",
    [
        b"\xff\xd8" + b"\xff" * 20_000_000,
        b"\xff\xd8" + b"\xff\xe0\0\0" * 5_000_000,
        b"\xff\xd8" + b"\xff\xd0" * 10_000_000,
        b"\xff\xd8" + b"\xff\xe0\0\x02" * 5_000_000,
    ],
    ids=["fill bytes", "segments of no length", "restart markers", "empty segments"],
)
def test_a_jpeg_of_segments_without_end_is_given_up_at_once(image: bytes) -> None:
    data = base64_of(image)
    begun = time.thread_time()
    assert read_image_header(data) == ImageHeader("image/jpeg", 0, 0)
    took = time.thread_time() - begun
    print(f"{took * 1000:.1f} ms")
    assert took < 0.1
