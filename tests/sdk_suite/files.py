"""The Files API, stable and beta."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from .table import DROP, Made, Resource, Rewrite


async def _upload(client: httpx.AsyncClient) -> Mapping[str, str]:
    answer = await client.post("/v1/files", files={"file": ("notes.txt", b"Example data", "text/plain")})
    return {"file_id": answer.raise_for_status().json()["id"]}


FILES = Resource(
    name="files",
    files=("tests/api_resources/test_files.py", "tests/api_resources/beta/test_files.py"),
    routes=(
        ("POST", "/v1/files"),
        ("GET", "/v1/files"),
        ("GET", "/v1/files/{file_id}"),
        ("DELETE", "/v1/files/{file_id}"),
        ("GET", "/v1/files/{file_id}/content"),
    ),
    rewrites=(
        Rewrite("path", "file_id", "file_id", Made("file_id"), "a file that there is"),
        Rewrite("query", "ids[]", "string", DROP, "not with `page` or `limit` (SDK's description of ids)"),
        Rewrite("query", "page", "page", DROP, "a cursor that an earlier answer gave"),
    ),
    prepare=_upload,
    fresh=True,
)
