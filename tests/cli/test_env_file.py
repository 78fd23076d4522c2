import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai import errors
from fixieai.cli.agent import env_file


def test_lines_are_assignments_comments_and_nothing_else(tmp_path):
    (tmp_path / ".env").write_text(
        "# a comment\n\nPLAIN=value # why\n  export EXPORTED = x=y \nEMPTY=\nHASH=a#b\n"
        'SINGLE=\'a $HOME \\n # "b"\' # why\nDOUBLE="a\\n\\"b\\" # $(id)"\n'
    )
    assert env_file.read(tmp_path) == {
        "PLAIN": "value",
        "EXPORTED": "x=y",
        "EMPTY": "",
        "HASH": "a#b",
        "SINGLE": 'a $HOME \\n # "b"',
        "DOUBLE": 'a\n"b" # $(id)',
    }


def test_without_a_file_there_are_no_variables(tmp_path):
    assert env_file.read(tmp_path) == {}


def test_a_wrong_line_is_named_by_its_number_and_not_repeated(tmp_path):
    (tmp_path / ".env").write_text("A=1\nsecret words\n")
    with pytest.raises(errors.ConfigurationError, match=r"line 2: expected NAME=value$"):
        env_file.read(tmp_path)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])))
def test_any_one_line_text_in_double_quotes_comes_back(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("env")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    (folder / ".env").write_text(f'NAME="{escaped}"\n')
    assert env_file.read(folder) == {"NAME": text}
