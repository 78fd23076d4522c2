"""The schema is brought up before platforms start; a home moves to Postgres with all that is in it."""

import base64
import json
import pathlib
import uuid
from collections.abc import Iterator

import psycopg
import pytest
import requests

SECRET = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def empty_url(postgres_server) -> Iterator[str]:
    with postgres_server.database(f"test-{uuid.uuid4().hex}") as url:
        yield url


def test_the_schema_comes_up_once(fixie, empty_url: str) -> None:
    for variables in ({}, {"FIXIE_DATABASE_URL": empty_url, "FIXIE_SECRET_KEY": SECRET}):
        fixie.variables.update(variables)
        assert "The schema was 0 and is " in fixie("platform", "migrate").stdout
        assert "nothing to do" in fixie("platform", "migrate").stdout


def test_a_newer_schema_is_left_alone(fixie, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("INSERT INTO schema_versions VALUES (99)")
    fixie.variables.update({"FIXIE_DATABASE_URL": postgres_url, "FIXIE_SECRET_KEY": SECRET})
    for command in (("migrate",), ("serve", "--port", "0"), ("key",)):
        said = fixie("platform", *command, code=1).stderr
        assert "newer version of fixieai" in said


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FIXIE_DATABASE_URL": "mysql://localhost/x", "FIXIE_SECRET_KEY": SECRET}, "postgresql://user"),
        ({"FIXIE_DATABASE_URL": "postgresql://localhost/x"}, "needs FIXIE_SECRET_KEY"),
        ({"FIXIE_DATABASE_URL": "postgresql://127.0.0.1:9/x", "FIXIE_SECRET_KEY": SECRET}, "be reached"),
        ({"FIXIE_DATABASE_URL": "postgresql://", "FIXIE_SECRET_KEY": "short"}, "FIXIE_SECRET_KEY is not"),
    ],
)
def test_what_is_wrong_with_the_settings_is_said(fixie, variables: dict[str, str], said: str) -> None:
    fixie.variables.update(variables)
    assert said in fixie("platform", "serve", "--port", "0", code=1).stderr


def test_another_secret_key_than_before_is_refused(fixie, postgres_url: str) -> None:
    fixie.variables.update({"FIXIE_DATABASE_URL": postgres_url, "FIXIE_SECRET_KEY": SECRET})
    assert fixie("platform", "key").stdout.startswith("ey")
    fixie.variables["FIXIE_SECRET_KEY"] = base64.b64encode(bytes(32)).decode()
    fixie.variables["FIXIE_HOME"] += "-2"
    assert "another secret key" in fixie("platform", "key", code=1).stderr


def test_a_home_moves_to_postgres_with_keys_people_and_sessions(
    empty_url: str, fixie, tmp_path: pathlib.Path
) -> None:
    key = fixie("platform", "key").stdout.strip()
    running = fixie.start("platform", "serve", "--port", "0")
    url = running.wait_for("is ready").splitlines()[0]
    headers = {"Authorization": f"Bearer {key}"}
    session = requests.post(f"{url}/api/sessions", headers=headers, timeout=60).json()["handle"]
    requests.post(f"{url}/api/users", json={"username": "ann"}, headers=headers, timeout=60)
    assert "already uses" in fixie("platform", "copy", "--to", empty_url, code=1).stderr
    running.stop()

    done = fixie("platform", "copy", "--to", empty_url)

    rows = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    assert (rows["users"], rows["sessions"]) == ("2", "1")
    assert "and 1 signing keys" in done.stdout
    assert f"FIXIE_SECRET_KEY there to what is in {tmp_path}/home/secret_key" in done.stderr
    assert f"still in {tmp_path}/home/blobs" in done.stderr
    assert "not empty" in fixie("platform", "copy", "--to", empty_url, code=1).stderr

    secret = (tmp_path / "home" / "secret_key").read_text("utf-8").strip()
    fixie.variables.update(
        {
            "FIXIE_DATABASE_URL": empty_url,
            "FIXIE_SECRET_KEY": secret,
            "FIXIE_HOME": str(tmp_path / "another home"),
            "FIXIE_BLOBS_URL": (tmp_path / "home" / "blobs").as_uri(),
        }
    )
    url = fixie.start("platform", "serve", "--port", "0").wait_for("is ready").splitlines()[0]
    found = requests.get(f"{url}/api/sessions", headers=headers, timeout=60)  # with the key of before
    assert [each["handle"] for each in found.json()["sessions"]] == [session], json.dumps(found.json())
    assert "ann" in fixie("platform", "users", "list").stdout


def test_there_has_to_be_something_to_copy(fixie, empty_url: str) -> None:
    assert "nothing to copy" in fixie("platform", "copy", "--to", empty_url, code=1).stderr
    assert "--to must be" in fixie("platform", "copy", "--to", "sqlite:////tmp/x.db", code=1).stderr
    fixie.variables.update({"FIXIE_DATABASE_URL": empty_url, "FIXIE_SECRET_KEY": SECRET})
    assert "Unset it" in fixie("platform", "copy", "--to", empty_url, code=1).stderr
