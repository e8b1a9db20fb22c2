"""Batches, files and skills: what is kept on the server is put there, looked at, stopped and taken away."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest
from playwright.sync_api import Page, expect

from .acting import SONNET, Given, confirm, drop, menu
from .site import Site

SKILL_MD = b"---\nname: greeting\ndescription: How guests are greeted.\n---\nBow first.\n"


def _line(custom_id: str, text: str, **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": text}
    return {"custom_id": custom_id, "params": {"model": SONNET, "max_tokens": 40, "messages": [message], **more}}


def test_a_batch_is_created_and_canceled_while_it_runs(strict: Site) -> None:
    lines = [json.dumps(_line(f"row-{number}", "Write 200 words about rain.")) for number in range(120)]
    with strict.visit("/batches") as page:
        page.get_by_role("button", name="Create a batch").click()
        dialog = page.get_by_role("dialog", name="Create a batch")
        dialog.get_by_label("Or write the lines").fill("\n".join([*lines, "{"]))
        expect(dialog.get_by_text(re.compile("Line 121 is no JSON"))).to_be_visible()
        expect(dialog.get_by_role("button", name="Create a batch")).to_be_disabled()
        dialog.get_by_label("Or write the lines").fill("\n".join(lines))
        expect(dialog.get_by_text("120 requests")).to_be_visible()
        dialog.get_by_role("button", name="Create a batch").click()
        row = page.get_by_role("row", name=re.compile("msgbatch_"))
        expect(row).to_contain_text("In progress")
        batch = row.get_by_role("link").inner_text()
        menu(page, f"Actions for {batch}", "Cancel")
        expect(page.get_by_role("alertdialog")).to_contain_text("Cancel this batch?")
        confirm(page, "Cancel the batch")
        expect(page.get_by_text("The batch is being canceled.")).to_be_visible()
        expect(row).to_contain_text("Ended", timeout=15_000)
        expect(row).to_contain_text(re.compile(r"\d+ canceled", re.IGNORECASE))
        row.get_by_role("link").click()
        results = page.get_by_role("table", name="Results")
        expect(results.get_by_text("Canceled").first).to_be_visible()
    client = anthropic.Anthropic(api_key=strict.server.api_key, base_url=strict.server.url)
    counts = client.messages.batches.retrieve(batch).request_counts
    assert counts.canceled > 0
    assert counts.canceled + counts.succeeded == len(lines)


def test_the_results_of_a_batch_are_read_filtered_and_downloaded(site: Site) -> None:
    client = anthropic.Anthropic(api_key=site.server.api_key, base_url=site.server.url)
    requests: Any = [
        _line("good", "Reply with exactly: well done"),
        _line("bad", "Hello", temperature=7),
        _line("other", "Reply with exactly: as well"),
    ]
    made = client.messages.batches.create(requests=requests)
    with site.visit(f"/batches/{made.id}") as page:
        table = page.get_by_role("table", name="Results")
        expect(table.get_by_role("row", name="good")).to_contain_text("well done", timeout=15_000)
        expect(page.get_by_text("3 of 3 answered")).to_be_visible()
        page.get_by_role("radiogroup", name="Show").get_by_text("Errored").click()
        expect(table.get_by_role("row")).to_have_count(2)
        expect(table).to_contain_text("temperature")
        table.get_by_role("button", name="bad").click()
        expect(page.get_by_role("dialog", name="bad")).to_contain_text("invalid_request_error")
        page.keyboard.press("Escape")
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download results").click()
        lines = saved.value.path().read_text(encoding="utf-8").splitlines()
        assert {json.loads(line)["custom_id"] for line in lines} == {"good", "bad", "other"}
        page.get_by_role("button", name="Delete", exact=True).click()
        confirm(page, "Delete")
        expect(page.get_by_role("heading", name="Batches", level=1)).to_be_visible()
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(made.id)


def test_a_file_is_dropped_used_and_deleted(site: Site) -> None:
    with site.visit("/files") as page:
        drop(
            page.get_by_role("group", name="Drop files here, or"),
            Given("rules.txt", "text/plain", b"Be kind. Be brief."),
        )
        row = page.get_by_role("row", name="rules.txt")
        expect(row).to_contain_text("text/plain")
        expect(row).to_contain_text("18 B")
        file_id = re.search(r"file_\w+", row.inner_text())
        assert file_id is not None
        row.get_by_role("button", name="Delete rules.txt").click()
        expect(page.get_by_role("alertdialog")).to_contain_text("Delete rules.txt?")
        page.get_by_role("alertdialog").get_by_role("button", name="Cancel").click()
        expect(row).to_be_visible()
        row.get_by_role("button", name="Delete rules.txt").click()
        confirm(page, "Delete")
        expect(row).to_be_hidden()
    headers = {"x-api-key": site.server.api_key, "anthropic-version": "2026-10-21"}
    answer = httpx.get(f"{site.server.url}/v1/files/{file_id[0]}", headers=headers, trust_env=False)
    assert answer.status_code == 404


def test_a_skill_is_uploaded_as_a_folder_then_as_a_zip_and_deleted(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "greeting"
    (folder / "scripts").mkdir(parents=True)
    (folder / "SKILL.md").write_bytes(SKILL_MD)
    (folder / "scripts" / "bow.py").write_text("print('bow')\n")
    (folder / ".DS_Store").write_bytes(b"\0")
    with site.visit("/skills") as page:
        page.get_by_role("button", name="Upload a skill").first.click()
        dialog = page.get_by_role("dialog", name="Upload a skill")
        dialog.get_by_label("Name").fill("Greeting guests")
        dialog.locator("input[webkitdirectory]").set_input_files(folder)
        expect(dialog.get_by_text("2 files, ")).to_be_visible()
        dialog.get_by_role("button", name="Upload", exact=True).click()
        page.get_by_role("link", name="Greeting guests").click()
        versions = page.get_by_role("table", name="Versions")
        expect(versions.get_by_role("row")).to_have_count(2)
        expect(versions).to_contain_text("How guests are greeted.")

        page.get_by_role("button", name="Upload a version").click()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("greeting/SKILL.md", SKILL_MD.replace(b"guests are", b"everybody is"))
        drop(
            page.get_by_role("group", name="Drop a zip file here, or"),
            Given("greeting.zip", "application/zip", packed.getvalue()),
        )
        page.get_by_role("dialog").get_by_role("button", name="Upload", exact=True).click()
        expect(versions.get_by_role("row")).to_have_count(3)
        expect(versions.get_by_role("row", name="latest")).to_contain_text("everybody is")
        with page.expect_download() as saved:
            versions.get_by_role("row", name="latest").get_by_role("button", name=re.compile("^Download")).click()
        with zipfile.ZipFile(saved.value.path()) as archive:
            assert any(name.endswith("SKILL.md") for name in archive.namelist())

        page.get_by_role("button", name="Delete", exact=True).click()
        confirm(page, "Delete")
        expect(page.get_by_text("Greeting guests is deleted.")).to_be_visible()
        expect(page.get_by_role("link", name="Greeting guests")).to_be_hidden()
    assert "Greeting guests" not in json.dumps(site.api("GET", "/v1/skills", key=site.server.api_key))


def test_a_skill_that_is_none_is_refused_with_its_reason(site: Site) -> None:
    with site.visit("/skills") as page:
        _upload(page, Given("empty.zip", "application/zip", b"PK\5\6" + b"\0" * 18))
        told = page.get_by_role("dialog").get_by_role("alert")
        expect(told).to_contain_text("req_")


def _upload(page: Page, file: Given) -> None:
    page.get_by_role("button", name="Upload a skill").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("No skill")
    drop(page.get_by_role("group", name="Drop a zip file here, or"), file)
    page.get_by_role("dialog").get_by_role("button", name="Upload", exact=True).click()
