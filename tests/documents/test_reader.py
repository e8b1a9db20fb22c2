"""PDFs read in processes of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import psutil
import pytest
import pytest_asyncio

from documents import pdf_files
from pictures import pdf
from understudy.documents.reader import (
    PdfError,
    PdfInvalidError,
    PdfPasswordProtectedError,
    PdfReader,
    PdfTooCostlyError,
)
from understudy.wire.errors import OverloadedError

MIB = 1024 * 1024
# Empties itself for hours and needs no memory for it.
ENDLESS = pdf_files.nested_forms(12, 12, b"q Q")
WORDS = pdf_files.words("first words", "second words")

Readers = Callable[..., PdfReader]


@pytest_asyncio.fixture
async def readers() -> AsyncGenerator[Readers, None]:
    made: list[PdfReader] = []

    def make(**settings: float) -> PdfReader:
        made.append(PdfReader(**settings))  # pyright: ignore[reportArgumentType]
        return made[-1]

    yield make
    for reader in made:
        await reader.close()


async def gone(pid: int, within: float = 2.0) -> bool:
    deadline = time.monotonic() + within
    while psutil.pid_exists(pid):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def longest_stall(work: asyncio.Task[Any]) -> float:
    """Seconds of this thread's own time for which nothing else could run while `work` went on."""
    longest, last = 0.0, time.thread_time()
    while not work.done():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    return longest


async def test_words_are_found_on_the_page_they_stand_on(readers: Readers) -> None:
    text = await readers().read(pdf_files.words("Invoice for Zoë\nTotal: 42 €", "", "The end"))
    assert text.page_count == 3
    assert text.pages == ("Invoice for Zoë\nTotal: 42 €", "", "The end")


async def test_nothing_is_started_before_there_is_something_to_read(readers: Readers) -> None:
    reader = readers()
    assert reader.pids() == []
    await reader.read(WORDS)
    assert len(reader.pids()) == 1


async def test_one_process_reads_one_after_another_and_several_at_once(readers: Readers) -> None:
    reader = readers(processes=2)
    for number in range(3):
        await reader.read(pdf_files.words(f"number {number}"))
    assert len(reader.pids()) == 1
    texts = await asyncio.gather(*(reader.read(pdf_files.words(f"at once {number}")) for number in range(6)))
    assert [text.pages[0] for text in texts] == [f"at once {number}" for number in range(6)]
    assert len(reader.pids()) == 2


async def test_what_was_read_is_remembered_by_its_content(readers: Readers) -> None:
    reader = readers(idle=0.01)
    text = await reader.read(WORDS)
    with pytest.raises(PdfInvalidError):
        await reader.read(b"%PDF-1.7 nothing")
    await asyncio.sleep(0.2)
    assert reader.pids() == []
    assert await reader.read(bytes(bytearray(WORDS))) is text
    with pytest.raises(PdfInvalidError):
        await reader.read(b"%PDF-1.7 nothing")
    assert reader.pids() == []


async def test_what_was_read_for_one_tenant_is_read_again_for_another(readers: Readers) -> None:
    reader = readers()
    text = await reader.read(WORDS, tenant="a")
    assert await reader.read(WORDS, tenant="a") is text
    other = await reader.read(WORDS, tenant="b")
    assert other == text
    assert other is not text


async def test_what_is_remembered_is_bounded(readers: Readers) -> None:
    reader = readers(remembered=3000)
    first = await reader.read(pdf_files.words("0" * 80))
    for number in range(1, 10):
        await reader.read(pdf_files.words(str(number) * 80))
    assert await reader.read(pdf_files.words("9" * 80)) is await reader.read(pdf_files.words("9" * 80))
    assert await reader.read(pdf_files.words("0" * 80)) is not first


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"GIF89a", WORDS[:300] + b"%%EOF", pdf(0)])
async def test_what_is_no_readable_pdf_is_said_to_be_none(readers: Readers, data: bytes) -> None:
    with pytest.raises(PdfInvalidError):
        await readers().read(data)


async def test_abuse_38_a_pdf_with_a_password_is_told_from_a_broken_one(readers: Readers) -> None:
    with pytest.raises(PdfPasswordProtectedError):
        await readers().read(pdf_files.with_password())


async def test_abuse_38_of_more_pages_than_any_model_takes_only_their_number_is_read(readers: Readers) -> None:
    reader = readers()
    assert len((await reader.read(pdf(600))).pages) == 600
    text = await reader.read(pdf(601))
    assert (text.page_count, text.pages) == (601, ())


async def test_abuse_38_a_document_that_takes_too_long_loses_its_process_and_the_next_is_read(readers: Readers) -> None:
    reader = readers(processes=1, timeout=0.5)
    await reader.read(WORDS)
    (pid,) = reader.pids()
    begun = time.monotonic()
    with pytest.raises(PdfTooCostlyError):
        await reader.read(ENDLESS)
    assert 0.4 < time.monotonic() - begun < 2
    assert await gone(pid)
    assert (await reader.read(pdf_files.words("next"))).pages == ("next",)
    assert reader.pids() != [pid]


async def test_abuse_38_a_memory_bomb_kills_its_process_and_nothing_else(readers: Readers) -> None:
    reader = readers(processes=1, memory=128 * MIB)
    before = psutil.Process().memory_info().rss
    with pytest.raises(PdfTooCostlyError):
        await reader.read(pdf_files.bomb(300 * MIB))
    assert psutil.Process().memory_info().rss - before < 32 * MIB
    assert (await reader.read(WORDS)).pages == ("first words", "second words")


async def test_abuse_38_a_process_that_is_killed_from_outside_costs_one_document(readers: Readers) -> None:
    reader = readers(processes=1)
    reading = asyncio.create_task(reader.read(ENDLESS))
    while not reader.pids():
        await asyncio.sleep(0.01)
    (pid,) = reader.pids()
    await asyncio.sleep(0.1)
    psutil.Process(pid).kill()
    with pytest.raises(PdfTooCostlyError):
        await reading
    assert (await reader.read(WORDS)).page_count == 2
    # One that ends while nobody looks is not asked any more.
    psutil.Process(reader.pids()[0]).kill()
    await asyncio.sleep(0.2)
    assert (await reader.read(pdf_files.words("after"))).pages == ("after",)


HOSTILE = {
    "pages in circles": (pdf_files.pages_in_circles(), None),
    "tables in circles": (pdf_files.tables_in_circles(), ("circle",)),
    "a script and a file": (pdf_files.with_script_and_file(), ("quiet",)),
    "a deep nest": (b"%PDF-1.4\n1 0 obj" + b"[" * 100_000 + b"]" * 100_000 + b"endobj trailer<</Root 1 0 R>>", None),
    "a million brackets": (b"%PDF-1.4\n" + b"<<" * 1_000_000, None),
    "a length that lies": (WORDS.replace(b"/Length ", b"/Length 9999999999"), None),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_abuse_38_a_hostile_pdf_is_read_or_refused_and_runs_nothing(readers: Readers, name: str) -> None:
    data, expected = HOSTILE[name]
    reader = readers(timeout=2)
    try:
        text = await reader.read(data)
    except PdfError:
        assert expected is None
    else:
        assert expected is None or text.pages == expected
    for pid in reader.pids():
        assert psutil.Process(pid).children() == []


async def test_abuse_38_the_process_has_no_secrets_no_files_and_bounds(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_SECURITY_ROOT_SECRET", "not for others")
    reader = readers(memory=200 * MIB)
    await reader.read(WORDS)
    process = psutil.Process(reader.pids()[0])
    assert "UNDERSTUDY_SECURITY_ROOT_SECRET" not in process.environ()
    assert process.num_fds() == 3
    assert process.rlimit(psutil.RLIMIT_AS) == (200 * MIB, 200 * MIB)
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)


async def test_an_idle_process_ends_by_itself(readers: Readers) -> None:
    reader = readers(idle=0.1)
    await reader.read(WORDS)
    (pid,) = reader.pids()
    assert await gone(pid)
    assert reader.pids() == []


async def test_closing_ends_idle_processes_and_those_at_work(readers: Readers) -> None:
    reader = readers()
    reading = asyncio.create_task(reader.read(ENDLESS))
    await reader.read(WORDS)
    pids = reader.pids()
    assert len(pids) == 2
    await reader.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(PdfTooCostlyError):
        await reading
    with pytest.raises(OverloadedError):
        await reader.read(pdf_files.words("late"))


async def test_a_process_whose_caller_went_away_is_ended(readers: Readers) -> None:
    reader = readers(processes=1)
    reading = asyncio.create_task(reader.read(ENDLESS))
    while not reader.pids():
        await asyncio.sleep(0.01)
    (pid,) = reader.pids()
    reading.cancel()
    assert await gone(pid)
    assert (await reader.read(WORDS)).page_count == 2


async def test_who_waits_too_long_for_a_process_is_told_to_come_back(readers: Readers) -> None:
    reader = readers(processes=1, queue_timeout=0.1)
    reading = asyncio.create_task(reader.read(ENDLESS))
    await asyncio.sleep(0.05)
    with pytest.raises(OverloadedError):
        await reader.read(WORDS)
    reading.cancel()


async def test_a_process_makes_room_for_a_fresh_one_after_many_documents(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.documents.worker_pool._MOST_DOCUMENTS", 2)
    reader = readers(processes=1)
    seen: set[int] = set()
    for number in range(5):
        await reader.read(pdf_files.words(f"number {number}"))
        seen.update(reader.pids())
    assert len(seen) == 3


async def test_where_no_process_can_be_started_the_document_is_not_blamed(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    reader = readers(processes=1)
    for _ in range(2):
        with pytest.raises(OverloadedError):
            await reader.read(WORDS)


async def test_the_event_loop_goes_on_while_twenty_megabytes_are_read(readers: Readers) -> None:
    reader = readers()
    await reader.read(WORDS)
    large = WORDS + b"%" + b"x" * 20 * MIB + b"\n" + WORDS[WORDS.rindex(b"trailer") :]
    reading = asyncio.create_task(reader.read(large))
    stall = await longest_stall(reading)
    assert (await reading) is not None
    assert stall < 0.02


async def test_without_the_library_nothing_is_read_and_that_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.documents.reader.find_spec", lambda _: None)
    assert not PdfReader().available
