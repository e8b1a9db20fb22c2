"""Code that hides from the server what it takes of disk and memory, in a container whose use the server counts: run as
an ordinary user, in the directory that is given. Tells of each what ended it, and whether files of it are left."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.drivers import examine
from understudy.sandbox.interface import SandboxError
from understudy.sandbox.local import LocalSandbox

MIB = 1024 * 1024
CONFIG = SandboxConfig(memory=128 * MIB, disk=32 * MIB, processes=48, max_files=2048, reserve=0)

_FILL: Final = """
for number in range(100): open(str(number), "wb").write(bytes(1 << 20))
time.sleep(20)
"""
DEEDS: Final = {
    "forbidden": "os.mkdir('/tmp/d'); os.chdir('/tmp/d'); os.chmod('.', 0o300)" + _FILL,
    "too long a way": "for _ in range(30): os.mkdir('x' * 200); os.chdir('x' * 200)\n" + _FILL,
    "exchanged": """
os.mkdir('/tmp/d'); at = os.open('/tmp/d', os.O_RDONLY)
if not os.fork():
    while True:
        os.rename('/tmp/d', '/tmp/e'); os.symlink('/', '/tmp/d'); os.unlink('/tmp/d'); os.rename('/tmp/e', '/tmp/d')
os.fchdir(at)
"""
    + _FILL,
    "mapped": """
kept = []
for number in range(100):
    with open("gone", "w+b") as file:
        file.write(bytes(1 << 20)); file.flush(); os.unlink("gone")
        kept.append(mmap.mmap(file.fileno(), 1 << 20, access=mmap.ACCESS_READ))
time.sleep(20)
""",
    "sockets": """
kept = []
for _ in range(1500):
    kept += socket.socketpair()
    for one in kept[-2:]:
        one.setblocking(False)
        try:
            while one.send(bytes(60000)): pass
        except BlockingIOError: pass
time.sleep(20)
""",
    "tables of pages": """
kept = mmap.mmap(-1, 1 << 38, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ)
for at in range(0, 1 << 38, 1 << 21): kept[at]
time.sleep(20)
""",
    "what was said at the start": """
with open("/proc/1/fd/1", "r+b", buffering=0) as said:
    for _ in range(4): said.write(bytes(1 << 20))
""",
}


async def main() -> None:
    directory = Path(sys.argv[1])
    machine = examine(CONFIG, f"understudy-test-{directory.name}")
    assert machine.cgroups is None
    told: dict[str, Any] = {}
    for deed, text in DEEDS.items():
        box = LocalSandbox(machine, CONFIG, "hiding", directory / "box", None)
        text = f"import mmap, os, socket, time\nos.chdir('/tmp')\n{text}"
        done = await box.exec(["python3", "-c", text], timeout=10)
        outcome = "disk" if done.out_of_disk else "memory" if done.out_of_memory else f"ended with {done.return_code}"
        told[deed] = [outcome, done.timed_out]
        try:
            # A container can be used after it, and be removed.
            await box.exec(["sh", "-c", "rm -rf /tmp/*"], timeout=10)
        except SandboxError as error:
            told[deed].append(str(error))
        await box.delete()
        told[deed].append((directory / "box").exists())
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main())
