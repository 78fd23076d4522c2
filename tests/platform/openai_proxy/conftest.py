"""An agent whose calls should go nowhere."""

from collections.abc import Iterator

import pytest
from openai_agents import Agent, proxied

from fixieai.testing.model_server import ModelServer, Says


@pytest.fixture(scope="module")
def nobody() -> Iterator[tuple[Agent, ModelServer]]:
    """An agent, and a server that it should not reach."""
    with proxied([Says("Hello")]) as found:
        yield found
