from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anthropic
import pytest

from servers import ServerStarter, clean_environment


def command(*arguments: str, cwd: Path, data_dir: Path, code: int = 0) -> tuple[str, str]:
    """What `understudy files …` printed on both outputs. It must end with `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "files", *arguments, "--data-dir", str(data_dir)],
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    printed, errors = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert done.returncode == code, errors
    return printed, errors


def test_files_are_stored_listed_fetched_and_deleted_without_a_server(tmp_path: Path) -> None:
    data_dir, here = tmp_path / "data", tmp_path / "here"
    here.mkdir()
    source = tmp_path / "notes [bold]x[_bold] ü.txt"
    source.write_bytes(bytes(range(32, 127)) * 40_000)
    printed, told = command("upload", str(source), cwd=here, data_dir=data_dir)
    file_id = printed.strip()
    assert file_id.startswith("file_")
    assert "text/plain" in told
    printed, _ = command("list", cwd=here, data_dir=data_dir)
    assert file_id in printed
    assert source.name in printed
    assert f"{source.stat().st_size:,}" in printed
    command("download", file_id, cwd=here, data_dir=data_dir)
    assert (here / source.name).read_bytes() == source.read_bytes()
    _, told = command("download", file_id, cwd=here, data_dir=data_dir, code=2)
    assert "is there already" in told
    command("download", file_id, "--to", "other.txt", cwd=here, data_dir=data_dir)
    assert (here / "other.txt").read_bytes() == source.read_bytes()
    printed, _ = command("download", file_id, "--to", "-", cwd=here, data_dir=data_dir)
    assert printed.encode() == source.read_bytes()
    command("delete", file_id, cwd=here, data_dir=data_dir)
    assert file_id not in command("list", cwd=here, data_dir=data_dir)[0]
    assert [path for path in (data_dir / "files").rglob("*") if path.is_file()] == []
    _, told = command("delete", file_id, cwd=here, data_dir=data_dir, code=1)
    assert told.strip() == f"understudy: File `{file_id}` not found."


@pytest.mark.parametrize(
    ("content", "arguments", "said", "code"),
    [
        (None, (), "There is no file", 2),
        (b"", (), "must not be empty", 1),
        (b"x", ("--type", "image/png"), "it appears to be something else", 1),
        (b"x", ("--type", "none"), "is not a media type", 1),
    ],
)
def test_what_cannot_be_stored_is_told(
    tmp_path: Path, content: bytes | None, arguments: tuple[str, ...], said: str, code: int
) -> None:
    source = tmp_path / "a.bin"
    if content is not None:
        source.write_bytes(content)
    _, told = command("upload", str(source), *arguments, cwd=tmp_path, data_dir=tmp_path / "data", code=code)
    assert said in told
    assert "Traceback" not in told
    assert not (tmp_path / "data" / "files").exists() or not any((tmp_path / "data" / "files").rglob("*_*/file_*"))


@pytest.mark.slow
def test_a_running_server_and_the_command_see_the_same_files(serve: ServerStarter, tmp_path: Path) -> None:
    server = serve()
    client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    uploaded = client.files.upload(file=("a.txt", b"from a client", "text/plain"))
    printed, _ = command("download", uploaded.id, "--to", "-", cwd=tmp_path, data_dir=server.data_dir)
    assert printed == "from a client"
    source = tmp_path / "b.txt"
    source.write_bytes(b"from the command")
    file_id = command("upload", str(source), "--expires-in-seconds", "3600", cwd=tmp_path, data_dir=server.data_dir)[0]
    seen = client.files.retrieve_metadata(file_id.strip())
    assert (seen.filename, seen.mime_type, seen.expires_at is None) == ("b.txt", "text/plain", False)
    command("delete", uploaded.id, cwd=tmp_path, data_dir=server.data_dir)
    with pytest.raises(anthropic.NotFoundError):
        client.files.retrieve_metadata(uploaded.id)
    printed, _ = command("list", "--workspace", "wrkspc_none", cwd=tmp_path, data_dir=server.data_dir)
    assert "file_" not in printed
