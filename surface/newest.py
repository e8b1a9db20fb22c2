"""Compares this server with the newest official SDK, and prints what that has beyond the pinned one: `make surface`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from surface import official, ours, reviewed
from surface.compare import compare
from surface.official import Sdk

ROOT = Path(__file__).resolve().parents[1]


def newest() -> Sdk:
    """The newest SDK that pip finds, described by its own environment, which is thrown away."""
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        python = str(Path(directory) / ("Scripts" if sys.platform == "win32" else "bin") / "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
        subprocess.run([*pip, "anthropic", "pydantic", "typing-extensions"], check=True)
        run = [python, "-m", "surface.official"]
        printed = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return official.load(printed)


def report(pinned: Sdk, new: Sdk) -> list[str]:
    """What is to be looked at when the pin moves from `pinned` to `new`, a line each."""
    here, rows = ours.describe(), reviewed.read()
    before, after = compare(pinned, here), compare(new, here)
    # What takes a running server to see is no matter of the SDK's version.
    asked = {f"unsent: {name}" for row in rows if row.kind == "unsent" for name in row.names}
    lines = [f"SDK {pinned.version} is pinned; the newest is {new.version}."]
    sections = {
        "New, and in no row of surface/reviewed.toml": [str(gap) for gap in reviewed.unreviewed(after, rows)],
        "New, and in a row": [
            str(gap) for gap in after if gap not in before and reviewed.row_of(gap, rows) is not None
        ],
        "Gone": [str(gap) for gap in before if gap not in after],
        "Rows that would fit nothing": [name for name in reviewed.stale(after, rows) if name not in asked],
    }
    for title, found in sections.items():
        lines.append(f"{title}: {len(found)}")
        lines += [f"  {line}" for line in found]
    return lines


def main() -> None:
    print("\n".join(report(official.describe(), newest())))


if __name__ == "__main__":
    main()
