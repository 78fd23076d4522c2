"""An agent served by uvicorn itself, as deployments do it."""

import contextlib
import os
import subprocess
import sys

import pytest
from free_ports import free_port

FACTORY = "fixieai.cli.agent.loader:uvicorn_app_factory"
AGENT = """
import fixieai
agent = fixieai.StandaloneAgent(lambda query: "hello", sample_queries=["SAMPLE"])
"""


@contextlib.contextmanager
def uvicorn(folder, port, variables):
    with (folder / "uvicorn.log").open("wb") as log:
        command = [sys.executable, "-m", "uvicorn", FACTORY, "--factory", "--port", str(port)]
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **variables}, stdout=log, stderr=log
        )
    try:
        yield lambda: (folder / "uvicorn.log").read_text("utf-8")
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def deployed(platform_cli):
    folder = platform_cli.folder / "deployed"
    folder.mkdir(exist_ok=True)
    (folder / "agent.yaml").write_text("handle: deployed\n")
    (folder / "main.py").write_text(AGENT.replace("SAMPLE", "Before?"))
    return folder


@pytest.fixture
def port():
    return free_port()


def test_an_agent_that_starts_has_the_platform_ask_it_again_if_told_to(
    platform_cli, deployed, port, look_until
):
    with uvicorn(deployed, port, platform_cli.variables) as log:
        look_until(lambda: "startup complete" in log(), log)
        platform_cli("agent", "register", "deployed", f"http://127.0.0.1:{port}")
    assert "Sample query: Before?" in platform_cli("agent", "show", "deployed").stdout
    (deployed / "main.py").write_text(AGENT.replace("SAMPLE", "After?"))

    with uvicorn(deployed, port, {**platform_cli.variables, "FIXIE_REFRESH_ON_STARTUP": "true"}) as log:
        look_until(lambda: "After?" in platform_cli("agent", "show", "deployed").stdout, log)


def test_a_platform_that_cannot_be_told_is_no_reason_not_to_serve(fixie, deployed, port, look_until):
    with uvicorn(deployed, port, {**fixie.variables, "FIXIE_REFRESH_ON_STARTUP": "true"}) as log:
        look_until(lambda: "The platform could not be told of deployed: No API key" in log(), log)
        assert "Traceback" not in log()


@pytest.mark.parametrize(
    ("code", "first", "last"),
    [
        (
            "import nope\n",
            "Traceback (most recent call last):",
            "ModuleNotFoundError: No module named 'nope'",
        ),
        ("def agent(: pass\n", '  File "{main}", line 1', "SyntaxError:"),
    ],
    ids=["import", "syntax"],
)
def test_a_traceback_begins_in_the_authors_code(tmp_path, code, first, last):
    (tmp_path / "agent.yaml").write_text("handle: broken\n")
    (tmp_path / "main.py").write_text(code)
    command = [sys.executable, "-m", "fixieai.cli.agent.loader"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == first.format(main=tmp_path / "main.py")
    assert lines[-1].startswith(last)
    assert f'File "{tmp_path / "main.py"}", line 1' in done.stderr
    assert "importlib" not in done.stderr
