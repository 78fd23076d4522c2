import pathlib

from fixieai import testing

poet = testing.load(pathlib.Path(__file__).with_name("main.py"))


def test_the_poem_grows_verse_by_verse_to_the_whole_answer() -> None:
    with testing.platform() as platform:
        platform.serve(poet.agent, "poet")

        answer = platform.ask("poet", "testing")

    assert answer.text.splitlines() == ["On testing:", *poet.VERSES]
    assert len(answer.partials) >= 3
    assert all(answer.text.startswith(partial) for partial in answer.partials)
