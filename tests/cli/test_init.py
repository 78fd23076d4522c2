import pathlib
import subprocess
import sys

import pytest
import yaml


def test_without_anybody_to_ask_init_writes_an_agent_that_loads(fixie):
    (fixie.folder / "my dice").mkdir()
    done = fixie("init", "my dice")
    folder = fixie.folder / "my dice"
    assert yaml.safe_load((folder / "agent.yaml").read_text()) == {
        "handle": "my-dice",
        "description": "",
        "more_info_url": "",
        "entry_point": "main:agent",
    }
    assert 'agent.serve("my-dice")' in (folder / "main.py").read_text()
    assert not (folder / "requirements.txt").exists()
    assert 'fixie query -a my-dice "Roll 2d20"' in done.stdout
    loaded = subprocess.run([sys.executable, "-m", "fixieai.cli.agent.loader"], cwd=folder, check=False)
    assert loaded.returncode == 0


def test_answers_come_from_the_input_in_the_order_of_the_questions(fixie):
    fixie("init", "d", "--description", "I roll.", answers="dice\nrolls:roller\nhttps://example.org\n")
    config = yaml.safe_load((fixie.folder / "d" / "agent.yaml").read_text())
    assert (config["handle"], config["description"]) == ("dice", "I roll.")
    assert config["more_info_url"] == "https://example.org"
    assert "roller = fixieai.CodeShotAgent" in (fixie.folder / "d" / "rolls.py").read_text()


def test_what_is_there_is_kept(fixie):
    folder = fixie.folder
    (folder / "agent.yaml").write_text("handle: old\nname: Old\ntests: [a]\n")
    (folder / "main.py").write_text("# mine")
    (folder / "requirements.txt").write_text("numpy\n")
    fixie("init", "--description", "New.", "--requirement", "numpy", "--requirement", "pandas")
    config = yaml.safe_load((folder / "agent.yaml").read_text())
    assert (config["handle"], config["name"], config["tests"], config["description"]) == (
        "old",
        "Old",
        ["a"],
        "New.",
    )
    assert (folder / "main.py").read_text() == "# mine"
    assert (folder / "requirements.txt").read_text() == "numpy\npandas\n"


@pytest.mark.parametrize(
    "option",
    [
        ("--handle", "a b"),
        ("--handle", 'x")\nimport os #'),
        ("--handle", "../x"),
        ("--handle", ""),
        ("--entry-point", "main"),
        ("--entry-point", "../main:agent"),
        ("--more-info-url", "javascript:x"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(fixie, option):
    fixie("init", *option, code=2)
    assert list(fixie.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("handle: [", "is not YAML"),
        ("- a", "must hold a YAML mapping"),
        ("name: x", "`handle: NAME` is missing"),
        ("handle: 3", "handle must be text"),
        ("handle: a b", "letters, digits"),
        ("handle: a\nentry_point: x", "module:attribute"),
        ("handle: a\npublic: maybe", "true or false"),
    ],
)
def test_an_agent_yaml_that_is_wrong_says_where(fixie, text, complaint):
    file = pathlib.Path(fixie.folder, "agent.yaml")
    file.write_text(text)
    done = fixie("serve", code=1)
    assert complaint in done.stderr
    assert "agent.yaml" in done.stderr
    assert file.read_text() == text
