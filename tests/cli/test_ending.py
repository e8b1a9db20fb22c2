"""How a command ends that has used the object store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from understudy.cli import end

_COMMAND = """
import asyncio, atexit
from obstore.store import LocalStore
from understudy.cli import end

async def read(store):
    await asyncio.gather(*(store.put_async(f"{one}", b"x" * 100_000) for one in range(20)))
    await asyncio.gather(*(store.get_async(f"{one}") for one in range(20)))

asyncio.run(read(LocalStore({directory!r})))
atexit.register(print, "registered", end="", flush=True)
print("printed", end=" ")
end(3)
"""


def test_a_command_that_used_the_object_store_ends_with_its_own_code_and_loses_no_output(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _COMMAND.replace("{directory!r}", repr(str(tmp_path)))]
    # Several at once, so that the store's threads are late: without `end` some of these are aborted.
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (3, b"printed registered", b"")


def test_other_commands_end_as_python_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "obstore", raising=False)
    with pytest.raises(SystemExit) as ended:
        end(4)
    assert ended.value.code == 4
