from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.files.names import clean_filename, content_disposition
from understudy.wire.errors import InvalidRequestError

from .api import OLD, FilesApi, Part, code_of, error_of

CONTENT = bytes(range(256)) * 8_000


async def content(api: FilesApi, file_id: str, **headers: Any) -> tuple[int, bytes, str | None]:
    answer = await api.ask("GET", f"/v1/files/{file_id}/content", **headers)
    assert len(answer.body) == int(answer.headers["content-length"])
    return answer.status, answer.body, answer.headers.get("content-range")


async def test_ranges_of_a_files_bytes_can_be_had(api: FilesApi) -> None:
    file_id = (await api.upload(CONTENT, "data.bin"))["id"]
    size = len(CONTENT)
    assert await content(api, file_id, range="bytes=0-0") == (206, CONTENT[:1], f"bytes 0-0/{size}")
    assert await content(api, file_id, range="bytes=5-1048580") == (
        206,
        CONTENT[5:1_048_581],
        f"bytes 5-1048580/{size}",
    )
    assert await content(api, file_id, range="bytes=2047990-") == (
        206,
        CONTENT[-10:],
        f"bytes 2047990-{size - 1}/{size}",
    )
    assert await content(api, file_id, range="bytes=-7") == (206, CONTENT[-7:], f"bytes {size - 7}-{size - 1}/{size}")
    assert await content(api, file_id, range=f"bytes=10-{size * 2}") == (
        206,
        CONTENT[10:],
        f"bytes 10-{size - 1}/{size}",
    )


@pytest.mark.parametrize(
    "header", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=9-3", "bytes=x", "", "bytes=1-2-3", "bytes=" + "9" * 99]
)
async def test_a_range_that_is_none_is_ignored(local: FilesApi, header: str) -> None:
    file_id = (await local.upload(b"Example data"))["id"]
    assert await content(local, file_id, range=header) == (200, b"Example data", None)


@pytest.mark.parametrize("header", ["bytes=12-", "bytes=12-20", "bytes=-0"])
async def test_a_range_behind_the_end_is_a_416(local: FilesApi, header: str) -> None:
    file_id = (await local.upload(b"Example data"))["id"]
    answer = await local.ask("GET", f"/v1/files/{file_id}/content", range=header)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */12")
    assert error_of(answer)[1] == "invalid_request_error"


async def test_if_range_asks_for_the_range_of_the_same_bytes_only(local: FilesApi) -> None:
    file_id = (await local.upload(b"Example data"))["id"]
    etag = (await local.ask("GET", f"/v1/files/{file_id}/content")).headers["etag"]
    assert (await content(local, file_id, range="bytes=0-3", if_range=etag))[0] == 206
    assert (await content(local, file_id, range="bytes=0-3", if_range='"other"'))[0] == 200


async def test_head_tells_the_headers_without_the_bytes(local: FilesApi) -> None:
    file_id = (await local.upload(b"Example data"))["id"]
    answer = await local.ask("HEAD", f"/v1/files/{file_id}/content")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "12")


async def test_what_was_uploaded_is_not_downloadable_by_default(local: FilesApi) -> None:
    object.__setattr__(local.service.config, "downloadable_uploads", False)
    file_id = (await local.upload())["id"]
    answer = await local.ask("GET", f"/v1/files/{file_id}/content")
    # Recorded 2026-08-02; the code is the one for which the SDK has a class.
    assert error_of(answer) == (400, "invalid_request_error", f"File '{file_id}' is not downloadable")
    assert code_of(answer) == "file_not_downloadable"
    old = await local.ask("GET", f"/v1/files/{file_id}/content", betas=OLD)
    assert "details" not in old.json()["error"]


async def test_a_restricted_developer_downloads_nothing(local: FilesApi) -> None:
    file_id = (await local.upload())["id"]
    assert (await local.ask("GET", f"/v1/files/{file_id}/content", key="limited")).status == 403
    assert (await local.ask("GET", f"/v1/files/{file_id}", key="limited")).status == 200


async def test_an_expired_file_has_no_bytes_and_its_metadata_stay(api: FilesApi) -> None:
    file_id = (await api.send(Part(b"x"), Part(b"3600", "expires_in_seconds"))).json()["id"]
    api.clock.added = 3_601
    answer = await api.ask("GET", f"/v1/files/{file_id}/content")
    assert (error_of(answer)[:2], code_of(answer)) == ((404, "not_found_error"), "file_expired")
    assert (await api.ask("GET", f"/v1/files/{file_id}")).status == 200
    assert file_id in {file["id"] for file in (await api.ask("GET", "/v1/files")).json()["data"]}


async def test_bytes_that_somebody_took_away_are_an_error_of_the_storage(local: FilesApi) -> None:
    file_id = (await local.upload())["id"]
    await local.service.blobs.delete([f"files/wrkspc_a/{file_id}"])
    answer = await local.ask("GET", f"/v1/files/{file_id}/content")
    assert error_of(answer)[:2] == (503, "api_error")


# --- headers ---

_HEADER = re.compile(
    rb"attachment; filename=\"([A-Za-z0-9 ._()+,=@~-]*)\"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]*)"
)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.text(alphabet="a\"'\\;=%\r\n\0<>&é文\u202e", max_size=12))
def test_no_name_breaks_out_of_the_header(name: str) -> None:
    found = _HEADER.fullmatch(content_disposition(name))
    assert found is not None
    if name.isprintable():
        assert unquote(found[2].decode()) == name
    try:
        kept = clean_filename(name, "text/plain")
    except InvalidRequestError:
        return
    assert not set(kept) & set('<>:"|?*\\/\r\n\0')
    assert 1 <= len(kept) <= 255
