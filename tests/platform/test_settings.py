"""Settings are read once, and one that cannot be read stops the platform with its name."""

import pytest

from fixieai import errors
from fixieai.platform import settings


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FIXIE_MAXIMUM_STEPS", "0.5"),
        ("FIXIE_MAXIMUM_STEPS", "0"),
        ("FIXIE_MAXIMUM_HOPS", "-1"),
        ("FIXIE_MAXIMUM_HOPS", "many"),
        ("FIXIE_QUERY_SECONDS", "nan"),
        ("FIXIE_QUERY_SECONDS", "inf"),
        ("FIXIE_AGENT_SECONDS", ""),
    ],
)
def test_a_limit_that_is_no_number_above_zero_is_named(name: str, text: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=name):
        settings.from_environment({name: text})


def test_limits_are_taken_from_the_environment() -> None:
    limits = settings.from_environment({"FIXIE_MAXIMUM_STEPS": "5", "FIXIE_AGENT_SECONDS": "0.5"}).limits

    assert (limits.steps, limits.agent_seconds, limits.hops) == (5, 0.5, 8)


@pytest.mark.parametrize(
    ("name", "text"),
    [("FIXIE_DAILY_QUERIES", "-1"), ("FIXIE_DAILY_TOKENS", "1.5"), ("FIXIE_DAILY_DOLLARS", "nan")],
)
def test_a_daily_limit_that_is_no_number_is_named(name: str, text: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=name):
        settings.from_environment({name: text})


def test_a_daily_limit_of_0_is_none_and_there_are_defaults() -> None:
    limits = settings.from_environment(
        {"FIXIE_DAILY_STORAGE_CALLS": "0", "FIXIE_DAILY_DOLLARS": "2.5"}
    ).daily_limits

    assert (limits.queries, limits.storage_calls, limits.tokens, limits.dollars) == (1_000, None, None, 2.5)
