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
