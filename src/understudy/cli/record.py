"""`understudy record`: carry requests to a Claude API and write down what was said."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from understudy.cli.plain import run_plain
from understudy.settings import SettingsError


def record(upstream: str, into: Path, host: str, port: int) -> None:
    """Record until told to stop. Raises SettingsError for what keeps it from starting."""
    address = urlsplit(upstream)
    if address.scheme not in ("http", "https") or not address.hostname or address.query or address.fragment:
        raise SettingsError(f"--upstream {upstream} is no address such as https://api.anthropic.com.")
    if address.username or address.password:
        raise SettingsError("--upstream must not hold a credential; the client's own is passed on.")
    if not into.absolute().parent.is_dir():
        raise SettingsError(f"The directory of --into {into} does not exist.")
    if find_spec("aiohttp") is None:
        raise SettingsError("Recording needs aiohttp: pip install 'understudy[record]'.")
    from understudy.engines.recording.recorder import Recorder

    def ready(url: str) -> str:
        return f"Recording {upstream} into {into}; send requests to {url}"

    run_plain(Recorder(upstream, into), host, port, ready)
