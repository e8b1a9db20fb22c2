"""`understudy serve`: prepare the database and keys, bind the port, say how to begin, and run until told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from prometheus_client import multiprocess
from uvicorn.supervisors import Multiprocess

from understudy import __version__
from understudy.app import Foundations, open_foundations
from understudy.cli.console import page_address
from understudy.cli.logs import configure_logging
from understudy.cli.worker import Flags, create_from, hand_over
from understudy.console.links import Links, NewLink, is_setup
from understudy.http.protocol import BoundedHttpProtocol
from understudy.http.serving import AnnouncingServer, serving_config
from understudy.settings import Settings, SettingsError, load_settings
from understudy.storage.migrate import make_apart
from understudy.wire.errors import NotFoundError

READY_FILE_KEY = "ready-file"
FRESH_KEY = "fresh"


@dataclass(frozen=True, slots=True)
class MintedKeys:
    """Secrets made at this start, to be shown once; None where none was made."""

    api_key: str | None = None
    admin_key: str | None = None
    console_link: NewLink | None = None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _prepare(settings: Settings, *, ready_file: bool, fresh_key: bool) -> MintedKeys:
    """Migrate the database and make the keys that this start calls for."""
    foundations = await open_foundations(settings)
    try:
        organizations = foundations.organizations
        if await organizations.count_keys() == 0 and not is_loopback(settings.server.host):
            raise SettingsError(
                f"Refusing to listen on {settings.server.host} while no key exists. Make one with "
                "`understudy keys create` (with the same --data-dir), or start once on 127.0.0.1."
            )
        link = await _console_link(settings, foundations, always=ready_file)
        if ready_file:
            api = await organizations.replace_key(READY_FILE_KEY, "api")
            admin = await organizations.replace_key(READY_FILE_KEY, "admin")
        elif not await organizations.list_keys():
            api = await organizations.create_key("default", "api")
            admin = await organizations.create_key("default", "admin")
        elif fresh_key:
            fresh = await organizations.replace_key(FRESH_KEY, "api")
            return MintedKeys(api_key=fresh.secret, console_link=link)
        else:
            return MintedKeys(console_link=link)
        return MintedKeys(api_key=api.secret, admin_key=admin.secret, console_link=link)
    finally:
        await foundations.db.dispose()


async def _console_link(settings: Settings, foundations: Foundations, *, always: bool) -> NewLink | None:
    """A link for the first user; with `always`, also one for an administrator once there is one."""
    if not settings.console.enabled:
        return None
    organization_id = (await foundations.organizations.ensure_installation()).organization_id
    async with foundations.db.connect() as connection:
        wanted = always or await is_setup(connection, organization_id)
    if not wanted:
        return None
    try:
        return await Links(foundations.db, foundations.root).make(organization_id, time.time())
    except NotFoundError:  # all administrators are gone
        return None


def _bind(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(2048)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}. Choose another with --port, or --port 0."
        ) from None
    bound.setblocking(False)
    bound.set_inheritable(True)
    return bound


def check_tls(settings: Settings) -> None:
    """Raises SettingsError when the configured certificate and key cannot be used together."""
    server = settings.server
    if server.tls_cert is not None and server.tls_key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(server.tls_cert, server.tls_key)
        except OSError as error:
            raise SettingsError(
                f"The TLS certificate {server.tls_cert} and key {server.tls_key} cannot be used: {error}"
            ) from None


def base_url(settings: Settings, bound: socket.socket) -> str:
    """The address a client on this machine uses."""
    host, port = bound.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if bound.family == socket.AF_INET else "::1"
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if settings.server.tls_cert else "http"
    return f"{scheme}://{host}:{port}"


def announcement(url: str, keys: MintedKeys, data_dir: Path, console: str | None) -> str:
    """What is printed once the server is ready. `console`: where browsers reach it, if there is a Console."""
    lines = [f"Understudy {__version__} is ready at {url}", ""]
    if keys.api_key:
        lines.append(f"  API key:    {keys.api_key}")
    if keys.admin_key:
        lines.append(f"  Admin key:  {keys.admin_key}")
    if keys.api_key or keys.admin_key:
        lines.append("  Shown this once. ")
    lines[-1] += "Make more keys with: understudy keys create" if lines[-1] else ""
    if not keys.api_key:
        lines[-1] = f"  Keys exist already. Make another with: understudy keys create --data-dir {data_dir}"
    if console is not None:
        lines += ["", *_of_console(console, keys.console_link, data_dir)]
    lines += [
        "",
        "A first request:",
        "",
        f"  curl {url}/v1/messages \\",
        f'    -H "x-api-key: {keys.api_key or "$ANTHROPIC_API_KEY"}" \\',
        '    -H "anthropic-version: 2023-06-01" \\',
        '    -H "content-type: application/json" \\',
        """    -d '{"model": "claude-sonnet-5-5", "max_tokens": 256, """
        """"messages": [{"role": "user", "content": "Hello"}]}'""",
        "",
        "Stop with Ctrl+C.",
    ]
    return "\n".join(lines)


def _of_console(url: str, link: NewLink | None, data_dir: Path) -> list[str]:
    if link is not None and link.email is None:
        return ["  Console, for the first user (opens once, within 24 hours):", f"  {page_address(url, link)}"]
    forgotten = f"  Forgotten the password? Get a link: understudy console link --data-dir {data_dir}"
    return [f"  Console:    {url}/console/", forgotten]


def _write_ready_file(path: Path, url: str, keys: MintedKeys, console: str | None) -> None:
    content = {"url": url, "api_key": keys.api_key, "admin_key": keys.admin_key, "pid": os.getpid()}
    if console is not None and keys.console_link is not None:
        content["console_url"] = page_address(console, keys.console_link)
    # Whole or not at all: whoever waits for the file may read it at once. The temporary name cannot be guessed, so that
    # nobody has put a file or a link of his own there.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(content) + b"\n")
    Path(temporary).replace(path)


def _remove_ready_file(path: Path) -> None:
    """Remove it unless another server has written its own there."""
    try:
        if orjson.loads(path.read_bytes())["pid"] == os.getpid():
            path.unlink()
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        pass


class _Server(AnnouncingServer):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn leaves this out when it is told twice to stop, but rows are waiting to be written.
            await self.lifespan.shutdown()


def _uvicorn_config(app: Any, settings: Settings, **more: Any) -> uvicorn.Config:
    server = settings.server
    return serving_config(
        app,
        http=BoundedHttpProtocol,
        timeout_keep_alive=settings.http.keep_alive_timeout,  # type: ignore[arg-type]
        timeout_graceful_shutdown=server.drain_timeout,  # type: ignore[arg-type]
        ssl_certfile=server.tls_cert,
        ssl_keyfile=server.tls_key,
        backlog=2048,
        **more,
    )


class _Supervisor(Multiprocess):
    """Runs the workers. Says when all are ready, and keeps the metrics of those that died from being counted."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], on_ready: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._on_ready = on_ready
        self._pids: set[int] = set()
        self.were_ready = False

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        living = {process.pid for process in self.processes if process.pid is not None}
        for pid in self._pids - living:
            multiprocess.mark_process_dead(pid)  # pyright: ignore[reportUnknownMemberType]
        self._pids = living
        if not self.were_ready and not self.should_exit.is_set() and all(one.is_ready() for one in self.processes):
            self.were_ready = True
            self._on_ready()


def _run_workers(
    config: Path | None, flags: Flags, settings: Settings, bound: socket.socket, tell: Callable[[], None]
) -> bool:
    """Returns whether they ever were ready. Raises SettingsError for what keeps a worker from being made."""
    # Made here once and not served: a worker that cannot be made would be started again and again.
    create_from(settings)
    with hand_over(config, flags, settings):
        supervisor = _Supervisor(
            _uvicorn_config("understudy.cli.worker:create", settings, factory=True, workers=settings.server.workers),
            [bound],
            tell,
        )
        supervisor.run()
    return supervisor.were_ready


def models_are_named(settings: Settings) -> bool:
    """Whether a model is to run on this machine."""
    return settings.models.engine != "simulator" or any(one.kind == "llamacpp" for one in settings.engines.values())


def run_server(config: Path | None, flags: Flags, *, ready_file: Path | None, fresh_key: bool) -> None:
    """Serve until SIGTERM or SIGINT. Raises SettingsError for what keeps it from starting."""
    settings = load_settings(config, flags)
    if ready_file is not None and not ready_file.absolute().parent.is_dir():
        raise SettingsError(f"The directory of --ready-file {ready_file} does not exist.")
    configure_logging(settings.logging)
    check_tls(settings)
    if models_are_named(settings):
        from understudy.cli.models import with_models_here

        settings = with_models_here(settings)
    # Bound before keys are made or replaced: a start that fails changes nothing.
    bound = _bind(settings)
    url = base_url(settings, bound)
    try:
        make_apart(settings.storage)
        keys = asyncio.run(_prepare(settings, ready_file=ready_file is not None, fresh_key=fresh_key))
    except BaseException:
        bound.close()
        raise

    def tell() -> None:
        console = (settings.server.public_url or url).rstrip("/") if settings.console.enabled else None
        print(announcement(url, keys, settings.storage.data_dir, console), flush=True)
        if ready_file is not None:
            _write_ready_file(ready_file, url, keys, console)

    try:
        if settings.server.workers > 1:
            served = _run_workers(config, flags, settings, bound, tell)
        else:
            app = create_from(settings)
            server = _Server(_uvicorn_config(app, settings), tell)
            try:
                server.run([bound])
            except SystemExit:
                # uvicorn exits where the application did not start, which knows why.
                if app.failure is not None:
                    raise app.failure from None
                raise
            served = server.started
        if not served:
            sys.exit(1)
    finally:
        if ready_file is not None:
            _remove_ready_file(ready_file)
