"""`understudy console link`: a one-time link into the Console, made on the machine itself."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from understudy.app import Foundations
from understudy.cli.offline import on_installation
from understudy.console.links import Links, NewLink
from understudy.http.principal import Owner
from understudy.settings import Settings


def page_address(url: str, link: NewLink) -> str:
    """What a browser opens. Behind the `#`, which no server is told."""
    return f"{url}/console/#/welcome?token={link.token}"


def link(config: Path | None, data_dir: Path | None, email: str | None) -> None:
    """Print a new link on stdout, and nothing else there."""

    async def make(settings: Settings, foundations: Foundations, owner: Owner) -> tuple[str, NewLink]:
        links = Links(foundations.db, foundations.root)
        server = settings.server
        host = f"[{server.host}]" if ":" in server.host else server.host
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 never bound here
        scheme = "https" if server.tls_cert else "http"
        url = server.public_url or f"{scheme}://{host}:{server.port}"
        return url.rstrip("/"), await links.make(owner.organization_id, time.time(), email)

    url, made = on_installation(config, data_dir, None, make)
    print(page_address(url, made))
    whose = "the first user" if made.email is None else made.email
    print(f"Signs {whose} in, once, within 24 hours.", file=sys.stderr)
