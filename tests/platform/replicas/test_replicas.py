"""Whatever a person does works on either of two platforms, in turn."""

import base64
import contextlib
import hashlib
import io
import json
import pathlib
import tarfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import requests
from small_agents import make_greeter

import fixieai
from fixieai import testing

_UPLOAD = """mutation ($agentHandle: String!, $managed: ManagedDeploymentInput) {
  createAgentRevision(agentHandle: $agentHandle, makeCurrent: true,
    revision: {metadata: [], managedDeployment: $managed}) { revision { id } } }"""
_PROGRAM = """
import os, fixieai
def say(query: fixieai.Message) -> str:
    return f"{word} {os.getpid()}"
agent = fixieai.StandaloneAgent(say, sample_queries=["Say"])
"""
_PASSWORD = "correct horse battery staple"


def make_counter() -> fixieai.StandaloneAgent:
    """Keeps in its storage how often it was asked."""

    def count(query: fixieai.Message, user_storage: fixieai.UserStorage) -> str:
        user_storage["visits"] = user_storage.get("visits", 0) + 1
        return str(user_storage["visits"])

    return fixieai.StandaloneAgent(count)


@pytest.fixture
def people(replicas) -> Iterator[list[testing.Platform]]:
    """The local user, at each platform with the key of its home."""
    with contextlib.ExitStack() as stack:
        yield [testing.Platform(replica.url, replica.key, stack) for replica in replicas]


def eventually(look: Callable[[], Any], seconds: float = 60) -> Any:
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until
        time.sleep(0.1)
    return found


def test_an_agent_and_a_session_are_the_same_on_both(people) -> None:
    one, two = people
    one.serve(make_greeter(), "greeter")
    two.serve(make_counter(), "counter")

    first = two.ask("greeter", "Hi")
    again = one.ask("greeter", "Hi", session=first.session)
    counts = [person.ask("counter", "?").text for person in (one, two, one)]

    assert first.text == again.text == "Hello!"
    assert counts == ["1", "2", "3"]
    for person in people:
        path = f"/api/sessions/{first.session}/messages"
        assert len(person.call("GET", path)["messages"]) == 8
        assert first.session in {s["handle"] for s in person.call("GET", "/api/sessions")["sessions"]}
    one.call("DELETE", f"/api/sessions/{first.session}")
    with pytest.raises(requests.HTTPError, match="404"):
        two.call("GET", f"/api/sessions/{first.session}")


def test_an_invitation_a_password_and_a_page_of_one_are_good_at_the_other(replicas) -> None:
    one, two = replicas
    added = one.ok("POST", "/api/users", {"username": "ann"})
    fragment = urllib.parse.urlsplit(added["invitation"]["url"]).fragment
    code = urllib.parse.parse_qs(fragment)["code"][0]

    page = two.ok("POST", "/api/invitations", {"code": code, "password": _PASSWORD}, key="")["key"]
    assert one.ok("GET", "/api/user", key=page)["username"] == "ann"
    assert (
        one.call("POST", "/api/invitations", {"code": code, "password": _PASSWORD}, key="").status_code == 403
    )
    sign_in = {"username": "ann", "password": _PASSWORD}
    again = one.ok("POST", "/api/sign-in", sign_in, key="")["key"]
    assert two.ok("GET", "/api/user", key=again)["username"] == "ann"
    two.ok("POST", "/api/sign-out", key=again)
    eventually(lambda: one.call("GET", "/api/user", key=again).status_code == 403)


def test_who_guesses_passwords_is_slowed_down_at_both(replicas) -> None:
    guesses = [
        replicas[turn % 2].call("POST", "/api/sign-in", {"username": "nobody", "password": "?"}, key="")
        for turn in range(9)
    ]
    statuses = [guess.status_code for guess in guesses]
    assert statuses[:5] == [403] * 5
    assert 429 in statuses[5:]  # on a slow machine the first pauses may be over before the next guess


def test_a_link_to_the_page_works_once_at_either(replicas) -> None:
    one, two = replicas
    code = one.ok("POST", "/api/browser-codes")["code"]
    page = two.ok("POST", "/api/browser-keys", {"code": code}, key="")["key"]
    assert one.ok("GET", "/api/user", key=page)["username"] == "local"
    assert one.call("POST", "/api/browser-keys", {"code": code}, key="").status_code == 403


def test_a_key_that_is_revoked_at_one_ends_at_the_other_within_seconds(replicas) -> None:
    one, two = replicas
    made = one.ok("POST", "/api/users/local/keys", {"name": "k"})
    assert two.ok("GET", "/api/user", key=made["key"])["username"] == "local"
    one.ok("DELETE", f"/api/keys/{made['id']}")
    eventually(lambda: two.call("GET", "/api/user", key=made["key"]).status_code == 403)


def test_a_new_signing_key_is_published_by_both_and_signs_when_all_agents_know_it(replicas) -> None:
    one, two = replicas

    def kids(replica: Any) -> set[str]:
        published = requests.get(f"{replica.url}/.well-known/jwks.json", timeout=60).json()
        return {key["kid"] for key in published["keys"]}

    assert kids(one) == kids(two)
    made = one.ok("POST", "/api/signing-keys")
    eventually(lambda: made["kid"] in kids(two) and kids(one) == kids(two))
    made_now = two.ok("POST", "/api/users/local/keys", {"name": "k"})["key"]
    assert jwt.get_unverified_header(made_now)["kid"] != made["kid"]


def test_the_key_of_a_home_that_was_revoked_elsewhere_is_replaced(replicas) -> None:
    one, two = replicas
    former = one.key
    key_id = jwt.decode(former, options={"verify_signature": False})["jti"]
    two.ok("DELETE", f"/api/keys/{key_id}")
    eventually(lambda: one.key != former)
    assert one.ok("GET", "/api/user", key=one.key)["username"] == "local"


def test_an_attachment_is_stored_at_one_and_fetched_at_the_other(replicas, people) -> None:
    one, two = replicas
    people[0].serve(fixieai.StandaloneAgent(lambda query: "seen"), "reader")
    content = b"a small report"
    uri = f"data:text/plain;base64,{base64.b64encode(content).decode()}"
    message = {"text": "Read #report", "embeds": {"report": {"content_type": "text/plain", "uri": uri}}}
    asked = one.ok("POST", "/api/agents/reader", {"message": message})
    found = two.ok("GET", f"/api/sessions/{asked['session']}/embeds")["embeds"]
    address = urllib.parse.urlsplit(found[0]["embed"]["url"])

    for replica in replicas:
        assert requests.get(f"{replica.url}{address.path}", timeout=60).content == content

    folder = two.home.parent / "blobs" / "embeds"
    name = hashlib.sha256(content).hexdigest()
    assert (folder / name[:2] / name[2:]).exists()
    two.ok("DELETE", f"/api/sessions/{asked['session']}")
    eventually(lambda: not (folder / name[:2] / name[2:]).exists())


def _package(program: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        files = {"agent/agent.yaml": "handle: any\n", "agent/main.py": program}
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def _deploy(replica: Any, agent: str, word: str, program: str = _PROGRAM) -> str:
    """The id of the new revision, which is current."""
    managed = {"environment": "PYTHON", "codePackage": None}
    operations = {"query": _UPLOAD, "variables": {"agentHandle": agent, "managed": managed}}
    fields = {
        "operations": json.dumps(operations),
        "map": json.dumps({"0": ["variables.managed.codePackage"]}),
    }
    response = requests.post(
        f"{replica.url}/graphql",
        data=fields,
        files={"0": ("upload.tar.gz", _package(program.replace("{word}", word)), "application/gzip")},
        headers={"Authorization": f"Bearer {replica.key}"},
        timeout=60,
    )
    answer = response.json()
    assert "errors" not in answer, (answer, replica.log())
    return str(answer["data"]["createAgentRevision"]["revision"]["id"])


def _processes(replica: Any, revision_id: str) -> int:
    """How many programs of a revision run for a platform."""
    marker = f"{replica.home}/deployments/revisions/{revision_id}-"
    found = 0
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found += str((entry / "cwd").readlink()).startswith(marker)
    return found


def test_what_is_deployed_at_one_runs_at_both_and_a_switch_reaches_both(replicas, people) -> None:
    one, two = replicas
    one.ok("PUT", "/api/agents/local/teller", {})
    first = _deploy(one, "local/teller", "first")

    said = [person.ask("teller", "Say").text.split() for person in people]
    assert [word for word, _ in said] == ["first", "first"]
    assert said[0][1] != said[1][1]  # a process of each platform's own

    second = _deploy(two, "local/teller", "second")
    assert {person.ask("teller", "Say").text.split()[0] for person in people} == {"second"}
    eventually(lambda: not _processes(one, first) and not _processes(two, first))

    one.ok("PUT", f"/api/agents/local/teller/revisions/{first}/current")  # and back
    for _ in range(3):
        assert {person.ask("teller", "Say").text.split()[0] for person in people} == {"first"}
        time.sleep(1)
    eventually(lambda: not _processes(one, second) and not _processes(two, second))
    assert _processes(two, first) >= 1

    two.ok("DELETE", "/api/agents/local/teller")
    eventually(lambda: not _processes(one, first) and not _processes(two, first))


def test_a_lease_that_was_given_at_a_platform_that_died_ends_all_the_same(mortal_replicas) -> None:
    one, two = mortal_replicas
    with contextlib.ExitStack() as stack:
        helper = testing.Platform(one.url, one.key, stack)
        helper.serve(make_counter(), "counter")
        url = one.ok("GET", "/api/agents/local/counter")["url"]
        one.ok("PUT", "/api/agents/local/counter", {"url": url, "leaseSeconds": 15})
    one.close(9)
    eventually(lambda: two.ok("GET", "/api/agents/local/counter")["url"] != url)


def test_a_deployment_whose_platform_was_killed_is_finished_by_the_other(mortal_replicas) -> None:
    one, two = mortal_replicas
    one.ok("PUT", "/api/agents/local/teller", {})
    gate = one.home / "gate"
    slow = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)\n" + _PROGRAM

    def deploy() -> None:
        with contextlib.suppress(requests.RequestException, AssertionError):
            _deploy(one, "local/teller", "late", slow)

    deploying = threading.Thread(target=deploy)
    deploying.start()
    path = "/api/agents/local/teller/revisions"
    (pending,) = eventually(lambda: two.ok("GET", path)["revisions"])
    assert pending["status"] == "pending"
    one.close(9)
    deploying.join()
    gate.touch()

    def status() -> str:
        return str(two.ok("GET", path)["revisions"][0]["status"])

    eventually(lambda: status() != "pending")
    assert status() == "ready", two.ok("GET", path)
    two.ok("PUT", f"{path}/{pending['id']}/current")
    with contextlib.ExitStack() as stack:
        person = testing.Platform(two.url, two.key, stack)
        assert person.ask("teller", "Say").text.split()[0] == "late"
