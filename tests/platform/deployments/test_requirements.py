"""What packages require, and those of NodeJS."""

import os
import pathlib
import shutil
import zipfile

import pytest
from packaged_programs import AGENT, get, refused

from fixieai import errors

pytestmark = pytest.mark.anyio


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
    assert await hosted.said("servus 2.")
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
    assert await hosted.said("listening")


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
    assert await hosted.said("servus")


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
