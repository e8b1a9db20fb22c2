"""The documentation's examples use curl. Where a machine has none, a stand-in takes its place."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path


def path_with_curl(directory: Path) -> str:
    """A PATH on which `curl` is found: the real one, else the stand-in, put into `directory`."""
    path = os.environ["PATH"]
    if shutil.which("curl") is not None:
        return path
    print("no curl on this machine: a stand-in runs the examples", file=sys.stderr)
    directory.mkdir(parents=True, exist_ok=True)
    script = directory / "curl"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n')
    script.chmod(0o755)
    return f"{directory}{os.pathsep}{path}"


def main() -> int:
    import httpx

    parser = argparse.ArgumentParser(prog="curl")
    parser.add_argument("url")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-N", "--no-buffer", action="store_true")
    parser.add_argument("--fail-with-body", action="store_true")
    options = parser.parse_args()
    headers = [tuple(part.strip() for part in header.split(":", 1)) for header in options.header]
    method = "GET" if options.data is None else "POST"
    with httpx.stream(method, options.url, headers=headers, content=options.data, timeout=60) as answer:
        for piece in answer.iter_bytes():
            sys.stdout.buffer.write(piece)
            sys.stdout.flush()
    return 22 if options.fail_with_body and answer.status_code >= 400 else 0


if __name__ == "__main__":
    sys.exit(main())
