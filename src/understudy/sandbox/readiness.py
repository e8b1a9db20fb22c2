"""Whether this machine runs code: looked at and tested once, and then known."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Final

import structlog

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.drivers import examine
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.machine import Machine
from understudy.sandbox.place import Place
from understudy.sandbox.selftest import self_test

_log = structlog.stdlib.get_logger("understudy.sandbox")

# Seconds after which a machine that failed is looked at again: somebody may have installed what was missing.
_AGAIN: Final = 30.0


class Readiness:
    """`machine` and `place` are known once `look` or `check` has returned."""

    def __init__(self, config: SandboxConfig, place: Place, *, quiet: bool = False) -> None:
        self._config = config
        self._at = place
        self._quiet = quiet
        self._testing = asyncio.Lock()
        self._tested = False
        self._refused: tuple[float, str] | None = None
        self.machine: Machine | None = None
        self.place = ""

    async def look(self) -> Machine:
        """Raises SandboxUnavailableError."""
        if self.machine is None:
            self.place = await asyncio.to_thread(self._at.make)
            self.machine = await asyncio.to_thread(examine, self._config, group_name(self.place))
        return self.machine

    async def check(self) -> None:
        """Raises SandboxUnavailableError, with what to install or to allow."""
        if self._tested:
            return
        async with self._testing:
            if self._tested:
                return
            now = asyncio.get_running_loop().time()
            if self._refused is not None and now < self._refused[0] + _AGAIN:
                raise SandboxUnavailableError(self._refused[1])
            try:
                await self._check()
            except SandboxUnavailableError as error:
                self._refused = now, str(error)
                if not self._quiet:
                    _log.warning("no code can be run here", reason=str(error)[:1000])
                raise
            self._tested = True

    async def _check(self) -> None:
        if self._config.mode == "off":
            raise SandboxUnavailableError("it is switched off (sandbox.mode)")
        try:
            machine = await self.look()
        except OSError as error:
            raise SandboxUnavailableError(f"the data directory cannot be used: {error}") from None
        if self._config.require == "strict" and machine.tier != "strict":
            raise SandboxUnavailableError(
                f"sandbox.require is strict, and here {'; '.join(machine.weaker)}. Run the server as root, or accept "
                "the ordinary tier: sandbox.require = any"
            )
        name = f"selftest-{os.getpid()}-{secrets.token_hex(4)}"
        lock = self._at.lock(name)
        try:
            outcome = await self_test(machine, self._config, self._at.directory(name))
        finally:
            if lock is not None:
                os.close(lock)
        if outcome.failed:
            raise SandboxUnavailableError(f"the self-test failed: code in a container had {', '.join(outcome.failed)}")
        if not self._quiet:
            _log.info("code can be run", tier=outcome.tier, weaker=list(machine.weaker))

    def end(self) -> None:
        """Leave nothing of this installation behind."""
        if self.machine is not None:
            self.machine.leave()


def group_name(place: str) -> str:
    """The name of an installation's control groups, or of what else marks its containers."""
    return f"understudy-{place}"


async def report(config: SandboxConfig, root: Path) -> Machine:
    """The machine, tested, with `root` as the directory of containers. Raises SandboxUnavailableError."""
    readiness = Readiness(config, Place(root), quiet=True)
    try:
        await readiness.check()
        assert readiness.machine is not None
        return readiness.machine
    finally:
        readiness.end()
