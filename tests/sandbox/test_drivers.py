"""gVisor and Docker, the real ones: what holds for bubblewrap holds for containers that they make."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sandbox.boxes import machine, sandbox, sh, small
from sandbox.daemons import python_archive
from sandbox.test_attacks import DISK, MEMORY, MIB, NO_FILES, SECRET, left_behind
from sandbox.users import directory_for, run_script
from understudy.cli.doctor import examine as doctor
from understudy.cli.sandbox import build
from understudy.sandbox import docker as docker_driver
from understudy.sandbox import gvisor as gvisor_driver
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.docker import LABEL
from understudy.sandbox.docker_api import Daemon, DockerError
from understudy.sandbox.drivers import examine
from understudy.sandbox.held import Running
from understudy.sandbox.interface import PathError, QuotaError, SandboxUnavailableError
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.machine import ContainerPython, Machine
from understudy.sandbox.place import Place
from understudy.sandbox.selftest import self_test

# What gVisor takes for itself, over what its container may have.
_ITS_OWN = {"gvisor": 128 * MIB, "docker": 0}

_LOOK = "import os, sys; print(sys.prefix, os.getcwd(), os.path.exists('/usr/bin/env'))"
_ECHO = """
import socket
told = socket.socket(fileno=0)
while said := told.recv(100):
    print(len(said))
    told.sendall(b"heard " + said)
"""


def settings_of(driver: SandboxConfig) -> dict[str, str]:
    """As they are written in a configuration."""
    said: dict[str, str] = {"driver": driver.driver}
    if driver.driver == "gvisor":
        said["runsc"] = str(driver.runsc)
    else:
        said["docker_socket"] = str(driver.docker_socket)
    return said


async def test_commands_and_files_are_as_in_bubblewrap(driver: SandboxConfig, tmp_path: Path) -> None:
    async with sandbox(tmp_path, driver) as box:
        done = await box.exec(
            ["bash", "-c", 'cat; pwd; id -un; echo "$ONE $INPUT_DIR"; echo bad >&2; exit 7'],
            stdin=b"given\n",
            timeout=30,
            cwd="/tmp",
            environment={"ONE": "a b'c\n"},
        )
        assert done.stdout == "given\n/tmp\nuser\na b'c\n /files/input\n"
        assert (done.stderr, done.return_code, done.timed_out) == ("bad\n", 7, False)
        missing = await box.exec(["no-such-program"], timeout=30)
        assert (missing.return_code, missing.stderr) == (127, "no-such-program: No such file or directory\n")

        data = os.urandom(3_000_001)
        await box.put("/files/input/deep/x.bin", data, mode=0o755)
        assert b"".join([piece async for piece in box.get("/files/input/deep/x.bin")]) == data
        [file] = await box.files("/files")
        assert (file.path, file.size, file.sha256) == (
            "/files/input/deep/x.bin",
            len(data),
            hashlib.sha256(data).hexdigest(),
        )
        assert "-rwxr-xr-x" in await sh(box, "ls -l /files/input/deep/x.bin")

        await sh(
            box, "cd /files; ln -s / root; mkfifo pipe; mkdir -p d; echo b > d/f; nohup sleep 1000 >/dev/null 2>&1 &"
        )
        assert [one.path for one in await box.files("/files")] == ["/files/d/f", "/files/input/deep/x.bin"]
        for path in ("/files/root/etc/passwd", "/files/pipe", "/etc/passwd"):
            with pytest.raises(PathError):
                await anext(box.get(path))
        with pytest.raises(PathError):
            await box.put("/files/root/tmp/x", b"x")

        process = box.process
        await box.rest()
        assert await sh(box, "pgrep sleep || echo none") == "none\n"
        assert box.process is process
        await box.sleep()
        assert box.process is None
        assert await sh(box, "cat /files/d/f") == "b\n"


async def test_commands_run_beside_each_other_and_end_with_their_time(driver: SandboxConfig, tmp_path: Path) -> None:
    async with sandbox(tmp_path, driver) as box:
        await box.exec(["true"], timeout=30)
        began = time.monotonic()
        done = await asyncio.gather(*(box.exec(["sh", "-c", f"sleep 1; echo {n}"], timeout=30) for n in range(5)))
        assert [one.stdout for one in done] == [f"{n}\n" for n in range(5)]
        assert time.monotonic() - began < 4
        assert (await sh(box, "sleep 1000 & echo done")) == "done\n"
        endless = await box.exec(
            ["bash", "-c", "echo first; setsid sleep 999 & trap '' TERM; while :; do :; done"], timeout=1
        )
        assert (endless.timed_out, endless.return_code, endless.stdout) == (True, 124, "first\n")
        assert await sh(box, "pgrep sleep || echo none") == "none\n"

        process = box.process
        assert process is not None
        call = asyncio.create_task(box.exec(["sleep", "1000"], timeout=1000))
        await asyncio.sleep(0.2)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not Path(f"/proc/{process.first}").exists()

        much = await box.exec(["head", "-c", "300000000", "/dev/zero"], timeout=60)
        assert much.truncated
        assert len(much.stdout) == 1024 * 1024


async def test_a_program_is_talked_with(driver: SandboxConfig, tmp_path: Path) -> None:
    """By a socket that is handed into the container, gVisor's kernel too."""
    async with sandbox(tmp_path, driver) as box:
        program = await box.start(["python3", "-u", "-c", _ECHO])
        for said in (b"one", b"two"):
            await program.send(said)
            async with asyncio.timeout(20):
                assert await program.receive() == b"heard " + said
        ended = await program.end()
        assert ended.stdout == "3\n3\n"


@pytest.mark.parametrize("deed", ["kill -9 -1", "kill -STOP 1; kill -9 1; exit 1"])
async def test_who_attacks_the_helper_ends_only_itself(deed: str, driver: SandboxConfig, tmp_path: Path) -> None:
    async with sandbox(tmp_path, driver) as box:
        done = await box.exec(["bash", "-c", deed], timeout=10)
        assert done.return_code != 0
        assert await sh(box, "echo well") == "well\n"


async def test_what_does_not_fit_is_refused_and_leaves_nothing(driver: SandboxConfig, tmp_path: Path) -> None:
    async with sandbox(tmp_path, driver) as box:
        with pytest.raises(QuotaError):
            await box.put("/tmp/big", bytes(40 * MIB))
        assert await box.files("/tmp") == []


async def test_orphans_are_not_left_as_the_dead(driver: SandboxConfig, tmp_path: Path) -> None:
    async with sandbox(tmp_path, driver) as box:
        for _ in range(3):
            await sh(box, "for n in 1 2 3 4 5 6 7 8; do (true & true &) & done; wait")
        await asyncio.sleep(0.2)
        assert (await sh(box, "cat /proc/[0-9]*/stat | grep -c ' Z ' || true")).strip() == "0"


async def test_the_self_test_passes(driver: SandboxConfig, tmp_path: Path) -> None:
    outcome = await self_test(machine(driver), small(driver), tmp_path / f"self-{os.getpid()}")
    assert (outcome.tier, outcome.failed) == ("strict", ())
    machine(driver).leave()


async def test_the_self_test_sees_a_hole(
    driver: SandboxConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No filter, and a directory of this machine."""
    allowed = bytes.fromhex("060000000000ff7f")
    room = docker_driver if driver.driver == "docker" else gvisor_driver
    monkeypatch.setattr(room, "seccomp_filter", lambda **_: allowed)
    whole = room.system_view

    def with_a_hole(*arguments: Any) -> Any:
        seen = whole(*arguments)
        seen.binds["/var"] = "/var"
        return seen

    monkeypatch.setattr(room, "system_view", with_a_hole)
    outcome = await self_test(machine(driver), small(driver), tmp_path / f"hole-{os.getpid()}")
    machine(driver).leave()
    assert "files of this machine" in outcome.failed
    if driver.driver == "gvisor":
        # Docker has a filter of its own below this one.
        assert "system calls" in outcome.failed


@pytest.fixture(scope="module")
def outcome(driver: SandboxConfig) -> dict[str, Any]:
    """What came of the nine attacks."""
    script = Path(__file__).with_name("attacks.py")
    with directory_for("strict") as directory, socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        environment = {"PLANTED": SECRET, "DRIVER": json.dumps(settings_of(driver))}
        found: dict[str, Any] = run_script("strict", script, str(directory), port, environment=environment)
        found["left"] = left_behind(directory)
    return found


def test_the_nine_attacks_are_held(outcome: dict[str, Any], driver: SandboxConfig) -> None:
    assert outcome["tier"] == "strict"
    *tried, interfaces, _ = outcome["network"]
    assert len(tried) == 4
    assert all(line.startswith("refused") for line in tried)
    assert interfaces == "lo"
    assert [line.split()[0] for line in outcome["metadata_address"][:-1]] == ["refused", "refused", "lo"]
    assert outcome["host_files"] == NO_FILES
    # Two processes: the helper and the one that looks.
    assert outcome["other_containers"] == {"seen": ["False", "False", "2"], "alive": True}
    assert outcome["fork_bomb"]["timed_out"]
    assert outcome["fork_bomb"]["seconds"] < 10
    memory = outcome["memory_bomb"]
    assert memory["out_of_memory"]
    assert memory["one"] != 0
    assert memory["shared"] != 0
    assert MEMORY // 2 < memory["taken"] <= MEMORY + _ITS_OWN[driver.driver]
    disk = outcome["disk_fill"]
    assert disk["taken"] <= DISK
    assert 0 not in (disk["ended"], disk["unlinked"], disk["many"])
    loop = outcome["cpu_loop"]
    assert loop["timed_out"]
    assert loop["seconds"] < 6
    assert loop["used"] < 0.85
    for attack in ("fork_bomb", "memory_bomb", "disk_fill", "cpu_loop"):
        assert outcome[attack]["after"] == "well\n", attack
    assert outcome["left"] == []


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
def test_no_privilege_and_no_dangerous_call_is_had(outcome: dict[str, Any]) -> None:
    said = outcome["privileges"]["said"]
    # A user of its own, and of no set of capabilities anything.
    assert int(said[0]) > 60_000
    capabilities = [line for line in said if line.startswith("Cap")]
    assert len(capabilities) >= 3
    assert all(line.endswith("\t" + 16 * "0") for line in capabilities)
    assert "Seccomp:\t2" in said
    assert not [line for line in said[1:] if re.fullmatch(r"[a-z-]+", line)]
    assert outcome["privileges"]["calls"] == ["1", "1", "1", "1", "1", "38", "38", "38", "1", said[0]]


@pytest.mark.slow
def test_a_killed_server_leaves_nothing_that_runs(driver: SandboxConfig) -> None:
    script = Path(__file__).with_name("victim.py")
    environment = {"DRIVER": json.dumps(settings_of(driver))}
    with directory_for("strict") as directory:
        data = directory / "data"
        source = str(Path(__file__).parents[2] / "src")
        everything = {**os.environ, **environment, "PYTHONPATH": source}
        with subprocess.Popen(
            [sys.executable, str(script), str(data)], stdout=subprocess.PIPE, env=everything
        ) as victim:
            assert victim.stdout is not None
            told = json.loads(victim.stdout.readline())
            place = (data / "sandbox" / "place").read_text()
            victim.kill()
        end = time.monotonic() + 15
        while any(Path(f"/proc/{first}").exists() for first in told["firsts"]):
            assert time.monotonic() < end, "containers outlive their server"
            time.sleep(0.05)
        assert run_script("strict", script, str(data), told["id"], environment=environment) == "kept\n"
        while left := left_behind(directory, but={"data"}):
            assert time.monotonic() < end, left
            time.sleep(0.05)
        if driver.driver == "docker":
            label = f'{{"label":["{LABEL}=understudy-{place}"]}}'
            query = {"all": "1", "filters": label}
            assert Daemon(driver.docker_socket).call("GET", "/containers/json", query=query) == []


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(**changes: Any) -> str:
        with pytest.raises(SandboxUnavailableError) as told:
            examine(SandboxConfig(**changes), "understudy-test")
        return str(told.value)

    assert "https://gvisor.dev/docs/user_guide/install/" in said(driver="gvisor", runsc=tmp_path / "runsc")
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\necho runsc version 0.0~20221219.0\n")
    old.chmod(0o755)
    assert "20221219 is too old" in said(driver="gvisor", runsc=old)
    assert f"no Docker daemon answers at {tmp_path}/none" in said(driver="docker", docker_socket=tmp_path / "none")


def test_the_doctor_and_the_build_name_the_driver(
    docker: SandboxConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_SANDBOX_DRIVER", "docker")
    monkeypatch.setenv("UNDERSTUDY_SANDBOX_DOCKER_SOCKET", str(docker.docker_socket))
    doctor(None, tmp_path)
    said = capsys.readouterr().out
    assert "ok       code is run in containers of the strict tier, made by Docker" in said
    assert "bubblewrap is here too: sandbox.driver = bubblewrap" in said
    monkeypatch.setenv("UNDERSTUDY_SANDBOX_DOCKER_IMAGE", "somebodys")
    build(None, tmp_path)
    assert "Containers have what is in the image somebodys; there is nothing to make." in capsys.readouterr().out
    assert not (tmp_path / "sandbox").exists()


def test_an_ordinary_user_with_dockers_socket_has_the_ordinary_tier(docker: SandboxConfig) -> None:
    docker.docker_socket.parent.chmod(0o711)
    docker.docker_socket.chmod(0o666)
    environment = {"DRIVER": json.dumps(settings_of(docker))}
    with directory_for("ordinary") as directory:
        script = Path(__file__).with_name("self_tested.py")
        outcome = run_script("ordinary", script, str(directory), environment=environment)
    assert outcome == {"tier": "ordinary", "failed": []}


def test_an_ordinary_user_is_told_what_a_driver_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise DockerError(0, "PermissionError") from PermissionError()

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(docker_driver.Daemon, "call", refused)
    with pytest.raises(SandboxUnavailableError, match="only for a server that is root"):
        examine(SandboxConfig(driver="gvisor"), "understudy-test")
    with pytest.raises(SandboxUnavailableError, match="add it to the group of that socket"):
        examine(SandboxConfig(driver="docker"), "understudy-test")


# What other daemons say of themselves, and what is said of them.
OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, "runs without root"),
    ({"SecurityOptions": ["name=userns"]}, "maps users"),
    ({"Components": [{"Name": "Podman Engine"}]}, "is Podman's"),
]


@pytest.mark.parametrize(("info", "said"), OTHERS)
def test_daemons_that_cannot_be_used_are_told_apart(
    info: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_driver.Daemon, "call", lambda *_, **__: info)
    with pytest.raises(SandboxUnavailableError, match=said):
        examine(SandboxConfig(driver="docker"), "understudy-test")


async def test_what_a_daemon_does_not_end_is_not_held_for_ever(tmp_path: Path) -> None:
    class Refusing(Machine):
        ended: list[str] = []  # noqa: RUF012

        def left(self) -> set[str]:
            return {"container_a", "container_b"}

        def end(self, container_id: str) -> None:
            self.ended.append(container_id)
            if container_id == "container_a":
                raise SandboxUnavailableError("it is busy")

    place = Place(tmp_path)
    place.make()
    machine = Refusing(True, None, False, ContainerPython("python3", None, None), ())
    await Running(SandboxConfig(), place, shared=False).end_left(machine)
    assert machine.ended == ["container_a", "container_b"]
    lock = place.lock("container_a")
    assert lock is not None
    os.close(lock)


def test_a_daemon_that_does_not_say_what_is_left_is_told_of(tmp_path: Path) -> None:
    silent = docker_driver.DockerMachine(
        own_uid=True,
        cgroups=None,
        own_disk=False,
        python=ContainerPython("python3", None, None),
        weaker=(),
        daemon=Daemon(tmp_path / "none.sock"),
        image="none",
        given_image=True,
        name="understudy-test",
        counts=True,
        counts_sockets=False,
        processors=1,
        labelled=False,
    )
    with capture_logs() as lines:
        assert silent.left() == set()
    (line,) = lines
    assert (line["log_level"], "FileNotFoundError" in line["reason"]) == ("warning", True)


@pytest.mark.slow
async def test_an_image_that_somebody_has_made_is_used_as_it_is(docker: SandboxConfig, tmp_path: Path) -> None:
    """One with a Python of its own: that of this machine, with all that it loads, in an archive."""
    daemon = Daemon(docker.docker_socket)
    daemon.call("POST", "/images/create", query={"fromSrc": "-", "repo": "given"}, archive=python_archive())
    config = replace(small(docker), docker_image="given")
    given = examine(config, f"understudy-given-{os.getpid()}")
    assert not given.shares_system
    box = LocalSandbox(given, config, f"given-{os.getpid()}", tmp_path / "box", Path("/nowhere"))
    try:
        done = await box.exec(["python3", "-c", _LOOK], timeout=30)
        assert done.stdout == "/usr/local /home/user False\n", done
    finally:
        await box.delete()
    outcome = await self_test(given, config, tmp_path / f"self-{os.getpid()}")
    assert outcome.failed == ()
    with pytest.raises(SandboxUnavailableError, match="there is no image nobody-has"):
        examine(replace(config, docker_image="nobody-has"), "understudy-test")
