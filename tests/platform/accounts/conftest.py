"""A platform for each file of tests, whose people are those of its tests."""

from collections.abc import Iterator

import pytest

from fixieai import testing


@pytest.fixture(scope="module")
def own() -> Iterator[testing.Platform]:
    """A platform whose people are those of these tests."""
    with testing.platform() as running:
        yield running


@pytest.fixture(scope="module")
def ann(own: testing.Platform) -> testing.Platform:
    return own.add_user("ann")


@pytest.fixture(scope="module")
def bob(own: testing.Platform) -> testing.Platform:
    return own.add_user("bob")
