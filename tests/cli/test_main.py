import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from fixieai.cli import lazy, main

ALIASES = {
    "init": ("agent", "init"),
    "deploy": ("agent", "deploy"),
    "publish": ("agent", "publish"),
    "unpublish": ("agent", "unpublish"),
    "serve": ("agent", "serve"),
    "console": ("session", "new"),
    "query": ("session", "query"),
}


def _command(path: tuple[str, ...]) -> click.Command:
    found: click.Command = main.fixie
    for name in path:
        assert isinstance(found, click.Group)
        command = found.get_command(click.Context(found), name)
        assert command is not None, path
        found = command
    return found


def _tables(group: click.Group) -> Iterator[tuple[str, lazy.Entry, click.Command]]:
    assert isinstance(group, lazy.LazyGroup)
    for name, entry in group.entries.items():
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield name, entry, command
        if isinstance(command, click.Group):
            yield from _tables(command)


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_are_the_same_commands(alias):
    assert _command((alias,)) is _command(ALIASES[alias])


def test_the_lines_of_help_are_those_of_the_commands():
    for name, entry, command in _tables(main.fixie):
        summary = command.short_help or command.help
        assert (
            entry.summary
            == (summary.split(". `")[0] if isinstance(command, click.Group) else summary).rstrip(".") + "."
        ), name


def test_help_takes_less_than_150_ms_of_cpu_and_imports_nothing_heavy():
    heavy = "requests rich prompt_toolkit pydantic openai uvicorn starlette yaml"
    program = (
        "import sys, time\n"
        "from fixieai.cli import main\n"
        "sys.argv = ['fixie', '--help']\n"
        "try: main.main()\n"
        "except SystemExit: pass\n"
        f"imported = [name for name in {heavy.split()} if name in sys.modules]\n"
        "print(imported, time.process_time(), file=sys.stderr)"
    )
    times: list[float] = []
    while len(times) < 20 and min(times, default=1) >= 0.15:  # a busy machine takes more for the same
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        imported, _, seconds = done.stderr.strip().rpartition(" ")
        assert imported == "[]"
        times.append(float(seconds))
    assert min(times) < 0.15


def test_every_command_has_help(fixie):
    assert "query" in fixie("--help").stdout
    assert "--agent" in fixie("session", "new", "-h").stdout
    assert fixie("--version").stdout.startswith("fixie, version ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("query",),
        ("query", "--nonsense", "x"),
        ("session", "nonsense"),
        ("serve", "--port", "99999"),
        ("serve", "nowhere"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_exit_code_2(fixie, arguments):
    done = fixie(*arguments, code=2)
    assert "Error" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("session",),
        ("session", "show", "x"),
        ("session", "delete", "x"),
        ("organization",),
        ("organization", "create", "x"),
        ("organization", "delete", "x"),
        ("organization", "members", "list", "x"),
        ("organization", "members", "add", "x", "ann"),
        ("organization", "members", "remove", "x", "ann"),
        ("query", "hello"),
        ("console", "hello"),
        ("agent", "list"),
        ("agent", "show", "x"),
        ("agent", "logs", "x"),
        ("agent", "register", "x", "http://127.0.0.1:9"),
        ("agent", "delete", "x"),
        ("deploy", "--no-validate"),
        ("publish",),
        ("agent", "revisions", "list"),
        ("agent", "revisions", "set-current", "--id", "1"),
        ("agent", "revisions", "delete", "--id", "1"),
        ("user",),
    ],
    ids=" ".join,
)
def test_without_a_key_the_exit_code_is_11_and_with_no_platform_1(fixie, arguments):
    (fixie.folder / "agent.yaml").write_text("handle: dice\n")
    done = fixie(*arguments, code=11)
    assert "No API key for http://127.0.0.1:9" in done.stderr
    fixie.variables["FIXIE_API_KEY"] = "some-key"
    done = fixie(*arguments, code=1)
    assert (
        "No platform is running at http://127.0.0.1:9: start one with `fixie platform serve`" in done.stderr
    )
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("init", "made"), 0, ""),
        (("console", "hello"), 11, "No API key"),
        (("platform", "users", "remove", "ann"), 1, "Nothing was done"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_where_standard_input_is_closed_nobody_answers(fixie, arguments, code, said):
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "fixieai.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=fixie.folder,
        env={**os.environ, **fixie.variables},
    )
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_errors_of_the_system_name_the_file(fixie):
    (fixie.folder / "file").touch()
    done = fixie("init", "file/x", code=1)
    assert "file/x/agent.yaml" in done.stderr
    assert "Errno" not in done.stderr
    assert "there is no folder" in fixie("platform", "backup", "nowhere/b", code=2).stderr


def test_a_reader_that_goes_away_is_no_error_to_speak_of(fixie):
    for arguments in (("--help",), ("session", "--help")):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-m", "fixieai.cli.main", *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.close(writing)
        assert done.stderr == ""
        assert done.returncode == 1
