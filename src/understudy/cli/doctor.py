"""`understudy doctor`: looks at everything the server needs and says what is missing and how to get it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from understudy import __version__
from understudy.settings import Settings, SettingsError, load_settings


class _MissingError(Exception):
    """What is missing, and how to get it."""


def _python(_: Settings) -> str:
    if sys.version_info < (3, 11):
        raise _MissingError(f"Python {platform.python_version()} is too old; install Python 3.11 or newer.")
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"


def _packages(_: Settings) -> str:
    missing: list[str] = []
    count = 0
    for requirement in importlib.metadata.requires("understudy") or []:
        name, marker = (*requirement.split(";", 1), "")[:2]
        if "extra" in marker or ("win32" in marker and sys.platform == "win32"):
            continue
        package = name.split("[")[0].split(">")[0].split("=")[0].strip()
        count += 1
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        raise _MissingError(f"not installed: {', '.join(missing)}; run: pip install understudy")
    return f"understudy {__version__} and its {count} packages are installed"


def _tokenizer(_: Settings) -> str:
    from understudy.tokens.tokenizer import count_text

    if count_text("Hello, world") < 1:
        raise _MissingError("the tokenizer counts nothing; reinstall with: pip install --force-reinstall splintr-rs")
    return "the tokenizer's vocabulary loads"


def _database(settings: Settings) -> str:
    from understudy.app import open_foundations

    async def open_and_count() -> tuple[str, int]:
        foundations = await open_foundations(settings)
        try:
            return foundations.db.url, await foundations.organizations.count_keys()
        finally:
            await foundations.db.dispose()

    try:
        url, keys = asyncio.run(open_and_count())
    except SettingsError as error:
        raise _MissingError(str(error)) from None
    except Exception as error:
        raise _MissingError(f"the database cannot be used: {error}") from None
    return f"the database {url} is up to date and holds {keys} usable key{'' if keys == 1 else 's'}"


def _port(settings: Settings) -> str:
    host, port = settings.server.host, settings.server.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise _MissingError(
            f"{host}:{port} cannot be listened on ({error.strerror or error}); a server may be running there already, "
            "or choose another with --port."
        ) from None
    return f"{host}:{port} is free to listen on"


def _tls(settings: Settings) -> str:
    from understudy.cli.serve import check_tls

    if settings.server.tls_cert is None:
        return "TLS is off"
    try:
        check_tls(settings)
    except SettingsError as error:
        raise _MissingError(str(error)) from None
    return "the TLS certificate and key fit"


def _sandbox(settings: Settings) -> str:
    from understudy.cli.sandbox import examine

    fine, lines = examine(settings)
    if not fine:
        raise _MissingError("; ".join(lines))
    return "; ".join(lines)


def _engine(name: str) -> Callable[[Settings], str]:
    from understudy.app.upstreams import check_engine
    from understudy.engines.checking import CheckError

    def look(settings: Settings) -> str:
        try:
            found = asyncio.run(check_engine(name, settings.engines[name]))
        except (CheckError, SettingsError) as error:
            raise _MissingError(f"the engine {name}: {error}") from None
        return f"the engine {name}: {found or 'it has no credentials to look at'}"

    return look


_EXAMINATIONS: list[Callable[[Settings], str]] = [_python, _packages, _tokenizer, _database, _port, _tls, _sandbox]


def examine(config: Path | None, data_dir: Path | None) -> int:
    """Print a line for everything examined. Returns 0 when nothing is missing, else 1."""
    settings = load_settings(config, {"storage": {"data_dir": data_dir}})
    status = 0
    for examination in [*_EXAMINATIONS, *map(_engine, settings.engines)]:
        try:
            print(f"ok       {examination(settings)}")
        except _MissingError as missing:
            status = 1
            print(f"missing  {missing}")
    return status
