import pathlib

import fixieai
from fixieai import testing

notebook = testing.load(pathlib.Path(__file__).with_name("main.py"))


def test_funcs_are_plain_functions_that_take_any_mapping_as_storage() -> None:
    storage: dict[str, list[str]] = {}

    assert notebook.remember(fixieai.Message("tea at five"), storage) == "That is note 1."
    assert notebook.recall(fixieai.Message("everything"), storage) == "tea at five"
    assert notebook.forget(fixieai.Message("everything"), storage) == "1 note is gone."


def test_what_was_remembered_is_known_in_a_later_session() -> None:
    with testing.platform() as platform:
        platform.serve(notebook.agent, "notebook")
        platform.ask("notebook", "Remember that my cat is called Tom")

        answer = platform.ask("notebook", "What do you know about me?")

    assert answer.text == "You told me: my cat is called Tom"
