"""What a server refuses is told from an outage, at once and without the password."""

import asyncio
import contextlib
import pathlib
import time
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from fixieai import errors
from fixieai.storage import postgres_connection, postgres_errors, users
from fixieai.storage.database import connect
from fixieai.storage.transaction import DatabaseUnavailable

PASSWORD = "hunter2"


def _wait_until_refused(url: str) -> None:
    """The server reads its rules again when it comes to that."""
    until = time.monotonic() + 30
    with contextlib.suppress(psycopg.OperationalError):
        while time.monotonic() < until:
            psycopg.connect(url).close()
            time.sleep(0.05)


@pytest.fixture(scope="module")
def known_role(postgres_server) -> Iterator[str]:
    """A role that has to give its password."""
    name = f"role-{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        (place,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        rules = pathlib.Path(place)
        before = rules.read_text("utf-8")
        connection.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{PASSWORD}'")
        rules.write_text(f'host all "{name}" 127.0.0.1/32 scram-sha-256\n{before}', "utf-8")
        connection.execute("SELECT pg_reload_conf()")
    _wait_until_refused(f"postgresql://{name}@127.0.0.1:{postgres_server.port}/postgres")
    try:
        yield name
    finally:
        rules.write_text(before, "utf-8")
        with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
            connection.execute(f'DROP ROLE "{name}"')
            connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("{role}:wrong-hunter2@{server}/postgres", 'password authentication failed for user "{role}"'),
        ("{role}@{server}/postgres", "no password supplied"),
        ("nobody:hunter2@{server}/postgres", 'role "nobody" does not exist'),
        ("fixie:hunter2@{server}/nothing", 'database "nothing" does not exist'),
    ],
    ids=["wrong password", "no password", "unknown role", "unknown database"],
)
async def test_what_the_server_refuses_is_said_at_once(
    postgres_server, known_role: str, address: str, said: str
) -> None:
    server = f"127.0.0.1:{postgres_server.port}"
    url = f"postgresql://{address.format(role=known_role, server=server)}"
    with pytest.raises(errors.ConfigurationError) as failure:
        await connect(url)
    assert said.format(role=known_role) in failure.value.message
    assert "FIXIE_DATABASE_URL" in failure.value.message
    assert PASSWORD not in failure.value.message
    with pytest.raises(psycopg.OperationalError) as seen:
        postgres_connection.connect(url)
    # In a platform that runs it may pass: somebody changes it back.
    assert postgres_errors.is_lost(seen.value)
    assert isinstance(postgres_errors.explain(seen.value), DatabaseUnavailable)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunt%er2@127.0.0.1/x",
        "postgresql://ann:hunter2@[127.0.0.1/x",
        "postgresql://ann:hunter2@127.0.0.1/x?hunter2=1",
    ],
)
async def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="FIXIE_DATABASE_URL cannot be read") as failure:
        await connect(url)
    assert "hunt" not in failure.value.message
    assert failure.value.__cause__ is None


async def test_a_server_that_is_down_may_come_back(postgres_server) -> None:
    with pytest.raises(DatabaseUnavailable, match="FIXIE_DATABASE_URL names cannot be reached") as failure:
        await connect("postgresql://ann:hunter2@127.0.0.1:9/x")
    assert failure.value.retry_after
    assert PASSWORD not in failure.value.message
    # One of several servers that is down hides no refusal of another.
    both = f"postgresql://nobody@127.0.0.1:9,127.0.0.1:{postgres_server.port}/x"
    with pytest.raises(errors.ConfigurationError, match='role "nobody" does not exist'):
        await connect(both)


def test_a_statement_that_fails_is_no_refusal(postgres_url: str) -> None:
    with (
        contextlib.closing(postgres_connection.connect(postgres_url)) as connection,
        pytest.raises(psycopg.Error) as failure,
    ):
        connection.execute('SET ROLE "nobody"')
    assert postgres_errors.refusal(failure.value) is None


async def test_a_write_waits_for_the_end_of_a_failover(postgres_server, postgres_url: str) -> None:
    """The server that is found first may be a standby, which lets read only."""
    database = await connect(postgres_url)
    name = postgres_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(postgres_server.url(), autocommit=True) as elsewhere:
        elsewhere.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        elsewhere.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        writing = asyncio.create_task(database.write(users.ensure, "ann"))
        assert not (await asyncio.wait({writing}, timeout=1))[0]
        assert await database.read(users.by_username, "ann") is None
        elsewhere.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    assert (await writing).username == "ann"
    await database.close()
