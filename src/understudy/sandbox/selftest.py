"""Tries whether containers hold on this machine, before anybody's code runs in one."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from understudy.sandbox.bubblewrap import forbidden_by
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.interface import Executed, SandboxUnavailableError
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.machine import Machine

_PROBE: Final = Path(__file__).with_name("probe.py")
_MIB: Final = 1024 * 1024
_SECONDS: Final = 20.0
# A container small enough that using it up is quick.
_HAD: Final = 7
_MEMORY, _DISK, _PROCESSES, _CPUS = 96 * _MIB, 24 * _MIB, 24, 0.5

# Eight at a time, each within the bound, all together beyond it; until they are told or ended.
_EAT_MEMORY: Final = """
import os, sys, time
for _ in range(8):
    if not os.fork():
        kept = bytearray(int(sys.argv[1]) // 2)
        kept[::4096] = b"x" * len(kept[::4096])
        time.sleep(float(sys.argv[2]))
        os._exit(0)
ends = [os.wait()[1] for _ in range(8)]
sys.exit(0 if any(ends) else 7)
"""
_EAT_DISK: Final = """
import sys, time
piece = bytes(1 << 20)
try:
    for number in range(int(sys.argv[1]) // (4 << 20) * 4):
        with open(f"/tmp/{number}", "wb") as out:
            for _ in range(4):
                out.write(piece)
    time.sleep(1)
    sys.exit(7)
except OSError:
    pass
"""
_EAT_TIME: Final = """
import os, time
end = time.monotonic() + 0.4
child = os.fork()
while time.monotonic() < end:
    pass
if not child:
    os._exit(0)
os.wait()
used = os.times()
print(used.user + used.system + used.children_user + used.children_system)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`failed` names what containers could do that they must not; empty if they hold."""

    tier: Literal["strict", "ordinary"]
    failed: tuple[str, ...]


async def self_test(machine: Machine, config: SandboxConfig, directory: Path) -> Outcome:
    """Run the checks in a container whose files lie in `directory`, which is removed; takes about a second.

    Raises SandboxUnavailableError if no container starts.
    """
    small = replace(
        config, memory=_MEMORY, disk=_DISK, processes=_PROCESSES, cpus=_CPUS, max_files=256, reserve=0, max_output=4096
    )
    sandbox = LocalSandbox(machine, small, directory.name, directory, None)
    try:
        try:
            failed = await _escapes(machine, sandbox, directory)
        except SandboxUnavailableError as error:
            cure = None if machine.driver == "docker" else forbidden_by()
            raise SandboxUnavailableError(f"{error}; {cure}" if cure else str(error)) from None
        failed += await _exhaustion(machine, sandbox)
    finally:
        # What outlives a container that has a hole may write on; orphans are swept.
        with suppress(OSError):
            await sandbox.delete()
    return Outcome(machine.tier, tuple(failed))


async def _run(sandbox: LocalSandbox, text: str, *arguments: str) -> Executed:
    return await sandbox.exec(["python3", "-I", "-S", "-c", text, *arguments], timeout=_SECONDS)


def _had(what: str, done: Executed) -> str:
    if done.return_code == _HAD:
        return what
    return f"{what} (the check did not run; it ended with {done.return_code}: {done.stderr.strip()[-200:]})"


async def _escapes(machine: Machine, sandbox: LocalSandbox, directory: Path) -> list[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        arguments = (str(directory.parent), str(port), str(_PROCESSES), *machine.hidden)
        done = await _run(sandbox, _PROBE.read_text(), *arguments)
    try:
        found: list[str] = json.loads(done.stdout)
    except ValueError:
        said = (done.stderr or done.stdout).strip()[-300:]
        return [f"the probe did not run (it ended with {done.return_code}: {said})"]
    return found


async def _exhaustion(machine: Machine, sandbox: LocalSandbox) -> list[str]:
    failed: list[str] = []
    eaten = await _run(sandbox, _EAT_MEMORY, str(_MEMORY), "1" if not machine.counted else "0.1")
    # Only what shows that it was held passes: that it was ended for it, or said itself that it had no more.
    if eaten.return_code and not eaten.out_of_memory:
        failed.append(_had("more memory", eaten))
    filled = await _run(sandbox, _EAT_DISK, str(4 * _DISK))
    if filled.return_code and not filled.out_of_disk:
        failed.append(_had("more disk", filled))
    if machine.counted and len(os.sched_getaffinity(0)) > 1 and not await _time_is_held(machine, sandbox):
        failed.append("more processor time")
    return failed


async def _time_is_held(machine: Machine, sandbox: LocalSandbox) -> bool:
    spent = await _run(sandbox, _EAT_TIME)
    if machine.driver == "gvisor":
        # Its kernel counts what a program would have had; this machine's knows better.
        return machine.cgroups is not None and machine.cgroups.throttled(sandbox.id) > 0
    try:
        # 0.8 s without a bound; 0.2 s, and what a period lets over, with it.
        return float(spent.stdout) < 0.55
    except ValueError:
        return False
