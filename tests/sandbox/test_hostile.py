"""Code that works against the server: it hides what it takes, keeps the server waiting, and lies to it."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from sandbox.boxes import MIB
from sandbox.hiding import DEEDS
from sandbox.users import directory_for, run_script
from understudy.sandbox.interface import PathError, QuotaError, SandboxError, StoredFile
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.transfers import listed
from understudy.sandbox.trees import DEEPEST, remove_tree, used

ENDED = {
    **dict.fromkeys(("forbidden", "too long a way", "exchanged", "mapped"), "disk"),
    **dict.fromkeys(("sockets", "tables of pages"), "memory"),
    "what was said at the start": "ended with 1",
}


async def python(box: LocalSandbox, text: str, timeout: float = 20) -> str:
    done = await box.exec(["python3", "-c", text], timeout=timeout)
    assert done.return_code == 0, done
    return done.stdout


@pytest.fixture(scope="module")
def hidden(bubblewrap: None) -> Generator[dict[str, Any]]:
    with directory_for("ordinary") as directory:
        yield run_script("ordinary", Path(__file__).with_name("hiding.py"), str(directory))


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_hidden_from_who_counts_is_found(hidden: dict[str, Any], deed: str) -> None:
    # What ended it, whether its time did, and whether anything is left of it.
    assert hidden[deed] == [ENDED[deed], False, False]


# --- keeping the server waiting ---


async def test_files_are_not_waited_for_without_end(box: LocalSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    await box.put("/tmp/x", bytes(3 * MIB))
    monkeypatch.setattr("understudy.sandbox.transfers._FILES", 0.3)

    async def get() -> None:
        async for _ in box.get("/tmp/x"):
            pass

    for work in (lambda: box.put("/tmp/y", bytes(3 * MIB)), get, lambda: box.files("/tmp")):
        await box.exec(["sh", "-c", "(sleep 0.05; kill -STOP 2) >/dev/null 2>&1 & exit"], timeout=5)
        time.sleep(0.3)
        began = time.monotonic()
        with pytest.raises(SandboxError):
            await work()
        assert time.monotonic() - began < 5
        done = await box.exec(["echo", "well"], timeout=20)
        assert done.stdout == "well\n"


async def test_holes_are_not_read_for_hours(box: LocalSandbox) -> None:
    await python(
        box, "import os\nfor n in range(40): os.truncate(os.open(f'/files/{n}', os.O_RDWR | os.O_CREAT), 31 << 20)"
    )
    with pytest.raises(QuotaError):
        await box.files("/files")


# --- the helper ---


async def test_the_helper_is_shut_against_the_code_beside_it(box: LocalSandbox) -> None:
    text = """
import os
for deed in (
    lambda: os.listdir('/proc/2/fd'), lambda: open('/proc/2/mem', 'r+b'), lambda: open('/proc/2/maps').read(),
    lambda: open('/proc/2/environ').read(), lambda: open('/proc/2/oom_score_adj', 'w').write('1000'),
):
    try: print(deed())
    except PermissionError: pass
"""
    assert await python(box, text) == ""


async def test_who_runs_code_is_killed_before_the_helper(box: LocalSandbox) -> None:
    assert (
        await python(box, "print(*(open(f'/proc/{p}/oom_score_adj').read() for p in ('self', '2')))") == "1000\n 0\n\n"
    )


def test_a_list_that_lies_is_not_believed() -> None:
    digest = b"0" * 64
    rows = [
        b"5 " + digest + b" /files/output/a",
        b"-5 " + digest + b" /files/output/b/c",
        b"5 " + digest + b" /files/other",
        b"5 " + digest + b" /files/output/../../etc/passwd",
        b"5 " + digest + b" /files/output//x",
        b"5 " + b"g" * 64 + b" /files/output/d",
        b"5 " + digest + b" /files/output/\xff",
        b"9" * 5000 + b" " + digest + b" /files/output/e",
        b"",
        b"5",
        b"5 " + digest,
        b"5 " + digest + b" /files/output/cut",
    ]
    assert listed(b"\0".join(rows), "/files/output/") == [
        StoredFile("/files/output/a", 5, digest.decode()),
        StoredFile("/files/output/b/c", 0, digest.decode()),
    ]


# --- calls of the system ---


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
async def test_no_family_or_protocol_is_asked_of_the_kernel_that_a_module_would_bring(box: LocalSandbox) -> None:
    text = """
import ctypes
call = ctypes.CDLL(None, use_errno=True).syscall
pair = (ctypes.c_int * 2)()
ends = set()
for family in range(50):
    if family in (1, 2, 10):
        continue
    for number in (41, 53):
        call(number, family, 1, 0, pair); ends.add(ctypes.get_errno())
print(ends)
kinds = ((1, 132), (5, 0), (6, 0), (1, 262))
print({call(41, family, kind, protocol) for family in (2, 10) for kind, protocol in kinds})
"""
    assert await python(box, text) == "{97}\n{-1}\n"


async def test_crashes_are_kept_from_the_machines_collector(box: LocalSandbox) -> None:
    text = """
import resource
print(resource.getrlimit(resource.RLIMIT_CORE))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
print(resource.getrlimit(resource.RLIMIT_CORE))
"""
    assert await python(box, text) == "(1, 1)\n(1, 1)\n"


# --- words ---


async def test_zero_bytes_and_halves_of_characters_break_nothing(box: LocalSandbox) -> None:
    await box.exec(["true"], timeout=20)
    process = box.process
    done = await box.exec(["bash", "-c", "echo a\0b"], timeout=20)
    assert (done.return_code, done.stderr) == (126, "bash: a command cannot hold a zero byte\n")
    assert (await box.exec(["true"], cwd="/tmp\0", timeout=20)).return_code == 126
    assert (await box.exec(["echo", "a\ud800b"], timeout=20)).stdout == "a?b\n"
    for work in (box.put("/tmp/x\x00777", b"x"), box.files("/tmp\0")):
        with pytest.raises(PathError):
            await work
    with pytest.raises(PathError):
        async for _ in box.get("/tmp/x\0"):
            pass
    # None of it ended the container.
    assert box.process is process


# --- disks ---


async def test_disks_of_all_containers_together_leave_the_machine_its_reserve(
    box: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.sandbox.watching.RESERVE_INTERVAL", 0.05)
    whole = os.statvfs
    free = [1 << 40]

    def statvfs(path: Any) -> os.statvfs_result:
        found = list(whole(path))
        found[1], found[4] = 1, free[0]
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "statvfs", statvfs)
    object.__setattr__(box._config, "reserve", 1 << 30)
    assert (await box.exec(["sleep", "0.3"], timeout=20)).return_code == 0
    free[0] = 1 << 29
    done = await box.exec(["sleep", "1000"], timeout=20)
    assert (done.return_code, done.out_of_disk) == (137, True)


def test_a_tree_is_removed_however_deep_and_forbidden_it_is(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    top.mkdir()
    here = Path.cwd()
    try:
        os.chdir(top)
        for _ in range(1100):
            Path("file").write_text("x")
            Path("link").symlink_to("/")
            Path("d" * 20).mkdir()
            os.chdir("d" * 20)
            Path("..").chmod(0)
    finally:
        os.chdir(here)
    top.chmod(0o700)
    found = used(top, 1 << 20)
    # As deep as is looked into: at each step a file, a link and a directory.
    assert (found.entries, len(found.missed)) == (3 * DEEPEST, 1)
    outside = tmp_path / "outside"
    outside.write_text("kept")
    (top / "out").hardlink_to(outside)
    remove_tree(top)
    assert not top.exists()
    assert outside.read_text() == "kept"
    remove_tree(top)


def test_what_is_met_is_not_counted_on_and_on(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "x").write_bytes(bytes(8192))
    assert used(tmp_path, 1 << 20).entries == 100
    assert used(tmp_path, 1 << 20).size >= 50 * 8192
    assert used(tmp_path, 20).entries == 21
