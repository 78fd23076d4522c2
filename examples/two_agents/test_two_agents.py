import pathlib

from fixieai import testing

HERE = pathlib.Path(__file__)
chef = testing.load(HERE.with_name("chef.py"))
cellar = testing.load(HERE.with_name("cellar.py"))


def test_the_chef_asks_the_cellar_which_asks_the_chef() -> None:
    with testing.platform() as platform:
        platform.serve(chef.agent, "chef")
        platform.serve(cellar.agent, "cellar")

        answer = platform.ask("chef", "Recommend a dinner")

    assert answer.text == "My recommendation: With grilled trout, take the Riesling."
    assert answer.said("chef") == "The dish of the day is grilled trout."
