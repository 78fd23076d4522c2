"""Whom an agent tells the provider it is."""

import json
import pathlib
import subprocess
import sys

import pytest

from fixieai.agents import oauth
from fixieai.agents.exceptions import AgentException
from fixieai.agents.oauth import OAuthHandler, OAuthParams
from fixieai.agents.token import VerifiedTokenClaims


@pytest.mark.parametrize("kind", ["web", "installed"])
def test_a_client_is_read_from_googles_file(tmp_path: pathlib.Path, kind: str) -> None:
    client = {"client_id": "i", "client_secret": "s", "auth_uri": "a", "token_uri": "t", "project_id": "p"}
    path = tmp_path / "client_secrets.json"
    path.write_text(json.dumps({kind: client}))
    assert OAuthParams.from_client_secrets_file(str(path), ["x"]) == OAuthParams("i", "s", "a", "t", ["x"])


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"web": []}', '{"web": {"client_id": "i"}}', '{"other": {}}']
)
def test_a_file_without_a_client_says_so(tmp_path: pathlib.Path, content: str) -> None:
    path = tmp_path / "client_secrets.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"client|Expecting value"):
        OAuthParams.from_client_secrets_file(path, [])


def test_secrets_are_not_shown() -> None:
    assert "the-secret" not in repr(OAuthParams("i", "the-secret", "a", "t", []))
    assert "hidden" not in repr(oauth._Token("hidden", None, "hidden"))


def test_an_anonymous_query_cannot_give_permission() -> None:
    with pytest.raises(AgentException) as caught:
        OAuthHandler(OAuthParams("i", "s", "a", "t", []), VerifiedTokenClaims("o/a", True, "t"))
    assert caught.value.http_status_code == 400


def test_agents_without_oauth_do_not_pay_for_it() -> None:
    program = "import fixieai, sys; fixieai.CodeShotAgent, fixieai.OAuthHandler; print(sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert "fixieai.agents.oauth" in loaded
    assert "oauthlib" not in loaded
