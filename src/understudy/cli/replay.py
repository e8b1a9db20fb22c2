"""`understudy replay`: answer from a recording, without any network."""

from __future__ import annotations

from pathlib import Path

from understudy.cli.plain import run_plain
from understudy.engines.recording.exchange import RecordingError, read_recording
from understudy.engines.recording.replayer import Replayer
from understudy.settings import SettingsError


def replay(source: Path, host: str, port: int, *, timing: bool) -> None:
    """Replay until told to stop. Raises SettingsError for what keeps it from starting."""
    try:
        recorded = read_recording(source)
    except RecordingError as error:
        raise SettingsError(str(error)) from None

    def ready(url: str) -> str:
        return f"Replaying {len(recorded)} exchanges from {source}; send requests to {url}"

    run_plain(Replayer(recorded, timing=timing), host, port, ready)
