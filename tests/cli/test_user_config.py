import stat

import pytest

from fixieai import credentials
from fixieai.cli.auth.user_config import UserConfig


@pytest.fixture
def config_file(tmp_path, monkeypatch):
    file = tmp_path / "folder" / "config.yaml"
    monkeypatch.setenv("FIXIE_CONFIG_PATH", str(file))
    return file


def test_a_key_that_is_set_is_the_one_that_is_found(config_file):
    config = UserConfig.load()
    config.set_key("https://a.example", "old")
    config.set_key("https://a.example", "new")
    assert config.save() == config_file
    assert credentials.find_api_key("https://a.example") == "new"
    assert credentials.find_api_key("https://b.example") is None


def test_the_file_is_its_owners_alone_whatever_it_was(config_file):
    config_file.parent.mkdir()
    config_file.touch(mode=0o644)
    UserConfig("key").save()
    assert stat.S_IMODE(config_file.stat().st_mode) == 0o600
    assert [path.name for path in config_file.parent.iterdir()] == ["config.yaml"]


def test_what_is_not_ours_stays(config_file):
    config_file.parent.mkdir()
    config_file.write_text("fixie_api_key: k\ntheme: dark\n")
    config = UserConfig.load()
    config.set_key("https://a.example", "t")
    config.save()
    assert UserConfig.load() == config
    assert config.fixie_api_key == "k"
    assert config.other == {"theme": "dark"}


def test_a_file_that_is_no_mapping_is_an_error(config_file):
    config_file.parent.mkdir()
    config_file.write_text("- a")
    with pytest.raises(PermissionError, match="must hold a YAML mapping"):
        UserConfig.load()
