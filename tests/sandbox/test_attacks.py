"""Nine attacks from within a container, in both tiers. The attacks themselves are in attacks.py."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from sandbox.users import directory_for, run_script

MIB = 1024 * 1024
MEMORY, DISK = 128 * MIB, 48 * MIB
SECRET = "planted-where-no-container-looks"
NO_FILES: dict[str, Any] = {
    "seen": "",
    "wrote": "",
    "refused": 11,
    "listed": [],
    "secret": False,
    "directory": False,
}
"""What the attack on files of the machine brings."""


@pytest.fixture(scope="module")
def outcomes() -> Generator[dict[str, Any]]:
    """What came of the attacks, by tier, once it was asked for."""
    yield {}


@pytest.fixture
def outcome(tier: str, outcomes: dict[str, Any], bubblewrap: None) -> dict[str, Any]:
    if tier not in outcomes:
        script = Path(__file__).with_name("attacks.py")
        with directory_for(tier) as directory, socket.create_server(("127.0.0.1", 0)) as listening:
            port = str(listening.getsockname()[1])
            outcomes[tier] = run_script(tier, script, str(directory), port, environment={"PLANTED": SECRET})
            outcomes[tier]["left"] = left_behind(directory)
    found: dict[str, Any] = outcomes[tier]
    return found


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="takes away what only root has")
@pytest.mark.parametrize("without", ["disk", "cgroups"])
def test_root_on_a_machine_that_lacks_something_has_the_ordinary_tiers_bounds(without: str, bubblewrap: None) -> None:
    script = Path(__file__).with_name("attacks.py")
    with directory_for("strict") as directory:
        found = run_script("strict", script, str(directory), "9", without, environment={"PLANTED": SECRET})
        assert left_behind(directory) == []
    assert found["tier"] == "ordinary"
    assert found["memory_bomb"]["out_of_memory"]
    assert found["memory_bomb"]["taken"] <= MEMORY + (150 * MIB if without == "cgroups" else 0)
    assert found["disk_fill"]["taken"] < (400 * MIB if without == "disk" else DISK)
    assert found["fork_bomb"]["after"] == found["disk_fill"]["after"] == found["cpu_loop"]["after"] == "well\n"


def left_behind(directory: Path, but: frozenset[str] | set[str] = frozenset()) -> list[str]:
    """Files, except those of `but`, processes, mounts, loop devices and control groups of the script in `directory`."""
    # The pattern of disks stays: it is copied for the next container.
    left = [
        path.name
        for path in directory.iterdir()
        if path.name not in {"canary", *but} and not path.name.startswith(".disk-")
    ]
    left += [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(directory) in line]
    loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=False).stdout
    left += [line for line in loops.splitlines() if str(directory) in line]
    left += [str(path) for path in Path("/sys/fs/cgroup").rglob(f"understudy-test-{directory.name}")]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = process.read_bytes()
        except OSError:
            continue
        if str(directory).encode() in said:
            left.append(said.decode("utf-8", "replace"))
    return left


def test_the_machine_is_of_the_tier_that_is_tested(outcome: dict[str, Any], tier: str) -> None:
    assert outcome["tier"] == tier


def test_nothing_is_reached_by_the_network(outcome: dict[str, Any]) -> None:
    *tried, interfaces, _ = outcome["network"]
    assert len(tried) == 4
    assert all(line.startswith("refused") for line in tried)
    assert interfaces == "lo"


def test_the_metadata_address_is_not_reached(outcome: dict[str, Any]) -> None:
    assert outcome["metadata_address"] == ["refused 101", "refused 101", "lo", ""]


def test_files_of_the_machine_are_neither_seen_nor_written_nor_handed_out(outcome: dict[str, Any]) -> None:
    assert outcome["host_files"] == NO_FILES


def test_other_containers_are_neither_seen_nor_reached_nor_killed(outcome: dict[str, Any]) -> None:
    # Three processes: the first, the helper and the one that looks.
    assert outcome["other_containers"] == {"seen": ["False", "False", "3"], "alive": True}


def test_no_privilege_is_had(outcome: dict[str, Any]) -> None:
    said = outcome["privileges"]["said"]
    nothing = "0000000000000000"
    assert said == [
        "1000",
        *(f"{name}:\t{nothing}" for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")),
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "4",  # three streams, and the directory that is listed
        "",
    ]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
def test_dangerous_system_calls_are_refused(outcome: dict[str, Any]) -> None:
    # ptrace, mount, unshare, bpf, userfaultfd: EPERM; io_uring_setup, open_tree, clone3: ENOSYS; keyctl: EPERM.
    assert outcome["privileges"]["calls"] == ["1", "1", "1", "1", "1", "38", "38", "38", "1", "1000"]


def test_a_fork_bomb_ends_with_its_time(outcome: dict[str, Any]) -> None:
    found = outcome["fork_bomb"]
    assert (found["timed_out"], found["code"], found["after"]) == (True, 124, "well\n")
    assert found["seconds"] < 8


def test_a_memory_bomb_is_held_as_a_sum(outcome: dict[str, Any], tier: str) -> None:
    found = outcome["memory_bomb"]
    assert found["out_of_memory"]
    assert found["one"] != 0
    assert found["shared"] != 0
    assert found["after"] == "well\n"
    # Eight processes want 40 MB each. Declared: sums are looked at ten times a second, and so seen a moment late.
    assert MEMORY // 2 < found["taken"] <= MEMORY + (0 if tier == "strict" else 150 * MIB)


def test_a_full_disk_is_the_containers_own(outcome: dict[str, Any], tier: str) -> None:
    found = outcome["disk_fill"]
    assert found["ended"] != 0
    assert found["unlinked"] != 0
    assert found["many"] != 0
    assert found["after"] == "well\n"
    if tier == "strict":
        assert found["taken"] <= DISK
    else:
        # Declared: measured several times a second, so that a fast disk takes more before the container is ended.
        assert found["out_of_disk"]
        assert found["taken"] < 400 * MIB


def test_an_endless_loop_ends_with_its_time_and_has_no_more_than_its_share(outcome: dict[str, Any], tier: str) -> None:
    found = outcome["cpu_loop"]
    assert found["timed_out"]
    assert found["seconds"] < 6
    assert found["after"] == "well\n"
    # Two loops of a second that may have half a processor, or, in the ordinary tier, a whole one between them.
    assert found["used"] < (0.85 if tier == "strict" else 1.3)


def test_nothing_is_left_behind(outcome: dict[str, Any]) -> None:
    assert outcome["left"] == []
