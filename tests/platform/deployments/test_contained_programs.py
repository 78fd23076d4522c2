"""Packages as processes: they run with what is theirs, and whatever they do is contained and told."""

import asyncio
import contextlib
import pathlib
import re
import secrets
import stat
from typing import Any

import psutil
import pytest
from packaged_programs import AGENT, becomes_true, get, main, refused

from fixieai import errors

pytestmark = pytest.mark.anyio


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
    assert await hosted.said("VARIABLE VIRTUAL_ENV")  # the last one
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

    assert await hosted.said("http://127.0.0.1:8180 https://fixie.example")


async def test_no_secret_is_in_the_list_of_processes(host) -> None:
    hosted, secret = host(), secrets.token_hex()
    env_file = f"KEY={secret}\n"
    await hosted.start({"agent/agent.yaml": "handle: agent\n", "agent/main.py": AGENT, ".env": env_file})

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            assert secret not in " ".join(process.cmdline())


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


# Slower than its keeper looks, however fast the machine is: at twice its memory it would end by itself.
HOARD = """
hoard = []
while True:
    hoard.append(bytearray(os.urandom(4_000_000)))
    time.sleep(0.05)
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
    await becomes_true(lambda: len(hosted.processes) == 2)  # without the one between them

    await hosted.deployments.retire(1)

    await becomes_true(lambda: not hosted.processes)


async def test_endless_logs_take_a_few_megabytes_and_the_program_goes_on(host) -> None:
    hosted = host()
    url = await hosted.start(main(SHOUT))

    def logs() -> list[pathlib.Path]:
        return list((hosted.home / "deployments" / "logs").iterdir())

    def size() -> int:
        return sum(log.stat().st_size for log in logs())

    await becomes_true(lambda: size() > 300_000)
    await asyncio.sleep(4)

    assert (await get(url)).text == "ok"
    assert 300_000 < size() < 3_000_000
    assert {stat.S_IMODE(log.stat().st_mode) for log in logs()} == {0o600}
    lines = await hosted.deployments.logs(1, 10)
    assert len(lines) == 10
    assert all(len(line) < 9_000 for line in lines)


async def test_what_is_printed_cannot_write_on_a_terminal(host) -> None:
    hosted = host()
    await hosted.start(
        main("os.write(1, b'\\x1b[2Jred\\xff\\r\\x00\\n'); os.write(2, 'ünï\\tcode\\n'.encode())")
    )

    assert await hosted.said("code")
    first, second = [line.partition(" ")[2] for line in await hosted.deployments.logs(1, 10)]

    assert first == "\\x1b[2Jred\ufffd\\r\\x00"
    assert second == "ünï\tcode"


async def test_a_program_that_crashes_is_started_again_and_one_that_keeps_crashing_ever_more_rarely(
    host,
) -> None:
    hosted = host(longest_pause=60)
    package_hash = await hosted.store(main())
    arguments = (1, package_hash, "PYTHON", "local/agent")
    await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")

    message = await _killed_until_it_pauses(hosted, arguments)

    said = r"it was killed by SIGKILL, (\d) times in a row: it is started again in (\d+) seconds"
    found = re.search(said, message)
    assert found is not None, message
    assert int(found[2]) == 2 ** (int(found[1]) - 2)
    log = await hosted.log()
    assert "[platform] It was killed by SIGKILL: it is started again." in log
    await asyncio.sleep(int(found[2]))
    await becomes_true(lambda: hosted.processes)
    url = await hosted.deployments.address(*arguments)
    assert (await get(url)).text == "ok"


async def _killed_until_it_pauses(hosted: Any, arguments: tuple[object, ...]) -> str:
    """What callers are told then."""
    while True:
        for process in hosted.processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # killed the last time, and seen before it ended
                process.kill()
        try:
            await hosted.deployments.address(*arguments)
        except errors.AgentUnavailable as error:
            return error.message
        await asyncio.sleep(0.05)


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
    hosted = host(check=1.0, hung=4.0)
    url = await hosted.start({"agent/agent.yaml": "handle: agent\n", "agent/main.py": AGENT})
    (process,) = hosted.processes
    process.suspend()

    await becomes_true(lambda: process.pid not in [each.pid for each in hosted.processes])

    assert (await get(url)).status_code == 403
    assert "has not answered for 4 seconds" in await hosted.log()
