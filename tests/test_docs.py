"""The documentation is true: generated pages are current, nothing is missing, and what it shows really runs."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from sqlalchemy import text

from clients.installs import python_client, run
from clients.nodejs import node, node_modules
from curl import path_with_curl
from installations import installation
from servers import RunningServer, clean_environment
from understudy.cli.commands import app
from understudy.settings import (
    CONFIG_VARIABLE,
    SecuritySettings,
    SettingsError,
    StorageSettings,
    load_settings,
    room_classes,
    variable_name,
)
from understudy.storage.migrate import migrate
from understudy.storage.secrets import RootSecret, check_root_secret

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "understudy"
READMES = (ROOT / "README.md", ROOT / "README.ja.md")
MARKDOWN = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])

# What examples have in the place of a server's own address and key.
EXAMPLE_URL = "http://127.0.0.1:8484"
EXAMPLE_KEY = "sk-understudy-api-…"


def read(page: Path) -> str:
    return page.read_text("utf-8")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str | None = None) -> list[str]:
    """The page's fenced blocks of code, all or those of one language."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", read(page), re.DOTALL | re.MULTILINE)
    return [code for tag, code in found if language is None or tag == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", read(page), flags=re.DOTALL | re.MULTILINE)


def code_of(page: Path) -> Iterator[str]:
    """All that stands as code: blocks, with continued lines joined, and spans."""
    yield from (block.replace("\\\n", " ") for block in blocks(page))
    yield from re.findall(r"`([^`\n]+)`", prose(page))


def headings(page: Path) -> list[tuple[int, str]]:
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", prose(page), re.MULTILINE)]


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", prose(page)))


# --- nothing is missing, nothing is stale ---


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current() -> None:
    pages: dict[str, Callable[[], str]] = generator().PAGES
    stale = [name for name, page in pages.items() if read(DOCS / name) != page()]
    assert stale == [], "run `make docs`"


def test_every_setting_is_documented() -> None:
    page = read(DOCS / "configuration.md")
    variables = [variable_name(room, name) for room, rooms in room_classes().items() for name in rooms.model_fields]
    assert [variable for variable in variables if f"`{variable}`" not in page] == []


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    rooms = room_classes()
    variables = {variable_name(room, name) for room in rooms for name in rooms[room].model_fields} | {CONFIG_VARIABLE}
    settings = {f"{room}.{name}" for room in rooms for name in rooms[room].model_fields}
    assert set(re.findall(r"\bUNDERSTUDY_[A-Z][A-Z_]*\b", read(page))) <= variables
    # `server.port`, but not a file's name such as `http/body.py`.
    spans = re.findall(r"`(\w+\.\w+)`", prose(page))
    assert {span for span in spans if span.split(".")[0] in rooms and not span.endswith(".py")} <= settings


def commands() -> dict[str, set[str]]:
    """The options of every command, by the words it is called with: `keys create` → {`--name`, …}."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, words: list[str]) -> None:
        found[" ".join(words)] = {name for one in command.params for name in one.opts if name.startswith("--")}
        for name, below in getattr(command, "commands", {}).items():
            walk(below, [*words, name])

    walk(typer.main.get_command(app), [])
    return found


def test_every_command_and_option_is_documented() -> None:
    documented = "\n".join(code for page in (*READMES, *DOCS.rglob("*.md")) for code in code_of(page))
    for words, options in commands().items():
        assert f"understudy {words}".strip() in documented
        for option in options:
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", documented), f"{option} of `understudy {words}`"


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    known = commands()
    for code in code_of(page):
        for line in re.findall(r"(?<![\w./-])understudy +([a-z-][^\n|;&<>()`#]*)", code):
            words = shlex.split(line)
            command = ""
            while words and f"{command} {words[0]}".strip() in known:
                command = f"{command} {words.pop(0)}".strip()
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= known[command] | {"--help"}, line
            # What is left of a command that only has others below it names none of them.
            assert command not in {"", "keys"} or options, line


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_every_make_target_that_is_shown_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    for code in code_of(page):
        assert set(re.findall(r"\bmake (?:[A-Z]+=\S+ )*([a-z-]+)", code)) <= targets, code


def test_every_make_target_is_documented() -> None:
    documented = read(ROOT / "README.md") + read(ROOT / "CONTRIBUTING.md")
    targets = re.findall(r"^([a-z-]+):.*## ", read(ROOT / "Makefile"), re.MULTILINE)
    assert [target for target in targets if f"make {target}" not in documented and target != "help"] == []


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if fragment:
            assert fragment in {anchor(title) for _, title in headings(target)}, link


def test_the_readmes_have_the_same_sections_examples_and_links() -> None:
    english, japanese = READMES
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(japanese)]
    assert blocks(english) == blocks(japanese)

    def targets(page: Path) -> list[str]:
        return sorted(link for link in links(page) if not link.startswith(("#", "README")))

    assert targets(english) == targets(japanese)
    assert len(re.findall(r"^\|", read(english), re.MULTILINE)) == len(re.findall(r"^\|", read(japanese), re.MULTILINE))


def test_the_architecture_page_shows_the_layers_of_the_contract() -> None:
    contract = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"][0]["layers"]
    expected = [(line, room.strip()) for line, rooms in enumerate(contract, 1) for room in rooms.split("|")]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", read(DOCS / "architecture.md"), re.MULTILINE)
    assert [(int(line), room) for line, room in rows] == expected


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_every_file_that_is_named_exists(page: Path) -> None:
    names = re.findall(r"`((?:[\w.-]+/)+(?:[\w.-]+\.py)?)`", prose(page))
    assert [name for name in names if not (ROOT / name).exists() and not (PACKAGE / name).exists()] == []


@pytest.mark.parametrize("page", MARKDOWN, ids=named)
def test_example_keys_are_our_own(page: Path) -> None:
    assert set(re.findall(r"\bsk-[a-z]+-", read(page))) <= {"sk-understudy-"}


# --- what is shown runs ---


def filled(code: str, server: RunningServer) -> str:
    return code.replace(EXAMPLE_URL, server.url).replace(EXAMPLE_KEY, server.api_key)


CURL_BLOCKS = [
    pytest.param(block, id=f"{named(page)}-{number}")
    for page in (ROOT / "README.md", DOCS / "getting-started.md")
    for number, block in enumerate(block for block in blocks(page, "bash") if block.startswith("curl "))
]


@pytest.mark.parametrize("block", CURL_BLOCKS)
def test_curl_examples_are_answered(server: RunningServer, tmp_path: Path, block: str) -> None:
    environment = clean_environment({"PATH": path_with_curl(tmp_path)})
    printed = run(["sh", "-ec", filled(block, server)], env=environment, timeout=30)
    if '"stream": true' in block:
        assert printed.startswith("event: message_start\n")
        assert printed.rstrip().endswith('data: {"type":"message_stop"}')
    elif "count_tokens" in block:
        assert json.loads(printed)["input_tokens"] > 0
    else:
        assert json.loads(printed)["content"][0]["text"]


@pytest.mark.parametrize("sdk", ["2", pytest.param("0.125", marks=pytest.mark.slow)])
def test_python_examples_run(server: RunningServer, tmp_path: Path, sdk: str) -> None:
    """All of the README's, as one program: the later ones go on with the client of the first."""
    program = tmp_path / "example.py"
    program.write_text(filled("\n".join(blocks(ROOT / "README.md", "python")), server), "utf-8")
    python = sys.executable if sdk == "2" else str(python_client(f"anthropic-{sdk}"))
    greeting, counted = run([python, str(program)], env=clean_environment(), timeout=60).splitlines()
    assert "Hello" in greeting or "Hi" in greeting
    assert counted == ", ".join(str(number) for number in range(1, 21))


@pytest.mark.slow
def test_the_typescript_example_runs(server: RunningServer, tmp_path: Path) -> None:
    """It holds no types, so that Node.js takes it as it is."""
    (block,) = blocks(ROOT / "README.md", "typescript")
    (tmp_path / "node_modules").symlink_to(node_modules(), target_is_directory=True)
    program = tmp_path / "example.mjs"
    program.write_text(filled(block, server), "utf-8")
    assert "type: 'text'" in run([str(node()), str(program)], env=clean_environment(), timeout=60)


def test_the_ci_example_runs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (block,) = [block for block in blocks(DOCS / "getting-started.md", "bash") if "--ready-file" in block]
    path = os.pathsep.join([str(Path(sys.executable).parent), path_with_curl(tmp_path / "bin")])
    home = tmp_path / "home"
    home.mkdir()
    environment = clean_environment({"PATH": path, "TMPDIR": str(home), "HOME": str(home)})
    printed = run(["sh", "-ec", block], cwd=home, env=environment, timeout=90)
    assert json.loads(printed)["content"] == [{"type": "text", "text": "it works"}]
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("page", [page for page in MARKDOWN if blocks(page, "toml")], ids=named)
def test_configuration_examples_are_accepted(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "toml"):
        file = tmp_path / "understudy.toml"
        file.write_text(block, "utf-8")
        load_settings(file, environment={})


# --- the errors of the troubleshooting page are those one gets ---

TROUBLESHOOTING = DOCS / "troubleshooting.md"


def quoted_messages() -> dict[str, str]:
    """The messages that stand as headings, as patterns, by heading."""
    found: dict[str, str] = {}
    for level, title in headings(TROUBLESHOOTING):
        match = re.fullmatch(r"(?:(\d{3}) )?(`+)(.+?)\2", title)
        if level == 3 and match:
            status, _, message = match.groups()
            pattern = ".*".join(re.escape(part) for part in message.split("…"))
            found[title] = f"{status or 'start'} {pattern}"
    return found


def heading_of(outcome: str) -> str | None:
    return next((title for title, pattern in quoted_messages().items() if re.fullmatch(pattern, outcome)), None)


def refused_requests(server: RunningServer) -> Iterator[str]:
    """Status and message of requests that go wrong."""
    credential = {"x-api-key": server.api_key}
    version = {"anthropic-version": "2023-06-01"}
    good = {**credential, **version}
    body: dict[str, Any] = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    form = {"content-type": "application/x-www-form-urlencoded"}
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        for answer in (
            client.post("/v1/messages", headers=version, json=body),
            client.post("/v1/messages", headers={**version, "x-api-key": "wrong"}, json=body),
            client.post("/v1/messages", headers={**version, "x-api-key": server.admin_key}, json=body),
            client.post("/v1/messages", headers={**version, "authorization": "Bearer sk-wrong"}, json=body),
            client.post("/v1/messages", headers={**version, "authorization": "Bearer wrong"}, json=body),
            client.post("/v1/messages", headers={**good, "origin": "https://example.com"}, json=body),
            client.post("/v1/messages", headers=credential, json=body),
            client.post("/v1/messages", headers={**credential, "anthropic-version": "2024-01-01"}, json=body),
            client.post("/v1/messages", headers={**good, "anthropic-beta": "no-such-beta"}, json=body),
            client.post("/v1/messages", headers=good, json={**body, "max_token": 9}),
            client.post(
                "/v1/messages", headers={**credential, "anthropic-version": "2026-10-21"}, json={**body, "top_p": 0.5}
            ),
            client.post("/v1/messages", headers=good, json={**body, "max_tokens": 10_000_000}),
            client.post("/v1/messages", headers={**good, **form}, content=json.dumps(body)),
            client.post("/v1/messages", headers=good, json={**body, "model": "no-such-model"}),
            client.post("/v1/v1/messages", headers=good, json=body),
            client.get("/v1/messages", headers=good),
        ):
            yield f"{answer.status_code} {answer.json()['error']['message']}"
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    connection.putrequest("POST", "/v1/messages")
    for name, value in {**good, "content-length": str(40 * 1024 * 1024)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    yield f"{answer.status} {json.loads(answer.read())['error']['message']}"
    connection.close()


def refused_settings() -> Iterator[str]:
    for environment in (
        {"UNDERSTUDY_SERVER_PROT": "1"},
        {"UNDERSTUDY_SERVER_PORT": "http"},
        {"UNDERSTUDY_SERVER_TLS_CERT": "cert.pem"},
    ):
        with pytest.raises(SettingsError) as caught:
            load_settings(environment=environment)
        yield f"start {caught.value}"


async def refusal(opened: Awaitable[None]) -> str:
    with pytest.raises(SettingsError) as caught:
        await opened
    return f"start {caught.value}"


async def refused_installations(data_dir: Path) -> list[str]:
    async with installation(data_dir) as (db, root):
        await check_root_secret(db, root)
        wrong_secret = await refusal(check_root_secret(db, RootSecret(["x" * 40])))
        async with db.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        newer_database = await refusal(migrate(db))
    (data_dir / "root.secret").chmod(0o644)
    with pytest.raises(SettingsError) as caught:
        RootSecret.load(SecuritySettings(), StorageSettings(data_dir=data_dir))
    return [wrong_secret, newer_database, f"start {caught.value}"]


def refused_starts(server: RunningServer, directory: Path) -> Iterator[str]:
    """All at once: each costs the time of a start."""
    command = [sys.executable, "-m", "understudy", "serve", "--data-dir"]
    starts = [
        [*command, str(directory / "a"), "--port", str(server.address[1])],
        [*command, str(directory / "b"), "--port", "0", "--host", "0.0.0.0"],
        [*command, str(directory / "c"), "--port", "0", "--ready-file", str(directory / "missing" / "ready.json")],
    ]
    running = [
        subprocess.Popen(start, env=clean_environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for start in starts
    ]
    try:
        for process in running:
            _, printed = process.communicate(timeout=60)
            assert process.returncode == 2, printed
            yield "start " + printed.strip().removeprefix("understudy: ")
    finally:
        for process in running:
            process.kill()
            process.wait(10)


async def test_the_troubleshooting_page_quotes_what_the_program_says(server: RunningServer, tmp_path: Path) -> None:
    outcomes = [
        *refused_requests(server),
        *refused_settings(),
        *refused_starts(server, tmp_path),
        *await refused_installations(tmp_path / "d"),
    ]
    assert [outcome for outcome in outcomes if heading_of(outcome) is None] == []
    shown = {heading_of(outcome) for outcome in outcomes}
    # It takes a server that is being stopped; tests of stopping see it.
    assert set(quoted_messages()) - shown == {"529 `The server is shutting down`"}
