"""Two people and two agents: whose permission is whose."""

import secrets
import urllib.parse
from dataclasses import dataclass

import pytest
import requests

import fixieai
from fixieai import testing

QUESTION = "What is in my diary?"


@dataclass
class Person:
    """Somebody who asks the local user's published agent."""

    platform: testing.Platform
    agent_id: str

    def ask(self) -> str:
        body = {"message": {"text": QUESTION}}
        return self.platform.call("POST", f"/api/agents/{self.agent_id}", body)["message"]["text"]

    def way_back(self) -> dict[str, str]:
        """What the provider sends along when it sends the person back."""
        location = requests.get(self.ask(), allow_redirects=False, timeout=60).headers["Location"]
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))

    def come_back(self, **params: str) -> requests.Response:
        return requests.get(f"{self.platform.url}/oauth", params=params, timeout=60)


@pytest.fixture
def shared(platform: testing.Platform, make_diary) -> str:
    """The id of an agent that everybody may use."""
    handle = f"shared-{secrets.token_hex(4)}"
    agent_id = platform.serve(make_diary(), handle)
    platform.call("PATCH", f"/api/agents/{agent_id}", {"published": True})
    return agent_id


@pytest.fixture
def ann(platform: testing.Platform, shared: str) -> Person:
    return Person(platform.add_user(f"ann{secrets.token_hex(4)}"), shared)


@pytest.fixture
def bob(platform: testing.Platform, shared: str) -> Person:
    return Person(platform.add_user(f"bob{secrets.token_hex(4)}"), shared)


def test_the_permission_is_of_who_gave_it(ann: Person, bob: Person, provider) -> None:
    anns, bobs = ann.way_back(), bob.way_back()

    page = bob.come_back(**bobs)

    assert page.status_code == 200
    assert f"<strong>{bob.platform.username}</strong>, a user of this platform" in page.text
    assert bob.ask() == "Tea with the Queen."
    assert ann.ask().startswith(f"{provider.url}/authorize")
    assert ann.come_back(**anns).status_code == 404  # asking again gave her a newer link


def test_a_code_with_the_state_of_another_connects_nobody(ann: Person, bob: Person, provider) -> None:
    anns, bobs = ann.way_back(), bob.way_back()

    page = bob.come_back(state=anns["state"], code=bobs["code"])

    assert page.status_code == 502
    assert not provider.granted.access_tokens
    assert bob.come_back(**bobs).status_code == 502  # the code was used up
    assert all(person.ask().startswith(provider.url) for person in (ann, bob))


def test_a_state_of_one_agent_is_no_good_with_another(
    platform: testing.Platform, ann: Person, make_diary, provider
) -> None:
    other = platform.serve(make_diary(), f"other-{secrets.token_hex(4)}")
    anns = ann.way_back()

    page = ann.come_back(state=anns["state"].replace(ann.agent_id, other), code=anns["code"])

    assert page.status_code == 404
    assert ann.come_back(**anns).status_code == 200


def test_a_token_of_one_person_reads_only_their_values(platform: testing.Platform) -> None:
    tokens: dict[str, str] = {}

    def keep(query: fixieai.AgentQuery, user_storage: fixieai.UserStorage) -> str:
        user_storage["_oauth_token"] = query.message.text
        tokens[query.message.text] = query.access_token or ""
        return str(user_storage["_oauth_token"])

    agent_id = platform.serve(fixieai.StandaloneAgent(keep), f"keeper-{secrets.token_hex(4)}")
    platform.call("PATCH", f"/api/agents/{agent_id}", {"published": True})
    people = {name: platform.add_user(f"{name}{secrets.token_hex(4)}") for name in ("ann", "bob")}
    for name, person in people.items():
        person.call("POST", f"/api/agents/{agent_id}", {"message": {"text": name}})

    url = f"{platform.url}/api/userstorage/{agent_id}/_oauth_token"
    for name in people:
        headers = {"Authorization": f"Bearer {tokens[name]}"}
        assert requests.get(url, headers=headers, timeout=60).json() == {"data": f'"{name}"'}


def test_who_was_removed_meanwhile_comes_back_to_nobody(
    platform: testing.Platform, bob: Person, provider
) -> None:
    bobs = bob.way_back()
    platform.call("DELETE", f"/api/users/{bob.platform.username}")

    assert bob.come_back(**bobs).status_code == 404
    assert not provider.granted.forms


def test_an_agent_that_is_no_longer_public_is_not_brought_to(
    platform: testing.Platform, bob: Person, provider
) -> None:
    bobs = bob.way_back()
    platform.call("PATCH", f"/api/agents/{bob.agent_id}", {"published": False})

    assert bob.come_back(**bobs).status_code == 502
    assert not provider.granted.forms
