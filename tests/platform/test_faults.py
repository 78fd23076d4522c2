"""What holds when processes are killed, started twice, or find their files in disorder."""

import concurrent.futures
import contextlib
import hashlib
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.errors import ConfigurationError, FixieError, StorageFull
from fixieai.llm.settings import ModelSettings
from fixieai.platform import private_files, serving
from fixieai.platform.app import open_platform
from fixieai.platform.settings import Settings
from fixieai.storage import ids, sqlite_errors
from fixieai.storage.embeds import NewEmbed
from fixieai.storage.jobs import Job


class Process:
    """A platform as a process of its own, in a home that outlives it."""

    def __init__(self, home: pathlib.Path, *options: str) -> None:
        command = [sys.executable, "-m", "fixieai.cli.main", "platform", "serve", "--home", str(home)]
        self.home = home
        self.process = subprocess.Popen(
            [*command, "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@contextlib.contextmanager
def connected(process: Process) -> Iterator[testing.Platform]:
    with contextlib.ExitStack() as stack:
        yield testing.Platform(process.url, serving.local_key(process.home), stack)


def make_slow(reached: threading.Event, release: threading.Event) -> fixieai.CodeShotAgent:
    shots = "Q: Go\nAsk Func[fast]: 1\nFunc[fast] says: one\nAsk Func[slow]: 2\nFunc[slow] says: two\nA: two"
    agent = fixieai.CodeShotAgent("I go.", shots)

    @agent.register_func
    def fast(query: str) -> str:
        return "one"

    @agent.register_func
    def slow(query: str) -> str:
        reached.set()
        release.wait(60)
        return "three"

    return agent


def test_after_sigkill_in_mid_query_all_its_messages_are_there_and_it_goes_on(tmp_path) -> None:
    reached, release = threading.Event(), threading.Event()
    first = Process(tmp_path)
    with connected(first) as platform, concurrent.futures.ThreadPoolExecutor() as pool:
        platform.serve(make_slow(reached, release), "slow")
        session = platform.call("POST", "/api/sessions", {"frontendAgentId": "slow"})["handle"]
        asked = pool.submit(platform.ask, "slow", "Go", session)
        assert reached.wait(60)
        first.end(signal.SIGKILL)
        release.set()
        assert isinstance(asked.exception(60), (requests.RequestException, ValueError, KeyError))

    second = Process(tmp_path)
    with connected(second) as platform:
        platform.serve(make_slow(reached, release), "slow")
        assert platform.ask("slow", "Go", session).text == "three"
        messages = platform.call("GET", f"/api/sessions/{session}/messages")["messages"]
        whole = ["Go", "Ask Func[fast]: 1", "Func[fast] says: one", "Ask Func[slow]: 2"]
        assert [message["text"] for message in messages] == [*whole, "Func[slow] says: three", "three"] * 2
    assert second.end(signal.SIGTERM)[0] == 0


def test_sigterm_lets_a_running_query_finish(tmp_path) -> None:
    reached, release = threading.Event(), threading.Event()
    process = Process(tmp_path)
    with connected(process) as platform, concurrent.futures.ThreadPoolExecutor() as pool:
        platform.serve(make_slow(reached, release), "slow")
        asked = pool.submit(platform.ask, "slow", "Go")
        assert reached.wait(60)
        process.process.send_signal(signal.SIGTERM)
        release.set()
        assert asked.result(60).text == "three"
    assert process.end(signal.SIGCONT)[0] == 0


def test_a_second_platform_on_the_same_home_refuses_and_names_the_first(tmp_path) -> None:
    first = Process(tmp_path)

    second = Process(tmp_path)

    code, errors = second.end(signal.SIGCONT)
    assert code == 1
    assert f"process {first.process.pid}" in errors
    assert "Traceback" not in errors
    assert requests.get(f"{first.url}/healthz", timeout=60).ok
    first.end(signal.SIGTERM)


@pytest.mark.parametrize(
    ("file", "content", "mode", "said"),
    [
        ("signing_keys.json", "garbage", 0o600, "does not hold signing keys"),
        ("signing_keys.json", '{"keys": []}', 0o600, "does not hold signing keys"),
        ("signing_keys.json", "{}", 0o644, "chmod 600"),
        ("api_key", "key", 0o644, "chmod 600"),
        ("fixie.db", "this is not a database, is it? " * 100, 0o600, "fixie.db"),
    ],
)
def test_a_home_in_disorder_is_refused_with_what_to_do(tmp_path, file, content, mode, said) -> None:
    (tmp_path / file).write_text(content)
    (tmp_path / file).chmod(mode)

    code, errors = Process(tmp_path).end(signal.SIGCONT)

    assert code == 1
    assert said in errors
    assert "Traceback" not in errors
    assert (tmp_path / file).read_text() == content


def test_a_secret_that_cannot_be_written_names_its_file_and_leaves_nothing(tmp_path) -> None:
    path = tmp_path / "api_key"
    path.mkdir()

    with pytest.raises(ConfigurationError, match="api_key cannot be opened for writing"):
        private_files.write(path, "secret")

    assert list(tmp_path.iterdir()) == [path]


def test_what_the_platform_writes_is_for_its_owner_alone(tmp_path) -> None:
    home = tmp_path / "new"
    process = Process(home)
    process.end(signal.SIGTERM)

    assert home.stat().st_mode & 0o777 == 0o700
    assert all((home / name).stat().st_mode & 0o077 == 0 for name in ("api_key", "signing_keys.json"))


def test_a_taken_port_is_said_to_be_taken(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, errors = Process(tmp_path, "--port", port).end(signal.SIGCONT)

    assert code == 1
    assert f"127.0.0.1:{port} is already in use" in errors


def test_it_does_not_listen_to_the_network_without_accounts(tmp_path) -> None:
    code, errors = Process(tmp_path, "--host", "0.0.0.0").end(signal.SIGCONT)

    assert code == 1
    assert "FIXIE_PUBLIC_URL" in errors


def test_two_hundred_sessions_at_once_lose_and_mix_nothing(platform: testing.Platform, http) -> None:
    sessions = [
        http("POST", "/api/sessions", json={"frontendAgentId": "dice"}).json()["handle"] for _ in range(200)
    ]

    def ask(number: int) -> None:
        body = {"session": sessions[number], "message": {"text": f"Roll 2d{number + 2}"}}
        answer = http("POST", "/api/agents/None", json=body).json()
        assert f"for a total of {2 * (number + 2)}." in answer["message"]["text"]

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        list(pool.map(ask, range(200)))

    for number, session in enumerate(sessions):
        messages = http("GET", f"/api/sessions/{session}/messages").json()["messages"]
        assert [message["position"] for message in messages] == [1, 2, 3, 4]
        assert messages[1]["text"] == f"Ask Func[roll]: {number + 2} 2"


class _FullDisk:
    """Where nothing can be written."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def submit(self, job: Job) -> None:
        job.fail(sqlite_errors.full(self._path))
        Job.deliver([job])

    def close(self) -> None: ...


@pytest.mark.parametrize("public_url", [None, "https://fixie.example.com"])
async def test_where_its_files_are_a_platform_tells_people_of_its_own_machine_alone(
    tmp_path, caplog, public_url: str | None
) -> None:
    content = b"a report"
    digest = hashlib.sha256(content).hexdigest()
    models = ModelSettings(default_model="few-shot")
    async with open_platform(Settings(home=tmp_path, models=models, public_url=public_url)) as platform:
        local = await platform.auth.authenticate(serving.local_key(tmp_path))
        session = await platform.sessions.create(local, None)
        (tmp_path / "blobs" / "embeds" / digest[:2]).write_text("not a folder")
        new = NewEmbed(ids.new_id(), "report", "user", "text/plain")
        with pytest.raises(FixieError) as of_bytes:
            await platform.embeds.upload(local, session.handle, new, content)
        writer, platform.database._writer = platform.database._writer, _FullDisk(tmp_path / "fixie.db")
        with pytest.raises(StorageFull) as of_rows:
            await platform.sessions.create(local, None)
        platform.database._writer = writer

    said = [of_bytes.value.message, of_rows.value.message]
    assert [str(tmp_path) in each for each in said] == [public_url is None] * 2
    assert public_url is None or caplog.text.count(str(tmp_path)) == 2
