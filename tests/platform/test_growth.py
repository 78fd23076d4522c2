"""What a query adds to the database, in bytes: stated in the documentation, and bounded here."""

import contextlib
import pathlib
import sqlite3
from collections.abc import Iterator

import psycopg
import pytest

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import DailyLimits, Settings
from fixieai.storage import sqlite_connection
from fixieai.testing.platforms import Platform

_FIRST, _QUERIES = 30, 120
_SHOTS = "Q: Roll a d20\nAsk Func[roll]: 20 1\nFunc[roll] says: 12\nA: You rolled a 12!"


def dice() -> fixieai.CodeShotAgent:
    agent = fixieai.CodeShotAgent("I roll dice.", _SHOTS)

    @agent.register_func
    def roll(query: str) -> str:
        return str(query).split(maxsplit=1)[0]

    return agent


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Settings:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    return Settings(
        home=tmp_path,
        port=0,
        models=ModelSettings(default_model="few-shot"),
        daily_limits=DailyLimits(queries=None),
        postgres_url=url,
        secret_key="A" * 43 + "=",
    )


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Platform]:
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving.background(settings))
        key = (settings.home / "api_key").read_text("utf-8").strip()
        yield testing.Platform(running.url, key, stack)


def used(settings: Settings) -> int:
    """Bytes of all tables and their indexes, without what is free in them."""
    if settings.postgres_url is None:
        path = settings.home / "fixie.db"
        with contextlib.closing(sqlite_connection.open_writer(path)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.stat().st_size
    with psycopg.connect(settings.postgres_url, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        (size,) = connection.execute(
            "SELECT sum(pg_relation_size(oid)) FROM pg_class"
            " WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"
        ).fetchone() or (0,)
        return int(size)


def ask(settings: Settings, queries: int) -> None:
    """Thirty queries in each session."""
    with opened(settings) as platform:
        platform.serve(dice(), "dice")
        for number in range(queries):
            if number % 30 == 0:
                session = platform.call("POST", "/api/sessions")["handle"]
            body = {"session": session, "message": {"text": "Roll a d20"}}
            platform.call("POST", "/api/agents/dice", body)


def test_a_query_adds_a_known_number_of_bytes(settings: Settings) -> None:
    """Four lines: question, `Ask Func`, `Func says`, answer."""
    sizes = []
    for queries in (_FIRST, _QUERIES):  # what a table has from its first row on is not of a query
        ask(settings, queries)
        sizes.append(used(settings))
    each = (sizes[1] - sizes[0]) / _QUERIES
    print(f"{each:.0f} bytes a query")
    assert each < (1_000 if settings.postgres_url is None else 2_000)


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_place_of_what_was_removed_is_used_again(settings: Settings) -> None:
    path = settings.home / "fixie.db"
    sizes = []
    with opened(settings) as platform:
        platform.serve(dice(), "dice")
        for _ in range(3):
            session = platform.call("POST", "/api/sessions")["handle"]
            for _ in range(40):
                body = {"session": session, "message": {"text": "Roll a d20" + " please" * 200}}
                platform.call("POST", "/api/agents/dice", body)
            platform.call("DELETE", f"/api/sessions/{session}")
            with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
                sizes.append(connection.execute("PRAGMA page_count").fetchone()[0])
    assert sizes[2] <= sizes[0] * 1.1
