"""The program inside each container that runs commands and reaches files for the server.

It is run with `python -I -S` and imports nothing of this package, and as little as it can: its memory is that of an
idle container. It shuts its memory against the code beside it, which could stay on in its place; nothing it says is
trusted all the same.

A request is one packet on the socket, a letter and a number, with open files: first the request's words, separated by
zero bytes, then where output and errors go, then what comes in. The reply, when all is done, is the number and an exit
status.
"""

from __future__ import annotations

import os
import resource
import select
import sys
from _socket import AF_UNIX, SOCK_SEQPACKET, socket

# As in typing, which would cost memory.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIGCHLD, set_wakeup_fd, signal
else:
    from _signal import SIGCHLD, set_wakeup_fd, signal

PATH_REFUSED = 201
FULL = 202
NOT_FOUND, NOT_EXECUTABLE = 127, 126

_MOST_PACKET = 256
_MOST_FILES = 4
_DEEPEST = 64
_CLOSE_ON_EXEC = 0x40000000  # MSG_CMSG_CLOEXEC
_PIECE = 256 * 1024
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FULL_ERRORS = (28, 122, 27)  # ENOSPC, EDQUOT, EFBIG
_ROOTS: list[list[str]] = []
_SCORE: list[int] = []


class _RefusedError(Exception):
    pass


def _words(descriptor: int) -> list[str]:
    size = os.fstat(descriptor).st_size
    pieces: list[bytes] = []
    at = 0
    while at < size:
        piece = os.pread(descriptor, size - at, at)
        if not piece:
            break
        pieces.append(piece)
        at += len(piece)
    return os.fsdecode(b"".join(pieces)).split("\0")


def _found(name: str, path: str) -> str:
    if "/" in name:
        return name
    for place in path.split(":"):
        if os.access(f"{place}/{name}", os.X_OK):
            return f"{place}/{name}"
    return name


def _score(value: bytes) -> None:
    """Which of the container's processes are killed first when its memory is used up."""
    for score in _SCORE:
        try:
            os.pwrite(score, value, 0)
        except OSError:
            pass


def _prctl(option: int, second: int, third: bytes | int) -> int:
    """Raises ImportError where Python has no way to call it."""
    from _ctypes import CFuncPtr, dlopen

    class Function(CFuncPtr):
        _flags_ = 1  # a function of C

    class Library:
        # This program itself, and now. What is declared of it is less than it takes.
        _handle = dlopen(None, 2)  # pyright: ignore[reportArgumentType]

    function = Function(("prctl", Library()))  # pyright: ignore[reportArgumentType, reportCallIssue]
    return function(option, second, third, 0, 0)


def _filter(path: str) -> None:
    """Have the kernel refuse, from here on and for all that is started, the system calls that the program in a file
    says: for drivers that do not see to it themselves."""
    from _ctypes import _SimpleCData  # pyright: ignore[reportPrivateUsage]

    class Pointer(_SimpleCData):  # pyright: ignore[reportMissingTypeArgument]
        _type_ = "z"  # char *

    file = os.open(path, os.O_RDONLY)
    program = os.read(file, 1 << 16)
    os.close(file)
    steps = Pointer(program)
    # struct sock_fprog: how many steps of eight bytes, and where they are.
    told = (len(program) // 8).to_bytes(8, sys.byteorder) + bytes(memoryview(steps))
    # PR_SET_NO_NEW_PRIVS, without which the other is not allowed, and PR_SET_SECCOMP with SECCOMP_MODE_FILTER.
    if _prctl(38, 1, 0) or _prctl(22, 2, told):
        raise OSError("no filter of system calls can be set")


def _shut() -> None:
    """Keep others of this user from reading and writing this process, and from opening what it has open."""
    try:
        # Opened before: then it is nobody's.
        _SCORE.append(os.open("/proc/self/oom_score_adj", os.O_WRONLY))
    except OSError:
        pass
    try:
        _prctl(4, 0, 0)  # PR_SET_DUMPABLE
    except ImportError:
        # A Python without it: nothing of the machine depends on this.
        pass


def _run(words: list[str], files: list[int]) -> int:
    """Start a command: cwd, how many arguments, the arguments, then NAME=value of the environment. Not by a fork, which
    costs several times as much.

    Returns its number, or, below nought, the exit status of one that cannot be, with the reason written to its errors.
    """
    cwd, count = words[0], int(words[1])
    argv = words[2 : 2 + count]
    environment = dict(word.split("=", 1) for word in words[2 + count :])
    spoken = cwd
    source = files[3] if len(files) > 3 else os.open("/dev/null", os.O_RDONLY)
    for name in ("INPUT_DIR", "OUTPUT_DIR"):
        try:
            os.makedirs(environment.get(name, "/"), exist_ok=True)  # noqa: PTH103 -- pathlib would cost memory
        except OSError:
            pass
    try:
        os.chdir(cwd)
        spoken = argv[0]
        # What comes from this program is killed before it.
        _score(b"1000")
        return os.posix_spawn(
            _found(argv[0], environment.get("PATH", "")),
            argv,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, one, number) for number, one in enumerate((source, *files[1:3]))],
            setsid=True,
            # What Python ignores, commands expect as the system has it: SIGPIPE and SIGXFSZ.
            setsigdef=(13, 25),
        )
    except OSError as error:
        os.write(files[2], f"{spoken}: {error.strerror}\n".encode("utf-8", "surrogateescape"))
        return -(NOT_FOUND if error.errno == 2 and spoken is not cwd else NOT_EXECUTABLE)
    finally:
        _score(b"0")
        os.chdir("/")
        if len(files) <= 3:
            os.close(source)


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or ".." in parts or not any(parts[: len(root)] == root for root in _ROOTS):
        raise _RefusedError(f"{path}: not in a place that keeps files")
    return parts


def _step(name: str, at: int) -> int:
    """The open directory of that name, which is no link to one. Raises OSError."""
    # gVisor follows a link, whatever else is asked, where a directory is asked for.
    if os.lstat(name, dir_fd=at).st_mode & 0o170000 == 0o120000:
        raise OSError(20, "Not a directory")
    return os.open(name, _DIRECTORY, dir_fd=at)


def _directory(parts: list[str], *, make: bool, path: str) -> int:
    """The open directory, reached without following any link."""
    at = os.open("/", _DIRECTORY)
    for part in parts:
        try:
            if make:
                try:
                    os.mkdir(part, 0o755, dir_fd=at)
                except FileExistsError:
                    pass
                except OSError as error:
                    # The roots' own parents cannot be written to, and need not be made.
                    if error.errno not in (1, 13, 30):
                        raise
            below = _step(part, at)
        except OSError as error:
            if error.errno in _FULL_ERRORS:
                raise
            raise _RefusedError(f"{path}: {error.strerror}") from None
        finally:
            os.close(at)
        at = below
    return at


def _put(words: list[str], files: list[int]) -> int:
    """path, mode. The bytes come by the fourth file, and after them a dot."""
    path, mode = words[0], int(words[1], 8)
    parts = _parts(path)
    if any(parts == root for root in _ROOTS):
        raise _RefusedError(f"{path}: is a directory")
    directory = _directory(parts[:-1], make=True, path=path)
    name, temporary = parts[-1], f".{os.getpid()}.part"
    out = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    try:
        whole = False
        # Without the dot not all came, and half a file must not stay.
        last = b""
        while True:
            piece = os.read(files[3], _PIECE)
            if not piece:
                whole = last == b"."
                break
            data = last + piece
            last = data[-1:]
            view = memoryview(data)[:-1]
            while view:
                view = view[os.write(out, view) :]
        if not whole:
            raise _RefusedError(f"{path}: not all of it came")
        os.fchmod(out, mode)
        try:
            os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            if error.errno in _FULL_ERRORS:
                raise
            raise _RefusedError(f"{path}: {error.strerror}") from None
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise
    return 0


def _open(path: str) -> int:
    parts = _parts(path)
    directory = _directory(parts[:-1], make=False, path=path)
    try:
        # A pipe without a writer would not let go.
        descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError as error:
        raise _RefusedError(f"{path}: {error.strerror}") from None
    if os.fstat(descriptor).st_mode & 0o170000 != 0o100000:
        raise _RefusedError(f"{path}: not a regular file")
    return descriptor


def _get(words: list[str], files: list[int]) -> int:
    descriptor = _open(words[0])
    while piece := os.read(descriptor, _PIECE):
        view = memoryview(piece)
        while view:
            view = view[os.write(files[1], view) :]
    return 0


def _list(words: list[str], files: list[int]) -> int:
    """path, how many at most, and bytes that are read at most. Each file is told as its size, its sum and its path."""
    from hashlib import sha256

    below, most, room = words[0], int(words[1]), int(words[2])
    parts = _parts(below)

    def told(name: str, at: int, place: str) -> bytes | None:
        nonlocal room
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        except OSError:
            return None
        try:
            if os.fstat(descriptor).st_mode & 0o170000 != 0o100000:
                return None
            digest, size = sha256(), 0
            while piece := os.read(descriptor, _PIECE):
                digest.update(piece)
                size += len(piece)
                if size > room:
                    # Holes, which take no room, take time.
                    raise OSError(27, "too large")
            room -= size
        finally:
            os.close(descriptor)
        return os.fsencode(f"{size} {digest.hexdigest()} {place}/{name}") + b"\0"

    def look(at: int, place: str, depth: int) -> None:
        nonlocal most
        with os.scandir(at) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_directory in found:
            if not most:
                return
            if not is_directory:
                line = told(name, at, place)
                if line:
                    out.write(line)
                    most -= 1
            elif depth < _DEEPEST:
                try:
                    inside = _step(name, at)
                except OSError:
                    continue
                try:
                    look(inside, f"{place}/{name}", depth + 1)
                finally:
                    os.close(inside)

    with os.fdopen(files[1], "wb") as out:
        look(_directory(parts, make=False, path=below), "/" + "/".join(parts), 0)
    return 0


_WORKS = {"P": _put, "G": _get, "L": _list}


def _child(kind: str, files: list[int], control: socket) -> int:
    control.close()
    try:
        return _WORKS[kind](_words(files[0]), files)
    except _RefusedError as error:
        text, status = str(error), PATH_REFUSED
    except OSError as error:
        text, status = error.strerror or "failed", FULL if error.errno in _FULL_ERRORS else 1
    except Exception as error:
        text, status = f"{type(error).__name__}: {error}", 1
    os.write(files[2], text.encode("utf-8", "surrogateescape")[:4096])
    return status


def _fork(kind: str, files: list[int], control: socket) -> int:
    """As _run, for work on files."""
    try:
        pid = os.fork()
    except OSError as error:
        os.write(files[2], f"{error.strerror}\n".encode())
        return -NOT_EXECUTABLE
    if pid:
        return pid
    status = 1
    try:
        status = _child(kind, files, control)
    finally:
        os._exit(status)


def _status(code: int) -> int:
    return os.WEXITSTATUS(code) if os.WIFEXITED(code) else 128 + os.WTERMSIG(code)


def _ends() -> list[tuple[int, int]]:
    """The children that have ended, and how."""
    found: list[tuple[int, int]] = []
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return found
            found.append((pid, status))
    except ChildProcessError:
        return found


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    return [
        int.from_bytes(data[at : at + 4], sys.byteorder)
        for _, _, data in ancillary
        for at in range(0, len(data) - 3, 4)
    ]


def _noted(number: int, frame: object) -> None:
    """Without a function of its own a signal is not told of."""


def _control(told: str) -> socket:
    if told.isdigit():
        return socket(AF_UNIX, SOCK_SEQPACKET, 0, int(told))
    control = socket(AF_UNIX, SOCK_SEQPACKET)
    control.connect(told)
    return control


def main() -> None:
    # The socket, by its number or its path; limits as name=value; the places that keep files; a file with a filter.
    control = _control(sys.argv[1])
    for pair in filter(None, sys.argv[2].split(",")):
        name, value = pair.split("=")
        limit = int(value)
        resource.setrlimit(getattr(resource, name), (limit, limit))
    _ROOTS.extend([part for part in root.split("/") if part] for root in sys.argv[3].split(","))
    _shut()
    if len(sys.argv) > 4 and sys.argv[4]:
        _filter(sys.argv[4])
    os.set_inheritable(control.fileno(), False)
    # This may be the container's first process, which others become children of, and there may be no pidfd (gVisor).
    ended, told = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal(SIGCHLD, _noted)
    set_wakeup_fd(told, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(control.fileno(), select.POLLIN)
    poll.register(ended, select.POLLIN)
    running: dict[int, str] = {}
    control.send(b"ready")
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == ended:
                os.read(ended, 4096)
                for pid, status in _ends():
                    if pid in running:
                        control.send(f"{running.pop(pid)} {_status(status)}".encode())
                continue
            packet, ancillary, _, _ = control.recvmsg(_MOST_PACKET, 16 + 8 * _MOST_FILES, _CLOSE_ON_EXEC)
            if not packet:
                return
            files = _descriptors(ancillary)
            kind, number = packet.decode().split(" ")
            if kind == "K":
                # Everything but this program and the first.
                try:
                    os.kill(-1, 9)
                except OSError:
                    pass
                control.send(f"{number} 0".encode())
                continue
            pid = _run(_words(files[0]), files) if kind == "R" else _fork(kind, files, control)
            if pid < 0:
                control.send(f"{number} {-pid}".encode())
            else:
                running[pid] = number
            for file in files:
                os.close(file)


if __name__ == "__main__":
    main()
