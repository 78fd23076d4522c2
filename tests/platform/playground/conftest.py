"""A person at the web page: a real Chromium, and a real platform with a few agents behind it."""

import contextlib
import os
import pathlib
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from free_ports import free_port
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from small_agents import make_dice

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import Settings

FLAGS = """
--headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run
--disable-background-networking --disable-component-update --disable-sync --window-size=1200,800
"""
VISIBLE_TEXTS = """
return [...document.querySelectorAll(arguments[0])]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .map((element) => element.innerText.trim())
  .filter(Boolean);
"""
SECONDS = 60
CROUPIER = """
Q: Throw for me
Ask Agent[dice]: Roll a d20
Agent[dice] says: You rolled a 12!
A: The dice say: You rolled a 12!
"""


class Teller:
    """A standalone agent that says the next word when it is told to."""

    def __init__(self) -> None:
        self._steps = threading.Semaphore(0)

    def go_on(self, times: int = 1) -> None:
        self._steps.release(times)

    def agent(self) -> fixieai.StandaloneAgent:
        def tell(query: fixieai.Message) -> Iterator[str]:
            for said in ("once", "once upon", "once upon a time"):
                assert self._steps.acquire(timeout=SECONDS)
                yield said

        return fixieai.StandaloneAgent(tell, sample_queries=["Tell a story"])


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("platform")


@pytest.fixture(scope="session")
def teller() -> Teller:
    """The one that answers as local/teller."""
    return Teller()


@pytest.fixture
def another_teller() -> Teller:
    return Teller()


@pytest.fixture(scope="session")
def platform(home: pathlib.Path, teller: Teller) -> Iterator[testing.Platform]:
    """With a home that tests know, unlike the one that all tests of this folder share."""
    models = ModelSettings(default_model="few-shot")
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving.background(Settings(home=home, port=0, models=models)))
        platform = testing.Platform(running.url, serving.local_key(home), stack)
        platform.serve(make_dice(), "dice")
        platform.serve(fixieai.CodeShotAgent("I throw dice.", CROUPIER), "croupier")
        platform.serve(teller.agent(), "teller")
        platform.call("PUT", "/api/agents/local/absent", {"url": None})
        yield platform


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory, downloads: pathlib.Path) -> Iterator[webdriver.Chrome]:
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        reason = "needs a browser: apt-get install chromium chromium-driver"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With its path given, Selenium looks for no driver on the network.
    with webdriver.Chrome(options=options, service=Service(driver, port=free_port())) as chromium:
        yield chromium


class Page:
    """What a person does with the page, and what they see on it."""

    def __init__(self, chromium: webdriver.Chrome, platform: testing.Platform) -> None:
        self.chromium = chromium
        self.platform = platform
        self.expects_failures = False

    def link(self, path: str = "/") -> str:
        code = self.platform.call("POST", "/api/browser-codes")["code"]
        return f"{self.platform.url}{path}#code={code}"

    def open(self, path: str = "/") -> None:
        self.chromium.get("about:blank")
        self.chromium.get(self.link(path))
        self.wait(lambda: self.texts(".empty, .turn"))

    def all(self, css: str) -> list[Any]:
        return self.chromium.find_elements(By.CSS_SELECTOR, css)

    def texts(self, css: str) -> list[str]:
        """Of what is visible."""
        return self.run(VISIBLE_TEXTS, css)

    def click(self, css: str, text: str = "") -> None:
        def click_first() -> bool:
            found = [element for element in self.all(css) if element.is_displayed() and text in element.text]
            for element in found[:1]:
                element.click()
            return bool(found)

        self.wait(click_first)

    def ask(self, question: str) -> None:
        self.chromium.find_element(By.ID, "question").send_keys(question, Keys.ENTER)

    def wait(self, condition: Callable[[], Any]) -> Any:
        # Lists are made anew while we look.
        waiting = WebDriverWait(self.chromium, SECONDS, 0.05, [StaleElementReferenceException])
        return waiting.until(lambda _: condition())

    def wait_for_answer(self, text: str) -> None:
        self.wait(lambda: text in self.texts(".turn:last-of-type .answer[aria-busy=false] .text"))

    def run(self, script: str, *values: str) -> Any:
        return self.chromium.execute_script(script, *values)

    @property
    def path(self) -> str:
        return self.chromium.current_url.removeprefix(self.platform.url)


@pytest.fixture
def page(chromium: webdriver.Chrome, platform: testing.Platform) -> Iterator[Page]:
    chromium.get_log("browser")
    page = Page(chromium, platform)
    yield page
    problems = [entry for entry in chromium.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]
    unexpected = [p for p in problems if not page.expects_failures or p["source"] != "network"]
    assert not unexpected
    chromium.get(platform.url + "/healthz")
    chromium.execute_script("sessionStorage.clear()")
    chromium.set_window_size(1200, 800)
