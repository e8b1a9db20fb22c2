"""Files with real clients over real sockets: the SDKs, messages that name files, a Claude upstream, a killed server."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from clients.installs import python_client, run
from documents.pdf_files import words
from fake_claude import MESSAGE, Talk, fake_claude
from pictures import png
from rawhttp import connect, read_answer
from servers import RunningServer, ServerStarter, clean_environment

from .api import Part, form

MODEL = "claude-opus-5-5"
DOWNLOADABLE = {"UNDERSTUDY_FILES_DOWNLOADABLE_UPLOADS": "true"}
SCRIPT = Path(__file__).with_name("old_sdk_script.py")


@pytest.fixture
def client(server: RunningServer) -> Generator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as sdk:
        yield sdk


def about(source: dict[str, Any], kind: str = "document", **more: Any) -> list[Any]:
    question = {"type": "text", "text": "How high is the tower?"}
    return [{"role": "user", "content": [{"type": kind, "source": source, **more}, question]}]


def ask(client: anthropic.Anthropic, messages: list[Any]) -> anthropic.types.Message:
    return client.messages.create(model=MODEL, max_tokens=1024, messages=messages)


def by_file(file_id: str) -> dict[str, Any]:
    return {"type": "file", "file_id": file_id}


# --- SDKs ---


def test_todays_sdk_makes_lists_reads_and_deletes_files(client: anthropic.Anthropic) -> None:
    made = [client.files.upload(file=(f"{number}.txt", BytesIO(b"Example"), "text/plain")) for number in range(3)]
    unnamed = client.files.upload(file=b"Example data", expires_in_seconds=7_200)
    assert (unnamed.filename, unnamed.mime_type, unnamed.downloadable) == ("unnamed.txt", "text/plain", False)
    assert unnamed.expires_at is not None
    assert (unnamed.expires_at - unnamed.created_at).total_seconds() == 7_200
    ids = [file.id for file in client.files.list(limit=2)]
    assert {unnamed.id, *(file.id for file in made)} <= set(ids)
    assert len(ids) == len(set(ids))
    named = client.files.list(ids=[made[1].id, "file_none"])
    assert [file.id for file in named.data] == [made[1].id]
    assert client.files.retrieve_metadata(made[0].id) == made[0]
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.files.download(made[0].id)
    assert type(refused.value).__name__ == "FileNotDownloadableError"
    assert client.beta.files.retrieve_metadata(made[0].id).id == made[0].id
    for file in (*made, unnamed):
        assert client.files.delete(file.id).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError, match=made[0].id):
        client.files.retrieve_metadata(made[0].id)


@pytest.mark.slow  # the first run downloads the client
def test_the_sdk_of_old_gets_the_shapes_of_old(serve: ServerStarter) -> None:
    server = serve(env=DOWNLOADABLE)
    command = [str(python_client("anthropic-0.125")), str(SCRIPT), server.url, server.api_key]
    told = json.loads(run(command, env=clean_environment(), timeout=120))
    assert told["version"].startswith("0.125.")
    assert told["uploaded"]["filename"] == "notes.txt"
    assert set(told["uploaded_keys"]) == {
        *("type", "id", "size_bytes", "created_at", "filename", "mime_type", "downloadable")
    }
    assert told["listed"] == told["expected"]
    assert told["content"] == "Example data 2"
    assert told["deleted"] == "file_deleted"
    assert told["missing"] == "NotFoundError"


@pytest.mark.slow
def test_what_is_uploaded_is_what_is_downloaded(serve: ServerStarter) -> None:
    server = serve(env=DOWNLOADABLE)
    client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    content = secrets.token_bytes(20_000_003)
    file = client.files.upload(file=("data.bin", content))
    with client.files.with_streaming_response.download(file.id) as answer:
        found = hashlib.sha256(b"".join(answer.iter_bytes()))
    assert found.digest() == hashlib.sha256(content).digest()
    assert client.files.download(file.id, extra_headers={"range": "bytes=7-1000006"}).read() == content[7:1_000_007]
    assert (server.data_dir / "files").stat().st_mode & 0o777 in {0o700, 0o755}
    assert server.data_dir.stat().st_mode & 0o077 == 0


# --- messages ---


def test_a_message_reads_files_as_it_reads_what_is_inline(client: anthropic.Anthropic) -> None:
    text = "The tower is 330 metres high."
    file = client.files.upload(file=("tower.txt", text.encode(), "text/plain"))
    inline = {"type": "text", "media_type": "text/plain", "data": text}
    for messages in (about(by_file(file.id)), about(by_file(file.id), citations={"enabled": True})):
        same = json.loads(json.dumps(messages).replace(json.dumps(by_file(file.id)), json.dumps(inline)))
        one, other = ask(client, messages), ask(client, same)
        assert [block.to_dict() for block in one.content] == [block.to_dict() for block in other.content]
        assert one.usage == other.usage
        counted = client.messages.count_tokens(model=MODEL, messages=messages)
        assert counted.input_tokens == one.usage.input_tokens


def test_a_message_cites_the_pages_of_an_uploaded_pdf(client: anthropic.Anthropic) -> None:
    content = words("A page about bridges.", "The tower is 330 metres high.")
    file = client.files.upload(file=("towers.pdf", content, "application/pdf"))
    message = ask(client, about(by_file(file.id), citations={"enabled": True}))
    citations = [each for block in message.content if block.type == "text" for each in block.citations or ()]
    cited = [each for each in citations if "330" in each.cited_text]
    assert cited
    for citation in cited:
        assert citation.type == "page_location"
        assert (citation.start_page_number, citation.end_page_number) == (2, 3)


def test_images_and_files_in_tool_results_are_read(client: anthropic.Anthropic) -> None:
    file = client.files.upload(file=("picture.png", png(30, 30), "image/png"))
    asked: list[Any] = about(by_file(file.id), "image")
    assert ask(client, asked).usage.input_tokens > 0
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "image", "source": by_file(file.id)}],
    }
    tools: Any = [{"name": "look", "input_schema": {"type": "object"}}]
    messages: list[Any] = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert client.messages.create(model=MODEL, max_tokens=64, messages=messages, tools=tools).content


@pytest.mark.parametrize("counting", [False, True])
def test_a_file_that_cannot_be_used_is_refused_before_inference(client: anthropic.Anthropic, counting: bool) -> None:
    def refused(messages: list[Any]) -> tuple[int, str]:
        with pytest.raises(anthropic.APIStatusError) as caught:
            if counting:
                client.messages.count_tokens(model=MODEL, messages=messages)
            else:
                ask(client, messages)
        body: Any = caught.value.body
        return caught.value.status_code, body["error"]["message"]

    assert refused(about(by_file("file_011CNha8iCJcU1wXNR6q4V8w"))) == (
        404,
        "File `file_011CNha8iCJcU1wXNR6q4V8w` not found.",
    )
    picture = client.files.upload(file=("picture.png", png(30, 30), "image/png"))
    table = client.files.upload(file=("data.csv", b"a,b", "text/csv"))
    binary = client.files.upload(file=("data.txt", b"\xff\0\xfe", "text/plain"))
    broken = client.files.upload(file=("a.pdf", b"%PDF-1.4 nothing", "application/pdf"))
    cut = client.files.upload(file=("cut.png", png(30, 30)[:40], "image/png"))
    for kind, file, said in (
        ("document", picture, "`document` blocks take"),
        ("image", table, "`image` blocks take"),
        ("document", table, "`document` blocks take"),
        ("document", binary, "is not plain text"),
        ("document", broken, "The PDF specified was not valid."),
        ("image", cut, "Could not process image"),
    ):
        if counting and file is broken:
            # Where nothing reads its text its pages are counted only, as of one that is inline.
            continue
        status, message = refused(about(by_file(file.id), kind))
        assert status == 400
        assert said in message


@pytest.mark.slow
def test_abuse_17_a_file_of_another_workspace_is_refused_before_inference(serve: ServerStarter) -> None:
    server = serve()
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        admin = {"x-api-key": server.admin_key, "anthropic-version": "2026-10-21"}
        workspace = http.post("/v1/organizations/workspaces", headers=admin, json={"name": "other"}).json()
        key = http.post(
            "/_understudy/admin/api_keys", headers=admin, json={"name": "other", "workspace_id": workspace["id"]}
        ).json()["raw_key"]
    theirs = anthropic.Anthropic(base_url=server.url, api_key=key, max_retries=0)
    ours = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    file_id = theirs.files.upload(file=("secret.txt", b"The secret word is plover.", "text/plain")).id
    random = "file_011C3jesTJ8wn21tkQ6hSm79"
    shown: list[tuple[int, str]] = []
    for name in (file_id, random):
        for call in (
            lambda name=name: ask(ours, about(by_file(name))),
            lambda name=name: ours.messages.count_tokens(model=MODEL, messages=about(by_file(name))),
            lambda name=name: ours.files.retrieve_metadata(name),
            lambda name=name: ours.files.delete(name),
        ):
            with pytest.raises(anthropic.NotFoundError) as caught:
                call()
            body: Any = caught.value.body
            shown.append((caught.value.status_code, body["error"]["message"].replace(name, "ID")))
    assert set(shown) == {(404, "File `ID` not found.")}
    container: list[Any] = [{"role": "user", "content": [{"type": "container_upload", "file_id": file_id}]}]
    with pytest.raises(anthropic.BadRequestError):
        ask(ours, container)
    assert "plover" not in server.printed(last=1_000_000)
    assert ask(theirs, about(by_file(file_id))).content


@pytest.mark.slow
def test_a_claude_upstream_gets_our_files_inline_and_others_as_they_are(serve: ServerStarter, tmp_path: Path) -> None:
    def say(talk: Talk) -> None:
        talk.whole(200, json.dumps(MESSAGE).encode())

    with fake_claude(say) as fake:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[engines.up]\nkind = "claude"\nbase_url = "{fake.url}"\napi_key = "upstream"\n'
            f'[[models.map]]\nname = "{MODEL}"\ntargets = [{{engine = "up", model = "*"}}]\n'
        )
        server = serve("--config", str(config))
        client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
        text = client.files.upload(file=("a.txt", b"The tower is 330 metres high.", "text/plain"))
        picture = client.files.upload(file=("a.png", png(30, 30), "image/png"))
        sent = [
            *about(by_file(text.id), title="Tower"),
            *about(by_file(picture.id), "image"),
            *about(by_file("file_upstreams_own")),
        ]
        ask(client, sent)
        got = json.loads(fake.asked[-1].body)["messages"]
    first, second, third = (message["content"][0] for message in got)
    assert first["source"] == {"type": "text", "media_type": "text/plain", "data": "The tower is 330 metres high."}
    assert first["title"] == "Tower"
    assert (second["source"]["type"], second["source"]["media_type"]) == ("base64", "image/png")
    assert third["source"] == by_file("file_upstreams_own")


# --- what breaks off ---


def half_an_upload(server: RunningServer, size: int) -> Any:
    whole = form(Part(b"x" * size, filename="a.bin"))
    connection = connect(server)
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: x\r\nx-api-key: {server.api_key}\r\nanthropic-version: 2026-10-21\r\n"
        f"content-type: multipart/form-data; boundary=a-boundary\r\ncontent-length: {len(whole)}\r\n\r\n"
    )
    connection.sendall(head.encode() + whole[: len(whole) // 2])
    return connection


def on_disk(server: RunningServer) -> list[Path]:
    return [path for path in (server.data_dir / "files").rglob("*") if path.is_file()]


def wait_for(what: Any, timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_a_client_that_goes_away_half_way_leaves_nothing(serve: ServerStarter) -> None:
    server = serve()
    connection = half_an_upload(server, 12_000_000)
    wait_for(lambda: on_disk(server))
    connection.close()
    wait_for(lambda: not on_disk(server))


@pytest.mark.slow
def test_a_slow_upload_is_a_408_and_leaves_nothing(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_HTTP_BODY_TIMEOUT": "1"})
    with half_an_upload(server, 12_000_000) as connection:
        wait_for(lambda: on_disk(server))
        answer = read_answer(connection)
    assert (answer.status, answer.error()["type"]) == (408, "timeout_error")
    assert on_disk(server) == []


@pytest.mark.slow
def test_a_file_too_large_is_a_413_that_the_client_gets_to_read(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_FILES_MAX_BYTES": "1000000"})
    client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    for size in (1_000_001, 30_000_000):
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.files.upload(file=("a.bin", b"x" * size))
        assert caught.value.status_code == 413
    assert client.files.upload(file=("a.bin", b"x" * 1_000_000)).size_bytes == 1_000_000
    assert len(on_disk(server)) == 1


@pytest.mark.slow
def test_a_server_that_is_killed_in_an_upload_loses_no_file_and_lists_none_that_is_not_whole(
    serve: ServerStarter,
) -> None:
    server = serve()
    client = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
    kept = client.files.upload(file=("kept.txt", b"kept", "text/plain"))
    connection = half_an_upload(server, 12_000_000)
    wait_for(lambda: len(on_disk(server)) == 2)
    server.kill()
    connection.close()
    again = serve(data_dir=server.data_dir)
    client = anthropic.Anthropic(base_url=again.url, api_key=again.api_key, max_retries=0)
    assert [file.id for file in client.files.list()] == [kept.id]
    assert ask(client, about(by_file(kept.id))).content
    # What was half written is not a file's; the sweeper takes it when it is old (test_sweeper.py).
    assert {path.name.partition("#")[0] == kept.id for path in on_disk(again) if "#" not in path.name} == {True}
