"""The nine attacks, each from within a container of the tier of the user that runs this, and what came of them.

Arguments: a directory, a port of 127.0.0.1 on which something listens, and what this machine is to be without: `disk`
or `cgroups`. The environment has a secret, PLANTED, and in DRIVER the settings of another driver than bubblewrap.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from understudy.app.sandbox import sandbox_config
from understudy.sandbox.cgroups import of_process
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.drivers import examine
from understudy.sandbox.interface import Executed, PathError
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.machine import Machine
from understudy.sandbox.trees import used
from understudy.sandbox.watching import family, memory_of
from understudy.settings import Settings

MIB = 1024 * 1024
CONFIG = replace(
    sandbox_config(Settings.model_validate({"sandbox": json.loads(os.environ.get("DRIVER", "{}"))})),
    **{"memory": 128 * MIB, "disk": 48 * MIB, "processes": 48, "max_files": 4096, "cpus": 0.5, "reserve": 0},
)

_CONNECT = """
import socket, sys
for host, port in {targets}:
    try:
        socket.create_connection((host, port), 1).close()
        print("reached", host, port)
    except OSError as error:
        print("refused", error.errno)
try:
    socket.getaddrinfo("example.com", 80); print("resolved")
except OSError: pass
for family in (40, 16, 17, 38):
    try:
        socket.socket(family, socket.SOCK_RAW if family != 40 else socket.SOCK_STREAM); print("family", family)
    except OSError: pass
print(*[line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]])
"""
_EAT = """
import os, sys, time
for _ in range(8):
    if not os.fork():
        kept = []
        for _ in range(10):
            kept.append(bytearray(b"x" * (4 << 20)))
            time.sleep(0.05)
        time.sleep(1)
        os._exit(0)
print([os.wait()[1] for _ in range(8)])
"""
_FILL = """
import os
written = 0
try:
    for number in range(400):
        with open(f"/tmp/{number}", "wb") as out:
            written += out.write(os.urandom(1 << 20))
finally:
    print(written)
"""
_SPIN = """
import os, time
for _ in range(3):
    os.fork()
while True: pass
"""


class Attacks:
    def __init__(self, machine: Machine, directory: Path, port: int) -> None:
        self.machine = machine
        self.directory = directory
        self.port = port

    def sandbox(self, name: str, config: SandboxConfig = CONFIG) -> LocalSandbox:
        return LocalSandbox(self.machine, config, name, self.directory / name, None)

    async def python(self, sandbox: LocalSandbox, text: str, timeout: float = 20) -> Executed:
        return await sandbox.exec(["python3", "-c", text], timeout=timeout)

    def counted(self, sandbox: LocalSandbox) -> int:
        """Bytes of the container's control group."""
        groups, group = self.machine.cgroups, sandbox.id
        if groups is None:
            assert sandbox.process is not None
            groups, group = of_process(sandbox.process.first)
        return groups.memory(group)

    def processes(self, sandbox: LocalSandbox) -> Iterable[int]:
        """Those of a container on this machine."""
        assert sandbox.process is not None
        groups = self.machine.cgroups
        return family(sandbox.process.outer_pid) if groups is None else groups.processes(sandbox.id)

    async def network(self) -> Any:
        sandbox = self.sandbox("network")
        targets = [("1.1.1.1", 53), ("127.0.0.1", self.port), ("::1", self.port), ("10.0.0.1", 80)]
        done = await self.python(sandbox, _CONNECT.format(targets=targets))
        await sandbox.delete()
        return done.stdout.split("\n")

    async def metadata_address(self) -> Any:
        sandbox = self.sandbox("metadata")
        done = await self.python(sandbox, _CONNECT.format(targets=[("169.254.169.254", 80), ("fd00:ec2::254", 80)]))
        await sandbox.delete()
        return done.stdout.split("\n")

    async def host_files(self) -> Any:
        canary = self.directory / "canary"
        canary.write_text("canary")
        sandbox = self.sandbox("files")
        paths = [str(canary), "/etc/shadow", "/root", "/var", "/run", "/sys", "/boot", "/proc/1/root/etc/shadow"]
        shown = await sandbox.exec(["sh", "-c", "cat /proc/*/environ; cat /proc/*/cmdline; env"], timeout=5)
        seen = await sandbox.exec(["sh", "-c", 'for p; do cat "$p" || ls "$p"; done', "sh", *paths], timeout=5)
        wrote = await sandbox.exec(
            [
                "sh",
                "-c",
                "for d in / /usr /etc /dev /opt /proc /opt/python /opt/bin; do echo x > $d/x && echo $d; done",
            ],
            timeout=5,
        )
        await sandbox.exec(["sh", "-c", "ln -s /etc/passwd /files/a; ln -s / /files/b; mkfifo /files/c"], timeout=5)
        refused = 0
        for path in ("/files/a", "/files/b/etc/passwd", "/files/c", "/etc/passwd", "/files/../etc/passwd", "a"):
            try:
                async for _ in sandbox.get(path):
                    pass
            except PathError:
                refused += 1
        for path in ("/files/b/tmp/x", "/usr/x", "/files/../x", "/tmp", "tmp/x"):
            try:
                await sandbox.put(path, b"x")
            except PathError:
                refused += 1
        listed = await sandbox.files("/files")
        await sandbox.delete()
        return {
            "seen": seen.stdout,
            "wrote": wrote.stdout,
            "refused": refused,
            "listed": [file.path for file in listed],
            "secret": os.environ["PLANTED"] in shown.stdout,
            "directory": str(self.directory) in shown.stdout,
        }

    async def other_containers(self) -> Any:
        one, two = self.sandbox("one"), self.sandbox("two")
        listen = (
            "import socket,time\ns=socket.socket(socket.AF_UNIX); s.bind(chr(0)+'meet'); s.listen()\n"
            "t=socket.socket(); t.bind(('127.0.0.1', 4444)); t.listen()\nopen('/tmp/mine','w').write('one')\n"
            "open('/dev/shm/mine','w').write('one')\nprint('ready', flush=True)\ntime.sleep(60)"
        )
        running = asyncio.create_task(self.python(one, listen, timeout=60))
        while not await _is_there(one):
            await asyncio.sleep(0.05)
        look = (
            "import socket,os\n"
            "for f, a in ((socket.AF_UNIX, chr(0)+'meet'), (socket.AF_INET, ('127.0.0.1', 4444))):\n"
            "    try: socket.socket(f).connect(a); print('reached', a)\n"
            "    except OSError: pass\n"
            "print(os.path.exists('/tmp/mine'), os.path.exists('/dev/shm/mine'),"
            " len([p for p in os.listdir('/proc') if p.isdigit()]))"
        )
        seen = await self.python(two, look)
        await two.exec(["sh", "-c", "kill -9 -1"], timeout=5)
        alive = one.process is not None and not running.done()
        running.cancel()
        await asyncio.wait({running})
        await one.delete()
        await two.delete()
        return {"seen": seen.stdout.split(), "alive": alive}

    async def privileges(self) -> Any:
        sandbox = self.sandbox("privileges")
        tries = (
            "unshare -U true && echo unshare; unshare -m true && echo unshare-m;"
            "mount -t tmpfs none /tmp && echo mount;"
            "mknod /tmp/n b 7 0 && echo mknod; chroot / true && echo chroot; nsenter -t 1 -m true && echo nsenter;"
            "su -c true && echo su; echo 1 > /proc/sys/kernel/panic && echo sysctl; dmesg && echo dmesg;"
            "cp /bin/sh /tmp/sh; chmod u+s /tmp/sh; /tmp/sh -p -c 'id -u';"
            "grep -E '^(CapEff|CapPrm|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status; ls /proc/self/fd | wc -l"
        )
        done = await sandbox.exec(["bash", "-c", tries], timeout=10)
        call = (
            "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
            "for number in (101, 165, 272, 321, 323, 425, 428, 435, 250):\n"
            "    libc.syscall(number, 0, 0, 0, 0, 0); print(ctypes.get_errno())\n"
            "print(os.getuid())"
        )
        calls = await self.python(sandbox, call) if os.uname().machine == "x86_64" else None
        await sandbox.delete()
        return {"said": done.stdout.split("\n"), "calls": calls.stdout.split() if calls else None}

    async def fork_bomb(self) -> Any:
        sandbox = self.sandbox("forks")
        began = time.monotonic()
        done = await sandbox.exec(["bash", "-c", ":(){ :|:& };:; sleep 60"], timeout=1)
        after = await sandbox.exec(["echo", "well"], timeout=10)
        await sandbox.delete()
        return {
            "timed_out": done.timed_out,
            "code": done.return_code,
            "after": after.stdout,
            "seconds": time.monotonic() - began,
        }

    async def memory_bomb(self) -> Any:
        sandbox = self.sandbox("memory")
        await sandbox.exec(["true"], timeout=20)
        highest = 0

        async def watch() -> None:
            nonlocal highest
            while sandbox.process is not None:
                pid = sandbox.process.outer_pid
                with suppress(OSError):
                    taken = self.counted(sandbox) if self.machine.counted else memory_of(list(family(pid)), 0)
                    highest = max(highest, taken)
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(watch())
        done = await self.python(sandbox, _EAT)
        watching.cancel()
        one = await self.python(sandbox, "x = bytearray(1 << 30); x[::4096] = b'x' * len(x[::4096])")
        shared = await self.python(
            sandbox, "import os\nfor n in range(300): open(f'/dev/shm/{n}','wb').write(bytes(1<<20))"
        )
        after = await sandbox.exec(["echo", "well"], timeout=10)
        await sandbox.delete()
        return {
            "out_of_memory": done.out_of_memory,
            "taken": highest,
            "one": one.return_code,
            "shared": shared.return_code,
            "after": after.stdout,
        }

    async def disk_fill(self) -> Any:
        sandbox = self.sandbox("disk")
        done = await self.python(sandbox, _FILL)
        taken = used(sandbox.directory, 1 << 20).size
        unlinked = await self.python(
            sandbox,
            "import os\nf=open('/tmp/gone','wb'); os.unlink('/tmp/gone')\nwhile True: f.write(bytes(1<<20)); f.flush()",
        )
        many = await self.python(sandbox, "while True:\n  import os; os.mkdir(f'/home/user/{os.urandom(6).hex()}')")
        await sandbox.exec(["sh", "-c", "rm -rf /tmp/* /home/user/*"], timeout=20)
        after = await sandbox.exec(["sh", "-c", "echo well > /tmp/x && cat /tmp/x"], timeout=10)
        await sandbox.delete()
        return {
            "taken": taken,
            "ended": done.return_code,
            "out_of_disk": done.out_of_disk,
            "unlinked": unlinked.return_code,
            "many": many.return_code,
            "after": after.stdout,
        }

    async def cpu_loop(self) -> Any:
        sandbox = self.sandbox("loop")
        await sandbox.exec(["true"], timeout=5)
        began = time.monotonic()
        done = await self.python(sandbox, _SPIN, timeout=1)
        seconds = time.monotonic() - began
        bounded = self.sandbox("bounded")
        spin = (
            "import os, time\nend=time.monotonic()+1\nfor _ in range(2): os.fork()\n"
            "while time.monotonic() < end: pass\nprint(time.process_time())"
        )
        shares = [float(line) for line in (await self.python(bounded, spin)).stdout.split()]
        if self.machine.driver == "gvisor":
            # Its kernel counts what a program would have had.
            before = _spent(self.processes(bounded))
            await self.python(bounded, spin)
            shares = [_spent(self.processes(bounded)) - before]
        after = await sandbox.exec(["echo", "well"], timeout=10)
        await sandbox.delete()
        await bounded.delete()
        return {"timed_out": done.timed_out, "seconds": seconds, "used": sum(shares), "after": after.stdout}


def _spent(pids: Iterable[int]) -> float:
    """Seconds of processor time of processes and of those that they have waited for, as this machine counts them."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def _is_there(sandbox: LocalSandbox) -> bool:
    return any(file.path == "/tmp/mine" and file.size for file in await sandbox.files("/tmp"))


async def main() -> None:
    directory, port = Path(sys.argv[1]), int(sys.argv[2])
    machine = examine(CONFIG, f"understudy-test-{directory.name}")
    if "disk" in sys.argv[3:]:
        machine = replace(machine, own_disk=False)
    if "cgroups" in sys.argv[3:]:
        assert machine.cgroups is not None
        machine.cgroups.clear()
        machine = replace(machine, cgroups=None)
    attacks = Attacks(machine, directory, port)
    found: dict[str, Any] = {"tier": machine.tier}
    works: list[Callable[[], Awaitable[Any]]] = [
        attacks.network,
        attacks.metadata_address,
        attacks.host_files,
        attacks.other_containers,
        attacks.privileges,
        attacks.fork_bomb,
        attacks.memory_bomb,
        attacks.disk_fill,
        attacks.cpu_loop,
    ]
    for work in works:
        found[work.__name__] = await work()  # type: ignore[attr-defined]
    machine.leave()
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
