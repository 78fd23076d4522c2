"""What is sent of a folder, and that it is the same bytes for the same files."""

import io
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai import errors
from fixieai.cli.agent import code_package, npm_package
from fixieai.platform.deployments import packages

VARIABLES = {"FIXIE_API_URL": "http://127.0.0.1:8180", "FIXIE_ALLOWED_AGENT_ID": "ann/dice"}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    place = tmp_path / "dice"
    for name, text in {
        "agent.yaml": "handle: dice\n",
        "main.py": "agent = lambda query: query\n",
        ".env": "TOKEN=secret\n",
        "data/rules.txt": "six sides",
        ".git/config": "[core]",
        ".hidden": "x",
        "__pycache__/main.pyc": "x",
        "venv/pyvenv.cfg": "",
        "venv/lib/large.py": "x",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    (place / "run.sh").write_text("#!/bin/sh\n")
    (place / "run.sh").chmod(0o755)
    return place


def packed(file: pathlib.Path) -> bytes:
    target = io.BytesIO()
    code_package.write(code_package.entries(file, VARIABLES), target)
    return target.getvalue()


def members(content: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {member.name: member for member in archive}


def text_in(content: bytes, name: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read().decode()


def test_hidden_and_made_files_stay_and_the_env_file_goes(folder):
    assert list(members(packed(folder / "agent.yaml"))) == [
        ".env",
        "agent/.env",
        "agent/agent.yaml",
        "agent/data/rules.txt",
        "agent/main.py",
        "agent/run.sh",
        "main.py",
    ]


def test_the_variables_of_the_package_are_its_own(folder):
    content = packed(folder / "agent.yaml")
    assert text_in(content, ".env").splitlines() == [
        "FIXIE_ALLOWED_AGENT_ID=ann/dice",
        "FIXIE_API_URL=http://127.0.0.1:8180",
    ]
    assert text_in(content, "agent/.env") == "TOKEN=secret\n"


def test_the_same_files_are_the_same_bytes_whoever_owns_them_and_whenever_they_were_written(folder):
    before = packed(folder / "agent.yaml")
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    assert packed(folder / "agent.yaml") == before
    (folder / "main.py").write_text("agent = None\n")
    assert packed(folder / "agent.yaml") != before


def test_nothing_is_told_of_the_machine_but_what_is_executable(folder):
    found = members(packed(folder / "agent.yaml"))
    assert {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in found.values()} == {
        (0, 0, "", "", 0)
    }
    assert {name for name, one in found.items() if one.mode == 0o755} == {"agent/run.sh"}


def test_a_config_of_another_name_is_the_packages_agent_yaml(folder):
    (folder / "other.yaml").write_text("handle: other\n")
    content = packed(folder / "other.yaml")
    assert text_in(content, "agent/agent.yaml") == "handle: other\n"
    assert list(members(content)).count("agent/agent.yaml") == 1


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe"])
def test_what_is_no_plain_file_is_named_and_nothing_is_sent(folder, kind):
    place = folder / "strange"
    {
        "link": lambda: place.symlink_to("/etc/passwd"),
        "folder link": lambda: place.symlink_to("/etc"),
        "pipe": lambda: os.mkfifo(place),
    }[kind]()
    with pytest.raises(errors.ConfigurationError, match=r"strange is (a link|neither)"):
        packed(folder / "agent.yaml")


def test_a_name_that_is_no_text_is_named(folder):
    pathlib.Path(os.fsdecode(os.fsencode(folder) + b"/\xff.txt")).write_text("x")
    with pytest.raises(errors.ConfigurationError, match="not UTF-8"):
        packed(folder / "agent.yaml")


def test_too_much_is_refused_before_it_is_packed(folder, monkeypatch):
    monkeypatch.setattr(code_package, "LIMITS", packages.PackageLimits(names=3))
    with pytest.raises(errors.ConfigurationError, match="more than 3 files"):
        packed(folder / "agent.yaml")
    monkeypatch.setattr(code_package, "LIMITS", packages.PackageLimits(unpacked_bytes=1 << 20))
    with (folder / "large.bin").open("wb") as large:
        large.truncate(2 << 20)
    with pytest.raises(errors.ConfigurationError, match="more than 1 MiB"):
        packed(folder / "agent.yaml")


def test_the_platform_takes_what_is_packed(folder, tmp_path):
    archive = tmp_path / "package.tgz"
    archive.write_bytes(packed(folder / "agent.yaml"))
    packages.check(archive, "PYTHON")
    packages.unpack(archive, tmp_path / "unpacked")
    assert (tmp_path / "unpacked/agent/data/rules.txt").read_text() == "six sides"


@given(
    st.dictionaries(st.from_regex(r"[\w][\w. -]{0,30}", fullmatch=True), st.binary(max_size=2000), max_size=8)
)
def test_every_file_arrives_as_it_is(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("agent")
    (folder / "agent.yaml").write_text("handle: dice\n")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    archive = tmp_path_factory.mktemp("packed") / "package.tgz"
    archive.write_bytes(packed(folder / "agent.yaml"))
    target = archive.parent / "unpacked"
    packages.unpack(archive, target)
    assert {path.name: path.read_bytes() for path in (target / "agent").iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_an_unpacked_package_can_serve_itself(folder, tmp_path):
    (folder / "main.py").write_text(
        "import os\nprint(os.environ['FIXIE_ALLOWED_AGENT_ID'], os.getcwd(), flush=True)\nos._exit(7)\n"
    )
    archive, target = tmp_path / "package.tgz", tmp_path / "unpacked"
    archive.write_bytes(packed(folder / "agent.yaml"))
    packages.unpack(archive, target)
    done = subprocess.run(
        [sys.executable, target / "main.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.split() == ["ann/dice", str(target / "agent")]


def test_an_npm_package_is_what_npm_packs(tmp_path):
    node = tmp_path / "node"
    node.mkdir()
    (node / "package.json").write_text('{"name": "dice", "version": "1.0.0", "files": ["index.js"]}')
    (node / "index.js").write_text("console.log(1)\n")
    (node / "private.js").write_text("")
    (tmp_path / "packed").mkdir()
    archive, entries = npm_package.pack(node, tmp_path / "packed")
    assert sorted(entry.name for entry in entries) == ["package/index.js", "package/package.json"]
    packages.check(archive, "NODEJS")


def test_without_npm_or_when_it_refuses_a_message_says_so(tmp_path, monkeypatch):
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "packed").mkdir()
    with pytest.raises(errors.ConfigurationError, match="npm pack failed"):
        npm_package.pack(tmp_path, tmp_path / "packed")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.ConfigurationError, match="`npm`"):
        npm_package.pack(tmp_path, tmp_path / "packed")


def test_the_page_of_the_client_names_the_limits():
    limits = code_package.LIMITS
    page = (pathlib.Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8")
    unpacked, packed_size = limits.unpacked_bytes >> 20, limits.packed_bytes >> 20
    said = f"{limits.names:,} files, {unpacked} MiB unpacked and {packed_size} MiB packed"
    assert said in " ".join(page.split())
