import datetime as dt

import pytest

from fixieai import constants, errors
from fixieai.client import client as client_module
from fixieai.client.client import FixieClient

DICE = {
    "agentId": "ann/dice",
    "handle": "dice",
    "name": "Dice",
    "description": "I roll.",
    "moreInfoUrl": "",
    "queries": ["Roll a d20"],
    "published": False,
    "owner": {"username": "ann"},
    "type": "code_shot",
    "url": "http://127.0.0.1:8181",
    "status": "online",
    "created": "2024-01-02T03:04:05+00:00",
    "modified": "2024-01-02T03:04:06+00:00",
}


def test_listings_are_read_to_the_end(scripted_platform, client):
    scripted_platform.will({"agents": [DICE], "next": "c1"})
    scripted_platform.will({"agents": [{**DICE, "agentId": "ann/other"}], "next": None})
    agents = client.get_agents()
    assert list(agents) == ["ann/dice", "ann/other"]
    assert agents["ann/dice"]["description"] == "I roll."
    assert scripted_platform.seen[1].path == "/api/agents?limit=100&after=c1"


def test_an_agent_has_its_properties(scripted_platform, client):
    scripted_platform.will(DICE)
    agent = client.get_agent("ann/dice")
    assert (agent.valid, agent.agent_id, agent.handle, agent.owner) == (True, "ann/dice", "dice", "ann")
    assert (agent.queries, agent.published) == (["Roll a d20"], False)
    assert (agent.func_url, agent.query_url) == ("http://127.0.0.1:8181", None)
    assert agent.created == dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def test_a_bare_handle_is_the_current_users(scripted_platform, client):
    scripted_platform.will({"username": "ann"})
    scripted_platform.will(DICE)
    assert client.get_agent("dice").agent_id == "dice"
    assert scripted_platform.seen[1].path == "/api/agents/ann/dice"


def test_an_agent_that_does_not_exist_is_not_valid(scripted_platform, client):
    scripted_platform.will({"error": {"code": "not_found", "message": "no"}}, status=404)
    agent = client.get_agent("ann/none")
    assert (agent.valid, agent.name, agent.queries, agent.created, agent.owner) == (
        False,
        None,
        None,
        None,
        None,
    )
    scripted_platform.will({}, status=404)
    with pytest.raises(ValueError, match="no agent ann/none"):
        agent.get_metadata()


def test_an_outage_is_not_an_agent_that_does_not_exist(scripted_platform, client):
    scripted_platform.will({}, status=500)
    with pytest.raises(errors.FixieError):
        client.get_agent("ann/dice")


@pytest.mark.parametrize("agent_id", ["a/b/c", "a/", "/b", "a/.."])
def test_what_is_no_agents_name_is_refused(client, agent_id):
    with pytest.raises(ValueError, match="not a"):
        client.get_agent(agent_id)


def test_registering_says_where_the_agent_is(scripted_platform, client):
    scripted_platform.will({}, status=404)
    scripted_platform.will(DICE)
    agent = client.get_agent("ann/dice")
    agent.register("http://127.0.0.1:8181", name="Dice")
    assert agent.valid
    assert scripted_platform.seen[1].body == {"url": "http://127.0.0.1:8181", "name": "Dice"}


def test_refreshing_posts_to_the_agents_refresh_url(scripted_platform, client):
    scripted_platform.will({"username": "ann"})
    scripted_platform.will(DICE)
    assert client.refresh_agent("dice") == DICE
    assert (scripted_platform.seen[1].method, scripted_platform.seen[1].path) == (
        "POST",
        "/api/refresh/ann/dice",
    )


def test_the_shared_client_is_made_once_and_only_with_a_key(monkeypatch):
    client_module.get_client.cache_clear()
    with pytest.raises(PermissionError):
        client_module.get_client()
    monkeypatch.setenv("FIXIE_API_KEY", "a-key")
    assert client_module.get_client() is client_module.get_client()
    assert client_module.get_client().url == constants.FIXIE_API_URL
    client_module.get_client.cache_clear()


def test_the_key_is_found_for_the_platform_that_is_asked(monkeypatch, tmp_path):
    (tmp_path / "config.yaml").write_text(
        "environment_auth_tokens:\n- {url: 'https://x.example', auth_token: theirs}\n"
    )
    monkeypatch.setenv("FIXIE_CONFIG_PATH", str(tmp_path / "config.yaml"))
    FixieClient(api_url="https://x.example")
    with pytest.raises(PermissionError):
        FixieClient(api_url="https://y.example")


def test_the_page_of_an_agent_is_its_owners(scripted_platform, client):
    assert client.get_agent_page_url("ann/dice") == f"{client.url}/agents/ann/dice"
    scripted_platform.will({"username": "ann"})
    assert client.get_agent_page_url("dice") == f"{client.url}/agents/ann/dice"
