"""One-time codes that open the web page: a terminal asks for one, the page exchanges it for a key that ends.

A code may stand in an address (in its fragment, which browsers never send): it is worth nothing after
its first use or 15 minutes. The database keeps the hashes of codes alone, for every platform that uses it.
"""

import secrets
import time
from collections.abc import Callable

from fixieai import errors
from fixieai.platform.auth import Caller
from fixieai.platform.passwords import hash_of_code
from fixieai.storage import browser_codes
from fixieai.storage.browser_codes import Grant
from fixieai.storage.database import Database

CODE_SECONDS = 15 * 60
_CODE_BYTES = 32


class BrowserCodes:
    """Codes that were given out and not used yet: 100 at most of a key, the oldest makes room.

    `clock` gives Unix seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def create(self, caller: Caller) -> str:
        """A code of 256 bits for the key that the caller showed.

        Raises:
            Forbidden: that key is a web page's own, which would so live for ever.
        """
        if caller.key_id is None:
            raise errors.Forbidden(
                "A web page's key opens no other page. Use an API key: `fixie platform key`."
            )
        code = secrets.token_urlsafe(_CODE_BYTES)
        grant = Grant(caller.username, caller.key_id)
        code_hash = hash_of_code(code)
        await self._database.write(browser_codes.put, code_hash, grant, int(self._clock()), CODE_SECONDS)
        return code

    async def redeem(self, code: str) -> Grant:
        """What the code stands for; from now on it is worth nothing.

        It is found by its hash, so the time that takes tells nothing about codes that are good.

        Raises:
            Forbidden: it was used, is too old, or never was one.
        """
        grant = await self._database.write(browser_codes.take, hash_of_code(code), int(self._clock()))
        if grant is None:
            raise errors.Forbidden("This link was used before, or is older than 15 minutes.")
        return grant
