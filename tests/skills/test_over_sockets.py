"""Skills with real clients over real sockets: today's SDK, the one of old, a client that goes away, a killed server."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.lib import files_from_dir

from clients.installs import python_client, run
from rawhttp import connect
from servers import RunningServer, ServerStarter, clean_environment

from .api import SKILL, form, skill_md, unzipped, zipped

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("old_sdk_script.py")
FILES: Any = [(path, content) for path, content in SKILL.items()]


@pytest.fixture
def client(server: RunningServer) -> Generator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as sdk:
        yield sdk


def test_todays_sdk_makes_lists_reads_and_deletes_skills(client: anthropic.Anthropic) -> None:
    skill = client.skills.create(files=FILES, display_name="My skill")
    assert (skill.display_name, skill.source.type, skill.type) == ("My skill", "custom", "skill")
    second = client.skills.versions.create(skill.id, files=[("my-skill.zip", zipped(SKILL))])
    assert (second.name, second.description, second.skill_id) == ("my-skill", "Does a thing.", skill.id)
    now = client.skills.retrieve(skill.id)
    assert now.latest_version_id == second.id
    assert now.updated_at > skill.created_at
    assert skill.id in [one.id for one in client.skills.list(limit=1)]
    listed = [version.id for version in client.skills.versions.list(skill.id, limit=1)]
    assert listed == [second.id, skill.latest_version_id]
    assert client.skills.versions.retrieve("latest", skill_id=skill.id) == second
    assert unzipped(client.beta.skills.versions.download(second.id, skill_id=skill.id).read()) == SKILL
    assert client.skills.versions.delete(second.id, skill_id=skill.id).type == "skill_version_deleted"
    assert client.skills.delete(skill.id).type == "skill_deleted"
    with pytest.raises(anthropic.NotFoundError, match="Skill not found"):
        client.skills.retrieve(skill.id)


def test_todays_sdk_uploads_a_directory_and_bytes_without_a_name(client: anthropic.Anthropic, tmp_path: Path) -> None:
    folder = tmp_path / "my_skill"
    (folder / "scripts").mkdir(parents=True)
    (folder / "SKILL.md").write_bytes(skill_md())
    (folder / "scripts" / "run.py").write_bytes(b"print(1)")
    made = [client.skills.create(files=files_from_dir(folder)), client.skills.create(files=[zipped(SKILL)])]
    for skill in made:
        assert skill.display_name == "my-skill"
        content = client.beta.skills.versions.download(skill.latest_version_id, skill_id=skill.id).read()
        assert "my-skill/scripts/run.py" in unzipped(content)
        client.skills.delete(skill.id)
    with pytest.raises(anthropic.BadRequestError, match=r"SKILL\.md file must be exactly in the top-level folder\."):
        client.skills.create(files=[b"Example data"])


def test_a_prebuilt_skill_can_be_downloaded_and_uploaded_as_ones_own(client: anthropic.Anthropic) -> None:
    content = client.beta.skills.versions.download("20251013", skill_id="xlsx").read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "xlsx/SKILL.md" in archive.namelist()
    skill = client.skills.create(files=[content])
    assert client.skills.versions.retrieve(skill.latest_version_id, skill_id=skill.id).name == "xlsx"
    client.skills.delete(skill.id)


@pytest.mark.slow
def test_the_sdk_of_old_works_with_the_shapes_of_old(server: RunningServer) -> None:
    python = python_client("anthropic-0.125")
    told = json.loads(run([str(python), str(SCRIPT), server.url, server.api_key], env=clean_environment()))
    assert told["version"].startswith("0.125.")
    made, second = told["made"], told["second"]
    assert set(made) == {"id", "created_at", "display_title", "latest_version", "source", "type", "updated_at"}
    assert (made["display_title"], made["source"]) == ("My skill", "custom")
    assert second == told["retrieved"]
    assert (second["directory"], second["name"], second["skill_id"]) == ("my-skill", "my-skill", made["id"])
    assert told["latest"] == second["version"]
    assert made["id"] in told["listed"]
    assert told["versions"] == told["versions_deleted"] == [second["version"], made["latest_version"]]
    assert told["twice"] == "BadRequestError: Skill cannot reuse an existing display_title: My skill"
    assert told["too_early"] == (
        "BadRequestError: Cannot delete skill with existing versions. Delete all versions first."
    )
    assert told["by_id"] == "BadRequestError: Invalid version format"
    assert told["bare"] == "BadRequestError: SKILL.md file must be exactly in the top-level folder."
    assert (told["deleted"], told["gone"]) == ("skill_deleted", "NotFoundError: Skill not found")


def test_the_example_of_the_documentation_runs(server: RunningServer, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "skills.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "my-skill").mkdir()
    (tmp_path / "my-skill" / "SKILL.md").write_bytes(skill_md())
    program = tmp_path / "example.py"
    filled = example.replace("http://127.0.0.1:8484", server.url).replace("sk-understudy-api-…", server.api_key)
    program.write_text(filled, "utf-8")
    command = [sys.executable, str(program)]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("skver_")


# --- what breaks off ---


def on_disk(server: RunningServer) -> list[Path]:
    return [path for path in (server.data_dir / "skills").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_a_client_that_goes_away_and_a_server_that_is_killed_leave_no_half_skill(serve: ServerStarter) -> None:
    server = serve()
    client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    kept = client.skills.create(files=FILES)
    whole = form({**SKILL, "my-skill/data.bin": b"x" * 10_000_000})
    head = (
        f"POST /v1/skills HTTP/1.1\r\nhost: x\r\nx-api-key: {server.api_key}\r\nanthropic-version: 2026-10-21\r\n"
        f"content-type: multipart/form-data; boundary=a-boundary\r\ncontent-length: {len(whole)}\r\n\r\n"
    )
    connection = connect(server)
    connection.sendall(head.encode() + whole[: len(whole) // 2])
    connection.close()
    assert client.skills.retrieve(kept.id).id == kept.id
    assert len(on_disk(server)) == 1
    connection = connect(server)
    connection.sendall(head.encode() + whole[: len(whole) // 2])
    server.kill()
    connection.close()
    again = serve(data_dir=server.data_dir)
    client = anthropic.Anthropic(base_url=again.url, api_key=again.api_key, max_retries=0)
    assert [skill.id for skill in client.skills.list(source="custom")] == [kept.id]
    assert unzipped(client.beta.skills.versions.download(kept.latest_version_id, skill_id=kept.id).read()) == SKILL
    assert len(on_disk(again)) == 1
