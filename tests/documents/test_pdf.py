"""Pages of PDFs, counted without rendering, however the file means it."""

from __future__ import annotations

import os
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated import in_process
from pictures import base64_of, pdf, pdf_with_object_streams
from understudy.documents.pdf import MOST_PAGES, scan_pages

MIB = 1024 * 1024


def count_pages(data: str) -> int | None:
    scan = scan_pages(data)
    while True:
        try:
            next(scan)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("pages", [1, 2, 99, 600])
def test_the_pages_of_a_pdf_are_counted(pages: int) -> None:
    assert count_pages(base64_of(pdf(pages))) == pages


@pytest.mark.parametrize("pages", [1, 100, 101, 600])
def test_pages_in_compressed_object_streams_are_counted(pages: int) -> None:
    assert count_pages(base64_of(pdf_with_object_streams(pages))) == pages


def test_pages_are_found_wherever_the_file_is_looked_at_in_pieces() -> None:
    # Fillers of many lengths put the borders of the pieces at every place of a page object.
    for filler in range(0, 2_000, 97):
        assert count_pages(base64_of(pdf(300, filler=b"%" + b"x" * filler + b"\n"))) == 300


def test_a_page_that_an_update_replaced_is_not_counted_again() -> None:
    first = pdf(3)
    assert count_pages(base64_of(first + b"3 0 obj<</Type /Page /Parent 2 0 R>> endobj\n%%EOF\n")) == 3


def test_a_count_that_is_no_truth_does_not_raise_the_number() -> None:
    assert count_pages(base64_of(pdf(2, count=999_999_999))) == 2


def test_other_entries_that_look_like_pages_are_none() -> None:
    decoys = b"/Type/Pages /Type/PageLabels /Type /Page1 /Page /Types/Page /Count 0 /Count -5 "
    assert count_pages(base64_of(pdf(2, filler=decoys))) == 2


def test_bytes_before_the_header_are_allowed() -> None:
    assert count_pages(base64_of(b"\xef\xbb\xbf\n" + pdf(4))) == 4


@pytest.mark.parametrize("data", ["", "=", "not base64!", "é" * 10, base64_of(b"<html>"), base64_of(b"PK\3\4" * 50)])
def test_what_is_no_pdf_has_no_number(data: str) -> None:
    assert count_pages(data) is None


def test_a_pdf_without_a_page_to_be_seen_has_none_or_what_its_tree_says() -> None:
    assert count_pages(base64_of(b"%PDF-1.7\n")) == 0
    assert count_pages(base64_of(b"%PDF-1.7\n<</Type/Pages/Count 7>>")) == 7
    assert count_pages(base64_of(b"%PDF-1.7\n<</Type/Pages/Count 999999999>>")) == MOST_PAGES


@in_process
@given(st.binary(max_size=300))
def test_no_bytes_break_the_counting(data: bytes) -> None:
    beginning = b"%PDF-1.5\n1 0 obj<</Type/ObjStm>>stream\n"
    for given_bytes in (data, b"%PDF-1.5" + data, beginning + data, beginning + zlib.compress(data)):
        found = count_pages(base64_of(given_bytes))
        assert found is None or 0 <= found <= MOST_PAGES


def _object_stream(content: bytes) -> bytes:
    return b"1 0 obj<</Type/ObjStm/Filter/FlateDecode>>stream\n" + zlib.compress(content, 9) + b"\nendstream endobj\n"


HOSTILE = {
    "a thousand bombs": b"%PDF-1.5\n" + _object_stream(b" " * 100 * MIB)[:60_000] * 300,
    "bombs of pages": b"%PDF-1.5\n" + _object_stream(b"/Type/Page " * 200_000) * 300,
    "millions of pages": b"%PDF-1.4\n" + b"/Type/Page " * (20 * MIB // 11),
    "millions of counts": b"%PDF-1.4\n" + b"/Count 999999999 " * (20 * MIB // 17),
    "millions of beginnings": b"%PDF-1.4\n" + b"/Type" * (20 * MIB // 5),
    "slashes": b"%PDF-1.4\n" + b"/" * 20 * MIB,
    "spaces behind a name": b"%PDF-1.4\n" + (b"/Type" + b" " * 1000) * (20 * MIB // 1005),
    "millions of streams": b"%PDF-1.4\n" + b"/Type/ObjStm stream\n" * (20 * MIB // 20),
    "noise": b"%PDF-1.4\n" + os.urandom(20 * MIB),
    "trees in circles": b"%PDF-1.4\n" + b"1 0 obj<</Type/Pages/Kids[1 0 R]/Parent 1 0 R>>endobj\n" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pdf_costs_bounded_time_in_short_stretches_and_little_memory(name: str) -> None:
    data = base64_of(HOSTILE[name])
    scan = scan_pages(data)
    longest = 0.0
    begun = last = time.thread_time()
    pages: int | None = None
    while True:
        try:
            next(scan)
        except StopIteration as end:
            pages = end.value
            break
        finally:
            now = time.thread_time()
            longest, last = max(longest, now - last), now
    took = time.thread_time() - begun
    print(f"{name}: {pages} pages, {took * 1000:.0f} ms, longest stretch {longest * 1000:.1f} ms")
    assert pages is not None
    assert pages <= MOST_PAGES
    # This thread's own time: 20 MB take some 200 ms, and no stretch more than 10.
    assert took < 2
    assert longest < 0.06
    tracemalloc.start()
    try:
        count_pages(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()
