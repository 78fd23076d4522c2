"""Workflows that tests steer by events, and a place for an engine of their own."""

import pathlib

import pytest

from fixieai.storage.database import sqlite_url
from fixieai.workflows.engine import EngineSettings


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "home" / "durable.db"


@pytest.fixture
def settings(file: pathlib.Path) -> EngineSettings:
    return EngineSettings(url=sqlite_url(file), version="1")
