"""`fixie deploy` and what is done with revisions, against a platform that runs what it is sent."""

import json
import pathlib
import re
import shlex
import signal

import pytest
import requests

from fixieai.client.client import FixieClient

MAIN = """
import os
def agent(query):
    return "VERSION " + query + " " + os.environ.get("GREETING", "")
"""
NODE = """
const http = require("http");
http.createServer((request, response) => {
  if (request.method === "GET") {
    response.setHeader("Content-Type", "application/yaml");
    response.end("type: standalone\\nsample_queries: null\\n");
  } else {
    response.end(JSON.stringify({message: {text: "from node"}}) + "\\n");
  }
}).listen(Number(process.env.PORT), "127.0.0.1");
"""


@pytest.fixture
def parrot(platform_cli) -> pathlib.Path:
    """An agent in a folder of its own, not deployed yet."""
    folder = platform_cli.folder / "parrot"
    folder.mkdir(exist_ok=True)
    (folder / "agent.yaml").write_text("handle: parrot\nname: Parrot\n")
    (folder / "main.py").write_text(MAIN.replace("VERSION", "first"))
    (folder / ".env").write_text("GREETING=hi\n")
    yield folder
    for file in folder.iterdir():
        file.unlink() if file.is_file() else None
    if "local/parrot" in platform_cli("agent", "list").stdout:
        platform_cli("agent", "delete", "parrot")


def ask(fixie, text: str = "hello", agent: str = "parrot") -> str:
    return fixie("query", "-a", agent, text).stdout.strip()


def revisions(fixie, folder: pathlib.Path) -> list[dict[str, object]]:
    return json.loads(fixie("agent", "revisions", "list", str(folder), "--json").stdout)


def show(fixie, label: str) -> list[str]:
    lines = fixie("agent", "show", "parrot").stdout.splitlines()
    return [line.partition(": ")[2] for line in lines if line.startswith(label)]


def test_what_is_deployed_answers_and_what_is_sent_is_listed(platform_cli, parrot):
    done = platform_cli("deploy", str(parrot))
    assert [line.split()[0] for line in done.stderr.splitlines() if line.startswith("  ")] == [
        ".env",
        "agent/.env",
        "agent/agent.yaml",
        "agent/main.py",
        "main.py",
    ]
    assert "Sending 5 files, " in done.stderr
    (revision,) = revisions(platform_cli, parrot)
    assert f"Deployed local/parrot, revision {revision['id']}: " in done.stdout
    assert ask(platform_cli) == "first hello hi"
    assert revision["metadata"]["fixie.ai/client"] == "python-cli"
    assert show(platform_cli, "Runs") == ["PYTHON"]
    assert show(platform_cli, "Published") == ["False"]


def test_a_question_that_the_agent_answers_is_suggested(platform_cli, parrot):
    (parrot / "main.py").write_text(
        "import fixieai\nagent = fixieai.StandaloneAgent(lambda query: 'hi', sample_queries=['Say \"hi\"'])\n"
    )
    done = platform_cli("deploy", str(parrot))
    (command,) = re.findall(r"^Try: fixie (.*)", done.stdout, re.MULTILINE)
    assert platform_cli(*shlex.split(command)).stdout == "hi\n"


def test_at_a_terminal_one_sees_how_much_is_sent_and_ctrl_c_ends_the_waiting(
    platform_cli, parrot, at_terminal
):
    (parrot / "main.py").write_text("import time\ntime.sleep(60)\n")
    with at_terminal("deploy", "--no-validate", "parrot") as terminal:
        terminal.wait_for("agent/main.py")
        terminal.wait_for("Sent 100 %")
        terminal.wait_for("Waiting until it is ready")
        terminal.type("\x03")
        terminal.wait_for("Interrupted")
        assert terminal.process.wait(60) == 130


def test_a_new_deployment_takes_over_and_an_older_one_can_be_made_current_again(platform_cli, parrot):
    platform_cli("deploy", str(parrot))
    (parrot / "main.py").write_text(MAIN.replace("VERSION", "second"))
    platform_cli("agent", "deploy", str(parrot), "--metadata", "why", "test", "--metadata", "who", "me")
    assert ask(platform_cli) == "second hello hi"
    newer, older = revisions(platform_cli, parrot)
    assert (newer["isCurrent"], older["isCurrent"]) == (True, False)
    assert (newer["metadata"]["why"], newer["metadata"]["who"]) == ("test", "me")
    platform_cli("agent", "revisions", "set-current", str(parrot), "--id", older["id"])
    assert ask(platform_cli) == "first hello hi"
    listed = platform_cli("agent", "revisions", "list", str(parrot)).stdout.splitlines()
    assert [line.split("\t")[:3] for line in listed] == [
        [newer["id"], "-", "ready"],
        [older["id"], "current", "ready"],
    ]


def test_a_revision_that_is_not_made_current_waits(platform_cli, parrot, look_until):
    platform_cli("deploy", str(parrot))
    (parrot / "main.py").write_text(MAIN.replace("VERSION", "second"))
    done = platform_cli("deploy", str(parrot), "--not-current")
    assert ask(platform_cli) == "first hello hi"
    (command,) = re.findall(r"^fixie (agent revisions .*)", done.stderr, re.MULTILINE)
    newest = command.split()[-1]
    assert newest in done.stdout
    look_until(
        lambda: "ready" * (revisions(platform_cli, parrot)[0]["status"] == "ready"), lambda: "still pending"
    )
    platform_cli(*shlex.split(command))
    assert ask(platform_cli) == "second hello hi"


def test_the_current_revision_is_deleted_by_force_alone(platform_cli, parrot):
    platform_cli("deploy", str(parrot))
    (revision,) = revisions(platform_cli, parrot)
    arguments = ("agent", "revisions", "delete", str(parrot), "--id", revision["id"])
    assert "--force" in platform_cli(*arguments, code=1).stderr
    assert ask(platform_cli) == "first hello hi"
    platform_cli(*arguments, "-f")
    assert revisions(platform_cli, parrot) == []
    assert show(platform_cli, "Status") == ["offline"]
    assert "no such revision" in platform_cli(*arguments, code=1).stderr


def test_who_may_use_an_agent_is_left_alone_unless_it_is_said(platform_cli, parrot):
    platform_cli("deploy", str(parrot), "--public")
    assert show(platform_cli, "Published") == ["True"]
    platform_cli("deploy", str(parrot))
    assert show(platform_cli, "Published") == ["True"]
    assert "not public" in platform_cli("unpublish", str(parrot)).stdout
    assert show(platform_cli, "Published") == ["False"]
    platform_cli("agent", "publish", str(parrot))
    assert show(platform_cli, "Published") == ["True"]


def test_an_agent_of_an_organisation_is_deployed_and_served_under_its_name(platform_cli, parrot):
    key = platform_cli("platform", "key").stdout.strip()
    requests.post(
        f"{platform_cli.variables['FIXIE_API_URL']}/api/organizations",
        json={"handle": "acme"},
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    ).raise_for_status()
    (parrot / "agent.yaml").write_text("handle: parrot\nowner: acme\n")
    assert "Deployed acme/parrot" in platform_cli("deploy", str(parrot)).stdout
    assert ask(platform_cli, agent="acme/parrot") == "first hello hi"
    (parrot / "main.py").write_text(MAIN.replace("VERSION", "served"))
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=parrot)
    agent.wait_for("acme/parrot is served at")
    assert ask(platform_cli, agent="acme/parrot") == "served hello hi"
    agent.stop()
    assert ask(platform_cli, agent="acme/parrot") == "first hello hi"
    platform_cli("unpublish", str(parrot))
    platform_cli("agent", "delete", "acme/parrot")


def test_an_agent_that_cannot_be_loaded_is_not_sent(platform_cli, parrot):
    (parrot / "main.py").write_text("agent = 3\n")
    done = platform_cli("deploy", str(parrot), code=1)
    assert "expected an agent or a function, not int" in done.stderr
    assert "nothing was deployed" in done.stderr
    assert "local/parrot" not in platform_cli("agent", "list").stdout


def test_what_cannot_be_started_is_said_and_the_former_revision_answers(platform_cli, parrot):
    platform_cli("deploy", str(parrot))
    (parrot / "main.py").write_text("print('about to fail', flush=True)\nraise SystemExit('no luck')\n")
    done = platform_cli("deploy", "--no-validate", str(parrot), code=1)
    assert "Error: " in done.stderr
    assert ask(platform_cli) == "first hello hi"
    (newer,) = show(platform_cli, "Newer revision")
    assert "failed: " in newer
    logs = platform_cli("agent", "logs", "parrot", "--id", newer.split(",")[0]).stdout
    assert "about to fail" in logs


def test_with_a_deployment_url_no_code_is_sent(platform_cli, parrot):
    url = platform_cli("agent", "show", "dice").stdout.partition("Served at: ")[2].split()[0]
    (parrot / "agent.yaml").write_text(f"handle: parrot\ndeployment_url: {url}\n")
    done = platform_cli("deploy", str(parrot), code=1)  # dice takes no tokens for another agent
    assert "Sending" not in done.stderr
    assert "Error: " in done.stderr


def test_an_agent_for_node_is_packed_by_npm(platform_cli, parrot):
    (parrot / "main.py").unlink()
    (parrot / "package.json").write_text(
        '{"name": "parrot", "version": "1.0.0", "main": "index.js", "scripts": {"start": "node index.js"}}'
    )
    (parrot / "index.js").write_text(NODE)
    done = platform_cli("deploy", str(parrot))
    assert "package/index.js" in done.stderr
    assert ask(platform_cli) == "from node"


def test_an_agent_that_was_renamed_is_served_and_deployed_under_its_new_name(platform_cli, parrot):
    platform_cli("deploy", str(parrot))
    key = platform_cli("platform", "key").stdout.strip()
    client = FixieClient(key, api_url=platform_cli.variables["FIXIE_API_URL"])
    client.get_agent("parrot").update_agent(new_handle="macaw")
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=parrot)
    agent.wait_for("local/macaw is served at")
    assert ask(platform_cli, agent="macaw") == "first hello hi"
    agent.stop()
    assert "Deployed local/macaw" in platform_cli("deploy", str(parrot)).stdout
    assert ask(platform_cli) == "first hello hi"
    platform_cli("agent", "delete", "macaw")


def test_serving_stands_in_for_what_is_deployed(platform_cli, parrot, look_until):
    platform_cli("deploy", str(parrot))
    (parrot / "main.py").write_text(MAIN.replace("VERSION", "served"))
    agent = platform_cli.start("serve", "--no-reload", "--port", "0", folder=parrot)
    agent.wait_for("is served at")
    assert ask(platform_cli) == "served hello hi"
    assert "as long as its program runs" in show(platform_cli, "Current revision")[0]
    agent.stop(signal.SIGKILL)
    look_until(lambda: "back" * (show(platform_cli, "Runs") == ["PYTHON"]), agent.output)
    assert ask(platform_cli) == "first hello hi"


@pytest.mark.parametrize(
    "arguments",
    [
        ("deploy", "nowhere"),
        ("publish", "nowhere"),
        ("agent", "revisions", "list", "nowhere"),
        ("agent", "revisions", "set-current", "dice"),
        ("agent", "revisions", "delete", "dice"),
        ("deploy", "dice", "--metadata", "key"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_exit_code_2_here_too(platform_cli, arguments):
    assert "Error" in platform_cli(*arguments, code=2).stderr


def test_an_agent_that_is_not_there_yet_has_nothing_to_publish_or_to_list(platform_cli, parrot):
    for command in (("publish",), ("unpublish",), ("agent", "revisions", "list")):
        assert "deploy it first" in platform_cli(*command, str(parrot), code=1).stderr
    assert "Error: " in platform_cli("agent", "logs", "parrot", code=1).stderr
    assert "no agent" in platform_cli("agent", "logs", "nobody", code=1).stderr


def test_files_that_cannot_be_sent_are_named_before_anything_is_sent(platform_cli, parrot):
    (parrot / "link").symlink_to("main.py")
    done = platform_cli("deploy", str(parrot), code=1)
    assert "link is a link" in done.stderr
    (parrot / "link").unlink()
    (parrot / "agent.yaml").write_text("handle: [\n")
    assert "is not YAML" in platform_cli("deploy", str(parrot), code=1).stderr
