"""Claude Code, the real program: where it is installed, and how it is run against a server without a terminal."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clients.nodejs import node_modules
from servers import RunningServer, clean_environment

TIMEOUT = 90.0
"""Seconds one run may take; after errors it waits and tries again for longer than a minute."""

_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def find_program() -> Path:
    """The native program; it needs no Node.js of its own."""
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = _MACHINES.get(platform.machine().lower())
    musl = "-musl" if system == "linux" and platform.libc_ver()[0] != "glibc" else ""
    package = f"claude-code-{system}-{machine}{musl}"
    program = node_modules() / "@anthropic-ai" / package / "claude"
    if system is None or machine is None or not program.is_file():
        pytest.fail(f"there is no Claude Code for {sys.platform} on {platform.machine()}: @anthropic-ai/{package}")
    return program


def environment(server: RunningServer, home: Path, **variables: str) -> dict[str, str]:
    """What Claude Code needs to speak with this server alone, its own files in `home`."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(("CLAUDECODE", "XDG_"))}
    return {
        **kept,
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": server.api_key,
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
        **variables,
    }


QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}


@dataclass(frozen=True)
class Project:
    """A folder with a home beside it, in which Claude Code is run."""

    claude: Path
    server: RunningServer
    home: Path

    @property
    def folder(self) -> Path:
        folder = self.home / "project"
        folder.mkdir(exist_ok=True)
        return folder

    def ask(self, prompt: str, *flags: str, **variables: str) -> str:
        """Run `claude -p PROMPT`. Returns what it printed; it must end well."""
        began = time.monotonic()
        try:
            done = subprocess.run(
                [str(self.claude), "-p", prompt, *flags],
                cwd=self.folder,
                env=environment(self.server, self.home, **variables),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            pytest.fail(f"claude was not done within {TIMEOUT:.0f} s:\n{late.stdout!r}\n{late.stderr!r}")
        took = time.monotonic() - began
        assert done.returncode == 0, f"exit code {done.returncode} after {took:.1f} s:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def work(self, prompt: str, *flags: str, **variables: str) -> Run:
        """Run it with every tool allowed, and read what it did."""
        flags = ("--output-format", "stream-json", "--verbose", "--permission-mode", "bypassPermissions", *flags)
        printed = self.ask(prompt, *flags, **{**QUIET, **variables})
        return Run([json.loads(line) for line in printed.splitlines() if line.strip()])


@dataclass(frozen=True)
class Run:
    """What `--output-format stream-json` printed, a JSON object a line."""

    lines: list[dict[str, Any]]

    @property
    def result(self) -> dict[str, Any]:
        assert self.lines[-1]["type"] == "result", self.lines[-1]
        return self.lines[-1]

    @property
    def session_id(self) -> str:
        return self.result["session_id"]

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and input of each tool call, in order."""
        return [(block["name"], block["input"]) for block in self._blocks("assistant", "tool_use")]

    @property
    def results(self) -> list[str]:
        """What the tools gave back, in order, as JSON unless it was plain text."""
        contents = [block["content"] for block in self._blocks("user", "tool_result")]
        return [content if isinstance(content, str) else json.dumps(content) for content in contents]

    def _blocks(self, line_type: str, block_type: str) -> list[dict[str, Any]]:
        messages = [line["message"] for line in self.lines if line["type"] == line_type]
        contents = [message["content"] for message in messages if isinstance(message["content"], list)]
        return [block for content in contents for block in content if block["type"] == block_type]
