from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from contextlib import chdir
from pathlib import Path

import anthropic
import pytest
from typer.testing import CliRunner

from servers import ServerStarter, clean_environment
from understudy.cli.commands import app
from understudy.settings import SettingsError


def command(*arguments: str, cwd: Path, data_dir: Path, code: int = 0) -> tuple[bytes, str]:
    """What `understudy skills …` printed on both outputs, in this process. It must end with `code`."""
    with chdir(cwd):
        done = CliRunner().invoke(app, ["skills", *arguments, "--data-dir", str(data_dir)])
    if isinstance(done.exception, SettingsError):
        # What the command line makes of it.
        assert code == 2
        return done.stdout_bytes, f"understudy: {done.exception}"
    assert done.exit_code == code, done.output
    return done.stdout_bytes, done.stderr


def process(*arguments: str, data_dir: Path, code: int = 0) -> tuple[bytes, str]:
    """The same of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "skills", *arguments, "--data-dir", str(data_dir)],
        env=clean_environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    return done.stdout, done.stderr.decode("utf-8", "replace")


def make_skill(folder: Path, description: str = "Does a thing.") -> Path:
    (folder / "scripts").mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(f"---\nname: my-skill\ndescription: {description}\n---\n# How\n", "utf-8")
    (folder / "scripts" / "run.py").write_text("print('hello')\n", "utf-8")
    return folder


def names(content: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return set(archive.namelist())


def test_skills_are_stored_listed_fetched_and_deleted_without_a_server(tmp_path: Path) -> None:
    data_dir, here = tmp_path / "data", tmp_path / "here"
    here.mkdir()
    folder = make_skill(tmp_path / "my_skill")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "run.pyc").write_bytes(b"x")
    (folder / "link").symlink_to("/etc/passwd")
    printed, told = command("upload", str(folder), "--display-name", "My [bold] skill", cwd=here, data_dir=data_dir)
    skill_id = printed.decode().strip()
    assert skill_id.startswith("skill_")
    assert "'My [bold] skill'" in told
    command("download", skill_id, cwd=here, data_dir=data_dir)
    archive = here / "my-skill.zip"
    assert names(archive.read_bytes()) == {"my-skill/SKILL.md", "my-skill/scripts/run.py"}
    _, told = command("download", skill_id, cwd=here, data_dir=data_dir, code=2)
    assert "is there already" in told
    printed, _ = command("upload", str(archive), "--skill", skill_id, cwd=here, data_dir=data_dir)
    version = printed.decode().strip()
    assert version.startswith("skver_")
    listed = command("list", cwd=here, data_dir=data_dir)[0].decode()
    for shown in (skill_id, "My [bold] skill", version, "pptx", "anthropic"):
        assert shown in listed
    printed, _ = command("download", skill_id, "--version", version, "--to", "-", cwd=here, data_dir=data_dir)
    assert printed == archive.read_bytes()
    assert "pdf/SKILL.md" in names(command("download", "pdf", "--to", "-", cwd=here, data_dir=data_dir)[0])
    command("delete", skill_id, "--version", version, cwd=here, data_dir=data_dir)
    command("delete", skill_id, cwd=here, data_dir=data_dir)
    assert skill_id not in command("list", cwd=here, data_dir=data_dir)[0].decode()
    assert [path for path in (data_dir / "skills").rglob("*") if path.is_file()] == []
    _, told = command("delete", skill_id, cwd=here, data_dir=data_dir, code=1)
    assert told.strip() == "understudy: Skill not found"


def test_what_is_no_skill_is_told(tmp_path: Path) -> None:
    data_dir, empty = tmp_path / "data", tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other.txt"
    other.write_text("no skill")
    wrong = make_skill(tmp_path / "wrong")
    for path, arguments, said, code in (
        (tmp_path / "gone", (), "There is no directory or archive", 2),
        (empty, (), "SKILL.md file must be exactly in the top-level folder.", 1),
        (other, (), "SKILL.md file must be exactly in the top-level folder.", 1),
        (wrong, (), "The folder name 'wrong' must match the skill name 'my-skill' in SKILL.md.", 1),
        (wrong, ("--skill", "skill_x", "--display-name", "x"), "A version has no display name", 2),
        (wrong, ("--display-name", "x" * 300), "at most 255 characters", 1),
    ):
        _, told = command("upload", str(path), *arguments, cwd=tmp_path, data_dir=data_dir, code=code)
        assert said in told
        assert "Traceback" not in told


@pytest.mark.slow
def test_a_running_server_and_the_command_see_the_same_skills(serve: ServerStarter, tmp_path: Path) -> None:
    server = serve()
    client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    printed, _ = process("upload", str(make_skill(tmp_path / "my-skill")), data_dir=server.data_dir)
    skill_id = printed.decode().strip()
    assert client.skills.retrieve(skill_id).display_name == "my-skill"
    client.skills.delete(skill_id)
    _, told = process("download", skill_id, data_dir=server.data_dir, code=1)
    assert "Skill not found" in told
