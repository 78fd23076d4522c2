"""Hashes of passwords."""

import pytest

from fixieai import errors
from fixieai.platform import passwords
from fixieai.platform.passwords import Hashing


async def test_only_the_same_password_fits_a_hash_however_it_was_typed() -> None:
    hashing = Hashing()
    stored = await hashing.hashed("caf\u00e9 au lait")

    assert "lait" not in stored
    assert await hashing.is_right("cafe\u0301 au lait", stored)
    assert not await hashing.is_right("cafe au lait", stored)
    assert not await hashing.is_right("anything", None)
    assert await hashing.hashed("caf\u00e9 au lait") != stored


async def test_parameters_are_those_of_the_hash() -> None:
    """So that they can grow with machines."""
    hashing = Hashing()
    assert (await hashing.hashed("x")).startswith("scrypt:15:8:3:")
    weak = "scrypt:4:1:1:AAAA:" + "AAAA" * 11
    assert not await hashing.is_right("x", weak)
    with pytest.raises(errors.ConfigurationError, match="newer version"):
        await hashing.is_right("x", "other:1:1:1:AAAA:AAAA")


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "abababababab", "annannannann", "1111111111"])
def test_what_is_easy_to_guess_is_refused(password: str) -> None:
    with pytest.raises(errors.UnprocessableContent):
        passwords.check(password, "ann")


@pytest.mark.parametrize(
    "password", ["correct horse battery", "пароль пароль", "0123456789", "ann's password"]
)
def test_what_is_long_enough_is_taken(password: str) -> None:
    passwords.check(password, "ann")
