"""From an upload to answers, on whole platforms: replaced under load, killed, stopped, started again."""

import concurrent.futures
import contextlib
import io
import json
import pathlib
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
import requests

from fixieai import errors, testing
from fixieai.client.client import FixieClient
from fixieai.platform import serving

SHOTS = '''
"""
Q: Who are you?
Ask Func[name]: now
Func[name] says: nobody
A: I am nobody.
"""
'''
AGENT = f"""
import os, time
import fixieai

agent = fixieai.CodeShotAgent("I say who I am.", {SHOTS.strip()})

@agent.register_func
def name(query: fixieai.Message) -> str:
    time.sleep(SECONDS)
    return "NAME"

EXTRA
"""


def package(name: str, seconds: float = 0, extra: str = "") -> io.BytesIO:
    """A package of the shape that command lines send."""
    code = AGENT.replace("SECONDS", str(seconds)).replace("NAME", name).replace("EXTRA", extra)
    files = {
        "main.py": "import uvicorn\n",
        ".env": "FIXIE_API_URL=https://app.fixie.ai\nFIXIE_ALLOWED_AGENT_ID=local/other\n",
        "agent/agent.yaml": "handle: me\n",
        "agent/main.py": code,
        "agent/requirements.txt": "fixieai\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    packed.seek(0)
    return packed


class Home:
    """A platform as a process of its own, in a home that outlives it."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "fixieai.cli.main", "platform", "serve", "--port", "0", "--home"]
        self.process = subprocess.Popen(
            [*command, str(self.home)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.client = FixieClient(serving.local_key(self.home), api_url=self.url)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def deploy(self, name: str, **how: object) -> str:
        return self.client.deploy_agent("me", package(name, **how))  # type: ignore[arg-type]

    def ask(self) -> str:
        answer = requests.post(
            f"{self.url}/api/agents/local/me",
            json={"message": {"text": "Who are you?"}},
            headers={"Authorization": f"Bearer {serving.local_key(self.home)}"},
            timeout=60,
        ).json()
        return str(answer["message"]["text"])

    def is_asked(self) -> bool:
        headers = {"Authorization": f"Bearer {serving.local_key(self.home)}"}
        return bool(requests.get(f"{self.url}/api/sessions", headers=headers, timeout=60).json()["sessions"])

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def programs(self) -> list[psutil.Process]:
        """Processes with a folder of this home as theirs, whoever their parents are."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("HOME", "").startswith(str(self.home)):
                    found.append(process)
        return [process for process in found if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def becomes_true(condition: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not become true"
        time.sleep(0.05)


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Iterator[Home]:
    running = Home(tmp_path / "home")
    running.client.create_agent("me", "Me", "")
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)
    becomes_true(lambda: not running.programs())


def test_a_deployed_package_answers_and_says_what_it_is(home: Home) -> None:
    revision = home.deploy("Alice")

    assert home.ask() == "I am Alice."
    agent = home.client.get_agent("me")
    assert agent.queries == ["Who are you?"]
    assert home.client.get_current_agent_revision("me") == revision
    (listed,) = home.client.get_agent_revisions("me")
    assert (listed["status"], listed["environment"], listed["url"]) == ("ready", "PYTHON", None)


def test_replacing_an_agent_again_and_again_loses_no_query(home: Home) -> None:
    home.deploy("Name0", seconds=0.2)
    stop = threading.Event()
    answers: list[str] = []

    def ask_on() -> None:
        while not stop.is_set():
            answers.append(home.ask())

    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask_on) for _ in range(4)]
        try:
            becomes_true(lambda: "I am Name0." in answers)
            for number in range(1, 4):
                home.deploy(f"Name{number}", seconds=0.2)
                becomes_true(lambda number=number: f"I am Name{number}." in answers)
        finally:
            stop.set()
        for future in asked:
            future.result()

    assert set(answers) == {f"I am Name{number}." for number in range(4)}
    assert home.ask() == "I am Name3."
    becomes_true(lambda: len(home.programs()) == 1)


def test_a_query_under_way_ends_with_the_revision_that_it_began_with(home: Home) -> None:
    home.deploy("Slow", seconds=6)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(home.ask)
        becomes_true(home.is_asked)
        home.deploy("Quick")
        assert home.ask() == "I am Quick."
        assert asked.result() == "I am Slow."
    becomes_true(lambda: len(home.programs()) == 1)


def test_a_package_that_does_not_start_leaves_the_former_revision_in_place_and_says_why(home: Home) -> None:
    revision = home.deploy("Alice")

    with pytest.raises(errors.FixieError) as caught:
        home.deploy("Broken", extra="raise SystemExit('I will not start')")

    assert "exit code 1" in str(caught.value)
    assert "I will not start" in str(caught.value)
    assert home.client.get_current_agent_revision("me") == revision
    assert home.ask() == "I am Alice."
    failed, ready = home.client.get_agent_revisions("me")
    assert (failed["status"], ready["status"]) == ("failed", "ready")
    assert "I will not start" in failed["problem"]
    assert "I will not start" in "\n".join(home.client.get_agent_logs("me", failed["id"]))
    becomes_true(lambda: len(home.programs()) == 1)


def test_a_package_that_is_refused_makes_no_revision(home: Home) -> None:
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../evil"))
    evil.seek(0)

    with pytest.raises(errors.FixieError, match="leads out of the package"):
        home.client.deploy_agent("me", evil)

    assert list(home.client.get_agent_revisions("me")) == []
    assert not any(path.is_file() for path in (home.home / "blobs" / "packages").rglob("*"))


def test_an_agent_that_is_deleted_leaves_nothing_behind(home: Home) -> None:
    home.deploy("Alice")

    home.client.get_agent("me").delete_agent()

    becomes_true(lambda: not home.programs())
    becomes_true(lambda: not list((home.home / "deployments" / "revisions").iterdir()))
    becomes_true(lambda: not any(path.is_file() for path in (home.home / "blobs" / "packages").rglob("*")))


LEAVE = """
import signal
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
"""


def test_a_platform_that_is_killed_leaves_no_orphan_and_the_next_one_starts_the_agent(home: Home) -> None:
    home.deploy("Alice", extra=LEAVE)
    becomes_true(lambda: len(home.programs()) == 2)
    home.programs()[0].suspend()
    everything = home.descendants()
    assert len(everything) >= 3  # with the keeper

    home.end(signal.SIGKILL)

    becomes_true(lambda: not any(map(is_alive, everything)))
    assert home.programs() == []
    home.start()
    assert home.ask() == "I am Alice."


def test_a_platform_that_is_killed_while_a_package_starts_leaves_no_orphan(home: Home) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        deploying = pool.submit(home.deploy, "Slow", extra="time.sleep(60)")
        becomes_true(home.programs)
        everything = home.descendants()
        home.end(signal.SIGKILL)
        assert deploying.exception(60) is not None

    becomes_true(lambda: not any(map(is_alive, everything)))


def test_a_platform_that_is_stopped_lets_queries_finish_and_ends_its_programs(home: Home) -> None:
    home.deploy("Slow", seconds=2)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(home.ask)
        becomes_true(home.is_asked)

        assert home.end(signal.SIGTERM) == 0

        assert asked.result() == "I am Slow."
    becomes_true(lambda: not home.programs())


def test_an_agent_that_was_renamed_answers(home: Home) -> None:
    home.deploy("Alice")

    home.client.get_agent("me").update_agent(new_handle="you")

    answer = requests.post(
        f"{home.url}/api/agents/local/you",
        json={"message": {"text": "Who are you?"}},
        headers={"Authorization": f"Bearer {serving.local_key(home.home)}"},
        timeout=60,
    ).json()
    assert answer["message"]["text"] == "I am Alice."
    becomes_true(lambda: len(home.programs()) == 1)


def test_a_rollback_makes_an_older_package_answer(home: Home) -> None:
    first = home.deploy("First")
    home.deploy("Second")

    home.client.set_current_agent_revision("me", first)

    assert home.ask() == "I am First."


def test_a_deployed_agent_keeps_what_it_stores_for_a_person(home: Home) -> None:
    """Its token is of this platform: storage is reached with it, by its own id alone."""
    standalone = """
def count(query: fixieai.Message, user_storage: fixieai.UserStorage) -> str:
    user_storage["count"] = user_storage.get("count", 0) + 1
    return str(user_storage["count"])

agent = fixieai.StandaloneAgent(count)
"""
    home.deploy("Counter", extra=standalone)

    assert [home.ask() for _ in range(2)] == ["1", "2"]


def test_a_platform_in_the_same_process_runs_packages_too(tmp_path: pathlib.Path) -> None:
    with testing.platform() as platform:
        client = FixieClient(platform.api_key, api_url=platform.url)
        client.create_agent("me", "Me", "")
        client.deploy_agent("me", package("Alice"))

        assert platform.ask("me", "Who are you?").text == "I am Alice."
        assert json.dumps(platform.call("GET", "/api/agents/local/me"))
