"""People of a platform: added, kept apart, removed."""

import concurrent.futures
import pathlib
import threading

import pytest
import requests
from account_requests import PASSWORD, accept, bearer, post
from slow_agents import slow_agent

import fixieai
from fixieai import errors, testing
from fixieai.platform import serving
from fixieai.platform.app import open_platform
from fixieai.platform.auth import Caller
from fixieai.platform.settings import Settings
from fixieai.protocol.messages import Message
from fixieai.storage import users
from fixieai.storage.agents import AgentChanges


def test_who_is_added_uses_everything_under_their_own_name(own: testing.Platform) -> None:
    carol = own.add_user("carol")

    assert carol.call("GET", "/api/user")["username"] == "carol"
    assert carol.call("PUT", "/api/agents/carol/dice", {"url": None})["agentId"] == "carol/dice"
    session = carol.call("POST", "/api/sessions", {"frontendAgentId": "dice"})
    assert session["frontendAgentId"] == "carol/dice"


def test_what_is_one_persons_is_for_nobody_else(
    own: testing.Platform, ann: testing.Platform, bob: testing.Platform
) -> None:
    """Not even for an administrator: they see who there is and which keys, not what is said."""
    ann.call("PUT", "/api/agents/ann/secret", {"url": None})
    handle = ann.call("POST", "/api/sessions")["handle"]

    for other in (bob, own):
        for path in ("/api/agents/ann/secret", f"/api/sessions/{handle}", f"/api/sessions/{handle}/messages"):
            with pytest.raises(requests.HTTPError, match="404"):
                other.call("GET", path)
        with pytest.raises(requests.HTTPError, match="404"):
            other.call("PUT", "/api/agents/ann/secret", {"description": "mine now"})
        assert other.call("GET", "/api/sessions")["sessions"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/users"),
        ("POST", "/api/users"),
        ("DELETE", "/api/users/bob"),
        ("DELETE", "/api/users/nobody"),
        ("POST", "/api/users/bob/invitation"),
        ("POST", "/api/users/ann/invitation"),
        ("DELETE", "/api/keys/x"),
        ("POST", "/api/signing-keys"),
    ],
)
def test_only_administrators_administrate(
    ann: testing.Platform, bob: testing.Platform, method: str, path: str
) -> None:
    answer = requests.request(
        method, ann.url + path, json={"username": "eve"}, headers=bearer(ann.api_key), timeout=60
    )

    assert answer.status_code == 403
    assert "administrator" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "name", ["", "Ann", "-ann", "a b", "ann/x", "é", "a" * 40, "none", "user", "..", None]
)
def test_names_that_cannot_be_are_refused(own: testing.Platform, name: object) -> None:
    assert post(own, "/api/users", {"username": name}, own.api_key).status_code == 422


def test_a_name_is_given_once(own: testing.Platform, ann: testing.Platform) -> None:
    assert post(own, "/api/users", {"username": "ann"}, own.api_key).status_code == 409


def test_an_agent_acts_for_who_asks(own: testing.Platform, ann: testing.Platform) -> None:
    rob = own.add_user("rob")
    agent = fixieai.CodeShotAgent(
        "I count.", "Q: Count\nAsk Func[count]: one more\nFunc[count] says: 1\nA: That was number 1."
    )

    @agent.register_func
    def count(query: fixieai.Message, user_storage: fixieai.UserStorage) -> str:
        user_storage["count"] = user_storage.get("count", 0) + 1
        return str(user_storage["count"])

    ann.serve(agent, "counter")
    agent_url = "/api/agents/ann/counter"
    question = {"message": {"text": "Count"}}

    def answers(platform: testing.Platform) -> str:
        return str(platform.call("POST", agent_url, question)["message"]["text"])

    with pytest.raises(requests.HTTPError, match="404"):
        answers(rob)
    ann.call("PATCH", agent_url, {"published": True})
    assert [answers(each) for each in (ann, ann, rob, own, rob, ann)] == [
        f"That was number {number}." for number in (1, 2, 1, 1, 2, 3)
    ]
    own.call("DELETE", "/api/users/rob")
    assert answers(ann) == "That was number 4."


def test_who_is_removed_is_gone_with_all_that_was_theirs(
    own: testing.Platform, ann: testing.Platform
) -> None:
    hal = own.add_user("hal")
    hal.call("PUT", "/api/agents/hal/dice", {"url": None})
    handle = hal.call("POST", "/api/sessions")["handle"]
    page = accept(own, own.call("POST", "/api/users/hal/invitation")["invitation"]["url"]).json()["key"]

    own.call("DELETE", "/api/users/hal")

    for key in (hal.api_key, page):
        assert requests.get(own.url + "/api/user", headers=bearer(key), timeout=60).status_code == 403
    assert post(own, "/api/sign-in", {"username": "hal", "password": PASSWORD}).status_code == 403
    assert "hal" not in [user["username"] for user in own.call("GET", "/api/users")["users"]]
    assert post(own, "/api/users", {"username": "hal"}, own.api_key).status_code == 409
    with pytest.raises(requests.HTTPError, match="404"):
        own.call("DELETE", "/api/users/hal")
    with pytest.raises(requests.HTTPError, match="404"):
        ann.call("GET", f"/api/sessions/{handle}")


def test_nobody_removes_themselves_or_the_local_user(own: testing.Platform) -> None:
    own.call("POST", "/api/users", {"username": "ivy", "administrator": True})
    key = own.call("POST", "/api/users/ivy/keys", {"name": "k"})["key"]

    for name in ("ivy", "local"):
        answer = requests.delete(f"{own.url}/api/users/{name}", headers=bearer(key), timeout=60)
        assert answer.status_code == 409
    assert (
        requests.delete(f"{own.url}/api/users/ivy", headers=bearer(own.api_key), timeout=60).status_code
        == 204
    )


def test_who_is_removed_in_the_middle_of_an_answer(own: testing.Platform) -> None:
    otto = own.add_user("otto")
    asked, goes_on = threading.Event(), threading.Event()

    def answer(query: fixieai.Message) -> str:
        asked.set()
        assert goes_on.wait(60)
        return "too late"

    otto.serve(fixieai.StandaloneAgent(answer), "slow")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        question = {"message": {"text": "Hello?"}}
        asking = pool.submit(post, own, "/api/agents/otto/slow", question, otto.api_key)
        assert asked.wait(60)
        own.call("DELETE", "/api/users/otto")
        goes_on.set()
        ended = asking.result()

    assert ended.status_code < 500 or ended.json()["error"]["code"] != "internal_error"
    assert requests.get(f"{own.url}/api/user", headers=bearer(otto.api_key), timeout=60).status_code == 403
    assert own.call("GET", "/healthz")["status"] == "ok"


_CREATE = """mutation ($url: String!) {
    createAgent(agentData: {handle: "late", description: "", funcUrl: $url, published: true}) {
        agent { agentId }
    }
}"""


@pytest.mark.parametrize("way", ["graphql", "rest"])
def test_nothing_comes_to_be_of_who_is_removed_meanwhile(
    own: testing.Platform, ann: testing.Platform, way: str
) -> None:
    name = f"quinn-{way}"
    quinn = own.add_user(name)
    with slow_agent() as agent, concurrent.futures.ThreadPoolExecutor(1) as pool:
        if way == "graphql":
            body = {"query": _CREATE, "variables": {"url": agent.url}}
            creating = pool.submit(post, own, "/graphql", body, quinn.api_key)
        else:
            path, headers = f"{own.url}/api/agents/{name}/late", bearer(quinn.api_key)
            creating = pool.submit(requests.put, path, json={"url": agent.url}, headers=headers, timeout=60)
        assert agent.asked.wait(60)
        own.call("DELETE", f"/api/users/{name}")
        agent.goes_on.set()
        answer = creating.result()

    assert "not_found" in answer.text
    assert f"{name}/late" not in str(ann.call("GET", "/api/agents"))


async def test_somebody_who_was_removed_begins_nothing(tmp_path: pathlib.Path) -> None:
    """Other platforms of the database may take them for somebody for some seconds."""
    async with open_platform(Settings(home=tmp_path)) as platform:
        await platform.auth.create_api_key("ann", "laptop")
        user = await platform.database.read(users.by_username, "ann")
        local = await platform.auth.authenticate(serving.local_key(tmp_path))
        assert user is not None
        ann = Caller(user.id, "ann")
        await platform.accounts.remove(local, "ann")

        run = await platform.sessions.ask(ann, "None", None, Message("Hello?"))
        for beginning in (
            platform.sessions.create(ann, None),
            platform.organizations.create(ann, "hers", None),
            platform.registry.register(ann, "ann/late", AgentChanges()),
            run.begun(),
        ):
            with pytest.raises(errors.FixieError) as refused:
                await beginning
            assert refused.value.status in (404, 409)
        assert await platform.sessions.page(ann, None, 10) == []


def test_an_organisation_outlives_its_owner_while_it_has_members(
    own: testing.Platform, ann: testing.Platform
) -> None:
    pam = own.add_user("pam")
    for name in ("shared", "alone"):
        pam.call("POST", "/api/organizations", {"handle": name})
        pam.call("PUT", f"/api/agents/{name}/dice", {"url": None})
    pam.call("PUT", "/api/organizations/shared/members/ann", {"role": "member"})

    own.call("DELETE", "/api/users/pam")

    assert ann.call("GET", "/api/agents/shared/dice")["agentId"] == "shared/dice"
    members = ann.call("GET", "/api/organizations/shared")["members"]
    assert [(member["username"], member["role"]) for member in members] == [("ann", "owner")]
    assert post(own, "/api/organizations", {"handle": "alone"}, ann.api_key).status_code == 409
    assert "alone/dice" not in str(ann.call("GET", "/api/agents"))
