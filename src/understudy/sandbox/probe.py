"""What the self-test runs inside a container: it tries to get out, and tells in JSON what it could do.

Its arguments: a path of this machine's, a port on which this machine listens, processes that may run at most, and paths
that it must not find.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import sys
from pathlib import Path

_NEW_USER = 0x10000000
_VSOCK = 40
_GET_NO_NEW_PRIVILEGES = 39


def _reached(address: tuple[str, int]) -> bool:
    with socket.socket() as connection:
        connection.settimeout(0.5)
        return connection.connect_ex(address) == 0


def _has_way_out() -> bool:
    interfaces = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    return interfaces != ["lo"]


def _other_families() -> bool:
    try:
        socket.socket(_VSOCK, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _writable(directory: str) -> bool:
    try:
        (Path(directory) / "probe").write_bytes(b"")
    except OSError:
        return False
    return True


def _has_something(directory: str) -> bool:
    try:
        return bool(os.listdir(directory))  # noqa: PTH208
    except OSError:
        return False


def _status() -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)


def _forks(most: int) -> bool:
    """Whether more than `most` processes could be had."""
    reading, writing = os.pipe()
    children: list[int] = []
    try:
        while len(children) <= most:
            child = os.fork()
            if not child:
                os.close(writing)
                os.read(reading, 1)
                os._exit(0)
            children.append(child)
    except OSError as error:
        return error.errno != errno.EAGAIN
    else:
        return True
    finally:
        os.close(writing)
        os.close(reading)
        for child in children:
            os.waitpid(child, 0)


def main() -> None:
    path, port, most, hidden = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    status = _status()
    libc = ctypes.CDLL(None, use_errno=True)
    found = {
        "network": _has_way_out() or _reached(("1.1.1.1", 53)),
        "metadata address": _reached(("169.254.169.254", 80)),
        "services of this machine": _reached(("127.0.0.1", port)) or _other_families(),
        "files of this machine": any(Path(one).exists() for one in (path, *hidden))
        or _has_something("/sys")
        or any(_writable(one) for one in ("/", "/usr", "/etc", "/dev", "/opt")),
        "other processes": len([name for name in os.listdir("/proc") if name.isdigit()]) > 4,  # noqa: PTH208
        "privileges": os.getuid() == 0
        or int(status["CapEff"], 16) != 0
        or int(status["CapBnd"], 16) != 0
        or libc.prctl(_GET_NO_NEW_PRIVILEGES, 0, 0, 0, 0) != 1,
        "system calls": status["Seccomp"].strip() != "2"
        or libc.unshare(_NEW_USER) == 0
        or libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0,
        "more processes": _forks(most),
    }
    print(json.dumps([name for name, could in found.items() if could]))  # noqa: T201


if __name__ == "__main__":
    main()
