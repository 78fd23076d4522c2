"""Fixtures for every test: asyncio as the async backend, and an environment that holds nothing of ours."""

import os

import pytest

pytest_plugins = ["postgres_server"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(("FIXIE_", "OPENAI_", "AI21_", "GOOSEAI_", "ANTHROPIC_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FIXIE_HOME", str(tmp_path_factory.mktemp("home")))
