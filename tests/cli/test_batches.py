from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import anthropic

from servers import ServerStarter, clean_environment

REQUEST = {"model": "claude-opus-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}


def command(*arguments: str, data_dir: Path, code: int = 0) -> tuple[str, str]:
    """What `understudy batches …` printed on both outputs. It must end with `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "batches", *arguments, "--data-dir", str(data_dir)],
        env=clean_environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    printed, errors = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert done.returncode == code, errors
    return printed, errors


def test_batches_are_shown_followed_fetched_and_canceled(serve: ServerStarter, tmp_path: Path) -> None:
    idle = serve(env={"UNDERSTUDY_BATCHES_RUN": "false"})
    client = anthropic.Anthropic(base_url=idle.url, api_key=idle.api_key, max_retries=0, timeout=60)
    requests: list[object] = [{"custom_id": f"r{place}", "params": REQUEST} for place in range(3)]
    first = client.messages.batches.create(requests=requests).id  # pyright: ignore[reportArgumentType]
    second = client.messages.batches.create(requests=requests).id  # pyright: ignore[reportArgumentType]
    data_dir = idle.data_dir
    printed, _ = command("list", data_dir=data_dir)
    assert printed.index(second) < printed.index(first)
    assert printed.count("in_progress") == 2
    printed, told = command("show", first, data_dir=data_dir)
    assert "status       in_progress" in printed
    assert "0/3" in told
    _, told = command("results", first, data_dir=data_dir, code=1)
    assert told.strip() == f"understudy: Message Batch {first} has no available results."
    assert "is being canceled" in command("cancel", second, data_dir=data_dir)[0]
    assert client.messages.batches.retrieve(second).processing_status == "canceling"
    idle.stop()

    serve(data_dir=data_dir)
    printed, told = command("show", second, "--wait", data_dir=data_dir)
    assert "canceled     3" in printed
    printed, told = command("show", first, "--wait", data_dir=data_dir)
    assert "succeeded    3" in printed
    assert "3/3" in told
    printed, _ = command("results", first, data_dir=data_dir)
    assert {json.loads(line)["custom_id"] for line in printed.splitlines()} == {"r0", "r1", "r2"}
    to = tmp_path / "results.jsonl"
    command("results", first, "--to", str(to), data_dir=data_dir)
    assert to.read_text("utf-8") == printed
    _, told = command("results", first, "--to", str(to), data_dir=data_dir, code=2)
    assert "is there already" in told
    _, told = command("cancel", first, data_dir=data_dir, code=1)
    assert "already ended" in told
    _, told = command("results", "msgbatch_none", "--to", str(tmp_path / "none"), data_dir=data_dir, code=1)
    assert "not found" in told
    assert not (tmp_path / "none").exists()
