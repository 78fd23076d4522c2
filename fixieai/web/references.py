"""Short ids for requests: the answer carries one, and the log tells more under it."""

import random
import time

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's 32: no i, l, o, u to misread
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]


def new_reference() -> str:
    """14 letters and digits: the time in milliseconds (they sort by it), then chance.

    A name to look something up by, not a secret.
    """
    moment = time.time_ns() // 1_000_000
    chance = random.getrandbits(25)
    number = (moment << 25) | chance
    return (
        _PAIRS[(number >> 60) & 1023]
        + _PAIRS[(number >> 50) & 1023]
        + _PAIRS[(number >> 40) & 1023]
        + _PAIRS[(number >> 30) & 1023]
        + _PAIRS[(number >> 20) & 1023]
        + _PAIRS[(number >> 10) & 1023]
        + _PAIRS[number & 1023]
    )
