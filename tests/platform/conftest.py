"""One platform for all tests of this folder, with the few-shot model and a dice agent."""

import json
import pathlib
from collections.abc import AsyncIterator, Iterator

import pytest
import requests
from small_agents import make_dice

from fixieai import testing
from fixieai.storage import users
from fixieai.storage.database import Database, connect, sqlite_url


@pytest.fixture(scope="session")
def platform() -> Iterator[testing.Platform]:
    with testing.platform() as running:
        running.serve(make_dice(), "dice")
        yield running


class Http:
    """Plain HTTP to the platform, with the user's key unless told otherwise."""

    def __init__(self, platform: testing.Platform) -> None:
        self.url = platform.url
        self.key = platform.api_key

    def __call__(self, method: str, path: str, **options: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"} | dict(options.pop("headers", {}))  # type: ignore[call-overload]
        headers = {name: value for name, value in headers.items() if value is not None}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **options)  # type: ignore[arg-type]

    def lines(self, path: str, body: object) -> list[dict[str, object]]:
        response = self("POST", path, json=body)
        assert response.status_code == 200, response.text
        return [json.loads(line) for line in response.text.splitlines()]


@pytest.fixture
def http(platform: testing.Platform) -> Http:
    return Http(platform)


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> AsyncIterator[Database]:
    """One of its own, on both engines."""
    url = sqlite_url(tmp_path / "fixie.db")
    opened = await connect(request.getfixturevalue("postgres_url") if request.param == "postgres" else url)
    yield opened
    await opened.close()


@pytest.fixture
async def ann(database: Database) -> int:
    """The id of a person in it."""
    return (await database.write(users.ensure, "ann")).id
