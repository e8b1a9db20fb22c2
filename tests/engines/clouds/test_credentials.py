"""Where credentials come from: the vendors' own chains, of their own libraries."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engines.clouds.fakes import REQUEST, bedrock, in_front_of, say_json, say_whole, through, vertex
from fake_claude import Talk, fake_claude
from understudy.engines.checking import CheckError

SECRET = "a-secret-for-tests/of+this~repository"


@pytest.fixture(autouse=True)
def nobodys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's own credentials nor those of the machine."""
    for name in ("AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION",
                 "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))


async def test_a_request_is_signed_with_the_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "UNDERSTUDYTESTKEY001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-session")
    async with through(bedrock, say_whole, api_key=None) as (gateway, fake):
        assert (await gateway.post(REQUEST)).status == 200
    headers = fake.asked[0].headers
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=UNDERSTUDYTESTKEY001/")
    assert "/us-east-1/bedrock/aws4_request" in headers["authorization"]
    assert headers["x-amz-security-token"] == "a-session" and SECRET not in str(headers)


async def test_a_program_of_a_profile_gives_keys_that_are_renewed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The chain's temporary credentials: those that end soon are fetched again, those that do not are kept."""
    ends, calls = tmp_path / "ends", tmp_path / "calls"
    program = tmp_path / "program.py"
    program.write_text(
        f"""import json
open({str(calls)!r}, "a").write("x")
print(json.dumps({{"Version": 1, "AccessKeyId": "ASIAPROGRAM", "SecretAccessKey": "s", "SessionToken": "t",
                   "Expiration": open({str(ends)!r}).read()}}))
"""
    )
    config = tmp_path / "config"
    config.write_text(f"[profile work]\nregion = eu-west-1\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    ends.write_text(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 660)))
    async with through(bedrock, say_whole, api_key=None, region=None, profile="work") as (gateway, fake):
        assert (await gateway.post(REQUEST)).status == 200
        ends.write_text("2099-01-01T00:00:00Z")
        for _ in range(3):
            assert (await gateway.post(REQUEST)).status == 200
    assert all("ASIAPROGRAM" in asked.headers["authorization"] for asked in fake.asked)
    assert fake.asked[0].path.startswith("/model/eu.anthropic.")
    assert len(calls.read_text()) in {2, 3}


@pytest.mark.parametrize("cloud", [bedrock, vertex])
async def test_without_credentials_the_next_target_answers(cloud: Any, capfd: pytest.CaptureFixture[str]) -> None:
    without = {"api_key": None} if cloud is bedrock else {"token": None}
    with fake_claude(say_whole) as fake:
        async with in_front_of(cloud(fake.url, **without)) as gateway:
            alone = await gateway.post(REQUEST)
        async with in_front_of(cloud(fake.url, **without), simulator=True) as gateway:
            spared = await gateway.post(REQUEST)
    assert (alone.status, alone.json()["error"]["message"]) == (502, "The upstream's credentials cannot be had.")
    assert spared.status == 200 and not fake.asked


async def test_credentials_that_were_refused_are_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFIRST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    def say(talk: Talk) -> None:
        if "AKIAFIRST" in talk.asked.headers["authorization"]:
            say_json({"message": "old"}, 403, "x-amzn-errortype: ExpiredTokenException")(talk)
        else:
            say_whole(talk)

    async with through(bedrock, say, api_key=None) as (gateway, _):
        assert (await gateway.post(REQUEST)).status == 401
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECOND")
        assert (await gateway.post(REQUEST)).status == 200


def google_account(directory: Path, url: str) -> Path:
    """Credentials of a user, as Google's own tool leaves them, for a token server of ours."""
    path = directory / "google.json"
    path.write_text(
        json.dumps(
            {
                "type": "authorized_user",
                "client_id": "c",
                "client_secret": "s",
                "refresh_token": "r",
                "quota_project_id": "who-pays",
                "token_uri": url,
            }
        )
    )
    return path


async def test_google_gives_a_token_once_for_all_that_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def give(talk: Talk) -> None:
        time.sleep(0.05)
        say_json({"access_token": f"ya29.{len(given.asked)}", "expires_in": 3600, "token_type": "Bearer"})(talk)

    with fake_claude(give) as given:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(google_account(tmp_path, given.url)))
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", given.url)
        async with through(vertex, say_whole, token=None) as (gateway, fake):
            answers = await asyncio.gather(*(gateway.post(REQUEST) for _ in range(5)))
    assert [answer.status for answer in answers] == [200] * 5
    assert len(given.asked) == 1
    assert {asked.headers["authorization"] for asked in fake.asked} == {"Bearer ya29.1"}
    assert fake.asked[0].headers["x-goog-user-project"] == "who-pays"


async def test_bedrocks_credentials_are_tried_by_a_signed_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "UNDERSTUDYTESTKEY001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    answers: dict[str, Any] = {
        "accepts": say_json({"inferenceProfileSummaries": []}),
        "may not": say_json({"message": "no"}, 403, "x-amzn-errortype: AccessDeniedException"),
    }
    for said, say in answers.items():
        with fake_claude(say) as fake:
            assert said in await bedrock(fake.url, api_key=None).check()
        assert fake.asked[0].path == "/inference-profiles?maxResults=1"
        assert "UNDERSTUDYTESTKEY001" in fake.asked[0].headers["authorization"]
    old = say_json({"message": "old"}, 403, "x-amzn-errortype: ExpiredTokenException")
    with fake_claude(old) as fake, pytest.raises(CheckError, match="old"):
        await bedrock(fake.url, api_key=None).check()


async def test_what_is_missing_is_told_to_the_operator() -> None:
    with pytest.raises(CheckError, match="no credentials"):
        await bedrock("http://127.0.0.1:1", api_key=None).check()
    with pytest.raises(CheckError, match="no region"):
        await bedrock("http://127.0.0.1:1", api_key=None, region=None).check()
    with pytest.raises(CheckError, match="cannot be reached"):
        await bedrock("http://127.0.0.1:1").check()
    with pytest.raises(CheckError, match="credentials"):
        await vertex("http://127.0.0.1:1", token=None).check()
    with pytest.raises(CheckError, match="no project"):
        await vertex("http://127.0.0.1:1", project=None).check()


def test_nothing_of_the_vendors_is_imported_before_it_is_needed() -> None:
    script = (
        "import sys, understudy.app.application, understudy.engines.bedrock, understudy.engines.vertex\n"
        "assert not {'botocore', 'google.auth', 'urllib3', 'aiohttp'} & set(sys.modules) - {'aiohttp'}"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
