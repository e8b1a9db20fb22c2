"""What the official SDK gets of a server, it gets of a recording too."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import httpx
import pytest

from servers import RunningServer, clean_environment
from understudy.engines.recording.exchange import RecordingError, read_recording

# Looks like a key, and is none.
SECRET = "sk-" + "understudy-" + "prompt-" + "q" * 24


class Proxy(NamedTuple):
    url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0


Start = Callable[..., Proxy]


@pytest.fixture
def start() -> Generator[Start]:
    """Starts `understudy` with the arguments given, and waits for the address that it prints."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> Proxy:
        process = subprocess.Popen(
            [sys.executable, "-m", "understudy", *arguments, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+$", line.strip())
        assert found, line
        return Proxy(found[0], process)

    yield run
    for process in started:
        process.kill()
        process.wait(10)


def client(url: str, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)


def messages(text: str) -> Any:
    return [{"role": "user", "content": text}]


def talk(claude: anthropic.Anthropic) -> list[Any]:
    """A whole answer, a stream, the same question twice, a list, an error."""
    got: list[Any] = []
    create = claude.messages.create
    got.append(create(model="claude-sonnet-5-5", max_tokens=50, messages=messages("Hello")).to_dict())
    for _ in range(2):
        events = create(model="claude-sonnet-5-5", max_tokens=50, messages=messages("Count to nine"), stream=True)
        got.append([event.to_dict() for event in events])
    got.append(create(model="claude-sonnet-5-5", max_tokens=50, messages=messages(f"Say '{SECRET}'")).id)
    got.append([model.id for model in claude.models.list(limit=3).data])
    with pytest.raises(anthropic.NotFoundError) as caught:
        create(model="no-such-model", max_tokens=50, messages=messages("x"))
    got.append(caught.value.body)
    return got


def test_a_recording_answers_as_the_server_did(server: RunningServer, start: Start, tmp_path: Path) -> None:
    file = tmp_path / "exchanges.jsonl"
    recorder = start("record", "--upstream", server.url, "--into", str(file))
    live = talk(client(recorder.url, server.api_key))
    recorder.stop()
    replayer = start("replay", "--from", str(file))
    assert talk(client(replayer.url, "anything")) == live
    # Two streams of the same question have ids of their own, and come in their order.
    assert live[1][0]["message"]["id"] != live[2][0]["message"]["id"]
    replayer.stop()


def test_a_recording_holds_no_credential(server: RunningServer, start: Start, tmp_path: Path) -> None:
    file = tmp_path / "exchanges.jsonl"
    recorder = start("record", "--upstream", server.url, "--into", str(file))
    talk(client(recorder.url, server.api_key))
    headers = {"x-api-key": server.api_key, "cookie": "session=abc", "anthropic-version": "2023-06-01"}
    httpx.get(f"{recorder.url}/v1/models", headers=headers, trust_env=False).raise_for_status()
    recorder.stop()
    written = file.read_text("utf-8")
    assert server.api_key not in written
    assert SECRET not in written
    assert "session=abc" not in written
    assert "organization" not in written
    assert len(read_recording(file)) == 7
    assert file.stat().st_mode & 0o077 == 0


def test_a_recorder_adds_to_what_is_there(server: RunningServer, start: Start, tmp_path: Path) -> None:
    file = tmp_path / "exchanges.jsonl"
    for _ in range(2):
        recorder = start("record", "--upstream", server.url, "--into", str(file))
        client(recorder.url, server.api_key).models.list()
        recorder.stop()
    assert len(read_recording(file)) == 2


def test_what_was_not_recorded_is_told_with_the_nearest(server: RunningServer, start: Start, tmp_path: Path) -> None:
    file = tmp_path / "exchanges.jsonl"
    recorder = start("record", "--upstream", server.url, "--into", str(file))
    talk(client(recorder.url, server.api_key))
    recorder.stop()
    claude = client(start("replay", "--from", str(file)).url, "anything")
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.messages.create(model="claude-sonnet-5-5", max_tokens=50, messages=messages("Hallo"))
    assert (
        "No recorded request is POST /v1/messages with this body. The nearest is number 1; at messages.0.content it "
        'has "Hello", not "Hallo".' in str(caught.value)
    )
    with pytest.raises(anthropic.BadRequestError, match=r"No recorded request is GET /v1/models\?limit=4"):
        claude.models.list(limit=4)
    with pytest.raises(anthropic.BadRequestError, match="Recorded are: GET /v1/models, POST /v1/messages"):
        claude.messages.count_tokens(model="claude-sonnet-5-5", messages=messages("x"))


def test_a_stream_comes_as_slowly_as_it_was_recorded(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "slow.jsonl"
    file.write_text(
        '{"type":"recording","version":1}\n'
        '{"type":"exchange","method":"GET","path":"/x","query":"","headers":{},"json":false,"body":null,"status":200,'
        '"response_headers":{"content-type":"text/event-stream"},"answer_json":false,"answer":null,'
        '"frames":[[0.0,"data: 1\\n\\n"],[0.4,"data: 2\\n\\n"]],"cut":false}\n',
        "utf-8",
    )
    took: list[float] = []
    for flags in ([], ["--timing"]):
        url = start("replay", "--from", str(file), *flags).url
        httpx.get(f"{url}/y", trust_env=False)
        began = time.monotonic()
        assert httpx.get(f"{url}/x", trust_env=False).text == "data: 1\n\ndata: 2\n\n"
        took.append(time.monotonic() - began)
    assert took[0] < 0.35 < 0.4 <= took[1] + 0.02


def test_an_upstream_that_is_not_there_is_a_502(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "exchanges.jsonl"
    recorder = start("record", "--upstream", "http://127.0.0.1:9", "--into", str(file))
    with pytest.raises(anthropic.InternalServerError, match="The upstream does not answer") as caught:
        client(recorder.url, "anything").models.list()
    assert caught.value.status_code == 502
    recorder.stop()
    assert read_recording(file) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("record", "--upstream", "api.example.com", "--into", "x.jsonl"), "is no address such as"),
        (("record", "--upstream", "http://a:b@c", "--into", "x.jsonl"), "must not hold a credential"),
        (("record", "--upstream", "http://c", "--into", "/no/such/x.jsonl"), "does not exist"),
        (("replay", "--from", "/no/such/x.jsonl"), "cannot be read"),
    ],
)
def test_what_cannot_be_started_is_told(arguments: tuple[str, ...], message: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "understudy", *arguments],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=60,
    )
    assert ended.returncode == 2
    assert message in ended.stderr


@pytest.mark.parametrize("line", ["{", '{"type":"recording","version":99}', '{"type":"exchange"}', "[]"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(line + "\n", "utf-8")
    with pytest.raises(RecordingError, match="cannot be used"):
        read_recording(file)
