"""The clouds' settings: what is taken, and that what is refused says no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.settings import Settings, SettingsError, load_settings

SECRET = "a-secret-that-nobody-may-see"
KEY = f'[[clouds.aws_keys]]\naccess_key_id = "UNDERSTUDYTESTKEY001"\nsecret_access_key = "{SECRET}"\n'


def load(tmp_path: Path, text: str, **environment: str) -> Settings:
    file = tmp_path / "understudy.toml"
    file.write_text(text, "utf-8")
    return load_settings(file, environment=environment)


def test_keys_tokens_and_issuers_stand_in_the_file(tmp_path: Path) -> None:
    text = KEY + f'workspace = "wrkspc_1"\n[[clouds.tokens]]\ncloud = "vertex"\ntoken = "{SECRET}"\n'
    text += '[[clouds.issuers]]\ncloud = "foundry"\nissuer = "https://example.com"\naudience = "a"\n'
    clouds = load(tmp_path, text, UNDERSTUDY_CLOUDS_AWS_REGIONS="us-east-1, eu-west-1").clouds
    assert clouds.aws_keys[0].secret_access_key.get_secret_value() == SECRET
    assert (clouds.aws_keys[0].workspace, clouds.tokens[0].workspace) == ("wrkspc_1", None)
    assert clouds.aws_regions == ["us-east-1", "eu-west-1"]
    assert SECRET not in repr(clouds)


@pytest.mark.parametrize(
    "text",
    [
        KEY + KEY,
        KEY + "more = 1\n",
        KEY.replace("UNDERSTUDYTESTKEY001", "short"),
        KEY.replace("secret_access_key", "secret"),
        f'[[clouds.tokens]]\ncloud = "elsewhere"\ntoken = "{SECRET}"\n',
        f'[[clouds.tokens]]\ncloud = "aws"\ntoken = ["{SECRET}"]\n',
        f'[clouds]\naws_keys = "{SECRET}"\n',
        "[clouds]\naws_clock_skew = 0\n",
        # Nothing would be a secret then: two credentials that differ are the empty one.
        KEY.replace(SECRET, ""),
        KEY + 'session_token = ""\n',
        '[[clouds.tokens]]\ncloud = "aws"\ntoken = ""\n',
        f'[[clouds.tokens]]\ncloud = "aws"\ntoken = "{SECRET}"\n' * 2,
    ],
)
def test_what_cannot_be_is_refused_without_its_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, text)
    assert "clouds" in str(refused.value)
    assert SECRET not in str(refused.value)
