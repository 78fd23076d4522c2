"""Uploaded code as revisions: current when it is ready and not before; a failure changes nothing."""

import io
import json
import pathlib
import tarfile
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from fixieai.platform import serving
from fixieai.platform.settings import Settings

UPLOAD = """mutation ($agentHandle: String!, $makeCurrent: Boolean!, $managed: ManagedDeploymentInput) {
  createAgentRevision(agentHandle: $agentHandle, makeCurrent: $makeCurrent,
    revision: {metadata: [{key: "k", value: "v"}], managedDeployment: $managed}) { revision { id } } }"""
PROGRAM = """
import fixieai, {imports}
print("{word} begins")
def say(query: fixieai.Message) -> str:
    return "{word}: " + query.text
agent = fixieai.StandaloneAgent(say, sample_queries=["Say {word}"])
"""


def package_of(word: str, imports: str = "time", config: str = "handle: any\n") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (
            ("agent/agent.yaml", config),
            ("agent/main.py", PROGRAM.format(word=word, imports=imports)),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def waits_for(gate: pathlib.Path) -> str:
    """What makes a package start once there is that file, as its `imports`."""
    return f"os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)"


def upload(person: Any, agent_id: str, package: bytes, *, makes_current: bool = True) -> dict[str, Any]:
    variables = {
        "agentHandle": agent_id,
        "makeCurrent": makes_current,
        "managed": {"environment": "PYTHON", "codePackage": None},
    }
    fields = {
        "operations": json.dumps({"query": UPLOAD, "variables": variables}),
        "map": json.dumps({"0": ["variables.managed.codePackage"]}),
    }
    files = {"0": ("upload.tar.gz", package, "application/gzip")}
    headers = {"Authorization": f"Bearer {person.key}"}
    response = requests.post(f"{person.url}/graphql", data=fields, files=files, headers=headers, timeout=120)
    answer: dict[str, Any] = response.json()
    return answer


def uploaded(person: Any, agent_id: str, package: bytes, *, makes_current: bool = True) -> str:
    """The id of the new revision."""
    answer = upload(person, agent_id, package, makes_current=makes_current)
    assert "errors" not in answer, answer
    return str(answer["data"]["createAgentRevision"]["revision"]["id"])


@pytest.fixture
def new_blobs(world) -> Callable[[], set[pathlib.Path]]:
    """Those that were not there before; what former tests left may still be going."""
    folder = world.home / "blobs"

    def blobs() -> set[pathlib.Path]:
        return {path for path in folder.rglob("*") if path.is_file()}

    before = blobs()
    return lambda: blobs() - before


def test_uploaded_code_becomes_current_and_can_be_taken_back(world, eventually) -> None:
    path = "/api/agents/local/coded"
    world.ann.get(path, "PUT", {"url": world.serve("one")})
    former = world.ann.get(path)["currentRevisionId"]

    first = uploaded(world.ann, "coded", package_of("uploaded"))

    agent = world.ann.get(path)
    assert (agent["currentRevisionId"], agent["environment"], agent["url"], agent["status"]) == (
        first, "PYTHON", None, "online",
    )  # fmt: skip
    assert (agent["type"], agent["queries"]) == ("standalone", ["Say uploaded"])
    assert world.ann.ask("coded") == "uploaded: Hi"
    assert any("uploaded begins" in line for line in world.ann.get(f"{path}/revisions/{first}/logs")["lines"])
    assert world.ann.get("/api/refresh/local/coded", "POST")["queries"] == ["Say uploaded"]
    back = world.ann.get(f"{path}/revisions/{former}/current", "PUT")
    assert (back["environment"], back["queries"]) == (None, ["Say one"])
    again = world.ann.get(f"{path}/revisions/{first}/current", "PUT")
    assert (again["environment"], again["queries"]) == ("PYTHON", ["Say uploaded"])
    assert world.ann.ask("coded") == "uploaded: Hi"
    world.ann.get(path, "PATCH", {"newHandle": "encoded"})
    assert world.ann.ask("coded") == world.ann.ask("encoded") == "uploaded: Hi"


def test_code_that_does_not_start_changes_nothing_and_says_why(world) -> None:
    path = "/api/agents/local/careful"
    before = world.ann.get(path, "PUT", {"url": world.serve("one")})

    answer = upload(world.ann, "careful", package_of("broken", imports="nowhere_to_be_found"))

    assert "nowhere_to_be_found" in answer["errors"][0]["message"]
    assert world.ann.get(path) == before
    failed, served = world.ann.get(f"{path}/revisions")["revisions"]
    assert (failed["status"], failed["isCurrent"], served["isCurrent"]) == ("failed", False, True)
    assert "nowhere_to_be_found" in failed["problem"]
    refused = world.ann("PUT", f"{path}/revisions/{failed['id']}/current")
    assert refused.status_code == 409
    assert world.ann("DELETE", f"{path}/revisions/{failed['id']}").status_code == 204


def test_code_that_is_not_to_be_current_is_deployed_in_the_background(world, eventually) -> None:
    path = "/api/agents/local/later"
    world.ann.get(path, "PUT", {"url": world.serve("one")})
    revision_id = uploaded(world.ann, "later", package_of("later"), makes_current=False)

    def revision() -> Any:
        found = world.ann.get(f"{path}/revisions")["revisions"]
        return next(each for each in found if each["id"] == revision_id)

    assert revision()["status"] in ("pending", "ready")
    assert eventually(lambda: revision()["status"] == "ready")
    assert (revision()["isCurrent"], revision()["queries"]) == (False, ["Say later"])
    assert world.ann.ask("later") == "one: Hi"
    agent = world.ann.get(f"{path}/revisions/{revision_id}/current", "PUT")
    assert (agent["environment"], agent["queries"]) == ("PYTHON", ["Say later"])


@pytest.mark.parametrize("package", [b"", b"not a tar", package_of("x", config="handle: [")])
def test_what_is_no_package_is_refused(world, package: bytes) -> None:
    world.ann.get("/api/agents/local/strictly", "PUT", {})
    assert "errors" in upload(world.ann, "strictly", package)
    assert world.ann.get("/api/agents/local/strictly")["status"] == "offline"


def test_others_cannot_upload_or_read_logs(world) -> None:
    path = "/api/agents/local/guarded"
    world.ann.get(path, "PUT", {})
    revision_id = uploaded(world.ann, "guarded", package_of("secret"))
    world.ann.get(path, "PATCH", {"published": True})
    answer = upload(world.bob, "local/guarded", package_of("evil"))
    assert answer["errors"]
    assert world.bob("GET", f"{path}/revisions/{revision_id}/logs").status_code == 404
    assert world.ann.get(path)["currentRevisionId"] == revision_id


def test_a_program_that_is_served_gives_way_to_code_again(world, eventually) -> None:
    path = "/api/agents/local/mixed"
    world.ann.get(path, "PUT", {})
    code = uploaded(world.ann, "mixed", package_of("mixed"))
    world.ann.get(path, "PUT", {"url": world.serve("one"), "leaseSeconds": 5})
    assert world.ann.get(path)["environment"] is None
    assert eventually(lambda: world.ann.get(path)["currentRevisionId"] == code)
    agent = world.ann.get(path)
    assert (agent["environment"], agent["status"], agent["queries"]) == ("PYTHON", "online", ["Say mixed"])


def test_a_package_that_no_revision_has_any_more_is_deleted(world, new_blobs, eventually) -> None:
    world.ann.get("/api/agents/local/rid", "PUT", {})
    package = package_of("rid")
    first = uploaded(world.ann, "rid", package)
    second = uploaded(world.ann, "rid", package)
    third = uploaded(world.ann, "rid", package_of("other"))
    assert first != second
    assert len(new_blobs()) == 2
    world.ann("DELETE", f"/api/agents/local/rid/revisions/{first}")
    world.ann("DELETE", f"/api/agents/local/rid/revisions/{third}")
    assert world.ann.get("/api/agents/local/rid")["status"] == "offline"
    assert eventually(lambda: len(new_blobs()) == 1)
    assert (
        world.ann.get(f"/api/agents/local/rid/revisions/{second}/current", "PUT")["environment"] == "PYTHON"
    )
    assert world.ann("DELETE", "/api/agents/local/rid").status_code == 204
    assert eventually(lambda: not new_blobs())


def test_what_was_being_deployed_when_the_platform_stopped_is_deployed_at_its_next_start(
    tmp_path: pathlib.Path, person, eventually
) -> None:
    chosen = Settings(home=tmp_path / "home", port=0)
    with serving.background(chosen) as running:
        ann = person(running.url, serving.local_key(chosen.home))
        ann.get("/api/agents/local/slow", "PUT", {})
        package = package_of("resumed", imports=waits_for(tmp_path / "gate"))
        revision_id = uploaded(ann, "slow", package, makes_current=False)
        current = uploaded(ann, "slow", package_of("current"))
    with serving.background(chosen) as running:
        ann = person(running.url, serving.local_key(chosen.home))
        found = ann.get("/api/agents/local/slow/revisions")["revisions"]
        assert [(each["id"], each["status"]) for each in found] == [
            (current, "ready"), (revision_id, "pending"),
        ]  # fmt: skip
        (tmp_path / "gate").touch()
        assert eventually(
            lambda: ann.get("/api/agents/local/slow/revisions")["revisions"][1]["status"] == "ready"
        )
        assert ann.get("/api/agents/local/slow")["queries"] == ["Say current"]
        assert ann.get("/api/refresh/local/slow", "POST")["queries"] == ["Say current"]


def test_the_later_of_two_deployments_stays_current(world, eventually, tmp_path: pathlib.Path) -> None:
    path = "/api/agents/local/race"
    world.ann.get(path, "PUT", {})
    slow: list[str] = []
    package = package_of("slow", imports=waits_for(tmp_path / "gate"))
    uploading = threading.Thread(target=lambda: slow.append(uploaded(world.ann, "race", package)))
    uploading.start()
    assert eventually(lambda: bool(world.ann.get(f"{path}/revisions")["revisions"]))

    quick = uploaded(world.ann, "race", package_of("quick"))

    assert not slow
    assert world.ann.get(path)["currentRevisionId"] == quick
    (tmp_path / "gate").touch()
    uploading.join()
    agent, found = world.ann.get(path), world.ann.get(f"{path}/revisions")["revisions"]
    assert (agent["currentRevisionId"], agent["queries"]) == (quick, ["Say quick"])
    assert [(each["id"], each["status"]) for each in found] == [(quick, "ready"), (slow[0], "ready")]


def test_switching_loses_no_query(world, eventually) -> None:
    path = "/api/agents/local/switched"
    world.ann.get(path, "PUT", {})
    revisions = [uploaded(world.ann, "switched", package_of(word)) for word in ("left", "right")]
    revisions.append(world.ann.get(f"{path}/revisions", "POST", {"url": world.serve("one")})["id"])
    answers: list[str] = []
    is_over = threading.Event()

    def keep_asking() -> None:
        while not is_over.is_set():
            answers.append(world.ann.ask("switched"))

    threads = [threading.Thread(target=keep_asking) for _ in range(3)]
    for thread in threads:
        thread.start()
    for revision_id, word in list(zip(revisions, ("left", "right", "one"), strict=True)) * 2:
        world.ann.get(f"{path}/revisions/{revision_id}/current", "PUT")
        before = len(answers)
        assert eventually(lambda: f"{word}: Hi" in answers[before:])  # noqa: B023 - called at once
    is_over.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {"left: Hi", "right: Hi", "one: Hi"}


def test_uploads_of_the_same_package_at_once_are_all_kept(world, eventually) -> None:
    world.ann.get("/api/agents/local/twice", "PUT", {})
    made: list[str] = []
    package = package_of("twice")
    threads = [
        threading.Thread(
            target=lambda: made.append(uploaded(world.ann, "twice", package, makes_current=False))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for revision_id in made[:-1]:
        world.ann("DELETE", f"/api/agents/local/twice/revisions/{revision_id}")
    current = f"/api/agents/local/twice/revisions/{made[-1]}/current"
    assert eventually(lambda: world.ann("PUT", current).ok)
    agent = world.ann.get("/api/agents/local/twice")
    assert agent["queries"] == ["Say twice"]
