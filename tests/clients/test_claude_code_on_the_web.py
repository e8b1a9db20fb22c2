"""Claude Code's WebSearch, WebFetch and its own tool search, without a terminal.

WebSearch is a request of its own with the web search tool, which the server runs. WebFetch fetches in the client, and
asks a model about the page. Tools of MCP servers are hidden, and found by a tool of the client.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.claude_code import Project
from loopback import LoopbackServer, Said
from servers import RunningServer, start_server

pytestmark = pytest.mark.slow

PAGE = {
    "url": "https://ruby.example.org/releases",
    "title": "Ruby releases",
    "text": "Ruby 4.0 is the latest stable Ruby version. It was released in December.",
}

MCP_SERVER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    match asked["method"]:
        case "initialize":
            result = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}},
                      "serverInfo": {"name": "weather", "version": "1"}}
        case "tools/list":
            schema = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
            result = {"tools": [{"name": "get_weather", "description": "Get the weather of a place",
                                 "inputSchema": schema}]}
        case "tools/call":
            result = {"content": [{"type": "text", "text": "Sunny, 18 degrees, says the otter."}]}
        case _:
            result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


@pytest.fixture(scope="module")
def searching(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    documents = tmp_path_factory.mktemp("documents")
    (documents / "pages.jsonl").write_text(json.dumps(PAGE), "utf-8")
    env = {"UNDERSTUDY_WEB_SEARCH_DOCUMENTS": str(documents)}
    running = start_server(tmp_path_factory.mktemp("searching"), env=env)
    yield running
    assert running.stop() == 0


@pytest.fixture
def project(claude: Path, searching: RunningServer, tmp_path: Path) -> Project:
    return Project(claude, searching, tmp_path)


@contextmanager
def site(folder: Path) -> Generator[tuple[str, Path]]:
    """A page that is reached by https, which WebFetch insists on, and the certificate to be trusted."""

    body = b"<html><head><title>Otters</title></head><body><p>The otter is called Heron.</p></body></html>"
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = LoopbackServer(lambda _: Said(200, body, {"content-type": "text/html"}), context)
    try:
        yield f"{server.url}/otters", certificate
    finally:
        server.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_web_fetch_reads_a_page_and_asks_about_it(project: Project, tmp_path: Path) -> None:
    # Else it asks a server of Anthropic's whether the domain is safe.
    settings = json.dumps({"skipWebFetchPreflight": True})
    with site(tmp_path) as (url, certificate):
        run = project.work(
            f"Fetch {url} and tell me what the otter is called",
            "--model",
            "claude-sonnet-4-5",
            "--settings",
            settings,
            NODE_EXTRA_CA_CERTS=str(certificate),
        )
    assert [name for name, _ in run.calls][-1] == "WebFetch", run.calls
    assert "called Heron" in run.results[-1]
    assert "called Heron" in run.result["result"]


def test_web_search_brings_what_the_server_found(project: Project) -> None:
    run = project.work("Search the web for the latest stable Ruby version", "--model", "claude-sonnet-4-5")
    assert [name for name, _ in run.calls][-1] == "WebSearch", run.calls
    assert "ruby.example.org" in run.results[-1]
    assert "Ruby 4.0" in run.results[-1]
    assert (run.result["subtype"], run.result["is_error"]) == ("success", False)


def test_hidden_tools_are_found_by_the_clients_own_search(project: Project) -> None:
    script = project.folder / "weather.py"
    script.write_text(MCP_SERVER, "utf-8")
    config = json.dumps({"mcpServers": {"weather": {"command": sys.executable, "args": [str(script)]}}})
    run = project.work(
        "Get the weather in Rome",
        "--model",
        "claude-sonnet-4-5",
        "--mcp-config",
        config,
        "--strict-mcp-config",
        ENABLE_TOOL_SEARCH="true",
    )
    assert [name for name, _ in run.calls] == ["ToolSearch", "mcp__weather__get_weather"], run.calls
    assert "says the otter" in run.results[-1]
    assert run.result["subtype"] == "success"
