"""Signing keys of platforms that share a database: there, encrypted with the secret key that all have."""

from collections.abc import Sequence

from fixieai.platform import signing_keys
from fixieai.platform.secret_key import SecretKey
from fixieai.platform.signing_keys import SigningKey, SigningKeys
from fixieai.storage import signing_keys as rows
from fixieai.storage.database import Database
from fixieai.storage.signing_keys import SealedKey

# How often every platform looks whether another has made a key.
RELOAD_SECONDS = 10
_PURPOSE = "signing keys"


async def load_or_create(database: Database, secret: SecretKey) -> SigningKeys:
    """The keys of the database, made on first use.

    Raises:
        ConfigurationError: they were encrypted with another secret key.
    """
    first = sealed(signing_keys.new_key(0), secret)
    found = await database.write(rows.ensure, lambda: first)
    return SigningKeys([opened(key, secret) for key in found], SharedKeys(database, secret))


class SharedKeys:
    """See `signing_keys.KeyStore`."""

    delay_seconds = 2 * RELOAD_SECONDS

    def __init__(self, database: Database, secret: SecretKey) -> None:
        self._database = database
        self._secret = secret

    async def load(self) -> Sequence[SigningKey]:
        return [opened(key, self._secret) for key in await self._database.read(rows.all_keys)]

    async def add(self, key: SigningKey) -> None:
        await self._database.write(rows.add, sealed(key, self._secret))


def sealed(key: SigningKey, secret: SecretKey) -> SealedKey:
    """As it is stored."""
    return SealedKey(key.kid, secret.encrypt(_PURPOSE, signing_keys.text(key)), key.signs_from)


def opened(key: SealedKey, secret: SecretKey) -> SigningKey:
    """Raises ConfigurationError when it was encrypted with another secret key."""
    return signing_keys.from_text(secret.decrypt(_PURPOSE, key.sealed))
