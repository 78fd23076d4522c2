"""GraphQL as clients speak it, to the platform that all tests of this folder share."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests

from fixieai import testing
from fixieai.storage.database import Database


class Answered:
    """What POST /graphql answered."""

    def __init__(self, response: requests.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.content: dict[str, Any] = response.json()

    @property
    def data(self) -> Any:
        """Fails when there are errors, too."""
        assert "errors" not in self.content, self.content["errors"]
        assert self.status == 200
        return self.content["data"]

    @property
    def messages(self) -> list[str]:
        return [error["message"] for error in self.content["errors"]]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.content["errors"]]


class Graphql:
    """A client as the original's: no operationName, and no `variables` when there are none."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = f"{url}/graphql"
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def __call__(self, query: str, **variables: object) -> Answered:
        return self.post({"query": query, **({"variables": variables} if variables else {})})

    def post(self, body: object, **headers: str) -> Answered:
        return self.send(json=body, headers=self.headers | headers)

    def send(self, **options: Any) -> Answered:
        return Answered(requests.post(self.url, timeout=60, **({"headers": self.headers} | options)))

    def upload(
        self,
        query: str,
        variables: Mapping[str, object],
        files: Mapping[str, tuple[str, bytes]] | None = None,
        **parts: str,
    ) -> Answered:
        """`files`: the path in the variables, and the bytes, by the part's name."""
        files = files or {}
        places = {name: [path] for name, (path, _) in files.items()}
        sent: list[tuple[str, Any]] = [
            ("operations", (None, json.dumps({"query": query, "variables": variables}))),
            ("map", (None, json.dumps(places))),
        ]
        for name, (_, content) in files.items():
            sent.append((name, ("upload.tar.gz", content, "application/gzip")))
        sent = [(name, (None, parts[name]) if name in parts else part) for name, part in sent]
        return self.send(files=sent)


class Reads:
    """How often the platform asked its database."""

    def __init__(self) -> None:
        self.count = 0


@pytest.fixture
def database_reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    reads = Reads()
    original = Database.read

    async def counted(database: Database, function: Any, *arguments: Any, **options: Any) -> Any:
        reads.count += 1
        return await original(database, function, *arguments, **options)

    monkeypatch.setattr(Database, "read", counted)
    return reads


@pytest.fixture
def graphql(platform) -> Graphql:
    return Graphql(platform.url, platform.api_key)


@pytest.fixture
def graphql_of() -> Callable[[testing.Platform], Graphql]:
    return lambda platform: Graphql(platform.url, platform.api_key)
