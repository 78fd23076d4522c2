"""A tunnel, with a program in the place of `ssh` that says what the service says."""

import itertools
import pathlib
import subprocess
import sys
import time

import pytest

from fixieai import errors
from fixieai.cli.agent import serve
from fixieai.cli.agent import tunnel as tunnel_module
from fixieai.cli.agent.tunnel import Tunnel

FAKE_SSH = """#!{python}
import json, sys, time
with open({seen!r}, "w") as seen:
    json.dump(sys.argv[1:], seen)
print("Welcome")
for address in {addresses!r}:
    print(json.dumps({{"event": "tcpip-forward", "address": address}}), flush=True)
print(json.dumps({{"event": "authn", "message": "no address"}}), flush=True)
time.sleep({seconds})
"""


@pytest.fixture
def fake_ssh(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    def make(*addresses: str, seconds: float = 0) -> pathlib.Path:
        seen = tmp_path / "arguments.json"
        program = tmp_path / "ssh"
        program.write_text(
            FAKE_SSH.format(python=sys.executable, seen=str(seen), addresses=addresses, seconds=seconds)
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return seen

    return make


def test_each_address_is_given_when_it_comes_and_a_lost_connection_is_made_again(fake_ssh, monkeypatch):
    monkeypatch.setattr(tunnel_module, "_SECONDS_BETWEEN_TRIES", 0.1)
    seen = fake_ssh("a.lhr.life", "b.lhr.life")
    a, b = "https://a.lhr.life", "https://b.lhr.life"
    with Tunnel(8181) as tunnel:
        assert list(itertools.islice(tunnel, 4)) == [a, b, a, b]
    assert list(tunnel) == []
    assert '"80:127.0.0.1:8181"' in seen.read_text()
    assert "localhost.run" in seen.read_text()


def test_leaving_it_closes_it(fake_ssh):
    fake_ssh("a.lhr.life", seconds=60)
    before = time.monotonic()
    with Tunnel(8181) as tunnel:
        assert next(iter(tunnel)) == "https://a.lhr.life"
        process = tunnel._process
    assert isinstance(process, subprocess.Popen)
    assert process.poll() is not None
    assert time.monotonic() - before < 40


def test_without_ssh_a_message_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.ConfigurationError, match="ssh"):
        Tunnel(8181).start()


@pytest.mark.parametrize(
    ("platform", "host", "is_needed"),
    [
        ("http://127.0.0.1:8180", "127.0.0.1", False),
        ("http://localhost:8180", "127.0.0.1", False),
        ("https://fixie.example.org", "127.0.0.1", True),
        ("https://fixie.example.org", "192.168.1.5", False),
    ],
)
def test_unless_told_there_is_a_tunnel_only_where_nothing_else_leads_to_the_agent(platform, host, is_needed):
    assert serve._needs_tunnel(platform, host) is is_needed
