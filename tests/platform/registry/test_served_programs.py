"""`agent.serve()` in processes that are killed, frozen and replaced: the platform shows what is so."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PROGRAM = """
import sys, warnings
warnings.simplefilter("ignore")
from fixieai import constants
from fixieai.agents import registration, serving, standalone, token
from fixieai.protocol.messages import Message
constants.LOCAL_API_URL = sys.argv[1]
registration._LEASE_SECONDS = 6
serving._SECONDS_BETWEEN_RENEWALS = 0.3
def say(query: Message) -> str:
    return sys.argv[3]
agent = standalone.StandaloneAgent(say)
agent._jwks_client = token.JwksClient(f"{sys.argv[1]}/.well-known/jwks.json")
serving.serve(agent, sys.argv[2], "127.0.0.1", 0)
"""


@pytest.fixture
def start(world) -> Iterator[Callable[[str, str], subprocess.Popen[str]]]:
    """Starts a program that serves an agent of that handle, which answers that word."""
    started: list[subprocess.Popen[str]] = []

    def begin(handle: str, word: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, world.ann.url, handle, word],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"FIXIE_API_KEY": world.ann.key},
        )
        started.append(process)
        assert process.stdout is not None
        assert any(line.startswith("Ctrl-C") for line in process.stdout)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def status(world) -> Callable[[str], Any]:
    return lambda handle: world.ann.get(f"/api/agents/local/{handle}")["status"]


def test_a_killed_program_s_agent_goes_offline(world, start, status, eventually) -> None:
    process = start("slain", "alive")
    assert not eventually(lambda: status("slain") != "online", 8)  # beyond its lease
    assert world.ann.ask("slain") == "alive"
    process.kill()
    assert eventually(lambda: status("slain") == "offline")


def test_a_program_that_was_frozen_registers_again(world, start, status, eventually) -> None:
    process = start("frozen", "awake")
    process.send_signal(signal.SIGSTOP)
    assert eventually(lambda: status("frozen") == "offline")
    process.send_signal(signal.SIGCONT)
    assert eventually(lambda: status("frozen") == "online")
    assert world.ann.ask("frozen") == "awake"


def test_the_program_started_last_is_served_and_the_first_one_afterwards(world, start, eventually) -> None:
    start("pair", "first")
    second = start("pair", "second")
    assert not eventually(lambda: world.ann.ask("pair") != "second", 2)
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 0
    assert eventually(lambda: world.ann.ask("pair") == "first")


def test_an_agent_deleted_while_it_is_served_stays_deleted(world, start, eventually) -> None:
    process = start("unwanted", "still here")
    assert world.ann("DELETE", "/api/agents/local/unwanted").status_code == 204
    assert not eventually(lambda: world.ann("GET", "/api/agents/local/unwanted").ok, 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert world.ann("GET", "/api/agents/local/unwanted").status_code == 404
