"""Administrating a platform and signing in to one, from a command line."""

import pathlib
import re
import stat
import threading
import urllib.parse
from collections.abc import Callable

import pytest
import requests
import yaml

KEY = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+\n")


def who_has(url: str, key: str) -> str:
    answer = requests.get(f"{url}/api/user", headers={"Authorization": f"Bearer {key.strip()}"}, timeout=30)
    return str(answer.json()["username"]) if answer.ok else str(answer.status_code)


def test_people_and_keys_of_a_platform_that_does_not_run(fixie) -> None:
    added = fixie("platform", "users", "add", "ann", "--email", "ann@example.com")
    assert re.fullmatch(r"http://127\.0\.0\.1:8180/welcome#user=ann&code=[\w-]{43}\n", added.stdout)
    assert "ann was added" in added.stderr
    assert "taken" in fixie("platform", "users", "add", "ann", code=1).stderr

    key = fixie("platform", "keys", "create", "--user", "ann", "--name", "laptop")
    assert KEY.fullmatch(key.stdout)
    assert key.stderr == ""
    (line,) = fixie("platform", "keys", "list", "--user", "ann").stdout.splitlines()
    key_id, name, *_ = line.split("\t")
    assert name == "laptop"
    people = fixie("platform", "users", "list").stdout.splitlines()
    assert [person.split("\t")[:4] for person in people] == [
        ["local", "administrator", "API keys", ""],
        ["ann", "", "invited", "ann@example.com"],
    ]

    fixie("platform", "keys", "revoke", key_id)
    assert fixie("platform", "keys", "list", "--user", "ann").stdout == ""
    assert "no such key" in fixie("platform", "keys", "revoke", key_id, code=1).stderr
    assert "signs from" in fixie("platform", "rotate-keys").stdout


def test_people_and_keys_of_one_that_runs(platform_cli) -> None:
    url = platform_cli.variables["FIXIE_API_URL"]
    invitation = platform_cli("platform", "users", "add", "bob").stdout
    assert invitation.startswith(f"{url}/welcome#user=bob")
    key = platform_cli("platform", "keys", "create", "--user", "bob").stdout
    assert who_has(url, key) == "bob"

    assert platform_cli("platform", "users", "invite", "bob").stdout != invitation
    assert "no user" in platform_cli("platform", "keys", "create", "--user", "nobody", code=1).stderr
    asked = platform_cli("platform", "users", "remove", "bob", answers="n\n", code=1)
    assert "Remove bob" in asked.stdout
    assert who_has(url, key) == "bob"
    platform_cli("platform", "users", "remove", "bob", "--yes")
    assert who_has(url, key) == "403"


def test_the_file_that_says_where_a_platform_is_goes_with_it(fixie) -> None:
    home = pathlib.Path(fixie.variables["FIXIE_HOME"])
    running = fixie.start("platform", "serve", "--port", "0")
    running.wait_for("is ready")
    assert stat.S_IMODE((home / "address").stat().st_mode) == 0o600

    running.stop()
    assert not (home / "address").exists()
    running = fixie.start("platform", "serve", "--port", "0")
    running.wait_for("is ready")
    running.stop(9)
    # What a killed platform left behind is not believed.
    assert (home / "address").exists()
    assert "local" in fixie("platform", "users", "list").stdout


def sign_in(page: str, key: str, *, agrees: bool = True) -> None:
    """What the web page does when somebody agrees, or refuses."""
    parts = urllib.parse.urlsplit(page)
    base = f"{parts.scheme}://{parts.netloc}"
    headers = {"Authorization": f"Bearer {key.strip()}"}
    if agrees:
        answer = requests.post(f"{base}/api/authorizations?{parts.query}", headers=headers, timeout=30)
        address = answer.json()["goTo"]
    else:
        answer = requests.get(f"{base}/api/authorization-requests?{parts.query}", timeout=30)
        address = answer.json()["denied"]
    assert requests.get(address.replace("state=", "state=x"), timeout=30).text.count("did not work") == 1
    said = requests.get(address, timeout=30)
    assert ("You are signed in" if agrees else "You refused") in said.text
    assert "code" not in said.text


def run_auth(fixie, look_until: Callable[..., str], key: str, *, agrees: bool = True, code: int = 0) -> str:
    """`fixie auth`, and what it printed."""
    running = fixie.start("auth", "--force")
    output = running.wait_for("code_challenge_method")
    (page,) = re.findall(r"^http\S+/authorize\S+$", output, re.MULTILINE)
    threading.Thread(target=sign_in, args=(page, key), kwargs={"agrees": agrees}).start()
    assert running.process.wait(60) == code
    return str(running.output())


def test_signing_in_keeps_a_key_of_ones_own(
    platform_cli, look_until: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    url = platform_cli.variables["FIXIE_API_URL"]
    config = tmp_path / "config.yaml"
    monkeypatch.setitem(platform_cli.variables, "FIXIE_CONFIG_PATH", str(config))
    platform_cli("platform", "users", "add", "carol")
    key = platform_cli("platform", "keys", "create", "--user", "carol").stdout

    assert "signed in as local" in platform_cli("auth").stdout
    said = run_auth(platform_cli, look_until, key)

    assert f"You are signed in as carol at {url}" in said
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    (entry,) = yaml.safe_load(config.read_text("utf-8"))["environment_auth_tokens"]
    assert entry["url"] == url
    assert entry["auth_token"] != key.strip()
    assert entry["auth_token"] not in said
    assert who_has(url, entry["auth_token"]) == "carol"
    assert "signed in as carol" in platform_cli("auth").stdout
    assert platform_cli("user").stdout.startswith("Username: carol\n")


def test_who_refuses_is_not_signed_in(
    platform_cli, look_until: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    config = tmp_path / "config.yaml"
    monkeypatch.setitem(platform_cli.variables, "FIXIE_CONFIG_PATH", str(config))

    said = run_auth(platform_cli, look_until, "", agrees=False, code=11)

    assert "You refused" in said
    assert not config.exists()


def test_signing_in_where_there_is_no_platform(fixie) -> None:
    assert "No platform is running" in fixie("auth", "--force", code=1).stderr
