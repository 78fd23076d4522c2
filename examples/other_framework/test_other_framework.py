import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fixieai import testing

MAIN = pathlib.Path(__file__).with_name("main.py")
URL = "http://127.0.0.1:8190"


@pytest.fixture(autouse=True)
def _service() -> Iterator[None]:
    with subprocess.Popen([sys.executable, str(MAIN)], stdout=subprocess.DEVNULL) as process:
        testing.wait_until_reachable(URL, 60)
        yield
        process.terminate()


def test_a_service_of_another_framework_answers_as_an_agent() -> None:
    with testing.platform() as platform:
        platform.register("backwards", URL)

        answer = platform.ask("backwards", "desserts")

    assert answer.text == "stressed"
