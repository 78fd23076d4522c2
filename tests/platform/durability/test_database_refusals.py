"""A database server that does not let a running platform in any more: it waits to be let in again."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
from durable_platforms import Reached
from psycopg import sql
from scripted_world import lines

from fixieai.platform import serving, settings
from fixieai.storage import postgres_lane

_END_CONNECTIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"


@pytest.fixture
def let_in(postgres_server, postgres_url: str) -> Iterator[tuple[str, Callable[[bool], None]]]:
    """A database's URL with a role of its own, and what lets that role in or keeps it out."""
    name = f"role-{uuid.uuid4().hex}"
    role = sql.Identifier(name)
    with psycopg.connect(postgres_server.url(), autocommit=True) as owner:

        def change(is_let_in: bool) -> None:
            right = sql.SQL("LOGIN" if is_let_in else "NOLOGIN")
            owner.execute(sql.SQL("ALTER ROLE {} {}").format(role, right))
            if not is_let_in:
                owner.execute(_END_CONNECTIONS, (name,))

        owner.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER").format(role))
        try:
            yield postgres_url.replace("//fixie@", f"//{name}@"), change
        finally:
            change(False)
            with psycopg.connect(postgres_url, autocommit=True) as inside:
                inside.execute(sql.SQL("REASSIGN OWNED BY {} TO fixie").format(role))
            owner.execute(sql.SQL("DROP ROLE {}").format(role))


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_platform_that_is_shut_out_goes_on_when_it_is_let_in_again(
    world, shared, let_in, tmp_path, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(postgres_lane, "_OUTAGE_SECONDS", 0.5)  # requests wait no longer
    url, change = let_in
    variables = {**world.model, **shared, "FIXIE_DATABASE_URL": url, "FIXIE_LEASE_SECONDS": "30"}
    chosen = settings.from_environment(variables, tmp_path / "home", port=0)
    with serving.background(chosen) as running, caplog.at_level(logging.ERROR, "fixieai.storage"):
        platform = Reached(tmp_path / "home", running.url)
        world.register(platform, "alone")
        session = platform.session("alone")
        change(False)
        refused = platform.call("GET", "/api/sessions")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert "FIXIE_DATABASE_URL" not in refused.text
        _until(lambda: "is not permitted to log in" in caplog.text)

        change(True)

        _until(lambda: platform.call("GET", "/api/sessions").ok)
        assert platform.ask("alone", 1, session).ok
        assert platform.answered(session) == lines("alone", 1)
    assert "Traceback" not in caplog.text
