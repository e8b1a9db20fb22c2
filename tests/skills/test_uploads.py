"""What may be uploaded, and abuse cases 50 and 51: archives and front matter that mean harm."""

from __future__ import annotations

import asyncio
import io
import struct
import threading
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.skills.bundle import Bundle, Uploaded, make_bundle
from understudy.skills.config import SkillsConfig
from understudy.skills.front_matter import read_front_matter
from understudy.skills.paths import clean_path
from understudy.wire.errors import ApiError, InvalidRequestError

from .api import MEGABYTE, OLD, SKILL, Files, SkillsApi, skill_md, skills_api, unzipped, zipped

MD = skill_md()
TOO_LARGE = "Request exceeds the maximum size. The Skills API accepts requests up to {}MBs."


def bundle_of(content: bytes, *, old: bool = False, max_bytes: int = 30 * MEGABYTE, max_files: int = 2_000) -> Files:
    """What is kept of an archive."""
    spool = io.BytesIO(content)
    config = SkillsConfig(max_bytes, max_files)
    bundle = make_bundle(spool, [Uploaded("", 0, len(content))], config, old=old)
    with bundle.archive:
        bundle.archive.seek(0)
        return unzipped(bundle.archive.read())


def refusal(content: bytes) -> str:
    with pytest.raises(ApiError) as caught:
        bundle_of(content)
    return caught.value.message


# --- where files lie ---


@pytest.mark.parametrize("betas", [None, OLD])
async def test_parts_and_an_archive_make_the_same_skill(api: SkillsApi, betas: str | None) -> None:
    for number, files in enumerate((SKILL, [("x.zip", zipped(SKILL))], [(None, zipped(SKILL))])):
        fields = {"display_title": f"{number}"}
        skill = await api.create(files, betas=betas, fields=fields)
        content = await api.ask("GET", f"/v1/skills/{skill['id']}/versions/latest/content")
        assert unzipped(content.body) == SKILL


async def test_without_a_directory_files_lie_at_the_root_except_under_the_beta(api: SkillsApi) -> None:
    files = {"SKILL.md": MD, "scripts/run.py": b"x"}
    skill = await api.create(files)
    content = await api.ask("GET", f"/v1/skills/{skill['id']}/versions/latest/content")
    assert set(unzipped(content.body)) == {"my-skill/SKILL.md", "my-skill/scripts/run.py"}
    assert (await api.create([(None, zipped(files))]))["display_name"] == "my-skill"
    assert await api.refused(files, betas=OLD) == (400, "SKILL.md file must be exactly in the top-level folder.")
    assert await api.refused([("a.zip", zipped(files))], betas=OLD) == (
        400,
        "Zip must contain a top-level folder with all files inside it, including SKILL.md",
    )


@pytest.mark.parametrize(
    "files",
    [
        {"my-skill/other.md": MD},
        {"my-skill/skill.md": MD},
        {"my-skill/deep/SKILL.md": MD},
        {"my-skill/SKILL.md": MD, "other/file": b""},
        {"my-skill/SKILL.md": MD, "beside": b""},
        [(None, b"Example data")],
    ],
)
async def test_skill_md_lies_in_the_one_directory_of_all_files(api: SkillsApi, files: Files) -> None:
    for betas in (None, OLD):
        assert await api.refused(files, betas=betas) == (400, "SKILL.md file must be exactly in the top-level folder.")


def test_an_archive_holds_one_skill() -> None:
    nothing = "Zip must contain exactly one SKILL.md file. Currently there are {}."
    assert refusal(zipped({})) == nothing.format(0)
    assert refusal(zipped({"my-skill/a": b"x"})) == nothing.format(0)
    assert refusal(zipped({**SKILL, "my-skill/more/SKILL.md": MD})) == nothing.format(2)
    two = {"my-skill/SKILL.md": MD, "beside": b""}
    assert refusal(zipped(two)) == "Zip must contain a top-level folder with all files inside it, including SKILL.md"
    litter = {"__MACOSX/my-skill/._SKILL.md": b"x", **SKILL}
    assert bundle_of(zipped(litter)) == SKILL


async def test_the_directory_is_called_as_the_skill_but_for_case_and_underscores(api: SkillsApi) -> None:
    for folder in ("my_skill", "My-Skill", "MY_SKILL"):
        skill = await api.create({f"{folder}/SKILL.md": MD}, betas=OLD, fields={"display_title": folder})
        version = await api.get(f"/{skill['id']}/versions/{skill['latest_version']}", betas=OLD)
        assert (version["name"], version["directory"]) == ("my-skill", folder)
    for betas in (None, OLD):
        assert await api.refused({"other/SKILL.md": MD}, betas=betas) == (
            400,
            "The folder name 'other' must match the skill name 'my-skill' in SKILL.md.",
        )


async def test_where_the_front_matter_names_nothing_the_directory_does(api: SkillsApi) -> None:
    nameless = b"---\ndescription: x\n---\n"
    assert (await api.create({"A_Skill/SKILL.md": nameless}))["display_name"] == "a-skill"
    assert (await api.refused({"A_Skill/SKILL.md": nameless}, betas=OLD))[0] == 400
    assert (await api.refused({"SKILL.md": nameless}))[0] == 400
    assert (await api.refused({"claude-x/SKILL.md": nameless}))[0] == 400


async def test_scripts_stay_executable(api: SkillsApi) -> None:
    skill = await api.create({**SKILL, "my-skill/run.sh": b"#!/bin/sh\n", "my-skill/data.txt": b"x"})
    content = await api.ask("GET", f"/v1/skills/{skill['id']}/versions/latest/content")
    with zipfile.ZipFile(io.BytesIO(content.body)) as archive:
        modes = {info.filename: oct(info.external_attr >> 16) for info in archive.infolist()}
    assert modes["my-skill/run.sh"] == "0o100755"
    assert modes["my-skill/data.txt"] == modes["my-skill/SKILL.md"] == "0o100644"


# --- sizes ---


async def test_thirty_megabytes_are_taken_and_a_byte_more_is_not(api: SkillsApi) -> None:
    files = {"my-skill/SKILL.md": MD, "my-skill/data.bin": b"\0" * (30 * MEGABYTE - len(MD))}
    skill = await api.create(files)
    assert (await api.ask("DELETE", f"/v1/skills/{skill['id']}")).status == 200
    files["my-skill/data.bin"] += b"\0"
    told = (413, TOO_LARGE.format(30))
    assert await api.refused(files) == told
    assert await api.refused([(None, zipped(files))]) == told
    # What is declared to be too large is refused before it comes.
    answer = await api.ask(
        "POST",
        "/v1/skills",
        body=b"",
        content_type="multipart/form-data; boundary=x",
        content_length=f"{60 * MEGABYTE}",
    )
    assert answer.status == 413


async def test_how_many_files_there_may_be_is_bounded(data_dir: Path) -> None:
    async with skills_api(data_dir, max_files=10) as api:
        files = {"my-skill/SKILL.md": MD, **{f"my-skill/{number}": b"" for number in range(9)}}
        await api.create(files)
        await api.create([(None, zipped(files))])
        files["my-skill/more"] = b""
        told = (400, "A skill can have at most 10 files.")
        assert await api.refused(files) == told
        assert await api.refused([(None, zipped(files))]) == told
        many = {"my-skill/SKILL.md": MD, **{f"my-skill/{number}": b"" for number in range(40)}}
        assert await api.refused(many) == told


async def test_a_client_that_goes_while_its_upload_is_packed_leaves_no_open_file(
    api: SkillsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Bundle] = []
    begun = threading.Event()

    def slowly(*arguments: Any, **options: Any) -> Bundle:
        begun.set()
        time.sleep(0.2)
        made.append(make_bundle(*arguments, **options))
        return made[0]

    monkeypatch.setattr("understudy.skills.uploads.make_bundle", slowly)
    sending = asyncio.ensure_future(api.send(SKILL))
    await asyncio.to_thread(begun.wait, 5)
    sending.cancel()
    await asyncio.wait({sending})
    # It ended no sooner than the thread that reads its files.
    assert [bundle.archive.closed for bundle in made] == [True]
    assert await api.stored() == []
    assert (await api.get(query="source=custom"))["data"] == []


# --- abuse case 50: archives ---


@pytest.mark.parametrize(
    "path",
    [
        *("../evil", "my-skill/../../evil", "my-skill/..", "/etc/passwd", "C:/evil", "c:evil", "my-skill\\evil"),
        *("..\\evil", "my-skill//evil", "my-skill/./evil", "my-skill/a\0b", "my-skill/a\nb", "my-skill/\u202egpj.py"),
        *("my-skill/" + "x" * 256, "my-skill/" + "x/" * 40 + "y", ""),
    ],
)
async def test_abuse_50_paths_that_lead_elsewhere_are_refused(api: SkillsApi, path: str) -> None:
    with pytest.raises(InvalidRequestError):
        clean_path(path)
    if path.isprintable():
        status, _ = await api.refused({"my-skill/SKILL.md": MD, path.replace("\\", "\\\\"): b"x"})
        assert status == 400
    if "\0" not in path and path:
        assert (await api.refused([(None, zipped({"my-skill/SKILL.md": MD, path: b"x"}))]))[0] == 400
    directory = api.service.blobs.directory
    assert directory is not None
    assert list(directory.parent.rglob("*evil*")) == []


def test_abuse_50_links_and_special_files_are_refused() -> None:
    said = "The zip file holds links or special files. Only files and folders are supported."
    assert refusal(zipped(SKILL, links={"my-skill/link": "/etc/passwd"})) == said
    for kind in (0o020000, 0o060000, 0o010000, 0o140000):
        out = io.BytesIO(zipped(SKILL))
        with zipfile.ZipFile(out, "a") as archive:
            info = zipfile.ZipInfo("my-skill/device")
            info.external_attr = (kind | 0o666) << 16
            archive.writestr(info, b"")
        assert refusal(out.getvalue()) == said


@pytest.mark.parametrize(
    ("one", "other"), [("a", "A"), ("a", "a/b"), ("dir/x", "dir"), ("straße", "strasse"), ("A/x", "a")]
)
def test_abuse_50_files_in_each_others_place_are_refused(one: str, other: str) -> None:
    assert "cannot be used" in refusal(zipped({**SKILL, f"my-skill/{one}": b"1", f"my-skill/{other}": b"2"}))


async def test_abuse_50_a_name_that_comes_twice_is_refused(api: SkillsApi) -> None:
    files = [("my-skill/SKILL.md", MD), ("my-skill/a", b"1"), ("my-skill/a", b"2")]
    assert "there is another of that name" in (await api.refused(files))[1]
    out = io.BytesIO(zipped(SKILL))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(out, "a") as archive:
        archive.writestr("my-skill/SKILL.md", MD)
    assert "there is another of that name" in refusal(out.getvalue())


def test_abuse_50_a_bomb_is_stopped_as_it_unpacks_whatever_it_says_of_itself() -> None:
    bomb = zipped({"my-skill/SKILL.md": MD, "my-skill/bomb": b"\0" * (64 * MEGABYTE)})
    assert len(bomb) < 100_000
    # It says that it is small.
    lying = bytearray(bomb)
    for signature, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        place = lying.rfind(signature)
        struct.pack_into("<I", lying, place + at, 1_000)
    tracemalloc.start()
    started = time.monotonic()
    assert refusal(bomb) == TOO_LARGE.format(30)
    assert refusal(bytes(lying)) in {"The zip file is broken.", TOO_LARGE.format(30)}
    assert time.monotonic() - started < 5
    assert tracemalloc.get_traced_memory()[1] < 10 * MEGABYTE
    tracemalloc.stop()


def test_abuse_50_a_bomb_in_an_archive_in_an_archive_stays_packed() -> None:
    inner = zipped({"bomb": b"\0" * MEGABYTE * 40})
    assert bundle_of(zipped({**SKILL, "my-skill/inner.zip": inner}))["my-skill/inner.zip"] == inner
    # And an archive alone is none of a skill's.
    assert "Currently there are 0" in refusal(zipped({"inner.zip": inner}))


def test_abuse_50_a_directory_of_a_million_rows_is_not_read() -> None:
    content = zipped(SKILL)
    end = bytearray(content[-22:])
    struct.pack_into("<I", end, 12, 50_000_000)
    assert refusal(content[:-22] + bytes(end)) == "A skill can have at most 2000 files."


@pytest.mark.parametrize(
    "content",
    [
        zipped(SKILL)[:-1],
        zipped(SKILL)[:-22],
        zipped(SKILL)[:60] + b"\0\0" + zipped(SKILL)[62:],
        b"PK\x03\x04" + b"x" * 1_000,
        b"PK\x05\x06",
    ],
    ids=range(5),
)
def test_abuse_50_a_broken_archive_is_refused(content: bytes) -> None:
    assert refusal(content) == "The zip file is broken."


def test_abuse_50_other_ways_of_packing_are_refused() -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert "not supported" in refusal(zipped(SKILL, method=method))
    encrypted = bytearray(zipped(SKILL))
    encrypted[encrypted.find(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(encrypted)) == "The zip file is encrypted."
    large = zipped(SKILL)
    locator = b"PK\x06\x07" + b"\0" * 16
    assert "not supported" in refusal(large[:-22] + locator + large[-22:])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=6))
def test_abuse_50_a_damaged_archive_is_read_as_it_was_or_refused(damage: list[tuple[int, int]]) -> None:
    content = bytearray(zipped(SKILL))
    for place, value in damage:
        content[place % len(content)] = value
    try:
        found = bundle_of(bytes(content))
    except ApiError as error:
        assert error.status in {400, 413}
    else:
        assert all(name.startswith("my-skill/") for name in found)


# --- abuse case 51: the front matter ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Only a title", "SKILL.md must start with YAML frontmatter (---)"),
        ("", "SKILL.md must start with YAML frontmatter (---)"),
        ("\n---\nname: x\n---\n", "SKILL.md must start with YAML frontmatter (---)"),
        ("---\nname: x\n", "malformed YAML frontmatter"),
        ("---\n---\n", "malformed YAML frontmatter"),
        ("---\n- a\n---\n", "malformed YAML frontmatter"),
        ("---\nname: [x\n---\n", "malformed YAML frontmatter"),
        ("---\nname: x\n\tdescription: y\n---\n", "malformed YAML frontmatter"),
        ("---\nname: a\ndescription: 'x\n---\n", "malformed YAML frontmatter"),
        ("---\n1: a\n---\n", "malformed YAML frontmatter"),
        ("---\nname: a\n---\n", "field 'description' in SKILL.md must not be empty"),
        ("---\nname: a\ndescription: ' '\n---\n", "field 'description' in SKILL.md must not be empty"),
        ("---\nname: a\ndescription: 5\n---\n", "field 'description' in SKILL.md must be a string"),
        ("---\nname: 12\ndescription: x\n---\n", "field 'name' in SKILL.md must be a string"),
        ("---\nname: ''\ndescription: x\n---\n", "field 'name' in SKILL.md must not be empty"),
        (f"---\nname: {'a' * 65}\ndescription: x\n---\n", "field 'name' in SKILL.md must be at most 64 characters"),
        (
            f"---\nname: a\ndescription: {'x' * 1025}\n---\n",
            "field 'description' in SKILL.md must be at most 1024 characters",
        ),
        (
            "---\nname: My Skill\ndescription: x\n---\n",
            "Skill name in SKILL.md can only contain lowercase letters, numbers, and hyphens. Try 'my-skill'.",
        ),
        (
            "---\nname: my-claude-skill\ndescription: x\n---\n",
            "Skill name in SKILL.md cannot contain the reserved word 'claude'.",
        ),
        (
            "---\nname: anthropic\ndescription: x\n---\n",
            "Skill name in SKILL.md cannot contain the reserved word 'anthropic'.",
        ),
        ("---\nname: <b>x</b>\ndescription: x\n---\n", "Skill name in SKILL.md cannot contain XML tags"),
        ("---\nname: a\ndescription: Say <b>x</b>\n---\n", "SKILL.md description cannot contain XML tags"),
        ("---\nname: a\ndescription: x <script src=y>\n---\n", "SKILL.md description cannot contain XML tags"),
        (
            "---\nname: a\ndescription: x\nversion: 1\n---\n",
            "unexpected key in SKILL.md frontmatter: properties must be in "
            "('name', 'description', 'license', 'allowed-tools', 'compatibility', 'metadata')",
        ),
    ],
)
async def test_front_matter_that_breaks_a_rule_is_refused(api: SkillsApi, text: str, said: str) -> None:
    status, message = await api.refused({"SKILL.md": text.encode()})
    assert (status, message.startswith(said)) == (400, True), message


def test_front_matter_of_all_kinds_is_read() -> None:
    for text in (
        "---\nname: a\ndescription: >\n  Two\n  lines, a -> b, 3 < 5 > 2\nlicense: x\nallowed-tools: [Bash]\n---\n# A",
        "---  \r\nname: a\r\ndescription: 'Two lines, a -> b, 3 < 5 > 2'\r\n--- \r\nBody",
        "\ufeff---\nname: a\ndescription: Two lines, a -> b, 3 < 5 > 2\nmetadata:\n  a: {b: [1, 2020-01-01]}\n---",
    ):
        found = read_front_matter(text.encode())
        assert (found.name, found.description) == ("a", "Two lines, a -> b, 3 < 5 > 2")


@pytest.mark.parametrize(
    "metadata",
    [
        "&a [x]\nlicense: *a",
        "!!python/object/apply:os.system ['touch /tmp/evil']",
        "!!python/name:os.system",
        "!local x",
        "!!binary aGVsbG8=",
        "[" * 3_000,
        "[" + "x, " * 3_000 + "]",
        "{a: " * 3_000,
        "9" * 10_000,
        "2026-99-99",
        "1:" + "59:" * 300 + "1.5",
        "\0",
        "&a x",
    ],
)
def test_abuse_51_yaml_that_means_harm_is_refused_at_once(metadata: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidRequestError, match="malformed YAML"):
        read_front_matter(f"---\nname: a\ndescription: x\nmetadata: {metadata}\n---\n".encode())
    assert time.monotonic() - started < 1


def test_abuse_51_a_bomb_of_aliases_is_refused_before_it_is_built() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 12)]
    text = "---\nname: a\ndescription: x\nmetadata:\n  " + "\n  ".join(rows) + "\n---\n"
    with pytest.raises(InvalidRequestError, match="anchors and aliases"):
        read_front_matter(text.encode())


def test_abuse_51_front_matter_without_an_end_costs_little() -> None:
    started = time.monotonic()
    with pytest.raises(InvalidRequestError, match="closing line"):
        read_front_matter(b"---\n" + b"a: b\n" * 6_000)
    with pytest.raises(InvalidRequestError):
        read_front_matter(b"---\n" + b"? " * 16_000 + b"\n---\n")
    assert time.monotonic() - started < 2


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_abuse_51_whatever_stands_there_is_read_or_refused(content: bytes) -> None:
    try:
        read_front_matter(b"---\n" + content + b"\n---\n")
    except ApiError as error:
        assert error.status == 400
