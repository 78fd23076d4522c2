"""A replica that ends while its database is away."""

import pathlib
import time
import uuid


def test_it_ends_soon_when_its_database_is_gone(postgres_server, start, tmp_path: pathlib.Path) -> None:
    with postgres_server.database(f"test-{uuid.uuid4().hex}") as url:
        replica = start(url, tmp_path, FIXIE_DRAIN_SECONDS="0.1")
        assert replica.ok("GET", "/api/user")["username"] == "local"
    began = time.monotonic()
    replica.close()
    assert time.monotonic() - began < 25, replica.log()
    assert replica.process.returncode == 0, replica.log()
