"""Pictures of the pages of PDFs, by processes of their own."""

from __future__ import annotations

import random
import time
from typing import Any

import psutil
import pytest

from documents import pdf_files
from documents.png_files import taken_apart
from documents.test_reader import ENDLESS, MIB, Readers, gone, readers
from pictures import pdf
from understudy.documents.reader import (
    PdfInvalidError,
    PdfPasswordProtectedError,
    PdfReader,
    PdfTooCostlyError,
)

__all__ = ["readers"]

RED_AND_BLUE = pdf_files.stream(b"1 0 0 rg 0 396 306 396 re f 0 0 1 rg 306 0 306 396 re f")
BLACK_BELOW = pdf_files.stream(b"0 g 0 0 612 396 re f")
SHAPES = pdf_files.with_pages([RED_AND_BLUE, BLACK_BELOW, pdf_files.stream(b"")])


def page(box: bytes, content: bytes = b"", entries: bytes = b"") -> bytes:
    """A PDF of one page of this size."""
    return pdf_files.document(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R%s>>" % (box, entries),
            pdf_files.stream(content),
        ]
    )


def scan(channels: int) -> bytes:
    """A page that is one image full of noise, as a scanner's are."""
    noise = bytes([200 + value % 50 for value in random.Random(1).randbytes(600 * 800 * channels)])
    space = b"/DeviceRGB" if channels == 3 else b"/DeviceGray"
    entries = b"/Type/XObject/Subtype/Image/Width 600/Height 800/BitsPerComponent 8/ColorSpace" + space
    return pdf_files.with_pages([pdf_files.stream(b"612 0 0 792 0 0 cm /X0 Do")], pdf_files.flate(noise, entries))


async def test_shapes_are_seen_where_they_stand_on_the_page_they_stand_on(readers: Readers) -> None:
    first, second, third = [taken_apart(picture) for picture in await readers().draw(SHAPES)]
    assert (first.width, first.height) == (1212, 1568)
    assert first.at(0.25, 0.25) == b"\xff\x00\x00"
    assert first.at(0.75, 0.75) == b"\x00\x00\xff"
    assert first.at(0.75, 0.25) == first.at(0.25, 0.75) == b"\xff\xff\xff"
    assert (second.at(0.5, 0.25), second.at(0.5, 0.75)) == (b"\xff", b"\x00")
    assert set(third.pixels) == {255}


async def test_a_page_without_colours_has_a_byte_for_a_pixel(readers: Readers) -> None:
    coloured, grey, _ = await readers().draw(SHAPES)
    assert (taken_apart(coloured).channels, taken_apart(grey).channels) == (3, 1)


@pytest.mark.parametrize(
    ("box", "entries", "size"),
    [
        (b"0 0 842 595", b"", (1568, 1109)),
        (b"0 0 595 842", b"/Rotate 90", (1568, 1109)),
        # No more than 200 pixels for an inch.
        (b"0 0 72 144", b"", (200, 400)),
        (b"0 0 14400 14400", b"", (1568, 1568)),
        (b"0 0 14400 1", b"", (1568, 1)),
    ],
)
async def test_the_longer_side_has_at_most_1568_pixels(
    readers: Readers, box: bytes, entries: bytes, size: tuple[int, int]
) -> None:
    (picture,) = [taken_apart(picture) for picture in await readers().draw(page(box, entries=entries))]
    assert (picture.width, picture.height) == size


async def test_what_was_filled_into_a_form_is_drawn(readers: Readers) -> None:
    look = pdf_files.stream(b"0 1 0 rg 0 0 100 100 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 100 100]")
    form = pdf_files.document(
        [
            b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R]>>>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Annots[5 0 R]>>",
            look,
            b"<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/F 4/Rect[50 50 150 150]/AP<</N 4 0 R>>>>",
        ]
    )
    (picture,) = await readers().draw(form)
    assert taken_apart(picture).at(0.5, 0.5) == b"\x00\xff\x00"


@pytest.mark.parametrize("channels", [1, 3])
async def test_a_scan_is_told_with_fewer_shades(readers: Readers, channels: int) -> None:
    (picture,) = await readers().draw(scan(channels))
    shown = taken_apart(picture)
    assert shown.channels == channels
    # What is left of the fifty shades of the noise.
    assert 5 < len(set(shown.pixels)) < 12
    assert all(abs(shown.at(x / 9, 0.5)[0] - 225) < 35 for x in range(9))


async def test_pages_behind_the_hundredth_are_not_drawn(readers: Readers) -> None:
    pictures = await readers().draw(pdf(101))
    assert len(pictures) == 100
    assert all(pictures)


async def test_pages_behind_the_first_for_which_there_is_no_room_are_not_drawn(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = pdf_files.with_pages([RED_AND_BLUE, RED_AND_BLUE, pdf_files.stream(b"")])
    whole = await readers().draw(shapes)
    # The third alone would find room.
    assert len(whole[2]) < len(whole[1])
    monkeypatch.setattr("understudy.documents.reader.MOST_DRAWN_CHARACTERS", len(whole[0]) + len(whole[2]))
    assert await readers().draw(shapes) == (whole[0], "", "")
    monkeypatch.setattr("understudy.documents.reader.MOST_DRAWN_CHARACTERS", len(whole[0]) + len(whole[1]))
    assert await readers().draw(shapes) == (whole[0], whole[1], "")


async def test_a_page_that_cannot_be_drawn_does_not_keep_the_others(readers: Readers) -> None:
    damaged = SHAPES.replace(b"/Kids[4 0 R 6 0 R 8 0 R]", b"/Kids[4 0 R 1 0 R 8 0 R]")
    assert damaged != SHAPES
    first, second, third = await readers().draw(damaged)
    assert first
    assert not second
    assert third


async def test_pictures_are_remembered_by_content_and_tenant_within_bounds(readers: Readers) -> None:
    reader = readers(idle=0.01)
    pictures = await reader.draw(SHAPES, tenant="a")
    assert await reader.draw(bytes(bytearray(SHAPES)), tenant="a") is pictures
    assert await reader.draw(SHAPES, tenant="b") is not pictures
    # Texts are another matter.
    assert (await reader.read(SHAPES, tenant="a")).page_count == 3
    small = readers(remembered_pictures=sum(map(len, pictures)) + 300)
    kept = await small.draw(SHAPES)
    assert await small.draw(SHAPES) is kept
    await small.draw(page(b"0 0 9 9"))
    assert await small.draw(SHAPES) is not kept


async def test_abuse_38_a_page_that_takes_too_long_to_draw_loses_its_process_and_the_next_is_drawn(
    readers: Readers,
) -> None:
    reader = readers(processes=1, timeout=20, drawing_timeout=0.5)
    await reader.draw(SHAPES)
    (pid,) = reader.pids()
    begun = time.monotonic()
    with pytest.raises(PdfTooCostlyError):
        await reader.draw(ENDLESS)
    assert 0.4 < time.monotonic() - begun < 2
    assert await gone(pid)
    assert len(await reader.draw(page(b"0 0 9 9"))) == 1


async def test_abuse_38_a_memory_bomb_that_is_drawn_kills_its_process_and_nothing_else(readers: Readers) -> None:
    reader = readers(processes=1, memory=128 * MIB)
    before = psutil.Process().memory_info().rss
    with pytest.raises(PdfTooCostlyError):
        await reader.draw(pdf_files.bomb(300 * MIB))
    assert psutil.Process().memory_info().rss - before < 32 * MIB
    assert len(await reader.draw(SHAPES)) == 3


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"%PDF-1.7 nothing", PdfInvalidError), (pdf_files.with_password(), PdfPasswordProtectedError)],
)
async def test_what_cannot_be_opened_is_refused_as_it_is_by_reading(
    readers: Readers, data: bytes, error: type[Exception]
) -> None:
    reader: Any = readers()
    assert isinstance(reader, PdfReader)
    for _ in range(2):
        with pytest.raises(error):
            await reader.draw(data)
