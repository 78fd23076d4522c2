"""Fixtures for every test: asyncio as the async backend, and an environment that holds nothing of ours."""

import os
import signal
import time

import pytest

pytest_plugins = ["postgres_server"]

# Servers of tests are on this machine; a proxy of whoever runs them would not find them.
for _name in ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

# Processes that tests start inherit what is ignored, as whoever runs them in the background may have it.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL if _number == signal.SIGHUP else signal.default_int_handler)

_DAY_SECONDS = 86_400


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("FIXIE_", "OPENAI_", "AI21_", "GOOSEAI_", "ANTHROPIC_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FIXIE_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(autouse=True)
def _one_day() -> None:
    """Much is counted by the day (UTC): no test begins where the day would change in the middle of it."""
    left = _DAY_SECONDS - time.time() % _DAY_SECONDS
    if left < 60:
        time.sleep(left + 0.1)
