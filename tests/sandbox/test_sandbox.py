"""One container: its commands, its files, its sleep, and those who misuse it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.boxes import MIB, SMALL, machine, sh
from understudy.sandbox.disks import IMAGE, MOUNTED, copy_disk, is_mounted, unmount
from understudy.sandbox.interface import PathError, QuotaError, SandboxUnavailableError
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.system import View, mounted_below


async def read(box: LocalSandbox, path: str) -> bytes:
    return b"".join([piece async for piece in box.get(path)])


async def test_a_command_has_its_input_output_errors_status_directory_and_environment(box: LocalSandbox) -> None:
    done = await box.exec(
        ["bash", "-c", 'cat; pwd; echo "$ONE $INPUT_DIR"; echo bad >&2; exit 7'],
        stdin=b"given\n",
        timeout=20,
        cwd="/tmp",
        environment={"ONE": "a b'c\n"},
    )
    assert done.stdout == "given\n/tmp\na b'c\n /files/input\n"
    assert (done.stderr, done.return_code, done.timed_out, done.truncated) == ("bad\n", 7, False, False)


async def test_what_cannot_be_started_says_so(box: LocalSandbox) -> None:
    missing = await box.exec(["no-such-program"], timeout=20)
    assert (missing.return_code, missing.stderr) == (127, "no-such-program: No such file or directory\n")
    nowhere = await box.exec(["true"], timeout=20, cwd="/nowhere")
    assert (nowhere.return_code, nowhere.stderr) == (126, "/nowhere: No such file or directory\n")
    killed = await box.exec(["sh", "-c", "kill -TERM $$"], timeout=20)
    assert killed.return_code == 128 + 15


async def test_bytes_that_are_no_text_are_replaced(box: LocalSandbox) -> None:
    done = await box.exec(["printf", r"a\377b"], timeout=20)
    assert done.stdout == "a�b"


async def test_commands_run_beside_each_other(box: LocalSandbox) -> None:
    await box.exec(["true"], timeout=20)
    began = time.monotonic()
    done = await asyncio.gather(*(box.exec(["sh", "-c", f"sleep 0.5; echo {n}"], timeout=20) for n in range(5)))
    assert [one.stdout for one in done] == [f"{n}\n" for n in range(5)]
    assert time.monotonic() - began < 2


async def test_files_stay_while_it_sleeps_and_processes_do_not(box: LocalSandbox) -> None:
    await sh(
        box, "echo kept > /tmp/a; echo kept > ~/b; mkdir -p /files/c /skills/d; nohup sleep 1000 >/dev/null 2>&1 &"
    )
    await box.sleep()
    assert box.process is None
    assert await sh(box, "cat /tmp/a ~/b; ls /files /skills; pgrep sleep || true") == (
        "kept\nkept\n/files:\nc\ninput\n\n/skills:\nd\n"
    )


async def test_rest_ends_what_was_left_in_the_background_and_stays_awake(box: LocalSandbox) -> None:
    await sh(box, "sleep 1000 & echo $!")
    process = box.process
    await box.rest()
    assert await sh(box, "pgrep sleep || echo none") == "none\n"
    assert box.process is process


async def test_a_process_in_the_background_does_not_hold_its_command_up(box: LocalSandbox) -> None:
    began = time.monotonic()
    assert await sh(box, "sleep 1000 & echo done") == "done\n"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_001])
async def test_bytes_are_the_same_after_put_and_get(box: LocalSandbox, size: int) -> None:
    data = os.urandom(size)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 100_000):
            yield data[start : start + 100_000]

    await box.put("/files/input/deep/er/x.bin", pieces(), mode=0o755)
    assert await read(box, "/files/input/deep/er/x.bin") == data
    [file] = await box.files("/files")
    assert file.path == "/files/input/deep/er/x.bin"
    assert (file.size, file.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert (await sh(box, "stat -c %a /files/input/deep/er/x.bin")).strip() == "755"


async def test_a_file_is_replaced_whole_or_not_at_all(box: LocalSandbox) -> None:
    await box.put("/tmp/x", b"before")

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await box.put("/tmp/x", broken())
    assert await read(box, "/tmp/x") == b"before"
    await asyncio.sleep(0.1)
    assert [file.path for file in await box.files("/tmp")] == ["/tmp/x"]


@pytest.mark.parametrize("path", ["x", "/", "/etc/x", "/usr/../tmp/x", "/tmp", "/home", "/proc/self/mem", "/tmpx/y"])
async def test_paths_outside_are_refused(box: LocalSandbox, path: str) -> None:
    with pytest.raises(PathError):
        await box.put(path, b"x")
    with pytest.raises(PathError):
        await read(box, path)


async def test_only_regular_files_are_listed_and_no_link_is_followed(box: LocalSandbox) -> None:
    await sh(
        box,
        'cd /files; ln -s /etc/passwd link; ln -s / root; mkfifo pipe; python3 -c "import socket;'
        "socket.socket(socket.AF_UNIX).bind('s')\"; echo a > 'a\nb'; mkdir d; echo b > d/f; touch $'bad\\xff'",
    )
    assert [file.path for file in await box.files("/files")] == ["/files/a\nb", "/files/d/f"]
    with pytest.raises(PathError):
        await box.put("/files/root/tmp/x", b"x")
    with pytest.raises(PathError):
        await box.files("/files/root")


async def test_what_does_not_fit_is_refused_and_leaves_nothing(box: LocalSandbox) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(MIB)

    with pytest.raises(QuotaError):
        await box.put("/tmp/big", endless())
    assert await box.files("/tmp") == []


# --- misuse ---


async def test_an_endless_command_is_ended_with_all_that_it_started(box: LocalSandbox) -> None:
    began = time.monotonic()
    done = await box.exec(
        ["bash", "-c", "echo first; setsid sleep 999 & trap '' TERM; while :; do :; done"], timeout=0.5
    )
    assert (done.timed_out, done.return_code, done.stdout) == (True, 124, "first\n")
    assert time.monotonic() - began < 5
    assert await sh(box, "pgrep sleep || echo none") == "none\n"


async def test_ten_gigabytes_of_output_cost_neither_memory_nor_time(box: LocalSandbox) -> None:
    began = time.monotonic()
    done = await box.exec(["head", "-c", "10000000000", "/dev/zero"], timeout=60)
    assert done.truncated
    assert len(done.stdout) == 1024 * 1024
    # Nobody reads any more, which ends it: SIGPIPE.
    assert done.return_code in (1, 128 + 13)
    assert time.monotonic() - began < 20


async def test_a_cancelled_call_ends_its_command(box: LocalSandbox) -> None:
    await box.exec(["true"], timeout=20)
    process = box.process
    assert process is not None
    call = asyncio.create_task(box.exec(["sleep", "1000"], timeout=1000))
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not Path(f"/proc/{process.first}").exists()


@pytest.mark.parametrize("deed", ["kill -9 -1", "kill -9 2", "kill -STOP 2; sleep 1000"])
async def test_who_attacks_the_helper_ends_only_itself(box: LocalSandbox, deed: str) -> None:
    done = await box.exec(["bash", "-c", deed], timeout=1)
    assert done.return_code != 0
    assert await sh(box, "echo well") == "well\n"


async def test_a_very_long_command_says_so(box: LocalSandbox) -> None:
    done = await box.exec(["echo", "x" * 200_000], timeout=20)
    assert (done.return_code, done.stderr) == (126, "echo: Argument list too long\n")


async def test_nothing_of_it_is_there_after_it_is_deleted(box: LocalSandbox) -> None:
    await sh(box, "mkdir -p /tmp/a/b; touch /tmp/a/b/c; chmod 000 /tmp/a/b /tmp/a")
    process = box.process
    assert process is not None
    first = process.first
    await box.delete()
    assert not box.directory.exists()
    assert not Path(f"/proc/{first}").exists()
    await box.delete()


async def test_a_disk_is_let_go_when_its_container_sleeps(box: LocalSandbox) -> None:
    if not machine().own_disk:
        pytest.skip("containers have no disk of their own here")
    await sh(box, "echo x > /tmp/x")
    image = box.directory / IMAGE
    assert is_mounted(image)
    await box.sleep()
    async with asyncio.timeout(5):
        while is_mounted(image):
            await asyncio.sleep(0.01)
    # It takes room as it fills only.
    assert image.stat().st_blocks * 512 < image.stat().st_size // 4


async def test_a_disk_that_a_killed_server_left_mounted_is_used_again(box: LocalSandbox) -> None:
    if not machine().own_disk:
        pytest.skip("containers have no disk of their own here")
    await sh(box, "echo kept > /tmp/x")
    await box.sleep()
    async with asyncio.timeout(5):
        while is_mounted(box.directory / IMAGE):
            await asyncio.sleep(0.01)
    left = box.directory / MOUNTED
    left.mkdir()
    subprocess.run(["mount", "-o", "loop", str(box.directory / IMAGE), str(left)], check=True)
    try:
        assert await sh(box, "cat /tmp/x") == "kept\n"
        assert not left.is_mount()
    finally:
        unmount(left)


def test_what_is_mounted_below_a_place_that_is_seen_empty_is_not_seen(tmp_path: Path) -> None:
    below = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    mount = next(one for one in below if one.count("/") > 1 and "\\" not in one)
    above, _, name = mount.rpartition("/")
    assert mounted_below(View(binds={"/seen": above}))[f"/seen/{name}"] == mount
    for empty in ("/seen", f"/seen/{name}"):
        assert f"/seen/{name}" not in mounted_below(View(binds={"/seen": above}, empty=[empty]))
    assert f"/seen/{name}" in mounted_below(View(binds={"/seen": above}, empty=[f"/seen/{name}s"]))


def test_a_copied_disk_has_the_same_bytes_and_holes(tmp_path: Path) -> None:
    template = tmp_path / "template"
    with template.open("wb") as out:
        for at in (0, 5 * MIB + 4096, 31 * MIB):
            out.seek(at)
            out.write(os.urandom(300_000))
        out.truncate(64 * MIB)
    copy_disk(template, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == template.read_bytes()
    assert (tmp_path / "copy").stat().st_blocks == template.stat().st_blocks
    (tmp_path / "empty").write_bytes(b"")
    copy_disk(tmp_path / "empty", tmp_path / "nothing")
    assert (tmp_path / "nothing").stat().st_size == 0


async def test_a_container_that_does_not_start_says_why(tmp_path: Path, bubblewrap: None) -> None:
    broken = replace(machine(), python=replace(machine().python, executable="/usr/bin/no-such-python"))
    made = LocalSandbox(broken, SMALL, "broken", tmp_path / "broken", None)
    with pytest.raises(SandboxUnavailableError, match="no-such-python"):
        await made.exec(["true"], timeout=5)
    await made.delete()
    cgroups = broken.cgroups
    if cgroups is not None:
        cgroups.clear()
