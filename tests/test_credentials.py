"""Where the API key comes from, in which order."""

import pathlib

import pytest

from fixieai import credentials

LOCAL, CLOUD = "http://127.0.0.1:8180", "https://fixie.example"
CONFIG = """
fixie_api_key: for any
environment_auth_tokens: [{url: https://fixie.example, auth_token: for that url}]
"""


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("FIXIE_HOME", str(tmp_path))
    monkeypatch.setenv("FIXIE_CONFIG_PATH", str(tmp_path / "config.yaml"))
    return tmp_path


def test_the_environment_wins(home, monkeypatch) -> None:
    (home / "config.yaml").write_text(CONFIG)
    monkeypatch.setenv("FIXIE_API_KEY", "from the environment")

    assert credentials.find_api_key(CLOUD) == "from the environment"


def test_the_key_for_the_url_wins_over_the_one_for_any(home) -> None:
    (home / "config.yaml").write_text(CONFIG)

    assert credentials.find_api_key(CLOUD) == "for that url"
    assert credentials.find_api_key("https://other.example") == "for any"


def test_an_old_key_for_any_platform_keeps_nobody_out_of_the_one_on_this_machine(home) -> None:
    (home / "config.yaml").write_text(CONFIG)
    (home / "api_key").write_text("of this machine\n")

    assert credentials.find_api_key(LOCAL) == "of this machine"


def test_the_key_of_this_machine_is_sent_to_no_other(home) -> None:
    (home / "api_key").write_text("of this machine")

    assert credentials.find_api_key(CLOUD) is None


@pytest.mark.parametrize("content", ["- a list", "{", "\x00"])
def test_a_config_file_that_cannot_be_read_is_named(home, content: str) -> None:
    (home / "config.yaml").write_text(content)

    with pytest.raises(PermissionError, match=r"config\.yaml"):
        credentials.find_api_key(LOCAL)


@pytest.mark.parametrize(
    "content",
    [
        "fixie_api_key: [secret]",
        "fixie_api_key: [secret",
        "fixie_api_key: sécret",
        'fixie_api_key: "sec\\nret"',
        "environment_auth_tokens: 5",
    ],
)
def test_a_key_of_the_config_file_that_cannot_be_one_is_refused_and_not_shown(home, content: str) -> None:
    (home / "config.yaml").write_text(content)

    with pytest.raises(PermissionError, match=r"config\.yaml") as refused:
        credentials.find_api_key(CLOUD)
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("key", ["sec\nret", "sécret", "sec\x1bret"])
def test_a_key_of_the_environment_that_cannot_be_one_is_refused_and_not_shown(monkeypatch, key: str) -> None:
    monkeypatch.setenv("FIXIE_API_KEY", key)

    with pytest.raises(PermissionError, match="FIXIE_API_KEY is not an API key") as refused:
        credentials.find_api_key(CLOUD)
    assert "ret" not in str(refused.value)


def test_what_stands_around_a_key_is_not_a_part_of_it(home, monkeypatch) -> None:
    monkeypatch.setenv("FIXIE_API_KEY", " key\n")

    assert credentials.find_api_key(CLOUD) == "key"
