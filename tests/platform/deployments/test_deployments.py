"""Packages as processes: they run with what is theirs, and whatever they do is contained and told."""

import asyncio
import contextlib
import os
import pathlib
import random
import shutil
import stat
import time
import zipfile
from collections.abc import Awaitable, Callable

import psutil
import pytest
import requests

from fixieai import errors

pytestmark = pytest.mark.anyio
# A package's own server, which answers everything with "ok".
SERVER = """
import http.server, os, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass

{before}
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
AGENT = 'import fixieai\nagent = fixieai.CodeShotAgent("I greet.", "Q: Hi\\nA: Ho")\n'


def main(before: str = "") -> dict[str, str]:
    return {"main.py": SERVER.replace("{before}", before)}


async def get(url: str) -> requests.Response:
    return await asyncio.to_thread(requests.get, url, timeout=10)


async def becomes_true(condition: Callable[[], object], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not become true"
        await asyncio.sleep(0.05)


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(errors.AgentUnavailable) as caught:
        await work
    return caught.value.message


async def test_a_package_runs_with_its_own_variables_and_no_others(host, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-platform")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    hosted = host()
    say = "import os\nfor item in sorted(os.environ.items()):\n    print('VARIABLE', *item)\n"

    url = await hosted.start(
        {
            "main.py": "the bootstrap of the original is not needed",
            ".env": "FIXIE_ALLOWED_AGENT_ID=somebody/else\nFROM_PACKAGE=1\nBOTH=package\n",
            "agent/agent.yaml": "handle: agent\n",
            "agent/main.py": AGENT + say,
            "agent/.env": "FROM_AGENT='2'\nBOTH=agent\n",
        }
    )

    assert (await get(url)).status_code == 403
    said = [line.partition("VARIABLE ")[2] for line in await hosted.deployments.logs(1, 100)]
    variables = dict(line.split(" ", 1) for line in said if line)
    folder = hosted.folders[0]
    assert variables.pop("PATH").endswith(":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    assert variables.pop("VIRTUAL_ENV").startswith(str(hosted.home / "deployments" / "environments"))
    # What the SDK itself sets for its process may come on top.
    assert {name for name in variables if name.startswith("OPENAI")} <= {
        "OPENAI_API_KEY",
        "OPENAI_API_BASE",
        "OPENAI_BASE_URL",
    }
    assert "sk-of-the-platform" not in variables.values()
    assert {name: value for name, value in variables.items() if not name.startswith("OPENAI")} == {
        "FIXIE_ALLOWED_AGENT_ID": "local/agent",
        "FIXIE_API_URL": "http://127.0.0.1:8180",
        "FROM_PACKAGE": "1",
        "FROM_AGENT": "2",
        "BOTH": "package",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "HOST": "127.0.0.1",
        "PORT": url.rpartition(":")[2],
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.parent.rglob("*") if path.is_dir()} == {
        0o700
    }
    assert stat.S_IMODE((folder / "code" / ".env").stat().st_mode) == 0o600


async def test_a_program_calls_the_platform_here_also_where_others_reach_it_elsewhere(host) -> None:
    hosted = host(public_url="https://fixie.example")

    await hosted.start(main("print(os.environ['FIXIE_API_URL'], os.environ['FIXIE_PUBLIC_URL'], flush=True)"))

    assert "http://127.0.0.1:8180 https://fixie.example" in await hosted.log()


async def test_no_secret_is_in_the_list_of_processes(host) -> None:
    hosted = host()
    await hosted.start({"agent/agent.yaml": "handle: agent\n", "agent/main.py": AGENT, ".env": "KEY=hush\n"})

    assert not any("hush" in " ".join(process.cmdline()) for process in psutil.process_iter())


async def test_a_package_that_ends_at_once_is_reported_with_what_it_printed(host) -> None:
    hosted = host()
    files = {"agent/agent.yaml": "handle: agent\n", "agent/main.py": "import nowhere_to_be_found\n"}

    said = await refused(hosted.start(files))

    assert "local/agent could not be started: it ended with exit code 1." in said
    assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in said
    assert len(said) < 1_500
    package_hash = await hosted.store(files)
    for_others = await refused(hosted.deployments.address(1, package_hash, "PYTHON", "local/agent"))
    assert "exit code 1" in for_others
    assert "nowhere" not in for_others


async def test_a_package_whose_variables_cannot_be_read_is_reported_with_the_line(host) -> None:
    files = {".env": "GOOD=1\nno assignment\n", "agent/agent.yaml": "handle: agent\n", "agent/main.py": AGENT}

    said = await refused(host().start(files))

    assert said.endswith("It printed:\nError: ../.env, line 2: expected NAME=value")


async def test_a_package_that_hangs_is_stopped_and_reported(host) -> None:
    hosted = host(start=1.0)

    said = await refused(hosted.start(main("time.sleep(3600)")))

    assert "it did not answer within 1 seconds" in said
    assert hosted.processes == []


async def test_a_program_that_accepts_calls_and_never_answers_is_no_running_one(host) -> None:
    hosted = host(start=2.0)
    listen = "import socket, time, os\ns = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n"

    said = await refused(hosted.start({"main.py": listen + "time.sleep(3600)"}))

    assert "it did not answer within 2 seconds" in said


HOARD = """
hoard = []
while True:
    hoard.append(bytearray(os.urandom(4_000_000)))
"""
HOARD_TOGETHER = """
import subprocess
code = "import os, time; hoard = bytearray(os.urandom(40_000_000)); time.sleep(99)"
for _ in range(8):
    subprocess.Popen([sys.executable, "-c", code])
time.sleep(99)
"""
FORK = """
hoard = bytearray(os.urandom(50_000_000))
while True:
    try:
        if os.fork() == 0:
            time.sleep(99)
    except OSError:
        pass
"""
LEAVE = """
import signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
    os._exit(0)
"""
SHOUT = """
def shout():
    while True:
        print("x" * 100_000)

threading.Thread(target=shout).start()
"""


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (HOARD, "more than 128 MiB"),
        ("bytearray(10**10)", "exit code 1"),
        (HOARD_TOGETHER, "more than 128 MiB"),
    ],
    ids=["slowly", "at once", "together"],
)
async def test_a_package_that_fills_memory_is_killed_and_reported(host, before: str, said: str) -> None:
    hosted = host(memory_mib=128)

    message = await refused(hosted.start(main(before)))

    assert said in message
    assert hosted.processes == []
    if "MiB" in said:
        assert "[platform] Killed: it used more than 128 MiB of memory." in await hosted.log()


async def test_a_package_that_starts_too_many_processes_is_killed(host) -> None:
    hosted = host()
    message = await refused(hosted.start(main(FORK)))

    assert "it ran more than 64 processes at once" in message
    assert hosted.processes == []


async def test_processes_that_went_off_on_their_own_end_with_the_program(host) -> None:
    hosted = host()
    await hosted.start(main(LEAVE))
    assert len(hosted.processes) == 2

    await hosted.deployments.retire(1)

    await becomes_true(lambda: not hosted.processes)


async def test_endless_logs_take_a_few_megabytes_and_the_program_goes_on(host) -> None:
    hosted = host()
    url = await hosted.start(main(SHOUT))

    await asyncio.sleep(4)

    assert (await get(url)).text == "ok"
    logs = list((hosted.home / "deployments" / "logs").iterdir())
    assert 300_000 < sum(log.stat().st_size for log in logs) < 3_000_000
    assert {stat.S_IMODE(log.stat().st_mode) for log in logs} == {0o600}
    lines = await hosted.deployments.logs(1, 10)
    assert len(lines) == 10
    assert all(len(line) < 9_000 for line in lines)


async def test_what_is_printed_cannot_write_on_a_terminal(host) -> None:
    hosted = host()
    await hosted.start(
        main("os.write(1, b'\\x1b[2Jred\\xff\\r\\x00\\n'); os.write(2, 'ünï\\tcode\\n'.encode())")
    )

    first, second = [line.partition(" ")[2] for line in await hosted.deployments.logs(1, 10)]

    assert first == "\\x1b[2Jred\ufffd\\r\\x00"
    assert second == "ünï\tcode"


async def test_a_program_that_crashes_is_started_again_and_one_that_keeps_crashing_ever_more_rarely(
    host,
) -> None:
    hosted = host(longest_pause=60)
    package_hash = await hosted.store(main())
    arguments = (1, package_hash, "PYTHON", "local/agent")
    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    messages = []
    for _ in range(6):
        for process in hosted.processes:
            process.kill()
        await asyncio.sleep(0.3)
        try:
            url = await hosted.deployments.address(*arguments)
        except errors.AgentUnavailable as error:
            messages.append(error.message)

    assert "it was killed by SIGKILL, 2 times in a row: it is started again in 1 seconds" in messages[0]
    log = await hosted.log()
    assert "[platform] It was killed by SIGKILL: it is started again." in log
    await asyncio.sleep(2.5)
    url = await hosted.deployments.address(*arguments)
    assert (await get(url)).text == "ok"


async def test_calls_wait_while_a_crashed_agent_is_started_again(host) -> None:
    hosted = host()
    url = await hosted.start({"agent/agent.yaml": "handle: agent\n", "agent/main.py": AGENT})
    (process,) = hosted.processes
    process.kill()

    assert (await get(url)).status_code == 403

    assert [each.pid for each in hosted.processes] != [process.pid]


async def test_a_program_that_kills_its_keeper_ends_with_it_and_is_started_again(host) -> None:
    hosted = host()
    url = await hosted.start({"agent/agent.yaml": "handle: agent\n", "agent/main.py": AGENT})
    (process,) = hosted.processes
    process.parent().kill()
    await becomes_true(lambda: process.pid not in [each.pid for each in hosted.processes])

    assert (await get(url)).status_code == 403

    assert [each.pid for each in hosted.processes] != [process.pid]
    assert "Its keeper was killed" in await hosted.log()


async def test_a_program_that_stops_answering_is_started_again(host) -> None:
    hosted = host(check=0.3, hung=1.0)
    url = await hosted.start({"agent/agent.yaml": "handle: agent\n", "agent/main.py": AGENT})
    (process,) = hosted.processes
    process.suspend()

    await becomes_true(lambda: process.pid not in [each.pid for each in hosted.processes])

    assert (await get(url)).status_code == 403
    assert "has not answered for 1 seconds" in await hosted.log()


async def test_a_retired_revision_runs_until_nobody_needs_it(host) -> None:
    hosted = host()
    url = await hosted.start(main())
    with hosted.deployments.hold(1, "local/agent"):
        await hosted.deployments.retire(1)
        await asyncio.sleep(1.5)
        assert (await get(url)).text == "ok"

    await becomes_true(lambda: not hosted.processes)
    await becomes_true(lambda: not hosted.folders)


async def test_a_query_that_comes_late_to_a_retired_revision_is_served_and_then_it_stops_again(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    await hosted.deployments.retire(1)
    await becomes_true(lambda: not hosted.processes)

    with hosted.deployments.hold(1, "local/agent"):
        url = await hosted.deployments.address(1, package_hash, "PYTHON", "local/agent")
        assert (await get(url)).text == "ok"

    await becomes_true(lambda: not hosted.processes)


async def test_what_other_platforms_made_current_is_kept_and_what_they_replaced_stops(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    await hosted.deployments.address(1, package_hash, "PYTHON", "local/agent")
    hosted.deployments.catch_up({1: "local/agent"})

    with hosted.deployments.hold(1, "local/agent"):
        hosted.deployments.catch_up({})  # another is current, while a query still needs this one
        url = await hosted.deployments.address(1, package_hash, "PYTHON", "local/agent")
        await asyncio.sleep(1.5)
        assert (await get(url)).text == "ok"
        hosted.deployments.catch_up({1: "local/agent"})  # and this one is again
    await asyncio.sleep(1.5)
    assert hosted.processes

    hosted.deployments.catch_up({})
    await becomes_true(lambda: not hosted.processes)
    assert hosted.deployments.running() == set()


async def test_what_is_started_to_become_current_is_left_alone(host) -> None:
    hosted = host()
    await hosted.start(main())
    hosted.deployments.catch_up({})
    await asyncio.sleep(1.5)
    assert hosted.processes


async def test_a_revision_that_is_current_again_while_it_is_being_stopped_runs(host) -> None:
    hosted = host(grace=2.0)
    package_hash = await hosted.store(main("import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"))
    await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    await hosted.deployments.retire(1)
    await asyncio.sleep(1.5)

    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")

    assert (await get(url)).text == "ok"
    assert "did not" in await hosted.log()
    await asyncio.sleep(1.5)
    assert len(hosted.processes) == 1


async def test_whatever_the_order_of_starts_and_retirements_one_process_is_left_or_none(host) -> None:
    hosted = host(grace=0.5)
    package_hash = await hosted.store(main("import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"))
    chance = random.Random(5)
    for _ in range(12):
        start = hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
        if chance.random() < 0.5:
            await start
        else:
            with contextlib.suppress(TimeoutError, errors.AgentUnavailable):
                await asyncio.wait_for(start, chance.random())
        await hosted.deployments.retire(1)
        await asyncio.sleep(chance.uniform(0, 2))

    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    assert (await get(url)).text == "ok"
    assert len(hosted.processes) == 1
    await hosted.deployments.retire(1)
    await becomes_true(lambda: not hosted.processes and not hosted.folders)


async def test_many_who_ask_at_once_start_one_process(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())

    urls = await asyncio.gather(
        *(hosted.deployments.address(1, package_hash, "PYTHON", "local/agent") for _ in range(50))
    )

    assert len(set(urls)) == 1
    assert len(hosted.processes) == 1


async def test_a_renamed_agent_runs_under_its_new_name_and_the_old_process_ends(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main("print('I am', os.environ['FIXIE_ALLOWED_AGENT_ID'])"))
    await hosted.deployments.start(1, "local/old", package_hash, "PYTHON")

    with hosted.deployments.hold(1, "local/old"):
        await hosted.deployments.address(1, package_hash, "PYTHON", "local/new")
        assert len(hosted.processes) == 2

    await becomes_true(lambda: len(hosted.processes) == 1)
    assert "I am local/new" in await hosted.log()


async def test_beyond_so_many_programs_the_idle_one_makes_room(host) -> None:
    hosted = host(processes=2)
    package_hash = await hosted.store(main())
    for number in (1, 2):
        await hosted.deployments.start(number, f"local/agent{number}", package_hash, "PYTHON")

    with hosted.deployments.hold(1, "local/agent1"):
        await hosted.deployments.address(3, package_hash, "PYTHON", "local/agent3")
        await becomes_true(lambda: len(hosted.processes) == 2)
        with (
            hosted.deployments.hold(3, "local/agent3"),
            pytest.raises(errors.ServiceUnavailable, match="All 2"),
        ):
            await hosted.deployments.address(2, package_hash, "PYTHON", "local/agent2")

    url = await hosted.deployments.address(2, package_hash, "PYTHON", "local/agent2")
    assert (await get(url)).text == "ok"


def wheel(name: str, code: str) -> bytes:
    """A wheel as `pip` takes it."""
    path = pathlib.Path(os.environ["FIXIE_HOME"]) / f"{name}.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path.read_bytes()


async def test_requirements_are_installed_for_the_agent_alone_and_kept_for_its_next_revision(host) -> None:
    hosted = host()
    files = {
        "agent/agent.yaml": "handle: agent\n",
        "agent/requirements.txt": "# ours:\nfixieai>=1.0,<2\n./wheels/greeting-1.0-py3-none-any.whl\n",
        "agent/wheels/greeting-1.0-py3-none-any.whl": wheel("greeting", "WORD = 'servus'"),
        "agent/main.py": AGENT + "import greeting\nprint(greeting.WORD, fixieai.__version__)\n",
    }

    package_hash = await hosted.store(files)
    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    await hosted.deployments.start(2, "local/agent", package_hash, "PYTHON")

    assert (await get(url)).status_code == 403
    assert "servus 2." in await hosted.log()
    assert "installed greeting" in await hosted.log()
    assert "installed" not in await hosted.log(2)
    with pytest.raises(ModuleNotFoundError):
        __import__("greeting")


@pytest.mark.parametrize("requirement", ["./wheels/not-there.whl", "no-such-package-of-ours==1.0 --broken"])
async def test_requirements_that_cannot_be_installed_are_named(host, requirement: str) -> None:
    hosted = host()
    files = {"agent/agent.yaml": "handle: a\n", "agent/main.py": AGENT, "agent/requirements.txt": requirement}

    said = await refused(hosted.start(files))

    assert "The requirements could not be installed: " in said
    assert "exit code" not in said
    package_hash = await hosted.store(files)
    await refused(hosted.deployments.start(2, "local/agent", package_hash, "PYTHON"))
    for_others = await refused(hosted.deployments.address(2, package_hash, "PYTHON", "local/agent"))
    assert "its package could not be prepared" in for_others
    assert requirement not in for_others


NODE = """
const http = require("http");
http.createServer((request, response) => response.end("node " + process.env.FIXIE_ALLOWED_AGENT_ID))
  .listen(process.env.PORT, process.env.HOST);
console.log("listening");
"""


needs_node = pytest.mark.skipif(
    "CI" not in os.environ and shutil.which("npm") is None, reason="Node.js is not installed"
)


@needs_node
@pytest.mark.parametrize(
    "described", ['{"main": "server.js"}', '{"scripts": {"start": "node server.js"}}'], ids=["main", "start"]
)
async def test_a_nodejs_package_runs(host, described: str) -> None:
    hosted = host()

    url = await hosted.start(
        {"package/package.json": described, "package/server.js": NODE}, environment="NODEJS"
    )

    assert (await get(url)).text == "node local/agent"
    assert "listening" in await hosted.log()


@needs_node
async def test_what_a_nodejs_package_depends_on_is_installed(host) -> None:
    hosted = host()
    described = '{"main": "server.js", "dependencies": {"words": "file:./words"}}'
    words = '{"name": "words", "version": "1.0.0", "main": "words.js"}'

    url = await hosted.start(
        {
            "package/package.json": described,
            "package/server.js": 'console.log(require("words"));' + NODE,
            "package/words/package.json": words,
            "package/words/words.js": 'module.exports = "servus";',
        },
        environment="NODEJS",
    )

    assert (await get(url)).status_code == 200
    assert "servus" in await hosted.log()


@needs_node
@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ("not JSON", "package.json of the package is not"),
        ("[]", "package.json of the package is not"),
        ('{"dependencies": {"words": "file:./nowhere.tgz"}}', "The dependencies could not be installed: "),
    ],
)
async def test_a_nodejs_package_that_cannot_be_prepared_is_reported(
    host, described: str, expected: str
) -> None:
    hosted = host()
    files = {"package/package.json": described, "package/index.js": NODE}

    # The second time too, with what the first has left.
    assert expected in await refused(hosted.start(files, environment="NODEJS"))
    assert expected in await refused(hosted.start(files, environment="NODEJS"))


async def test_without_node_a_nodejs_package_is_refused(host, monkeypatch, tmp_path) -> None:
    hosted = host()
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(errors.UnprocessableContent, match="`node` and `npm` are not installed"):
        await hosted.start({"package/package.json": "{}"}, environment="NODEJS")


async def test_a_package_that_is_refused_is_not_stored(host) -> None:
    hosted = host()

    with pytest.raises(errors.UnprocessableContent):
        await hosted.start({"main.py": "", "../evil": ""})

    assert not any(path.is_file() for path in (hosted.home / "blobs").rglob("*"))
    assert hosted.folders == []


async def test_a_package_that_is_gone_is_an_error_that_says_so(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    await hosted.deployments.discard(package_hash)

    assert "no longer stored" in await refused(
        hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    )


async def test_what_is_left_of_other_revisions_goes_when_a_platform_starts(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    for number in (1, 2, 3):
        await hosted.deployments.start(number, "local/agent", package_hash, "PYTHON")
    await hosted.deployments.close()
    hosted.begin_again()
    await hosted.deployments.start(3, "local/agent", package_hash, "PYTHON")

    await hosted.deployments.forget_all_but([(2, "local/agent", package_hash, "PYTHON")])

    assert [folder.name.partition("-")[0] for folder in hosted.folders] == ["2", "3"]
    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    assert (await get(url)).text == "ok"
