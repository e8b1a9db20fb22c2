"""What holds containers: the filter of system calls, control groups; and the self-test that would see a hole."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.boxes import SMALL, machine
from sandbox.users import directory_for, run_script
from understudy.sandbox import launch, seccomp
from understudy.sandbox.cgroups import CgroupError, Cgroups, Limits, find
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.machine import container_python
from understudy.sandbox.seccomp import seccomp_filter
from understudy.sandbox.selftest import self_test

ALLOWED, REFUSED, MISSING, FAMILY, KILLED = 0x7FFF0000, 0x50001, 0x50026, 0x50061, 0x80000000
PROTOCOL, OPTION, NOTHING = 0x5005D, 0x5005C, 0x50000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def decide(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """What the kernel would do: the few instructions of its machine that are used."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    steps = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("=I", data, operand)[0]
            case 0x15:
                at += if_true if accumulator == operand else if_false
            case 0x35:
                at += if_true if accumulator >= operand else if_false
            case 0x45:
                at += if_true if accumulator & operand else if_false
            case 0x06:
                return operand
            case _:
                raise AssertionError(code)


# name: numbers on x86_64 and aarch64, first argument, what comes of it
CALLS: list[tuple[str, int, int, int, int]] = [
    ("read", 0, 63, 0, ALLOWED),
    ("execve", 59, 221, 0, ALLOWED),
    ("clone for a process", 56, 220, 17, ALLOWED),
    ("clone for a thread", 56, 220, 0x3D0F00, ALLOWED),
    ("clone for a user namespace", 56, 220, 0x10000011, REFUSED),
    ("clone for a network namespace", 56, 220, 0x40000011, REFUSED),
    ("unshare", 272, 97, 0, REFUSED),
    ("setns", 308, 268, 0, REFUSED),
    ("mount", 165, 40, 0, REFUSED),
    ("ptrace", 101, 117, 0, REFUSED),
    ("bpf", 321, 280, 0, REFUSED),
    ("keyctl", 250, 219, 0, REFUSED),
    ("socket of Unix", 41, 198, 1, ALLOWED),
    ("socket of IPv6", 41, 198, 10, ALLOWED),
    ("socket of netlink", 41, 198, 16, FAMILY),
    ("socket of a virtual machine", 41, 198, 40, FAMILY),
    ("io_uring_setup", 425, 425, 0, MISSING),
    ("clone3", 435, 435, 0, MISSING),
    ("close_range", 436, 436, 0, ALLOWED),
    ("mount_setattr", 442, 442, 0, MISSING),
    ("one that is not known yet", 900, 900, 0, MISSING),
    ("shmget", 29, 194, 0, MISSING),
    ("msgget", 68, 186, 0, MISSING),
    ("semget", 64, 190, 0, MISSING),
    ("io_setup", 206, 0, 0, REFUSED),
    ("socketpair of Unix", 53, 199, 1, ALLOWED),
    ("socketpair of TIPC", 53, 199, 30, FAMILY),
    ("memfd_create", 319, 279, 0, MISSING),
    ("sched_setaffinity", 203, 122, 0, REFUSED),
]


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
@pytest.mark.parametrize("call", CALLS, ids=[call[0] for call in CALLS])
def test_system_calls_are_told_apart(call: tuple[str, int, int, int, int], name: str) -> None:
    program = seccomp_filter(hidden_memory=False, pinned=True, machine=name)
    number = call[1] if name == "x86_64" else call[2]
    assert decide(program, ARCHITECTURES[name], number, call[3]) == call[4]


# name: numbers on x86_64 and aarch64, arguments, what comes of it
MORE: list[tuple[str, int, int, tuple[int, ...], int]] = [
    ("TCP", 41, 198, (2, 0x80801, 6), ALLOWED),
    ("TCP of IPv6", 41, 198, (10, 1, 0), ALLOWED),
    ("UDP", 41, 198, (2, 2, 17), ALLOWED),
    ("packets of Unix", 41, 198, (1, 5, 0), ALLOWED),
    ("SCTP by its number", 41, 198, (2, 1, 132), PROTOCOL),
    ("SCTP by its type", 41, 198, (10, 0x80005, 0), PROTOCOL),
    ("DCCP by its type", 41, 198, (2, 6, 0), PROTOCOL),
    ("MPTCP", 41, 198, (2, 1, 262), PROTOCOL),
    ("an option of TCP", 54, 208, (3, 6, 1), ALLOWED),
    ("another module for TCP", 54, 208, (3, 6, 31), OPTION),
    ("an option of a socket with that number", 54, 208, (3, 1, 31), ALLOWED),
    ("a limit of files", 160, 164, (7, 1 << 32), ALLOWED),
    ("a limit of cores", 160, 164, (4, 1 << 32), NOTHING),
    ("a limit of another's cores", 302, 261, (9, 4, 1 << 32), NOTHING),
    ("the limit of cores is asked for", 302, 261, (0, 4, 0, 1 << 32), ALLOWED),
    ("a limit of files, otherwise", 302, 261, (0, 7, 77), ALLOWED),
]


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
@pytest.mark.parametrize("call", MORE, ids=[call[0] for call in MORE])
def test_what_calls_are_asked_for_is_told_apart(call: tuple[str, int, int, tuple[int, ...], int], name: str) -> None:
    program = seccomp_filter(hidden_memory=False, pinned=True, machine=name)
    number = call[1] if name == "x86_64" else call[2]
    assert decide(program, ARCHITECTURES[name], number, *call[3]) == call[4]


def test_other_ways_into_the_kernel_end_the_process() -> None:
    program = seccomp_filter(hidden_memory=True, pinned=False, machine="x86_64")
    assert decide(program, 0x40000003, 0) == KILLED  # i386
    assert decide(program, ARCHITECTURES["x86_64"], 0x40000000) == KILLED  # x32
    assert decide(seccomp_filter(hidden_memory=True, pinned=False, machine="aarch64"), 0x40000028, 0) == KILLED


def test_memory_of_no_process_is_had_where_the_kernel_counts_it() -> None:
    program = seccomp_filter(hidden_memory=True, pinned=False, machine="x86_64")
    assert decide(program, ARCHITECTURES["x86_64"], 319) == ALLOWED
    assert decide(program, ARCHITECTURES["x86_64"], 203) == ALLOWED


def test_groups_of_version_2_get_their_limits(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "cgroup.subtree_control").write_text("")
    groups = Cgroups(2, dict.fromkeys(("memory", "pids", "cpu"), tmp_path), "own")
    (tmp_path / "own" / "one").mkdir()
    (tmp_path / "own" / "one" / "memory.swap.max").write_text("max")
    [join] = groups.make("one", Limits(1 << 30, 64, 1.5))
    one = tmp_path / "own" / "one"
    assert join == one / "cgroup.procs"
    assert (tmp_path / "own" / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    written = {name: (one / name).read_text() for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max")}
    assert written == {
        "memory.max": "1073741824",
        "memory.swap.max": "0",
        "pids.max": "64",
        "cpu.max": "150000 100000",
    }
    (one / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\n")
    assert groups.kills("one") == 2
    assert groups.groups() == {"one"}


def test_groups_of_installations_that_never_came_back_are_removed(tmp_path: Path) -> None:
    groups = Cgroups(2, dict.fromkeys(("memory", "pids", "cpu"), tmp_path), "understudy-mine")
    for name in ("understudy-mine", "understudy-old", "understudy-young", "understudy-busy", "other"):
        (tmp_path / name / "group").mkdir(parents=True)
    # A file stands for a process: both keep a directory from being removed.
    (tmp_path / "understudy-busy" / "group" / "process").touch()
    for name in ("understudy-mine", "understudy-old", "understudy-busy", "other"):
        os.utime(tmp_path / name, (0, 0))
    groups.clear_abandoned()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"understudy-mine", "understudy-young", "understudy-busy", "other"}


def test_a_directory_that_is_no_group_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CgroupError):
        find("own", tmp_path)


def test_the_python_of_containers_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailableError, match=r"no bin/python3"):
        container_python(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").touch()
    (tmp_path / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    found = container_python(tmp_path)
    assert found.executable == "/opt/python/bin/python3"
    assert found.site_packages == "/opt/python/lib/python3.12/site-packages"


def test_the_self_test_passes_in_both_tiers(tier: str, bubblewrap: None) -> None:
    with directory_for(tier) as directory:
        assert run_script(tier, Path(__file__).with_name("self_tested.py"), str(directory)) == {
            "tier": tier,
            "failed": [],
        }


# What is taken away from containers, and what the self-test must then say.
HOLES: dict[str, tuple[str, ...]] = {
    "network": ("--unshare-all", "--unshare-user --unshare-pid --unshare-ipc --unshare-uts"),
    "other processes": ("--unshare-all", "--unshare-user --unshare-net --unshare-ipc --unshare-uts"),
    "files of this machine": ("--dev", "--ro-bind /var /var --dev"),
}


@pytest.mark.parametrize("hole", HOLES)
async def test_the_self_test_sees_a_hole(
    hole: str, tmp_path: Path, bubblewrap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = HOLES[hole]
    whole = launch._view

    def with_a_hole(*arguments: Any) -> list[str]:
        return [word for one in whole(*arguments) for word in (after.split() if one == before else [one])]

    monkeypatch.setattr(launch, "_view", with_a_hole)
    outcome = await self_test(machine(), SMALL, tmp_path / f"hole-{os.getpid()}")
    assert hole in " ".join(outcome.failed) or "the probe did not run" in " ".join(outcome.failed)
    cgroups = machine().cgroups
    if cgroups is not None:
        cgroups.clear()


async def test_a_check_that_does_not_run_does_not_pass(
    tmp_path: Path, bubblewrap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.sandbox.selftest._EAT_MEMORY", "raise SystemExit('no memory to eat')")
    monkeypatch.setattr("understudy.sandbox.selftest._EAT_DISK", "import os; os.kill(os.getpid(), 9)")
    outcome = await self_test(machine(), SMALL, tmp_path / f"unrun-{os.getpid()}")
    assert outcome.failed == (
        "more memory (the check did not run; it ended with 1: no memory to eat)",
        "more disk (the check did not run; it ended with 137: )",
    )
    cgroups = machine().cgroups
    if cgroups is not None:
        cgroups.clear()


async def test_the_self_test_sees_that_nothing_is_bounded(
    tmp_path: Path, bubblewrap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = struct.pack("=HBBI", 0x06, 0, 0, ALLOWED)
    monkeypatch.setattr(launch, "seccomp_filter", lambda **_: allowed)
    monkeypatch.setattr(launch, "_limits", lambda *_: {})
    weak = replace(machine(), disable_userns=False, cgroups=None)
    monkeypatch.setattr("understudy.sandbox.watching.Watch._look", lambda *_: None)
    outcome = await self_test(weak, SMALL, tmp_path / f"weak-{os.getpid()}")
    assert {"system calls", "services of this machine", "more processes", "more memory"} <= set(outcome.failed)
    assert seccomp.MACHINES == ("x86_64", "aarch64")
