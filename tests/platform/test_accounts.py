"""People of a platform: added, invited, given keys, kept apart, removed."""

import concurrent.futures
import dataclasses
import pathlib
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator

import jwt
import pytest
import requests

import fixieai
from fixieai import errors, testing
from fixieai.platform import authorizations, serving
from fixieai.platform.agent_calls.fixie import AgentAddress, AgentCaller
from fixieai.platform.app import open_platform
from fixieai.platform.auth import FRESH_SECONDS, Caller
from fixieai.platform.settings import Settings, from_environment
from fixieai.storage import users
from fixieai.web import egress

PASSWORD = "correct horse battery"


def bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def post(platform: testing.Platform, path: str, body: object, key: str | None = None) -> requests.Response:
    return requests.post(platform.url + path, json=body, headers=bearer(key), timeout=30)


def accept(platform: testing.Platform, url: str, password: str = PASSWORD) -> requests.Response:
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(url).fragment)["code"][0]
    return post(platform, "/api/invitations", {"code": code, "password": password})


@pytest.fixture(scope="module")
def own() -> Iterator[testing.Platform]:
    """A platform whose people are those of these tests."""
    with testing.platform() as running:
        yield running


@pytest.fixture(scope="module")
def ann(own: testing.Platform) -> testing.Platform:
    return own.add_user("ann")


@pytest.fixture(scope="module")
def bob(own: testing.Platform) -> testing.Platform:
    return own.add_user("bob")


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
        method, ann.url + path, json={"username": "eve"}, headers=bearer(ann.api_key), timeout=30
    )

    assert answer.status_code == 403
    assert "administrator" in answer.json()["error"]["message"]


def test_the_keys_of_others_are_as_those_of_nobody(ann: testing.Platform, bob: testing.Platform) -> None:
    key_id = bob.call("GET", "/api/users/bob/keys")["keys"][0]["id"]

    def answers(username: str) -> list[tuple[int, str]]:
        path = f"{ann.url}/api/users/{username}/keys"
        made = [
            requests.get(path, headers=bearer(ann.api_key), timeout=30),
            requests.post(path, json={"name": "mine"}, headers=bearer(ann.api_key), timeout=30),
            requests.delete(f"{path}/{key_id}", headers=bearer(ann.api_key), timeout=30),
        ]
        return [(a.status_code, a.json()["error"]["message"].replace(username, "NAME")) for a in made]

    assert answers("bob") == answers("nobody")
    assert {status for status, _ in answers("bob")} == {404}
    assert (
        requests.delete(
            f"{ann.url}/api/users/ann/keys/{key_id}", headers=bearer(ann.api_key), timeout=30
        ).status_code
        == 404
    )
    assert bob.call("GET", "/api/user")["username"] == "bob"


def test_a_key_is_named_listed_shown_once_and_revoked_at_once(ann: testing.Platform) -> None:
    made = ann.call("POST", "/api/users/ann/keys", {"name": " my laptop "})

    listed = ann.call("GET", "/api/users/ann/keys")["keys"]
    assert listed[0] == {name: made[name] for name in ("id", "name", "created", "expires")}
    assert (listed[0]["name"], listed[0]["expires"]) == ("my laptop", None)
    assert made["key"] not in str(listed)
    with_it = testing.Platform(ann.url, made["key"], None, "ann")  # type: ignore[arg-type]
    assert with_it.call("GET", "/api/user")["username"] == "ann"
    ann.call("DELETE", f"/api/users/ann/keys/{made['id']}")
    with pytest.raises(requests.HTTPError, match="403"):
        with_it.call("GET", "/api/user")
    assert made["id"] not in str(ann.call("GET", "/api/users/ann/keys"))


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb", None, 7])
def test_a_key_has_a_name(ann: testing.Platform, name: object) -> None:
    assert post(ann, "/api/users/ann/keys", {"name": name}, ann.api_key).status_code == 422


@pytest.mark.parametrize(
    "name", ["", "Ann", "-ann", "a b", "ann/x", "é", "a" * 40, "none", "user", "..", None]
)
def test_names_that_cannot_be_are_refused(own: testing.Platform, name: object) -> None:
    assert post(own, "/api/users", {"username": name}, own.api_key).status_code == 422


def test_a_name_is_given_once(own: testing.Platform, ann: testing.Platform) -> None:
    assert post(own, "/api/users", {"username": "ann"}, own.api_key).status_code == 409


def test_an_invitation_sets_a_password_once_and_the_password_signs_in(own: testing.Platform) -> None:
    added = own.call("POST", "/api/users", {"username": "dora", "email": "dora@example.com"})
    url = added["invitation"]["url"]
    assert url.startswith(f"{own.url}/welcome#user=dora&code=")
    assert not added["hasPassword"]
    assert post(own, "/api/sign-in", {"username": "dora", "password": PASSWORD}).status_code == 403
    assert accept(own, url, "short").status_code == 422

    welcomed = accept(own, url)
    assert welcomed.status_code == 201
    assert accept(own, url).status_code == 403
    signed_in = post(own, "/api/sign-in", {"username": "dora", "password": PASSWORD})
    assert (signed_in.status_code, signed_in.headers["Cache-Control"]) == (201, "no-store")
    for answer in (welcomed, signed_in):
        page = testing.Platform(own.url, answer.json()["key"], None)  # type: ignore[arg-type]
        user = page.call("GET", "/api/user")
        assert (user["username"], user["hasPassword"], user["invitedUntil"]) == ("dora", True, None)
    assert own.call("GET", "/api/sign-in") == {"passwords": True}


def test_a_new_invitation_ends_the_one_before_and_a_new_password_all_pages(own: testing.Platform) -> None:
    first = own.call("POST", "/api/users", {"username": "eric"})["invitation"]["url"]
    second = own.call("POST", "/api/users/eric/invitation")["invitation"]["url"]
    assert accept(own, first).status_code == 403
    page = accept(own, second).json()["key"]

    third = own.call("POST", "/api/users/eric/invitation")["invitation"]["url"]
    assert accept(own, third, "another good password").status_code == 201

    assert requests.get(own.url + "/api/user", headers=bearer(page), timeout=30).status_code == 403
    assert post(own, "/api/sign-in", {"username": "eric", "password": PASSWORD}).status_code == 403


def test_a_password_is_changed_by_who_knows_it(own: testing.Platform) -> None:
    url = own.call("POST", "/api/users", {"username": "fay"})["invitation"]["url"]
    page = accept(own, url).json()["key"]

    def change(current: str, new: str) -> requests.Response:
        body = {"current": current, "new": new}
        return requests.put(own.url + "/api/password", json=body, headers=bearer(page), timeout=30)

    assert change("something else", "another good password").status_code == 403
    assert change(PASSWORD, "aaaaaaaaaaaa").status_code == 422
    changed = change(PASSWORD, "another good password")
    assert changed.status_code == 201
    assert requests.get(own.url + "/api/user", headers=bearer(page), timeout=30).status_code == 403
    assert requests.get(own.url + "/api/user", headers=bearer(changed.json()["key"]), timeout=30).ok


def test_signing_out_ends_the_page_and_no_api_key(own: testing.Platform, ann: testing.Platform) -> None:
    url = own.call("POST", "/api/users", {"username": "gil"})["invitation"]["url"]
    page = accept(own, url).json()["key"]

    assert post(own, "/api/sign-out", None, page).status_code == 204
    assert requests.get(own.url + "/api/user", headers=bearer(page), timeout=30).status_code == 403

    code = ann.call("POST", "/api/browser-codes")["code"]
    linked = post(own, "/api/browser-keys", {"code": code}).json()["key"]
    for key in (linked, ann.api_key):
        assert post(own, "/api/sign-out", None, key).status_code == 204
    assert ann.call("GET", "/api/user")["username"] == "ann"


def test_guessing_gets_slow_whether_there_is_such_a_person_or_not(own: testing.Platform) -> None:
    def tries(username: str) -> list[int]:
        body = {"username": username, "password": "a wrong password"}
        return [post(own, "/api/sign-in", body).status_code for _ in range(7)]

    for name in ("bob", "nobody-at-all"):
        assert tries(name) == [403] * 5 + [429] * 2
    refused = post(own, "/api/sign-in", {"username": "bob", "password": "x"})
    assert int(refused.headers["Retry-After"]) >= 1


def test_who_is_removed_is_gone_with_all_that_was_theirs(
    own: testing.Platform, ann: testing.Platform
) -> None:
    hal = own.add_user("hal")
    hal.call("PUT", "/api/agents/hal/dice", {"url": None})
    handle = hal.call("POST", "/api/sessions")["handle"]
    page = accept(own, own.call("POST", "/api/users/hal/invitation")["invitation"]["url"]).json()["key"]

    own.call("DELETE", "/api/users/hal")

    for key in (hal.api_key, page):
        assert requests.get(own.url + "/api/user", headers=bearer(key), timeout=30).status_code == 403
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
        answer = requests.delete(f"{own.url}/api/users/{name}", headers=bearer(key), timeout=30)
        assert answer.status_code == 409
    assert (
        requests.delete(f"{own.url}/api/users/ivy", headers=bearer(own.api_key), timeout=30).status_code
        == 204
    )


def test_a_page_gives_out_keys_that_last_only_while_it_is_fresh() -> None:
    now = int(time.time())
    fresh, old = Caller(1, "ann", signed_in=now), Caller(1, "ann", signed_in=now - FRESH_SECONDS - 1)
    fresh.must_be_fresh()
    Caller(1, "ann", key_id="lasting").must_be_fresh()
    for caller in (old, Caller(1, "ann")):
        with pytest.raises(errors.SignInAgain):
            caller.must_be_fresh()


async def test_an_old_page_is_told_to_sign_in_again_before_it_gets_a_key(tmp_path: pathlib.Path) -> None:
    async with open_platform(Settings(home=tmp_path / "home")) as platform:
        await platform.auth.create_api_key("ann", "laptop")
        caller = Caller(0, "ann", signed_in=1)
        with pytest.raises(errors.SignInAgain):
            await platform.accounts.create_key(caller, "ann", "for ever")


async def test_the_key_of_this_machine_that_is_revoked_is_followed_by_another(tmp_path: pathlib.Path) -> None:
    home = tmp_path / "home"
    async with open_platform(Settings(home=home)) as platform:
        before = (home / "api_key").read_text("utf-8")
        caller = await platform.auth.authenticate(before)
        assert caller.key_id is not None
        assert caller.is_administrator
        await platform.accounts.revoke_any_key(caller, caller.key_id)
        after = (home / "api_key").read_text("utf-8")
        with pytest.raises(errors.InvalidCredential):
            await platform.auth.authenticate(before)
        assert (await platform.auth.authenticate(after)).username == "local"


async def test_a_query_token_of_a_removed_person_is_worth_nothing(tmp_path: pathlib.Path) -> None:
    async with open_platform(Settings(home=tmp_path / "home")) as platform:
        await platform.auth.create_api_key("ann", "laptop")
        token = platform.auth.query_token("ann", "local/dice", "session")
        caller = await platform.auth.authenticate_query(token)
        local = await platform.database.read(users.by_username, "local")
        assert local is not None
        await platform.accounts.remove(Caller(local.id, "local", is_administrator=True), "ann")
        with pytest.raises(errors.InvalidCredential):
            await platform.auth.authenticate_query(token)
        assert await platform.database.read(users.by_id, caller.user.user_id) is None


async def test_others_reach_only_a_platform_with_users(tmp_path: pathlib.Path) -> None:
    environment = {"FIXIE_PUBLIC_URL": "https://Fixie.example.com:443/"}
    with pytest.raises(errors.ConfigurationError, match="FIXIE_PUBLIC_URL"):
        from_environment({}, tmp_path, host="0.0.0.0")
    chosen = from_environment(environment, tmp_path, host="0.0.0.0")
    assert chosen.url == "https://fixie.example.com"
    with pytest.raises(errors.ConfigurationError, match="users add"):
        async with open_platform(chosen):
            pass
    async with open_platform(Settings(home=tmp_path)) as platform:
        await platform.auth.create_api_key("ann", "laptop")
    async with open_platform(chosen) as platform:
        assert (await platform.database.read(users.by_username, "ann")) is not None


@pytest.mark.parametrize(
    "url", ["fixie.example.com", "ftp://x", "https://x/path", "https://u:p@x", "https://x?y", "https://"]
)
def test_a_public_url_is_a_scheme_and_a_host(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="FIXIE_PUBLIC_URL"):
        from_environment({"FIXIE_PUBLIC_URL": url})


def test_a_token_names_no_administrator(own: testing.Platform, ann: testing.Platform) -> None:
    """What somebody may do is looked up, and never read from what they send."""
    claims = jwt.decode(ann.api_key, options={"verify_signature": False})
    assert set(claims) == {"sub", "aud", "jti", "iat"}


def test_others_reach_it_by_its_public_name_and_by_no_other(tmp_path: pathlib.Path) -> None:
    chosen = Settings(home=tmp_path, port=0, public_url="https://fixie.example.com")
    with serving.background(chosen) as running:
        key = serving.local_key(tmp_path)

        def status(host: str, origin: str | None = None) -> int:
            headers = bearer(key) | {"Host": host} | ({} if origin is None else {"Origin": origin})
            return requests.get(running.url + "/api/user", headers=headers, timeout=30).status_code

        own = running.url.removeprefix("http://")
        assert [status(own), status("fixie.example.com"), status("Fixie.Example.com:443")] == [200] * 3
        assert status("fixie.example.com", "https://fixie.example.com") == 200
        assert status("fixie.example.com", "http://fixie.example.com") == 403
        assert status("fixie.example.com", "https://evil.example.com") == 403
        assert status("evil.example.com") == 421
        added = requests.post(
            running.url + "/api/users", json={"username": "ann"}, headers=bearer(key), timeout=30
        )
        assert added.json()["invitation"]["url"].startswith("https://fixie.example.com/welcome#")


def test_an_agent_acts_for_who_asks(
    own: testing.Platform, ann: testing.Platform, bob: testing.Platform
) -> None:
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
        answers(bob)
    ann.call("PATCH", agent_url, {"published": True})
    assert [answers(each) for each in (ann, ann, bob, own, bob, ann)] == [
        f"That was number {number}." for number in (1, 2, 1, 1, 2, 3)
    ]
    own.call("DELETE", "/api/users/bob")
    assert answers(ann) == "That was number 4."


def test_where_others_come_in_no_agent_is_an_address_of_this_machine(tmp_path: pathlib.Path) -> None:
    """Whoever names one would have the platform ask what only this machine can reach."""
    with testing.platform() as local:
        own = local.url
        for may, expected in ((False, 403), (True, 200)):
            home = tmp_path / str(may)
            chosen = Settings(
                home=home, port=0, public_url="https://fixie.example.com", may_reach_private_agents=may
            )
            with serving.background(chosen) as running:
                answer = requests.put(
                    running.url + "/api/agents/local/inside",
                    json={"url": f"{own}/healthz"},
                    headers=bearer(serving.local_key(home)),
                    timeout=30,
                )
                assert answer.status_code == expected, answer.text


async def test_agents_that_run_here_are_reached_here() -> None:
    with testing.platform() as local:
        strict, open_to_here = egress.EgressPolicy(), egress.EgressPolicy(allow_loopback=True)
        caller = AgentCaller(egress.build_session(strict), egress.build_session(open_to_here))
        address = AgentAddress("ann/x", f"{local.url}/healthz", "token", 5)
        with pytest.raises(errors.Forbidden):
            await caller.handshake(address)
        assert await caller.handshake(dataclasses.replace(address, is_hosted=True)) is None
        await caller.close()


def at_once(function: Callable[[], requests.Response]) -> list[int]:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return sorted(future.result().status_code for future in [pool.submit(function) for _ in range(8)])


def test_what_works_once_works_once_when_tried_at_once(own: testing.Platform) -> None:
    url = own.call("POST", "/api/users", {"username": "max"})["invitation"]["url"]
    assert at_once(lambda: accept(own, url)) == [201] + [403] * 7

    query = urllib.parse.urlencode(
        {"client_id": authorizations.CLIENT_ID, "redirect_uri": "http://localhost:5", "response_type": "code"}
    )
    code = own.call("POST", f"/api/authorizations?{query}")["goTo"].partition("code=")[2]
    form = {
        "grant_type": "authorization_code",
        "client_id": authorizations.CLIENT_ID,
        "redirect_uri": "http://localhost:5",
        "code": code,
    }
    exchange = f"{own.url}/access/token"
    assert at_once(lambda: requests.post(exchange, data=form, timeout=30)) == [200] + [400] * 7

    body = {"username": "ned"}
    assert at_once(lambda: post(own, "/api/users", body, own.api_key)) == [201] + [409] * 7


def test_who_is_removed_in_the_middle_of_an_answer(own: testing.Platform) -> None:
    otto = own.add_user("otto")
    asked, goes_on = threading.Event(), threading.Event()

    def answer(query: fixieai.Message) -> str:
        asked.set()
        assert goes_on.wait(30)
        return "too late"

    otto.serve(fixieai.StandaloneAgent(answer), "slow")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        question = {"message": {"text": "Hello?"}}
        asking = pool.submit(post, own, "/api/agents/otto/slow", question, otto.api_key)
        assert asked.wait(30)
        own.call("DELETE", "/api/users/otto")
        goes_on.set()
        ended = asking.result()

    assert ended.status_code < 500 or ended.json()["error"]["code"] != "internal_error"
    assert requests.get(f"{own.url}/api/user", headers=bearer(otto.api_key), timeout=30).status_code == 403
    assert own.call("GET", "/healthz")["status"] == "ok"


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
