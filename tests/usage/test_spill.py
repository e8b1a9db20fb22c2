from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from understudy.usage.rows import request_rows
from understudy.usage.spill import SpillFile
from usage_records import plain_record, record


def read_all(spill: SpillFile) -> tuple[list[tuple[Any, ...]], int]:
    rows: list[tuple[Any, ...]] = []
    bad = 0
    for path in spill.claim():
        offset: int | None = 0
        while offset is not None:
            part = spill.read(path, offset)
            rows += part.rows
            bad += part.bad_lines
            offset = part.following
        spill.remove(path)
    return rows, bad


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    spill = SpillFile(tmp_path / "new")
    rows = request_rows([record(), plain_record(user_agent='quote " and 模型'), record(received_at=1e9 / 3)])
    spill.append(rows[:1])
    spill.append(rows[1:])
    assert stat.S_IMODE(spill.path.stat().st_mode) == 0o600
    assert read_all(spill) == (rows, 0)
    assert list(spill.path.parent.iterdir()) == []
    assert read_all(spill) == ([], 0)


def test_a_large_file_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.usage.spill._PART_BYTES", 2_000)
    spill = SpillFile(tmp_path)
    rows = request_rows([record() for _ in range(50)])
    spill.append(rows)
    assert read_all(spill) == (rows, 0)


def test_a_line_cut_short_costs_that_line_only(tmp_path: Path) -> None:
    spill = SpillFile(tmp_path)
    rows = request_rows([record() for _ in range(3)])
    spill.append(rows[:2])
    content = spill.path.read_bytes()
    spill.path.write_bytes(content[:-20])
    spill.append(rows[2:])
    assert read_all(spill) == ([rows[0], rows[2]], 1)


@pytest.mark.parametrize("line", [b"[]", b"1", b'"x"', b"null", b"\xff", b"{}x"])
def test_lines_that_are_no_rows_are_counted_and_passed_over(tmp_path: Path, line: bytes) -> None:
    spill = SpillFile(tmp_path)
    rows = request_rows([record()])
    spill.append(rows)
    with spill.path.open("ab") as file:
        file.write(line + b"\n")
    assert read_all(spill) == (rows, 1)


def test_what_a_dead_process_had_claimed_is_read_by_the_next(tmp_path: Path) -> None:
    rows = request_rows([record(), record()])
    SpillFile(tmp_path).append(rows[:1])
    assert len(SpillFile(tmp_path).claim()) == 1
    SpillFile(tmp_path).append(rows[1:])
    found, _ = read_all(SpillFile(tmp_path))
    assert sorted(found) == sorted(rows)


def test_rows_appended_while_others_read_are_read_exactly_once(tmp_path: Path) -> None:
    rows = request_rows([record() for _ in range(400)])

    def append(number: int) -> None:
        SpillFile(tmp_path).append(rows[number * 4 : number * 4 + 4])

    found: list[tuple[Any, ...]] = []
    with ThreadPoolExecutor(4) as threads:
        appends = [threads.submit(append, number) for number in range(100)]
        while not all(future.done() for future in appends):
            found += read_all(SpillFile(tmp_path))[0]
        for future in appends:
            future.result()
    found += read_all(SpillFile(tmp_path))[0]
    assert sorted(found) == sorted(rows)
