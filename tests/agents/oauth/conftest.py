"""A provider that every test finds new, over real HTTP."""

from collections.abc import Iterator

import pytest
from oauth_provider import Case, Provider

from fixieai.web import server as web_server


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    with web_server.BackgroundServer(provider.app(), web_server.bind("127.0.0.1", 0)) as background:
        yield provider, background.url


@pytest.fixture
def case(server: tuple[Provider, str]) -> Case:
    provider, url = server
    vars(provider).update(vars(Provider()))
    return Case(provider, url)
