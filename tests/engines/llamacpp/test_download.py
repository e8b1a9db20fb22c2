"""Models from a repository, against a server on this machine that answers as Hugging Face does."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from understudy.engines.llamacpp import download
from understudy.engines.llamacpp.download import resolve_model
from understudy.engines.llamacpp.failures import ModelLoadError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONTENT = bytes(range(256)) * 12_000


class Hub:
    """A repository `maker/model`. `cut` is after how many bytes an answer breaks off, for each answer in turn."""

    def __init__(self) -> None:
        self.files = {"model-Q4_K_M.gguf": CONTENT, "model-Q8_0.gguf": b"eight", "README.md": b"text"}
        self.listed: dict[str, dict[str, Any]] = {}
        self.cut: list[int] = []
        self.ranges: list[str | None] = []
        self.tokens: list[str | None] = []
        self.status = 200
        self.ignores_ranges = False
        self.url = ""

    async def listing(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization"))
        if self.status != 200:
            return web.Response(status=self.status)
        siblings = [
            {"rfilename": name, "size": len(data), "lfs": {"sha256": hashlib.sha256(data).hexdigest()}}
            | self.listed.get(name, {})
            for name, data in self.files.items()
        ]
        return web.json_response({"sha": COMMIT, "siblings": siblings})

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        # As Hugging Face does, which keeps the files elsewhere.
        raise web.HTTPFound(f"/elsewhere/{request.match_info['name']}")

    async def file(self, request: web.Request) -> web.StreamResponse:
        data = self.files[request.match_info["name"]]
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not self.ignores_ranges else 0
        headers = {"Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        if self.cut:
            await response.write(data[start : start + self.cut.pop(0)])
            assert request.transport is not None
            await asyncio.sleep(0.01)
            request.transport.close()
            return response
        await response.write(data[start:])
        return response


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Hub]:
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "_PAUSES", (0.01, 0.01))
    found = Hub()
    app = web.Application()
    app.router.add_get("/api/models/maker/model/revision/main", found.listing)
    app.router.add_get(f"/maker/model/resolve/{COMMIT}/{{name:.+}}", found.resolve)
    app.router.add_get("/elsewhere/{name:.+}", found.file)
    server = TestServer(app)
    await server.start_server()
    found.url = str(server.make_url("")).rstrip("/")
    monkeypatch.setenv("HF_ENDPOINT", found.url)
    yield found
    await server.close()


async def test_a_path_is_itself(tmp_path: Path) -> None:
    path = tmp_path / "my model.gguf"
    path.touch()
    assert await resolve_model(str(path), tmp_path) == path
    for missing in (str(tmp_path / "none.gguf"), "models/none.gguf", "none", "./a/b"):
        with pytest.raises(ModelLoadError, match="There is no model at"):
            await resolve_model(missing, tmp_path)


async def test_a_model_is_downloaded_once_and_its_progress_told(hub: Hub, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    path = await resolve_model("maker/model", tmp_path, progress=lambda *now: told.append(now))
    assert path == tmp_path / "maker--model" / COMMIT / "model-Q4_K_M.gguf"
    assert path.read_bytes() == CONTENT
    assert told[0] == ("model-Q4_K_M.gguf", 0, len(CONTENT))
    assert told[-1] == ("model-Q4_K_M.gguf", len(CONTENT), len(CONTENT))
    assert [now for _, now, _ in told] == sorted(now for _, now, _ in told)
    assert await resolve_model("maker/model:q4_k_m", tmp_path) == path
    assert await resolve_model("maker/model:model-Q4_K_M.gguf", tmp_path) == path
    assert hub.ranges == [None]
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]


@pytest.mark.parametrize(("spec", "data"), [("maker/model:Q8_0", b"eight"), ("maker/model:model-Q8_0.gguf", b"eight")])
async def test_a_quantization_or_a_file_can_be_named(hub: Hub, spec: str, data: bytes, tmp_path: Path) -> None:
    assert (await resolve_model(spec, tmp_path)).read_bytes() == data


async def test_a_model_in_parts_comes_whole_and_its_first_part_is_its_file(hub: Hub, tmp_path: Path) -> None:
    hub.files = {f"big/m-Q8_0-0000{part}-of-00003.gguf": b"part" * part for part in (1, 2, 3)}
    path = await resolve_model("maker/model", tmp_path)
    assert path.name == "m-Q8_0-00001-of-00003.gguf"
    assert [file.read_bytes() for file in sorted(path.parent.iterdir())] == [b"part", b"part" * 2, b"part" * 3]
    del hub.files["big/m-Q8_0-00002-of-00003.gguf"]
    with pytest.raises(ModelLoadError, match="lacks a part"):
        await resolve_model("maker/model", tmp_path / "other")


@pytest.mark.parametrize(
    ("files", "spec", "why"),
    [
        (["a.gguf", "b.gguf"], "maker/model", r"several models; name one as maker/model:FILE, of a\.gguf, b\.gguf"),
        (["a.gguf"], "maker/model:Q2_K", "no one file 'Q2_K'"),
        (["a-Q8_0.gguf", "b-Q8_0.gguf"], "maker/model:Q8_0", "no one file 'Q8_0'"),
        (["a.gguf"], "maker/model:b.gguf", r"no one file 'b\.gguf'"),
        (["model.safetensors"], "maker/model", "no GGUF files"),
        (["../a.gguf", "/a.gguf", "b/../../a.gguf", ".a.gguf", "c\\a.gguf"], "maker/model", "no GGUF files"),
    ],
)
async def test_what_a_repository_has_not_is_told(
    hub: Hub, files: list[str], spec: str, why: str, tmp_path: Path
) -> None:
    hub.files = dict.fromkeys(files, b"data")
    with pytest.raises(ModelLoadError, match=why):
        await resolve_model(spec, tmp_path)


async def test_a_single_model_needs_no_name_and_a_projector_is_none(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"mmproj-F16.gguf": b"eyes", "some.gguf": b"model"}
    assert (await resolve_model("maker/model", tmp_path)).read_bytes() == b"model"
    assert (await resolve_model("maker/model:mmproj-F16.gguf", tmp_path)).read_bytes() == b"eyes"


async def test_a_download_that_breaks_off_goes_on_where_it_ended(hub: Hub, tmp_path: Path) -> None:
    hub.cut = [1_000_000, 500_000, 0, 1]
    path = await resolve_model("maker/model", tmp_path)
    assert path.read_bytes() == CONTENT
    assert hub.ranges[0] is None
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in hub.ranges[1:] if asked]
    assert len(starts) == 4
    assert starts == sorted(starts)
    assert starts[0] > 0


async def test_a_download_goes_on_in_a_later_call(hub: Hub, tmp_path: Path) -> None:
    hub.cut = [1_000_000, 0, 0, 0]
    with pytest.raises(ModelLoadError, match="The next try goes on from there"):
        await resolve_model("maker/model", tmp_path)
    part = tmp_path / "maker--model" / COMMIT / "model-Q4_K_M.gguf.part"
    have = part.stat().st_size
    assert 0 < have <= 1_000_000
    hub.cut, hub.ranges = [], []
    assert (await resolve_model("maker/model", tmp_path)).read_bytes() == CONTENT
    assert hub.ranges == [f"bytes={have}-"]


async def test_a_server_without_ranges_is_read_from_the_start(hub: Hub, tmp_path: Path) -> None:
    hub.cut, hub.ignores_ranges = [1_000_000], True
    assert (await resolve_model("maker/model", tmp_path)).read_bytes() == CONTENT


async def test_a_file_with_another_digest_is_not_taken(hub: Hub, tmp_path: Path) -> None:
    hub.listed["model-Q4_K_M.gguf"] = {"lfs": {"sha256": "0" * 64}}
    for _ in range(2):
        with pytest.raises(ModelLoadError, match="SHA-256"):
            await resolve_model("maker/model", tmp_path)
    assert not (tmp_path / "maker--model" / COMMIT / "model-Q4_K_M.gguf").exists()
    hub.listed.clear()
    assert (await resolve_model("maker/model", tmp_path)).read_bytes() == CONTENT


async def test_two_at_once_download_it_once(hub: Hub, tmp_path: Path) -> None:
    first, second = await asyncio.gather(*(resolve_model("maker/model", tmp_path) for _ in range(2)))
    assert first == second
    assert first.read_bytes() == CONTENT
    assert hub.ranges == [None]


async def test_a_model_larger_than_the_disk_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.listed["model-Q4_K_M.gguf"] = {"size": 10**18}
    with pytest.raises(ModelLoadError, match="has room for"):
        await resolve_model("maker/model", tmp_path)


async def test_without_a_network_what_is_here_is_taken(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelLoadError, match=r"cannot be downloaded.*HF_HUB_OFFLINE"):
        await resolve_model("maker/model", tmp_path)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    path = await resolve_model("maker/model", tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert await resolve_model("maker/model", tmp_path) == path
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert await resolve_model("maker/model", tmp_path) == path
    with pytest.raises(ModelLoadError, match=r"is not here and cannot be downloaded from http://127\.0\.0\.1:1"):
        await resolve_model("maker/other", tmp_path)
    with pytest.raises(ModelLoadError, match=r"broke off|cannot be downloaded"):
        await resolve_model("maker/model:Q8_0", tmp_path)


async def test_a_token_is_sent_and_its_lack_told(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.status = 401
    with pytest.raises(ModelLoadError, match="set HF_TOKEN"):
        await resolve_model("maker/model", tmp_path)
    hub.status = 404
    with pytest.raises(ModelLoadError, match="There is no repository"):
        await resolve_model("maker/model", tmp_path)
    hub.status = 200
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    await resolve_model("maker/model:Q8_0", tmp_path)
    assert hub.tokens == [None, None, "Bearer hf_test"]


async def test_a_listing_that_is_none_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.listed = {name: {"rfilename": 7} for name in hub.files}
    with pytest.raises(ModelLoadError, match="no GGUF files"):
        await resolve_model("maker/model", tmp_path)
