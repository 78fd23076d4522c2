"""Platforms as processes, each with a home of its own, on one Postgres database."""

import base64
import contextlib
import pathlib
import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import platform_programs
import pytest
import requests
from free_ports import free_port

from fixieai.platform import serving

_SECONDS = 60
# So long that on a busy machine nobody is taken for dead who is not.
_LEASE_SECONDS = 30
_SHORT_LEASE_SECONDS = 8
SECRET = base64.b64encode(bytes(range(32))).decode()


class Replica:
    """One platform, from its start until it is closed."""

    def __init__(self, home: pathlib.Path, variables: dict[str, str]) -> None:
        self.home, self.variables = home, variables
        self._log = home.with_suffix(".log")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self.process = platform_programs.start(self.home, self.port, self._log, self.variables)

    def wait(self) -> None:
        """Until it answers."""
        platform_programs.wait_for(self.process, self.url, self._log)

    def log(self) -> str:
        return self._log.read_text("utf-8")

    def close(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(_SECONDS)

    @property
    def key(self) -> str:
        return serving.local_key(self.home)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """With the key of this home, unless `key` is another; "" for none."""
        key = options.pop("key", self.key)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= options.pop("headers", {})
        return requests.request(
            method, self.url + path, json=body, headers=headers, timeout=_SECONDS, **options
        )

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of an answer that is no refusal."""
        response = self.call(method, path, body, **options)
        assert response.ok, (response.status_code, response.text, self.log())
        return response.json() if response.content else None


def _variables(url: str, folder: pathlib.Path, lease_seconds: int = _LEASE_SECONDS) -> dict[str, str]:
    """What all platforms of a database are told."""
    (folder / "blobs").mkdir()
    return {
        "FIXIE_DATABASE_URL": url,
        "FIXIE_SECRET_KEY": SECRET,
        "FIXIE_BLOBS_URL": (folder / "blobs").as_uri(),
        "FIXIE_DEFAULT_MODEL": "few-shot",
        "FIXIE_LEASE_SECONDS": str(lease_seconds),
    }


@contextlib.contextmanager
def _two(url: str, folder: pathlib.Path, lease_seconds: int = _LEASE_SECONDS) -> Iterator[list[Replica]]:
    """Started at the same time."""
    variables = _variables(url, folder, lease_seconds)
    found = [Replica(folder / name, variables) for name in ("one", "two")]
    try:
        for replica in found:
            replica.wait()
        yield found
    finally:
        for replica in found:
            replica.close()


@pytest.fixture(scope="module")
def replicas(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Replica]]:
    """Two platforms that were started on a database without a schema; all tests of a module use them."""
    with (
        postgres_server.database(f"test-{uuid.uuid4().hex}") as url,
        _two(url, tmp_path_factory.mktemp("replicas")) as found,
    ):
        yield found


@pytest.fixture
def mortal_replicas(postgres_url: str, tmp_path: pathlib.Path) -> Iterator[list[Replica]]:
    """Two for one test, which may kill them."""
    with _two(postgres_url, tmp_path, _SHORT_LEASE_SECONDS) as found:
        yield found


@pytest.fixture
def start() -> Iterator[Callable[..., Replica]]:
    """Starts one on a database, with more variables; it is closed at the end."""
    started: list[Replica] = []

    def start_one(url: str, folder: pathlib.Path, **variables: str) -> Replica:
        started.append(Replica(folder / "only", {**_variables(url, folder), **variables}))
        started[-1].wait()
        return started[-1]

    yield start_one
    for replica in started:
        replica.close(signal.SIGKILL)
