from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
import resource
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.files.names import clean_filename
from understudy.wire.errors import InvalidRequestError

from .api import AGENTS, BOUNDARY, MEGABYTE, OLD, TINY_PDF, FilesApi, Part, code_of, error_of, files_api, form
from .s3 import S3

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


# --- the object ---


async def test_an_upload_is_answered_with_the_file_in_todays_shape(local: FilesApi) -> None:
    file = await local.upload(b"Example data", "notes.txt", type="text/plain")
    assert list(file) == [
        *("type", "id", "size_bytes", "created_at", "filename", "mime_type", "downloadable", "expires_at")
    ]
    assert file["type"] == "file"
    assert file["id"].startswith("file_011C")
    assert (file["filename"], file["mime_type"], file["size_bytes"]) == ("notes.txt", "text/plain", 12)
    assert file["expires_at"] is None
    # Milliseconds written as microseconds, as recorded.
    assert file["created_at"].endswith("000Z")
    assert (await local.ask("GET", f"/v1/files/{file['id']}")).json() == file


async def test_the_beta_of_old_gets_the_shape_of_old(local: FilesApi) -> None:
    file = await local.upload(type="text/plain", betas=OLD)
    assert list(file) == ["type", "id", "size_bytes", "created_at", "filename", "mime_type", "downloadable"]
    shown = (await local.ask("GET", f"/v1/files/{file['id']}", betas=OLD)).json()
    assert shown == file


async def test_under_managed_agents_a_file_says_that_it_belongs_to_no_session(local: FilesApi) -> None:
    file = await local.upload(betas=AGENTS)
    assert (file["scope"], file["expires_at"]) == (None, None)
    assert "scope" not in await local.upload(type="text/plain", betas=f"{AGENTS},{OLD}")


async def test_uploads_are_not_downloadable_unless_the_installation_says_so(data_dir: Path) -> None:
    async with files_api(data_dir, downloadable_uploads=False) as api:
        assert (await api.upload())["downloadable"] is False


async def test_a_file_expires_when_its_form_says(local: FilesApi) -> None:
    for parts in (
        [Part(b"3600", "expires_in_seconds"), Part(b"x")],
        [Part(b"x"), Part(b"3600", "expires_in_seconds")],
    ):
        file = (await local.send(*parts)).json()
        created, expires = (file[name].replace("Z", "+00:00") for name in ("created_at", "expires_at"))
        assert created < expires
        assert created[14:] == expires[14:]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"3599", "Input should be greater than or equal to 3600"),
        (b"7776001", "Input should be less than or equal to 7776000"),
        (b"soon", "Input should be a valid integer, unable to parse string as an integer"),
        (b"", "Input should be a valid integer, unable to parse string as an integer"),
        (b"9" * 2_000, "is too long"),
    ],
)
async def test_an_expiry_out_of_bounds_is_refused(local: FilesApi, given: bytes, said: str) -> None:
    answer = await local.send(Part(b"x"), Part(given, "expires_in_seconds"))
    assert error_of(answer) == (400, "invalid_request_error", f"expires_in_seconds: {said}")
    await local.nothing_is_left()


# --- bytes (invariant 17) ---


@pytest.mark.parametrize("size", [1, 65_537, MEGABYTE, 6 * MEGABYTE + 1])
async def test_invariant_17_a_files_bytes_are_the_same_after_upload_and_download(api: FilesApi, size: int) -> None:
    content = random.Random(size).randbytes(size)
    whole = form(Part(content, filename="data.bin"))
    pieces = [whole[start : start + 65_536] for start in range(0, len(whole), 65_536)]
    file = (await api.send(body=pieces)).json()
    assert file["size_bytes"] == size
    answer = await api.ask("GET", f"/v1/files/{file['id']}/content")
    assert answer.status == 200
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(content).digest()
    assert answer.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'


async def test_invariant_17_holds_however_the_body_is_cut(local: FilesApi) -> None:
    # What looks like the boundary, and like its beginning, is what a parser trips over.
    hard = st.sampled_from([b"\r\n", b"--" + BOUNDARY.encode()[:-1], b"\r", b"-", b"\r\n--", BOUNDARY.encode(), b"x\0"])
    contents = st.lists(hard | st.binary(min_size=1, max_size=30), min_size=1, max_size=12).map(b"".join)
    contents = contents.filter(lambda content: b"\r\n--" + BOUNDARY.encode() not in content)

    async def check(content: bytes, cuts: list[int]) -> None:
        whole = form(Part(content))
        places = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})
        pieces = [whole[start:end] for start, end in itertools.pairwise(places)]
        file = (await local.send(body=pieces)).json()
        assert (await local.ask("GET", f"/v1/files/{file['id']}/content")).body == content

    @settings(max_examples=60, deadline=None)
    @given(contents, st.lists(st.integers(0, 10_000), max_size=20))
    def cases(content: bytes, cuts: list[int]) -> None:
        found.append((content, cuts))

    found: list[tuple[bytes, list[int]]] = []
    cases()
    for content, cuts in found:
        await check(content, cuts)


async def test_a_body_that_comes_a_byte_at_a_time_is_read(local: FilesApi) -> None:
    whole = form(Part(b"Example data", filename="a.txt"))
    answer = await local.send(body=[bytes([byte]) for byte in whole])
    assert answer.json()["size_bytes"] == 12


# --- names ---


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("notes.txt", "notes.txt"),
        ("../../etc/passwd", "passwd"),
        ("/absolute/path/report.pdf.txt", "report.pdf.txt"),
        ("C:\\\\Users\\\\me\\\\notes.txt", "notes.txt"),
        ("folder/", "unnamed.txt"),
        ("", "unnamed.txt"),
        (None, "unnamed.txt"),
        ("ünïcödé – 文件.txt", "ünïcödé – 文件.txt"),
        ("a" * 255, "a" * 255),
        (".env", ".env"),
    ],
)
async def test_of_a_name_the_last_component_is_kept(local: FilesApi, sent: str | None, kept: str) -> None:
    assert (await local.upload(b"text", sent, type="text/plain"))["filename"] == kept


@pytest.mark.parametrize(
    ("more", "kept"),
    [("utf-8''%E2%82%AC%20rates.txt", "€ rates.txt"), ("UTF-8''..%2F..%2Fpasswd", "passwd"), ("latin-1''x", "garbled")],
)
async def test_a_name_beyond_ascii_may_come_in_the_extended_form(local: FilesApi, more: str, kept: str) -> None:
    body = form(Part(b"text", filename="garbled")).replace(b'"garbled"', f'"garbled"; filename*={more}'.encode())
    assert (await local.send(body=body)).json()["filename"] == kept


@pytest.mark.parametrize(
    ("content", "declared", "name"),
    [(TINY_PDF, None, "unnamed.pdf"), (PNG, "image/png", "unnamed.png"), (b"\0\1\2\xff", None, "unnamed.bin")],
)
async def test_a_file_without_a_name_gets_the_extension_of_its_type(
    local: FilesApi, content: bytes, declared: str | None, name: str
) -> None:
    assert (await local.upload(content, None, type=declared))["filename"] == name


@pytest.mark.parametrize(
    "name",
    [
        *(f"a{character}b.txt" for character in '<>:|?*"\0\1\x1f\x7f\x85\u202e\u2028'),
        "a\r\nx-injected: 1",
        "a" * 256,
        "..",
        ".",
        "a/..",
    ],
)
def test_names_that_break_the_rules_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^filename: "):
        clean_filename(name, "text/plain")


@pytest.mark.parametrize("name", ["a%0D%0Ab.txt", "a%22b.txt", "a<b.txt", "a\x01b.txt"])
async def test_a_refused_name_leaves_nothing(local: FilesApi, name: str) -> None:
    answer = await local.send(Part(b"text", filename=name))
    assert (answer.status, answer.json()["error"]["message"][:9]) == (400, "filename:")
    await local.nothing_is_left()


# --- media types ---


@pytest.mark.parametrize(
    ("content", "filename", "declared", "stored"),
    [
        # What is declared is kept: a table may be read as text.
        (b"a,b\n", "data.csv", "text/csv", "text/csv"),
        (b"a,b\n", "data.csv", "text/plain", "text/plain"),
        (b"a,b\n", "data.csv", "TEXT/Plain; charset=utf-8", "text/plain"),
        (b"\0\1", "data", "application/x-own", "application/x-own"),
        # Otherwise bytes and name decide.
        (b"a,b\n", "data.csv", None, "text/csv"),
        (b"# Title\n", "README.md", None, "text/markdown"),
        (b"PK\3\4", "letter.docx", None, DOCX),
        (b"hello", "hello", None, "text/plain"),
        (b"\0\1\2", "data", None, "application/octet-stream"),
        (b"hello", "hello", "application/octet-stream", "text/plain"),
        (TINY_PDF, "x.txt", None, "application/pdf"),
        (b"junk " * 100 + TINY_PDF, "x", None, "application/pdf"),
        (PNG, "x", None, "image/png"),
        (JPEG, "x.png", None, "image/jpeg"),
        (JPEG, "x.jpg", "image/jpg", "image/jpeg"),
        (b"GIF89a" + b"\0" * 9, "x", None, "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "x", None, "image/webp"),
        # A name is no proof of an image.
        (b"hello", "x.png", None, "text/plain"),
        (b"How a %PDF-1.4 file begins", "x.txt", "text/plain", "text/plain"),
    ],
)
async def test_the_media_type_is_what_is_declared_or_else_what_is_seen(
    local: FilesApi, content: bytes, filename: str, declared: str | None, stored: str
) -> None:
    assert (await local.upload(content, filename, type=declared))["mime_type"] == stored


@pytest.mark.parametrize(
    ("content", "declared"),
    [
        (b"hello", "application/pdf"),
        (b"hello", "image/png"),
        (PNG, "image/jpeg"),
        (PNG, "application/pdf"),
        (PNG, "text/plain"),
        (TINY_PDF, "text/plain"),
        (b"<svg onload=alert(1)>", "image/png"),
        (b"x", "no media type"),
        (b"x", "text/" + "x" * 300),
        (b"x", "text/html\x01"),
    ],
)
async def test_a_content_type_that_lies_is_refused_and_leaves_nothing(
    local: FilesApi, content: bytes, declared: str
) -> None:
    answer = await local.send(Part(content, filename="file", content_type=declared))
    assert error_of(answer)[:2] == (400, "invalid_request_error")
    await local.nothing_is_left()


async def test_under_the_beta_of_old_a_part_needs_its_content_type(local: FilesApi) -> None:
    assert (await local.send(Part(b"x", filename="x"), betas=OLD)).status == 400
    answer = await local.send(
        Part(b"x", filename="x", content_type="text/plain"), Part(b"3600", "expires_in_seconds"), betas=OLD
    )
    assert error_of(answer)[2] == "expires_in_seconds: Extra inputs are not permitted"


# --- forms that are none ---

WHOLE = form(Part(b"x" * 3_000_000, filename="a.bin"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b"\r\n" * 100_000,
        form(Part(b"x"), boundary="another"),
        form(),
        form(Part(b"x", "other")),
        form(Part(b"x", "file", "a"), Part(b"y", "file", "b")),
        form(Part(b"x" * 3_000_000, "file", "a"), Part(b"y", "file", "b")),
        form(Part(b"x"), Part(b"3600", "expires_in_seconds"), Part(b"3601", "expires_in_seconds")),
        form(Part(b"x"), Part(b"y", "purpose")),
        form(Part(b"x", None)),
        form(Part(b"", filename="empty.txt")),
        form(Part(b"x", filename="a", headers=[b"x" * 9_000 + b": y"])),
        form(Part(b"x", filename="a", headers=[b"x: y"] * 20)),
        form(Part(b"x", filename="a", headers=[b"content-length: 7"])),
        form(Part(b"x", filename="a", headers=[b"no colon"])),
        form(*(Part(b"3600", "expires_in_seconds") for _ in range(30))),
        WHOLE[:-3],
        WHOLE[: len(WHOLE) // 2],
        WHOLE.replace(b"form-data", b"attachment"),
        WHOLE[: -len(BOUNDARY) - 6] + b"--",
    ],
    ids=range(21),
)
async def test_a_broken_form_is_refused_and_leaves_nothing(local: FilesApi, body: bytes) -> None:
    pieces = [body[start : start + 100_000] for start in range(0, len(body), 100_000)] or [b""]
    answer = await local.send(body=pieces)
    assert error_of(answer)[:2] == (400, "invalid_request_error")
    await local.nothing_is_left()


LARGE = form(Part(b"x" * (12 * MEGABYTE), filename="a.bin"))


@pytest.mark.parametrize(
    "body",
    [
        LARGE[:-3],
        form(Part(b"x" * (7 * MEGABYTE), "file", "a"), Part(b"y", "file", "b")),
        form(Part(b"x" * 100, filename="a", content_type="image/png")),
    ],
    ids=["cut", "two files", "a lie"],
)
async def test_what_is_refused_late_is_taken_back_from_the_store(
    api: FilesApi, blobs: str | None, request: pytest.FixtureRequest, body: bytes
) -> None:
    pieces = [body[start : start + 100_000] for start in range(0, len(body), 100_000)]
    assert error_of(await api.send(body=pieces))[:2] == (400, "invalid_request_error")
    await api.nothing_is_left()
    if blobs is not None:
        s3: S3 = request.getfixturevalue("s3")
        assert s3.unfinished(blobs) == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=a-boundary",
        "multipart/form-data; boundary=" + "x" * 300,
        "",
    ],
)
async def test_a_body_that_is_said_to_be_no_form_is_refused(local: FilesApi, content_type: str) -> None:
    assert error_of(await local.send(Part(b"x"), content_type=content_type))[:2] == (400, "invalid_request_error")


async def test_two_files_are_refused_by_name(local: FilesApi) -> None:
    answer = await local.send(Part(b"x", filename="a"), Part(b"y", filename="b"))
    assert error_of(answer)[2] == "file: only one file can be uploaded at a time"
    assert error_of(await local.send(Part(b"3600", "expires_in_seconds")))[2] == "file: Field required"


async def test_a_compressed_upload_is_refused(local: FilesApi) -> None:
    answer = await local.send(Part(b"x"), content_encoding="gzip")
    assert (answer.status, code_of(answer)) == (400, "request_body_encoding_unsupported")


# --- size ---


@pytest.mark.parametrize("declared", [True, False])
async def test_one_byte_too_many_is_a_413_and_leaves_nothing(data_dir: Path, declared: bool) -> None:
    async with files_api(data_dir, max_bytes=2 * MEGABYTE) as api:
        for size, status in ((2 * MEGABYTE, 200), (2 * MEGABYTE + 1, 413), (3 * MEGABYTE, 413)):
            whole = form(Part(b"x" * size))
            length = {"content_length": str(len(whole))} if declared else {}
            pieces = [whole[start : start + 65_536] for start in range(0, len(whole), 65_536)]
            answer = await api.send(body=pieces, **length)
            assert answer.status == status
            if status == 200:
                await api.ask("DELETE", f"/v1/files/{answer.json()['id']}")
            else:
                assert error_of(answer)[1:] == ("request_too_large", "File exceeds the maximum size of 2 MB")
            await api.nothing_is_left()


async def test_a_length_that_is_too_large_is_refused_before_the_body_has_come(local: FilesApi) -> None:
    answer = await local.send(body=NeverWhole(form(Part(b"x")), 1), content_length=str(600 * MEGABYTE))
    assert answer.status == 413


# --- what breaks off ---


async def test_an_upload_that_is_cancelled_at_any_moment_leaves_nothing(
    api: FilesApi, blobs: str | None, request: pytest.FixtureRequest
) -> None:
    whole = form(Part(b"x" * (7 * MEGABYTE)))
    for taken in (1, 40, 111):
        for seconds in (0.0, 0.001, 0.02, 0.1):
            sending = asyncio.create_task(api.send(body=NeverWhole(whole, taken)))
            await asyncio.sleep(seconds)
            assert not sending.done()
            sending.cancel()
            await asyncio.wait({sending})
    await api.nothing_is_left()
    if blobs is not None:
        s3: S3 = request.getfixturevalue("s3")
        assert s3.unfinished(blobs) == 0


class NeverWhole(list[bytes]):
    """The first `taken` pieces of a body; nothing comes behind them, and it does not end."""

    def __init__(self, whole: bytes, taken: int) -> None:
        super().__init__(whole[place * 65_536 : (place + 1) * 65_536] for place in range(taken))

    def __len__(self) -> int:
        # By which the last one is not the last.
        return super().__len__() + 1


@pytest.fixture
def full_disk() -> Generator[None]:
    """Files of this process cannot grow beyond 3 MB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


async def test_a_full_disk_is_told_and_leaves_nothing(local: FilesApi, full_disk: None) -> None:
    answer = await local.send(Part(b"x" * 5_000_000))
    assert error_of(answer) == (503, "api_error", "The server's file storage is full.")
    assert answer.headers["x-should-retry"] == "false"
    await local.nothing_is_left()
    assert (await local.send(Part(b"x" * 1_000_000))).status == 200
