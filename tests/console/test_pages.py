from __future__ import annotations

import gzip
from pathlib import Path

import brotli
import httpx
import pytest

from asgi import InProcess
from understudy.console.pages import Pages

from .conftest import Console

CSP = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
SCRIPT = b"const words = 'many words';\n" * 100


@pytest.fixture
def built(tmp_path: Path) -> Path:
    directory = tmp_path / "static"
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_bytes(b"<!doctype html><title>Console</title>")
    (directory / "assets" / "main-abc123.js").write_bytes(SCRIPT)
    (directory / "favicon.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "secret.txt").write_bytes(b"outside")
    (directory / "link.txt").symlink_to(tmp_path / "secret.txt")
    return directory


def client(directory: Path) -> httpx.AsyncClient:
    app = InProcess(other_routes=Pages(directory).routes()).app
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8484")


async def test_the_page_comes_with_a_strict_policy_and_is_asked_for_anew(built: Path) -> None:
    async with client(built) as http:
        for path in ("/console/", "/console/index.html", "/console/keys", "/console/a/b/c"):
            answer = await http.get(path)
            assert (answer.status_code, answer.content) == (200, (built / "index.html").read_bytes()), path
            assert answer.headers["content-security-policy"] == CSP
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert "set-cookie" not in answer.headers


async def test_assets_are_kept_for_ever_and_compressed_once(built: Path) -> None:
    async with client(built) as http:
        path = "/console/assets/main-abc123.js"
        plain = await http.get(path, headers={"accept-encoding": "identity"})
        assert plain.content == SCRIPT
        assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        seen = {plain.headers["etag"]}
        for coding, decode in (("br", brotli.decompress), ("gzip", gzip.decompress)):
            async with http.stream("GET", path, headers={"accept-encoding": coding}) as answer:
                raw = b"".join([piece async for piece in answer.aiter_raw()])
            assert (answer.headers["content-encoding"], decode(raw)) == (coding, SCRIPT)
            assert len(raw) < len(SCRIPT) / 5
            assert "accept-encoding" in answer.headers["vary"]
            seen.add(answer.headers["etag"])
        assert len(seen) == 3


async def test_what_is_known_is_not_sent_again_and_head_sends_nothing(built: Path) -> None:
    async with client(built) as http:
        first = await http.get("/console/")
        again = await http.get("/console/", headers={"if-none-match": f'"other", W/{first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        head = await http.head("/console/")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == first.headers["content-length"]
        (built / "index.html").write_bytes(b"<!doctype html><title>Built anew</title>")
        assert b"anew" in (await http.get("/console/")).content


@pytest.mark.parametrize(
    "path",
    [
        "/console/assets/missing-1.js",
        "/console/assets/../../secret.txt",
        "/console/assets/..%2f..%2fsecret.txt",
        "/console/assets/%2e%2e/%2e%2e/secret.txt",
        "/console/assets/%00",
        "/console/assets/..%5c..%5csecret.txt",
        "/console/assets//etc/passwd",
    ],
)
async def test_no_path_leads_out_of_the_directory(built: Path, path: str) -> None:
    async with client(built) as http:
        answer = await http.get(path)
        assert b"outside" not in answer.content
        assert b"root:" not in answer.content
        assert answer.status_code in {404, 200}
        if answer.status_code == 200:
            assert answer.content == (built / "index.html").read_bytes()


async def test_a_link_out_of_the_directory_is_not_followed(built: Path) -> None:
    async with client(built) as http:
        assert b"outside" not in (await http.get("/console/link.txt")).content


async def test_a_console_that_is_not_built_says_so_and_how(tmp_path: Path) -> None:
    async with client(tmp_path / "nothing") as http:
        answer = await http.get("/console/")
        assert answer.status_code == 503
        assert b"make console" in answer.content
        assert answer.headers["content-security-policy"] == CSP


async def test_browsers_are_led_to_the_console_and_others_are_not(built: Path) -> None:
    async with client(built) as http:
        led = await http.get("/", headers={"accept": "text/html,application/xhtml+xml;q=0.9"})
        assert (led.status_code, led.headers["location"]) == (303, "/console/")
        assert (await http.get("/console")).status_code == 303
        for accept in ("*/*", "application/json", ""):
            other = await http.get("/", headers={"accept": accept})
            assert (other.status_code, other.json()["error"]["type"]) == (404, "not_found_error")
        assert (await http.post("/console/")).status_code == 405


def test_a_real_server_serves_it(console: Console) -> None:
    answer = console.owner.http.get("/console/", headers={"host": "anything.example"})
    assert answer.status_code in {200, 503}
    assert answer.headers["content-security-policy"] == CSP
