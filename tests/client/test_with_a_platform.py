"""The client against a running platform: what it asks for is what is there."""

import concurrent.futures
import datetime as dt
import io
import threading
from collections.abc import Iterator

import anyio
import pytest
import requests

import fixieai
from fixieai import errors, testing
from fixieai.client import Agent, AsyncFixieClient
from fixieai.client.client import FixieClient


def echo(query: fixieai.Message) -> Iterator[str]:
    yield "You said"
    yield f"You said {query.text}."


@pytest.fixture(scope="module")
def running() -> Iterator[testing.Platform]:
    with testing.platform() as platform:
        platform.serve(fixieai.StandaloneAgent(echo, sample_queries=["Say hello"]), "echo")
        yield platform


@pytest.fixture
def user(running: testing.Platform) -> FixieClient:
    return FixieClient(running.api_key, api_url=running.url)


@pytest.fixture
def agent(user: FixieClient) -> Iterator[Agent]:
    made = user.create_agent("made", "Made", "For a test.", more_info_url="https://x.example")
    yield made
    if user.get_agent("made").valid:
        made.delete_agent()


@pytest.fixture(scope="module")
def company(running: testing.Platform) -> str:
    running.call("POST", "/api/organizations", {"handle": "acme", "name": "Acme"})
    return "acme"


def test_an_agent_is_created_with_what_is_said_of_it(user, agent):
    found = user.get_agent("made")
    assert (found.valid, found.owner, found.name) == (True, "local", "Made")
    assert (found.description, found.more_info_url) == ("For a test.", "https://x.example")
    assert (found.published, found.queries, found.status) == (False, [], "offline")
    assert isinstance(found.created, dt.datetime)
    assert found.created.tzinfo is not None
    assert "local/made" in user.get_agents()
    with pytest.raises(errors.Conflict, match="made"):
        user.create_agent("made")


def test_an_update_changes_what_is_given_and_nothing_else(user, agent):
    assert agent.update_agent(published=True, description="") == "local/made"
    found = user.get_agent("local/made")
    assert (found.published, found.description, found.name) == (True, "", "Made")
    assert agent.published is True


def test_after_a_renaming_both_names_lead_to_the_agent(user, agent):
    assert agent.update_agent(new_handle="remade") == "local/remade"
    assert (agent.handle, agent.name) == ("remade", "Made")
    assert user.get_agent("made").handle == "remade"
    agent.update_agent(new_handle="made")


def test_an_organisation_owns_agents_too(user, company):
    made = user.create_agent(f"{company}/robot", description="Of all of us.")
    assert (made.owner, made.agent_id, made.get_metadata()["agentId"]) == ("acme", "acme/robot", "acme/robot")
    made.update_agent(description="Ours.")
    assert user.get_agent("acme/robot").description == "Ours."
    assert not user.get_agent("robot").valid
    assert user.get_current_agent_revision("acme/robot") is None
    made.delete_agent()
    assert not user.get_agent("acme/robot").valid


def test_func_url_is_taken_with_a_warning(user):
    url = user.get_agent("echo").get_metadata()["url"]
    with pytest.warns(DeprecationWarning, match="func_url"):
        made = user.create_agent("old", func_url=url)
    assert made.func_url == url
    made.delete_agent()


def test_an_agent_may_be_made_before_it_is_served(user):
    made = user.create_agent("early", query_url="http://127.0.0.1:9", published=True)
    assert (made.query_url, made.published, made.status) == ("http://127.0.0.1:9", True, "unreachable")
    made.delete_agent()


def test_revisions_are_made_switched_listed_and_deleted(user):
    url = user.get_agent("echo").get_metadata()["url"]
    before = user.get_current_agent_revision("echo")
    first = user.create_agent_revision("echo", True, external_url=url, metadata={"why": "first"})
    second = user.create_agent_revision("echo", False, external_url=f"{url}/")
    assert user.get_current_agent_revision("local/echo") == first
    listed = {revision["id"]: revision for revision in user.get_agent_revisions("echo")}
    assert listed[first]["metadata"] == {"why": "first"}
    assert [one for one, revision in listed.items() if revision["isCurrent"]] == [first]
    user.set_current_agent_revision("echo", second)
    assert user.get_current_agent_revision("echo") == second
    assert user.get_agent_logs("echo") == []
    user.set_current_agent_revision("echo", before)
    for revision in (first, second):
        user.delete_agent_revision("echo", revision)
    assert [revision["id"] for revision in user.get_agent_revisions("echo")] == [before]
    assert user.create_session("echo").query("hi") == "You said hi."


def test_a_revision_that_does_not_answer_is_refused_and_the_former_one_stays(user):
    before = user.get_current_agent_revision("echo")
    with pytest.raises(errors.AgentUnavailable):
        user.create_agent_revision("echo", True, external_url="http://127.0.0.1:9")
    assert user.get_current_agent_revision("echo") == before


@pytest.mark.parametrize("agent_id", ["nobody/none", "none"])
def test_what_is_not_there_is_not_found(user, agent_id):
    assert user.get_current_agent_revision(agent_id) is None
    for attempt in (
        lambda: user.create_agent_revision(agent_id, True, external_url="http://127.0.0.1:9"),
        lambda: user.set_current_agent_revision(agent_id, "1"),
        lambda: user.delete_agent_revision(agent_id, "1"),
        lambda: list(user.get_agent_revisions(agent_id)),
        lambda: user.get_agent_logs(agent_id),
        lambda: user.get_agent(agent_id).update_agent(name="x"),
        lambda: user.get_agent(agent_id).delete_agent(),
        lambda: user.refresh_agent(agent_id),
    ):
        with pytest.raises(errors.NotFound):
            attempt()


def test_another_persons_agents_cannot_be_changed(running, user):
    guest = running.add_user("guest")
    theirs = FixieClient(guest.api_key, api_url=guest.url)
    assert theirs.get_current_username() == "guest"
    for attempt in (
        lambda: theirs.get_agent("local/echo").update_agent(name="x"),
        lambda: theirs.create_agent("local/mine"),
        lambda: theirs.delete_agent_revision("local/echo", user.get_current_agent_revision("echo")),
    ):
        with pytest.raises(errors.NotFound):
            attempt()
    assert user.get_agent("echo").name != "x"


def test_a_lease_that_ends_gives_back_what_was_current(user, agent):
    url = user.get_agent("echo").get_metadata()["url"]
    echo_agent = user.get_agent("echo")
    assert echo_agent.register(url, lease_seconds=60) is None
    user.renew_lease("echo", url, 60)
    with pytest.raises(errors.Conflict):
        user.renew_lease("echo", "http://127.0.0.1:9", 60)
    with pytest.raises(errors.NotFound):
        user.renew_lease("made", url, 60)
    echo_agent.register(url)


def test_a_conversation_can_be_read_in_pieces(user):
    session = user.create_session("echo")
    assert session.frontend_agent_id == "echo"
    told = list(session.run("one"))
    assert [(message["type"], message["text"]) for message in told] == [
        ("query", "one"),
        ("response", "You said one."),
    ]
    assert session.get_messages_since_last_time() == []
    assert session.add_message("two") == "two"
    assert [message["text"] for message in session.get_messages_since_last_time()] == ["two", "You said two."]
    other = session.clone()
    assert other.session_id == session.session_id
    assert len(other.get_messages_since_last_time()) == 4
    session.delete_session()
    with pytest.raises(errors.NotFound):
        user.get_session(session.session_id)


def test_a_file_is_attached_and_has_its_address(user):
    session = user.create_session("echo")
    made = session.add_embed("note", b"some text", "text/plain")
    assert (made["key"], made["embed"]["contentType"], made["embed"]["size"]) == ("note", "text/plain", 9)
    file = io.BytesIO(b"head, and the rest")
    file.seek(6)
    assert session.add_embed("rest", file, "text/plain")["embed"]["size"] == 12
    assert [embed["key"] for embed in session.get_embeds()] == ["note", "rest"]
    assert requests.get(session.get_embeds()[1]["embed"]["url"], timeout=30).text == "and the rest"
    with pytest.raises(errors.UnprocessableContent, match="key"):
        session.add_embed("not a key", b"", "text/plain")
    with pytest.raises(errors.UnsupportedContent, match="Content-Type"):
        session.add_embed("note2", b"", "text")
    with pytest.raises(errors.Conflict):
        session.add_embed("note", b"something else", "text/plain")


def test_a_query_is_cancelled(running, user):
    begun, may_end = threading.Event(), threading.Event()

    def stuck(query: fixieai.Message) -> str:
        begun.set()
        may_end.wait(30)
        return "too late"

    running.serve(fixieai.StandaloneAgent(stuck), "stuck")
    session = user.create_session("stuck")
    with pytest.raises(errors.NotFound, match="No query"):
        session.cancel_query()
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asking = pool.submit(lambda: list(session.clone().streaming_query("Go")))
            assert begun.wait(30)
            session.cancel_query()
            last = asking.result(30)[-1]
    finally:
        may_end.set()
    assert (last["final"], last["error"]["code"]) == (True, "cancelled")


def test_graphql_is_run_as_the_user(user):
    assert user.gqlclient.execute("{ user { username } }") == {"user": {"username": "local"}}
    with pytest.raises(errors.BadRequest, match="nonsense"):
        user.gqlclient.execute("{ nonsense }")


async def test_many_conversations_at_once_on_an_event_loop(running):
    answers = {}

    async def talk(client: AsyncFixieClient, text: str) -> None:
        session = await client.create_session("echo")
        lines = [line async for line in session.streaming_query(text)]
        answers[text] = [line["text"] for line in lines if line["final"]]

    async with AsyncFixieClient(running.api_key, api_url=running.url) as client:
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(talk, client, str(number))
        made = await client.create_agent("async", description="x")
        assert (await made.get_metadata())["description"] == "x"
        await made.delete_agent()
    assert answers == {str(number): [f"You said {number}."] for number in range(8)}
