"""Servers of our own that say in a file where they listen, as `understudy serve --ready-file` does."""

from __future__ import annotations

import argparse
import json
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where to listen. Call `announce` once requests are taken."""

    listener: socket.socket
    ready_file: Path

    def announce(self) -> None:
        url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        ready = {"url": url, "api_key": "none", "admin_key": "none", "pid": os.getpid()}
        # Whoever waits for the file must not see half of it.
        half = self.ready_file.with_suffix(".half")
        half.write_text(json.dumps(ready))
        half.rename(self.ready_file)


@contextmanager
def place(options: argparse.Namespace) -> Generator[Place]:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        yield Place(listener, options.ready_file)


def parser(description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--ready-file", type=Path, required=True)
    return made
