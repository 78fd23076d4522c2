"""Keeping a platform from a command line: removing what is old, backup, restore, check."""

import base64
import os
import pathlib
import stat

import pytest
from postgres_server import binaries


def ask(fixie) -> None:
    fixie("query", "-a", "dice", "Roll a d20")


def test_what_is_old_is_shown_then_removed(platform_cli) -> None:
    ask(platform_cli)
    assert platform_cli("platform", "gc", "--dry-run").stdout == ""
    assert "nothing to remove" in platform_cli("platform", "gc").stderr


def test_a_setting_decides_what_is_old(fixie) -> None:
    """Of a platform that does not run as well."""
    for name in ("ann", "bob"):
        fixie("platform", "users", "add", name)
    fixie("platform", "keys", "create", "--user", "ann")
    assert fixie("platform", "gc", "--dry-run").stdout == ""
    assert "whole number" not in fixie("platform", "gc").stderr
    fixie.variables["FIXIE_KEEP_SESSIONS_DAYS"] = "never"
    assert "FIXIE_KEEP_SESSIONS_DAYS must be a number" in fixie("platform", "gc", code=1).stderr


def test_a_platform_in_use_is_kept_in_one_file(platform_cli, tmp_path: pathlib.Path) -> None:
    file, home = tmp_path / "fixie.backup", tmp_path / "restored"
    ask(platform_cli)
    said = platform_cli("platform", "backup", str(file)).stdout
    assert said.startswith(f"{file} (")
    assert "signing_keys.json, secret_key, api_key" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "exists already" in platform_cli("platform", "backup", str(file), code=1).stderr

    assert (
        "fixie platform check" in platform_cli("platform", "restore", str(file), "--home", str(home)).stderr
    )
    assert "All is well" in platform_cli("platform", "check", "--home", str(home)).stderr
    assert (
        platform_cli("platform", "key", "--home", str(home)).stdout == platform_cli("platform", "key").stdout
    )
    assert "not empty" in platform_cli("platform", "restore", str(file), "--home", str(home), code=1).stderr
    file.write_bytes(file.read_bytes()[:-20_000])
    other = str(tmp_path / "other")
    assert "cut off" in platform_cli("platform", "restore", str(file), "--home", other, code=1).stderr
    assert not (tmp_path / "other").exists()


def test_what_is_wrong_is_an_exit_code(platform_cli, tmp_path: pathlib.Path) -> None:
    assert "All is well" in platform_cli("platform", "check", "--quick").stderr
    file, home = tmp_path / "fixie.backup", tmp_path / "restored"
    platform_cli("platform", "backup", "--without-blobs", str(file))
    assert "put them back" in platform_cli("platform", "restore", str(file), "--home", str(home)).stderr
    (home / "signing_keys.json").unlink()
    found = platform_cli("platform", "check", "--home", str(home), code=1)
    assert "signing_keys.json is missing" in found.stdout
    assert "1 findings" in found.stderr
    assert (
        "There is no database"
        in platform_cli("platform", "check", "--home", str(tmp_path / "nowhere"), code=1).stderr
    )


def test_a_platform_on_postgres_is_kept_too(
    fixie, postgres_server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{binaries()}{os.pathsep}{os.environ['PATH']}")
    file, home = tmp_path / "fixie.backup", tmp_path / "restored"
    fixie.variables["FIXIE_SECRET_KEY"] = base64.b64encode(bytes(32)).decode()
    with postgres_server.database("kept-before") as before, postgres_server.database("kept-after") as after:
        fixie.variables["FIXIE_DATABASE_URL"] = before
        fixie("platform", "users", "add", "ann")
        assert "FIXIE_SECRET_KEY is not in it" in fixie("platform", "backup", str(file)).stderr
        fixie.variables["FIXIE_DATABASE_URL"] = after
        fixie("platform", "restore", str(file), "--home", str(home))
        assert "All is well" in fixie("platform", "check", "--home", str(home)).stderr
        people = fixie("platform", "users", "list", "--home", str(home)).stdout
        assert [line.split("\t")[0] for line in people.splitlines()] == ["local", "ann"]
        assert fixie("platform", "gc", "--home", str(home)).stdout == ""
