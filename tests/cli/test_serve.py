"""`fixie serve`: loading, reloading, registering."""

import dataclasses
import os
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading

import pytest
from free_ports import free_port

import fixieai
from fixieai.agents import serving, token
from fixieai.web import server

AGENT = """
import fixieai
print("loaded")
def agent(query):
    return "VERSION " + query
"""


class Relay(socketserver.ThreadingTCPServer):
    """Passes on what is sent to `target`, and breaks connections that bring `refused`."""

    daemon_threads = True

    def __init__(self, target: int, refused: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target, self.refused = target, refused
        self.has_refused = threading.Event()


class _Passing(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as target:
            other = {self.request: target, target: self.request}
            while all(self._pass(each, other[each]) for each in select.select(list(other), [], [])[0]):
                pass

    def _pass(self, source: socket.socket, target: socket.socket) -> bool:
        """Whether the connection goes on."""
        sent = source.recv(65536)
        if self.server.refused in sent:
            self.server.has_refused.set()
            return False
        target.sendall(sent)
        return bool(sent)


@pytest.fixture
def echo(platform_cli):
    """An agent that is a plain function, in a folder of its own."""
    folder = platform_cli.folder / "echo"
    folder.mkdir(exist_ok=True)
    (folder / "agent.yaml").write_text("handle: echo\nname: Echo\n")
    (folder / "main.py").write_text(AGENT.replace("VERSION", "first"))
    return folder


def _ask(fixie, text: str = "hello") -> str:
    return fixie("query", "-a", "echo", text).stdout.strip()


def test_a_changed_file_is_served_without_a_restart_and_a_broken_one_waits(platform_cli, echo, look_until):
    agent = platform_cli.start("serve", "--port", "0", folder=echo)
    agent.wait_for("local/echo is served at")
    agent.wait_for("loaded")
    assert _ask(platform_cli) == "first hello"
    (echo / "main.py").write_text("def broken(:\n")
    agent.wait_for("Waiting for a change")
    assert "Reloading: main.py changed" in agent.output()
    assert "SyntaxError" in agent.output()
    (echo / "main.py").write_text(AGENT.replace("VERSION", "second"))
    look_until(lambda: agent.output() if agent.output().count("is served at") == 2 else "", agent.output)
    assert _ask(platform_cli) == "second hello"
    assert agent.stop(signal.SIGINT) == 0
    assert platform_cli("agent", "list").stdout.splitlines()[1].split("\t")[:2] == ["local/echo", "offline"]


def test_an_agent_that_does_not_load_is_exit_code_1_without_reload(platform_cli, echo):
    (echo / "main.py").write_text("agent = 3\n")
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
    assert agent.process.wait(60) == 1
    assert "expected an agent or a function, not int" in agent.output()


def test_a_few_shot_that_cannot_be_is_said_in_one_line(platform_cli, echo):
    (echo / "main.py").write_text(
        "import fixieai\nagent = fixieai.CodeShotAgent('I echo.', 'Q: Hello\\nB: hi')\n"
    )
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
    assert agent.process.wait(60) == 1
    assert "Error: entry_point main:agent: few-shot 1" in agent.output()
    assert "Traceback" not in agent.output()


def test_variables_of_the_env_file_are_set_but_do_not_replace_others(platform_cli, echo):
    (echo / ".env").write_text("GREETING=hi\nFIXIE_API_URL=http://127.0.0.1:9\n")
    (echo / "main.py").write_text(
        "import os\n"
        "def agent(query):\n"
        "    return os.environ['GREETING'] + ' ' + os.environ['FIXIE_ALLOWED_AGENT_ID']\n"
    )
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
    agent.wait_for("is served at")
    assert _ask(platform_cli) == "hi local/echo"
    agent.stop()
    (echo / ".env").unlink()


BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/extra-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("extra_thing.py", "TEXT = 'required'")
        wheel.writestr("extra-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: extra\\nVersion: 1\\n")
        wheel.writestr("extra-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("extra-1.dist-info/RECORD", "")
    return "extra-1-py3-none-any.whl"
"""

FAKE_SSH = """#!{python}
import json, os, sys, time
port = sys.argv[sys.argv.index("-R") + 1].rpartition(":")[2]
print("Welcome")
print(json.dumps({{"address": f"http://localhost:{{port}}"}}), flush=True)
while not os.path.exists({gate!r}):
    time.sleep(0.05)
print(json.dumps({{"address": f"http://127.0.0.1:{{port}}"}}), flush=True)
time.sleep(600)
"""


def _current_url(fixie) -> str:
    return _shown(fixie, "Served at")


def _shown(fixie, label: str) -> str:
    lines = fixie("agent", "show", "echo").stdout.splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith(label)), "")


def test_a_tunnel_that_is_asked_for_is_where_the_agent_is_and_it_moves_with_it(
    platform_cli, echo, look_until, monkeypatch
):
    ssh = platform_cli.folder / "bin" / "ssh"
    ssh.parent.mkdir()
    gate = ssh.with_name("may-move")
    ssh.write_text(FAKE_SSH.format(python=sys.executable, gate=str(gate)))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    agent = platform_cli.start("serve", "--tunnel", "--no-reload", "--port", "0", folder=echo)
    assert "http://localhost:" in agent.wait_for("is served at")
    gate.touch()
    look_until(
        lambda: agent.output() if _current_url(platform_cli).startswith("http://127.0.0.1:") else "",
        agent.output,
    )
    assert _ask(platform_cli) == "first hello"
    assert agent.stop() == 0
    assert _current_url(platform_cli) == ""


@pytest.fixture
def elsewhere(platform_cli):
    """The address of the same agent, served by other means."""
    agent = fixieai.StandaloneAgent(lambda query: "former")
    agent._jwks_client = token.JwksClient(f"{platform_cli.variables['FIXIE_API_URL']}/.well-known/jwks.json")
    agent._allowed_agent_id = "local/echo"
    app = serving.guarded_app(agent, "127.0.0.1")
    with server.BackgroundServer(app, server.bind("127.0.0.1", 0)) as running:
        yield running.url


def test_what_was_current_is_so_again_after_serving_and_also_when_it_was_killed(
    platform_cli, echo, elsewhere, look_until
):
    platform_cli("agent", "register", "echo", elsewhere)
    assert _ask(platform_cli) == "former"
    for number in (signal.SIGTERM, signal.SIGKILL):
        agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
        agent.wait_for("is served at")
        assert _ask(platform_cli) == "first hello"
        agent.stop(number)
        look_until(lambda: "back" * (_current_url(platform_cli) == elsewhere), agent.output)
        assert _ask(platform_cli) == "former"
    platform_cli("agent", "delete", "echo")


def test_a_program_whose_agent_another_serves_now_says_so_and_ends(platform_cli, echo):
    first = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
    first.wait_for("is served at")
    second = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
    second.wait_for("is served at")
    assert first.process.wait(60) == 1
    assert "Another program serves this agent meanwhile" in first.output()
    assert _ask(platform_cli) == "first hello"
    second.stop()
    assert _current_url(platform_cli) == ""


def test_with_an_environment_of_its_own_the_agent_has_what_it_requires(platform_cli, echo):
    """From a folder beside it: nothing is fetched from anywhere."""
    (echo / "extra").mkdir()
    (echo / "extra" / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "extra"\nversion = "1"\n'
    )
    (echo / "extra" / "backend.py").write_text(BACKEND)
    (echo / "requirements.txt").write_text("fixieai\n./extra\n")
    (echo / "main.py").write_text(
        "import sys, extra_thing\ndef agent(query):\n    return extra_thing.TEXT + ' ' + sys.prefix\n"
    )
    for _ in range(2):
        agent = platform_cli.start("serve", "--venv", "--no-reload", "--port", "0", folder=echo)
        agent.wait_for("is served at")
        assert _ask(platform_cli) == f"required {echo / '.fixie.venv'}"
        agent.stop()
    assert "Making the virtual environment" not in agent.output()
    platform_cli("deploy", str(echo), "--not-current")  # loads the agent before, with what it requires
    (echo / "requirements.txt").write_text("./nowhere\n")
    assert "could not be installed" in platform_cli("serve", "--venv", str(echo), code=1).stderr
    (echo / "requirements.txt").unlink()


def test_a_port_in_use_is_an_error_that_says_so(platform_cli, echo):
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
    port = agent.wait_for("is served at").partition("served at http://127.0.0.1:")[2].split()[0]
    assert "in use" in platform_cli("serve", "dice", "--port", port, code=1).stderr
    agent.stop()


def test_a_query_that_fails_is_an_error_on_stderr_and_exit_code_1(platform_cli, echo):
    with_agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
    with_agent.wait_for("is served at")
    with_agent.stop()
    done = platform_cli("query", "-v", "-a", "echo", "hello", code=1)
    assert done.stdout == ""
    assert "Error: " in done.stderr
    assert "agent_unavailable" in done.stderr
    assert "[session " in done.stderr


def test_an_agent_that_dies_is_said_to_have_ended(platform_cli, echo):
    (echo / "main.py").write_text("import os\ndef agent(query):\n    os._exit(7)\n")
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo)
    agent.wait_for("is served at")
    platform_cli("query", "-a", "echo", "hello", code=1)
    assert agent.process.wait(60) == 1
    assert "ended with exit code 7" in agent.output()


def test_the_attachments_of_an_answer_are_listed(platform_cli, echo):
    (echo / "main.py").write_text(
        "import fixieai\n"
        "def agent(query):\n"
        "    picture = fixieai.Embed('image/png', 'data:image/png;base64,aGk=')\n"
        "    return fixieai.Message('See #picture', embeds={'picture': picture})\n"
    )
    platform_cli.start("serve", "--no-reload", "--port", "0", folder=echo).wait_for("is served at")
    done = platform_cli("query", "-a", "echo", "draw")
    assert done.stdout == "See #picture\n"
    assert "#picture  image/png  " in done.stderr
    handle = platform_cli("session", "list", "--limit", "1").stdout.split("\t")[0]
    assert "#picture" in platform_cli("session", "show", handle).stdout.split("See #picture")[1]


def test_without_a_platform_one_is_started_that_ends_with_the_command(fixie):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8180))
        except OSError:
            pytest.skip("something on this machine uses port 8180")
    del fixie.variables["FIXIE_API_URL"]
    fixie("init", "--handle", "dice")
    agent = fixie.start("serve", "--port", "0")
    agent.wait_for("Started a platform at http://127.0.0.1:8180")
    agent.wait_for("local/dice is served at")
    assert fixie("query", "-a", "dice", "Roll 2d20").stdout.startswith("You rolled")
    assert agent.stop() == 0
    assert "No platform is running" in fixie("query", "-a", "dice", "Roll 2d20", code=1).stderr


def test_when_the_platform_was_away_the_agent_is_there_again(fixie, look_until):
    port = str(free_port())
    platform = fixie.start("platform", "serve", "--port", port)
    fixie.variables["FIXIE_API_URL"] = platform.wait_for("is ready").splitlines()[0]
    fixie("init", "--handle", "dice")
    agent = fixie.start("serve", "--no-reload", "--port", "0")
    agent.wait_for("local/dice is served at")
    platform.stop(signal.SIGKILL)
    fixie.start("platform", "serve", "--port", port).wait_for("is ready")
    assert fixie("query", "-a", "dice", "Roll 2d20").stdout.startswith("You rolled")
    assert agent.stop() == 0
    look_until(lambda: "off" * ("Status: offline" in fixie("agent", "show", "dice").stdout), agent.output)


def test_a_platform_that_goes_when_the_agent_is_there_ends_nothing(platform_cli, echo):
    target = int(platform_cli.variables["FIXIE_API_URL"].rpartition(":")[2])
    with Relay(target, b"POST /api/browser-codes") as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{relay.server_address[1]}"
        through = dataclasses.replace(
            platform_cli, variables={**platform_cli.variables, "FIXIE_API_URL": address}
        )
        agent = through.start("serve", "--no-reload", "--port", "0", folder=echo)
        agent.wait_for("local/echo is served at")
        assert relay.has_refused.wait(60)
        with pytest.raises(subprocess.TimeoutExpired):
            agent.process.wait(3)
        assert _ask(platform_cli) == "first hello"
        assert agent.stop() == 0, agent.output()
        relay.shutdown()
