"""The command line, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import trustme

from curl import path_with_curl
from rawhttp import MESSAGE_BYTES, exchange, head, post
from servers import RunningServer, ServerStarter, clean_environment
from understudy import __version__


def run(*words: str, env: dict[str, str] | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "understudy", *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=clean_environment(env),
        check=False,
    )


def status_with(server: RunningServer, key: str) -> int:
    request = head(server, b"content-length: %d" % len(MESSAGE_BYTES)).replace(server.api_key.encode(), key.encode())
    return exchange(server, request + MESSAGE_BYTES).status


def test_the_version_is_printed() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"understudy {__version__}\n")


def test_keys_are_made_listed_and_revoked_beside_a_running_server(serve: ServerStarter) -> None:
    server = serve()
    place = ("--data-dir", str(server.data_dir))
    made = run("keys", "create", "--name", "ci", *place)
    secret = made.stdout.strip()
    assert re.fullmatch(r"sk-understudy-api-[0-9A-Za-z]{49}", secret)
    assert status_with(server, secret) == 200, "a new key works at once"

    listed = run("keys", "list", *place).stdout
    row = next(line for line in listed.splitlines() if " ci " in line)
    key_id = re.search(r"apikey_\w+", row)
    assert key_id
    assert secret not in listed
    assert f"{secret[:21]}...{secret[-4:]}" in row
    assert "active" in row

    assert run("keys", "revoke", key_id[0], *place).returncode == 0
    deadline = time.monotonic() + 1.0
    while status_with(server, secret) != 401:
        assert time.monotonic() < deadline, "still accepted a second after it was revoked"
        time.sleep(0.02)
    assert "archived" in next(line for line in run("keys", "list", *place).stdout.splitlines() if " ci " in line)


def test_an_admin_key_is_no_key_for_inference(serve: ServerStarter) -> None:
    server = serve()
    secret = run("keys", "create", "--admin", "--data-dir", str(server.data_dir)).stdout.strip()
    assert secret.startswith("sk-understudy-admin-")
    assert status_with(server, secret) == 401


def test_a_key_that_expires_is_refused_from_then_on(serve: ServerStarter) -> None:
    server = serve()
    days = str(3 / 86_400)
    secret = run("keys", "create", "--expires-in-days", days, "--data-dir", str(server.data_dir)).stdout.strip()
    assert status_with(server, secret) == 200
    time.sleep(3)
    assert status_with(server, secret) == 401


def test_revoking_an_unknown_key_fails_with_a_sentence(tmp_path: Path) -> None:
    done = run("keys", "revoke", "apikey_nope", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "understudy: API key not found\n"


def test_doctor_finds_nothing_missing_in_a_sound_installation(tmp_path: Path) -> None:
    done = run("doctor", "--data-dir", str(tmp_path), env={"UNDERSTUDY_SERVER_PORT": "0"})
    assert done.returncode == 0, done.stdout
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) >= 6


def test_doctor_says_what_is_missing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = {"UNDERSTUDY_SERVER_PORT": str(taken.getsockname()[1])}
        done = run("doctor", "--data-dir", str(tmp_path), env=env)
    assert done.returncode == 1
    assert "cannot be listened on" in done.stdout


@pytest.mark.parametrize(
    ("words", "env", "file", "said"),
    [
        ([], {"UNDERSTUDY_SERVER_PROT": "1"}, "", "UNDERSTUDY_SERVER_PROT is not a setting. Did you mean"),
        ([], {"UNDERSTUDY_SERVER_PORT": "x"}, "", "The setting server.port cannot be used"),
        ([], {}, "[server]\nprot = 1\n", "server.prot is not a setting. Did you mean server.port?"),
        ([], {}, "[sevrer]\nport = 1\n", "sevrer is not a setting. Did you mean server?"),
        ([], {}, "port = 1\n", "port is not a setting"),
        ([], {}, "[server\n", "is not valid TOML"),
        (["--config", "/does/not/exist.toml"], {}, "", "cannot be read"),
        (["--model", "./some.gguf"], {}, "", "There is no model at some.gguf"),
        (["--port", "70000"], {}, "", "The setting server.port cannot be used"),
        (["--tls-cert", "/x.pem"], {}, "", "TLS needs both"),
        (["--tls-cert", "/x.pem", "--tls-key", "/y.pem"], {}, "", "cannot be used"),
        (["--ready-file", "/does/not/exist/ready.json"], {}, "", "does not exist"),
        ([], {"UNDERSTUDY_SECURITY_ROOT_SECRET": "short"}, "", "at least 32 characters"),
        ([], {"UNDERSTUDY_STORAGE_DATABASE_URL": "nonsense"}, "", "is not a database URL"),
    ],
)
def test_what_keeps_the_server_from_starting_is_said_in_a_sentence(
    tmp_path: Path, words: list[str], env: dict[str, str], file: str, said: str
) -> None:
    if file:
        (tmp_path / "config.toml").write_text(file)
        words = ["--config", str(tmp_path / "config.toml")]
    done = run("serve", "--data-dir", str(tmp_path / "data"), *words, env={"UNDERSTUDY_SERVER_PORT": "0", **env})
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("understudy: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_file_that_is_no_database_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "understudy.db").write_bytes(b"this is not a database" * 1000)
    done = run("serve", "--port", "0", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "not a database" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_start_that_fails_leaves_the_keys_of_the_running_server_alone(serve: ServerStarter, tmp_path: Path) -> None:
    server = serve()
    port = str(server.address[1])
    ready = str(tmp_path / "other.json")
    done = run("serve", "--port", port, "--data-dir", str(server.data_dir), "--ready-file", ready)
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert post(server, MESSAGE_BYTES).status == 200


def test_another_root_secret_is_refused(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_SECURITY_ROOT_SECRET": "a" * 40})
    env = {"UNDERSTUDY_SECURITY_ROOT_SECRET": "b" * 40}
    done = run("serve", "--port", "0", "--data-dir", str(server.data_dir), env=env)
    assert done.returncode == 2
    assert "is not this installation's" in done.stderr


def test_the_first_start_prints_keys_and_a_request_and_later_ones_say_how_to_make_more(tmp_path: Path) -> None:
    environment = clean_environment({"HOME": str(tmp_path), "UNDERSTUDY_SERVER_PORT": "0"})
    environment.pop("XDG_DATA_HOME", None)
    printed: list[str] = []
    for flags in ([], [], ["--fresh-key"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "understudy", "serve", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl+C" in line:
                break
        text = "".join(lines)
        printed.append(text)
        key = re.search(r"sk-understudy-api-\w+", text)
        if key:
            command = text[text.index("  curl") : text.index("Stop with")].replace("\\\n", " ")
            path = clean_environment({"PATH": path_with_curl(tmp_path / "bin")})
            done = subprocess.run(
                ["sh", "-c", command], capture_output=True, text=True, timeout=20, check=True, env=path
            )
            assert json.loads(done.stdout)["type"] == "message"
        process.terminate()
        assert process.wait(20) == 0
    first, second, third = printed
    assert "sk-understudy-api-" in first and "sk-understudy-admin-" in first
    assert "sk-understudy-" not in second and "understudy keys create" in second
    assert "sk-understudy-api-" in third
    data = tmp_path / ".local/share/understudy"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "root.secret").stat().st_mode) == 0o600


def test_the_ready_file_is_private_and_its_keys_replace_the_former_pair(serve: ServerStarter) -> None:
    first = serve()
    ready = first.output.parent / "ready.json"
    assert stat.S_IMODE(ready.stat().st_mode) == 0o600
    assert json.loads(ready.read_bytes()).keys() == {"url", "api_key", "admin_key", "pid", "console_url"}
    assert os.getpgid(first.pid)
    assert first.stop() == 0
    assert not ready.exists()
    second = serve(data_dir=first.data_dir)
    assert second.api_key != first.api_key
    assert status_with(second, second.api_key) == 200
    assert status_with(second, first.api_key) == 401


def test_the_console_is_announced_with_a_link_and_later_with_how_to_get_one(serve: ServerStarter) -> None:
    server = serve()
    link = json.loads((server.output.parent / "ready.json").read_bytes())["console_url"]
    assert link.startswith(f"{server.url}/console/#/welcome?token=")
    assert link in server.printed()
    printed = run("console", "link", "--data-dir", str(server.data_dir))
    token = printed.stdout.strip().partition("token=")[2]
    body = {"token": token, "name": "Ada", "email": "ada@example.com", "password": "correct horse battery"}
    claimed = httpx.post(f"{server.url}/_understudy/console/session/link", json=body, trust_env=False)
    assert claimed.status_code == 200, claimed.text
    assert server.stop() == 0
    again = serve(data_dir=server.data_dir)
    assert f"Console:    {again.url}/console/" in again.printed()
    assert "understudy console link" in again.printed()
    assert "#/welcome" not in again.printed()
    unknown = run("console", "link", "--email", "nobody@example.com", "--data-dir", str(server.data_dir))
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "nobody@example.com" in unknown.stderr


def test_the_console_can_be_switched_off(serve: ServerStarter) -> None:
    server = serve(env={"UNDERSTUDY_CONSOLE_ENABLED": "false"})
    assert "onsole" not in server.printed()
    for path in ("/console/", "/_understudy/console/session", "/_understudy/console/v1/models"):
        assert httpx.get(server.url + path, headers={"accept": "text/html"}, trust_env=False).status_code == 404


def test_tls_is_spoken(serve: ServerStarter, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    issued.private_key_pem.write_to_path(key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = serve("--tls-cert", str(certificate), "--tls-key", str(key))
    assert server.url.startswith("https://")
    answer = httpx.post(
        f"{server.url}/v1/messages",
        content=MESSAGE_BYTES,
        headers={"x-api-key": server.api_key, "anthropic-version": "2023-06-01", "content-type": "application/json"},
        verify=ssl.create_default_context(cafile=str(tmp_path / "ca.pem")),
    )
    assert answer.status_code == 200
