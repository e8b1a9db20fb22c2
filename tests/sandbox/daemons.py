"""The real gVisor and the real Docker, for tests of root: installed if they are not there, and tried.

A machine whose own walls keep them from running is told apart from one where they should run and do not: there the
tests fail.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from packages import have_program, install
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.docker_api import Daemon, DockerError

# In what their programs say when this machine is itself a container, or a sandbox, that allows no further ones.
_FORBIDDEN = ("operation not permitted", "permission denied")
_UP_WITHIN = 30.0
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def _cannot_run(what: str, said: str) -> None:
    """Skip where the machine forbids it, and fail where it does not."""
    said = said.strip()[-1500:]
    if any(word in said.lower() for word in _FORBIDDEN):
        pytest.skip(f"this machine forbids {what} to run containers. It said: {said}")
    pytest.fail(f"{what} is installed and does not run. It said: {said}")


@cache
def have_gvisor() -> SandboxConfig:
    """The settings of gVisor, which has been seen to run a program here."""
    if os.geteuid() != 0:
        pytest.skip("gVisor is tried as root")
    runsc = _newer_runsc()
    # Without control groups and network, as the driver has it.
    command = [str(runsc), "--network=none", "--ignore-cgroups", "do", "true"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.fail("gVisor did not end in a minute")
    if done.returncode:
        _cannot_run("gVisor", (done.stdout + done.stderr).decode("utf-8", "replace"))
    return SandboxConfig(driver="gvisor", runsc=runsc)


def _newer_runsc() -> Path:
    """The installed one, or, where that is too old or there is none, the one of Debian 13, which needs nothing else."""
    installed = shutil.which("runsc")
    if installed is not None:
        version = re.search(r"(\d{8})", subprocess.run([installed, "--version"], capture_output=True, text=True).stdout)
        if version is not None and int(version[1]) >= 20230101:
            return Path(installed)
    at = Path(tempfile.gettempdir(), "understudy-tests-runsc")
    have_program("apt-get", "apt")
    at.mkdir(mode=0o755, exist_ok=True)
    with Path(at, "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = at / "usr" / "bin" / "runsc"
        if not found.exists():
            _fetch_runsc(at)
    return found


def _debian() -> str:
    """Where this machine has Debian's own packages from."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    found = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stdout.split()
    if not found:
        pytest.fail("These tests need gVisor's runsc of 2023 or newer: install it. Debian's is not within reach here.")
    return found[0]


def _fetch_runsc(at: Path) -> None:
    if not _KEYRING.exists():
        install("These tests need Debian's keys.", ("debian-archive-keyring",))
    (at / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (at / "sources").write_text(f"deb [signed-by={_KEYRING}] {_debian()} trixie main\n")
    options = [f"Dir::Etc::sourcelist={at}/sources", "Dir::Etc::sourceparts=/dev/null", f"Dir::State::lists={at}/lists"]
    options += [f"Dir::Cache={at}/cache", "Acquire::Languages=none", "Acquire::http::Timeout=20"]
    apt = ["apt-get", "-qq", *(word for option in options for word in ("-o", option))]
    for command in ([*apt, "update"], [*apt, "download", "runsc"]):
        done = subprocess.run(command, cwd=at, capture_output=True, timeout=200, check=False)
        if done.returncode:
            pytest.fail(f"These tests need gVisor's runsc. {done.stderr.decode('utf-8', 'replace')[-1000:]}")
    [package] = at.glob("runsc_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(at)], check=True)
    shutil.rmtree(at / "lists")


@contextmanager
def docker_daemon() -> Generator[SandboxConfig]:
    """The settings of a Docker daemon of these tests' own, without network and registry."""
    if os.geteuid() != 0:
        pytest.skip("a Docker daemon runs as root")
    dockerd = have_program("dockerd", "docker.io")
    # A short path, for sockets lie below it.
    directory = Path(tempfile.mkdtemp(prefix="dockerd-"))
    command = [dockerd, "--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    command += ["--data-root", str(directory / "data"), "--exec-root", str(directory / "exec")]
    command += ["--pidfile", str(directory / "pid"), "-H", f"unix://{directory}/docker.sock"]
    log = directory / "log"
    try:
        with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
            try:
                daemon = Daemon(directory / "docker.sock")
                end = time.monotonic() + _UP_WITHIN
                while not _answers(daemon):
                    if process.poll() is not None or time.monotonic() > end:
                        _cannot_run("Docker's daemon", log.read_text())
                    time.sleep(0.05)
                _try(daemon)
                yield SandboxConfig(driver="docker", docker_socket=daemon.path)
            finally:
                process.terminate()
                process.wait(timeout=30)
    finally:
        subprocess.run(["umount", "--lazy", str(directory / "data")], capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)


def _answers(daemon: Daemon) -> bool:
    try:
        daemon.call("GET", "/info")
    except DockerError:
        return False
    return True


def _try(daemon: Daemon) -> None:
    """A container of nothing but this machine's programs, by no code of ours but the socket's."""
    empty = bytes(10_240)
    daemon.call("POST", "/images/create", query={"fromSrc": "-", "repo": "probe"}, archive=empty)
    host = {
        "NetworkMode": "none",
        "Binds": [f"{top}:{top}:ro" for top in ("/usr", "/lib", "/lib64") if Path(top).is_dir()],
    }
    made = daemon.call("POST", "/containers/create", {"Image": "probe", "Cmd": ["/usr/bin/true"], "HostConfig": host})
    try:
        daemon.call("POST", f"/containers/{made['Id']}/start")
        ended = daemon.call("POST", f"/containers/{made['Id']}/wait")
    except DockerError as error:
        _cannot_run("Docker", str(error))
        raise
    finally:
        daemon.call("DELETE", f"/containers/{made['Id']}", query={"force": "1"})
    if ended["StatusCode"]:
        pytest.fail(f"Docker's first container ended with {ended}")


def python_archive() -> bytes:
    """A system of nothing but this Python, in /usr/local, and what it loads: the archive of an image."""
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = base / "lib" / version
    files = {Path(f"/usr/local/lib/{version}") / path.relative_to(library): path for path in library.rglob("*.py")}
    modules = sorted((library / "lib-dynload").glob("*.so"))
    files |= {Path(f"/usr/local/lib/{version}/lib-dynload", path.name): path for path in modules}
    executable = Path(os.path.realpath(base / "bin" / "python3"))
    files[Path("/usr/local/bin/python3")] = executable
    listed = subprocess.run(["ldd", executable, *modules], capture_output=True, text=True, check=False).stdout
    for found in set(re.findall(r"(/\S+) \(0x", listed)):
        # Its own lies where the loader looks.
        own = Path(found).is_relative_to(base)
        files[Path("/usr/lib" if own else "/", Path(found).name if own else found[1:])] = Path(found)
    out = io.BytesIO()
    files = {place: path for place, path in files.items() if not {"site-packages", "test", "tests"} & {*place.parts}}
    with tarfile.open(fileobj=out, mode="w") as archive:
        # Docker would make them for root alone.
        for directory in sorted({parent for place in files for parent in place.parents} - {Path("/")}):
            entry = tarfile.TarInfo(str(directory)[1:])
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for place, path in sorted(files.items()):
            archive.add(os.path.realpath(path), str(place)[1:])
    return out.getvalue()
