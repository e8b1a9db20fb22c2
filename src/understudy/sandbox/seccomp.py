"""The system calls that a container may not make, as the program that the kernel runs before each of them.

It is a list of what is refused: the interfaces through which kernels were broken out of, and those that reach what
namespaces do not part. Calls newer than this list knows are as if the kernel were older. Numbers are those of Linux's
own tables (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import Final, NamedTuple

# struct sock_filter: code, jump if true, jump if false, operand (linux/filter.h).
_INSTRUCTION: Final = struct.Struct("=HBBI")
_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
# Offsets in struct seccomp_data (linux/seccomp.h); of an argument its lower half, on little-endian machines.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 24, 32

# CLONE_NEW* (linux/sched.h): mount, cgroup, uts, ipc, user, pid, net.
_NAMESPACES: Final = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000
_UNIX: Final = 1
_INTERNET: Final = (2, 10)
"""AF_UNIX, AF_INET, AF_INET6. Others are not all kept apart by network namespaces: AF_VSOCK reaches a virtual
machine's host. And to ask for one, or for another protocol of these, makes the kernel load the module that has it."""
_TYPES_ABOVE: Final = 0xC
"""Bits of the types above SOCK_RAW: SOCK_SEQPACKET and SOCK_DCCP are other protocols, asked for otherwise."""
_PROTOCOLS: Final = (0, 1, 6, 17, 58)
"""The usual one, ICMP, TCP, UDP, ICMPv6."""
_TCP, _TCP_ULP = 6, 31
"""An option by which a socket of TCP is given to another module."""
_CORE: Final = 4
"""RLIMIT_CORE. See launch.py: who sets it to nought has the machine's collector of crashes read what crashes."""
_X32: Final = 0x40000000


class _Machine(NamedTuple):
    architecture: int  # AUDIT_ARCH_* (linux/audit.h)
    clone: int
    socket: int
    refused: tuple[int, ...]
    socketpair: int
    setsockopt: int
    setrlimit: int
    prlimit64: int
    hidden_memory: tuple[int, ...]  # shmget, memfd_create, msgget, semget
    affinity: int  # sched_setaffinity


# ptrace, syslog, quotactl, mount, umount2, swapon, swapoff, reboot, sethostname, setdomainname, init_module,
# delete_module, pivot_root, chroot, acct, settimeofday, adjtimex, clock_settime, clock_adjtime, kexec_load, add_key,
# request_key, keyctl, mbind, migrate_pages, move_pages, unshare, setns, perf_event_open, fanotify_init,
# name_to_handle_at, open_by_handle_at, process_vm_readv, process_vm_writev, kcmp, finit_module, bpf, userfaultfd,
# personality, vhangup, io_setup (of which the whole machine has one count); on x86_64 also iopl, ioperm, modify_ldt,
# uselib, create_module, get_kernel_syms, query_module, nfsservctl, _sysctl, lookup_dcookie, kexec_file_load, ustat,
# sysfs.
_MACHINES: Final[dict[str, _Machine]] = {
    "x86_64": _Machine(
        0xC000003E,
        clone=56,
        socket=41,
        refused=(
            *(101, 103, 179, 165, 166, 167, 168, 169, 170, 171, 175, 176, 155, 161, 163, 164, 159, 227, 305, 246),
            *(248, 249, 250, 237, 256, 279, 272, 308, 298, 300, 303, 304, 310, 311, 312, 313, 321, 323, 135, 153),
            *(172, 173, 154, 134, 174, 177, 178, 180, 156, 212, 320, 136, 139, 206),
        ),
        socketpair=53,
        setsockopt=54,
        setrlimit=160,
        prlimit64=302,
        hidden_memory=(29, 319, 68, 64),
        affinity=203,
    ),
    "aarch64": _Machine(
        0xC00000B7,
        clone=220,
        socket=198,
        refused=(
            *(117, 116, 60, 40, 39, 224, 225, 142, 161, 162, 105, 106, 41, 51, 89, 170, 171, 112, 266, 104),
            *(217, 218, 219, 235, 238, 239, 97, 268, 241, 262, 264, 265, 270, 271, 272, 273, 280, 282, 92, 58),
            *(42, 18, 294, 0),
        ),
        socketpair=199,
        setsockopt=208,
        setrlimit=164,
        prlimit64=261,
        hidden_memory=(194, 279, 186, 190),
        affinity=122,
    ),
}
MACHINES: Final = tuple(_MACHINES)

# From 424 on numbers are the same everywhere. These are known and harmless: pidfd_send_signal, pidfd_open, close_range,
# openat2, faccessat2, epoll_pwait2, landlock_*, futex_waitv, cachestat, fchmodat2, map_shadow_stack, futex_wake,
# futex_wait, futex_requeue, mseal. clone3 is not: its flags lie where a filter cannot look.
_SAME_FROM: Final = 424
_HARMLESS: Final = (424, 434, 436, 437, 439, 441, 444, 445, 446, 449, 451, 452, 453, 454, 455, 456, 462)


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, if_true, if_false, operand)


def _return(error: int) -> bytes:
    return _step(_RETURN, _ERRNO | error)


def seccomp_filter(*, hidden_memory: bool, pinned: bool, machine: str | None = None) -> bytes:
    """The filter for this machine, or for `machine`.

    `hidden_memory`: allow memory that belongs to no process (shmget, memfd_create and the like), for containers whose
    memory the kernel counts. `pinned`: refuse to choose other processors. Raises KeyError for a machine not among
    MACHINES.
    """
    machine = machine or platform.machine()
    table = _MACHINES[machine]
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, table.architecture, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        # The other way in with other numbers.
        steps += [_step(_GREATER_EQUAL, _X32, 0, 1), _step(_RETURN, _KILL)]
    steps += [_step(_GREATER_EQUAL, _SAME_FROM, 0, 2 * len(_HARMLESS) + 1)]
    for number in _HARMLESS:
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ALLOW)]
    steps += [_return(errno.ENOSYS)]
    for number in table.refused:
        steps += [_step(_EQUAL, number, 0, 1), _return(errno.EPERM)]
    if not hidden_memory:
        for number in table.hidden_memory:
            steps += [_step(_EQUAL, number, 0, 1), _return(errno.ENOSYS)]
    if pinned:
        steps += [_step(_EQUAL, table.affinity, 0, 1), _return(errno.EPERM)]
    steps += [
        _step(_EQUAL, table.clone, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_ANY_BIT, _NAMESPACES, 0, 1),
        _return(errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    steps += _of_call(table.socket, _socket())
    steps += _of_call(
        table.socketpair,
        [_step(_LOAD, _FIRST_ARGUMENT), _step(_EQUAL, _UNIX, 1, 0), _return(errno.EAFNOSUPPORT)],
    )
    steps += _of_call(
        table.setsockopt,
        [
            _step(_LOAD, _SECOND_ARGUMENT),
            _step(_EQUAL, _TCP, 0, 3),
            _step(_LOAD, _THIRD_ARGUMENT),
            _step(_EQUAL, _TCP_ULP, 0, 1),
            _return(errno.ENOPROTOOPT),
        ],
    )
    # As if it were done: programs do it for their secrets.
    steps += _of_call(
        table.setrlimit, [_step(_LOAD, _FIRST_ARGUMENT), _step(_EQUAL, _CORE, 0, 1), _step(_RETURN, _ERRNO)]
    )
    steps += _of_call(
        table.prlimit64,
        [
            _step(_LOAD, _SECOND_ARGUMENT),
            _step(_EQUAL, _CORE, 0, 5),
            # To ask what it is, is allowed: then there is no place of a new one.
            _step(_LOAD, _THIRD_ARGUMENT),
            _step(_EQUAL, 0, 0, 2),
            _step(_LOAD, _THIRD_ARGUMENT + 4),
            _step(_EQUAL, 0, 1, 0),
            _step(_RETURN, _ERRNO),
        ],
    )
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _of_call(number: int, steps: list[bytes]) -> list[bytes]:
    """What is done for one call only; it is allowed where the steps come to their end."""
    return [_step(_EQUAL, number, 0, len(steps) + 1), *steps, _step(_RETURN, _ALLOW)]


def _socket() -> list[bytes]:
    steps = [_step(_LOAD, _FIRST_ARGUMENT), _step(_EQUAL, _UNIX, 0, 1), _step(_RETURN, _ALLOW)]
    steps += [_step(_EQUAL, family, len(_INTERNET) - at, 0) for at, family in enumerate(_INTERNET)]
    steps += [_return(errno.EAFNOSUPPORT)]
    steps += [_step(_LOAD, _SECOND_ARGUMENT), _step(_ANY_BIT, _TYPES_ABOVE, 0, 1), _return(errno.EPROTONOSUPPORT)]
    steps += [_step(_LOAD, _THIRD_ARGUMENT)]
    for protocol in _PROTOCOLS:
        steps += [_step(_EQUAL, protocol, 0, 1), _step(_RETURN, _ALLOW)]
    return [*steps, _return(errno.EPROTONOSUPPORT)]
