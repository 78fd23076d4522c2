"""The database as a whole: its schema brought up before platforms start, and its move to Postgres."""

import asyncio
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform import blob_place, secret_key, shared_keys, signing_keys
from fixieai.platform.secret_key import SecretKey
from fixieai.platform.settings import Settings
from fixieai.storage import home_lock, schema, shared_facts
from fixieai.storage import signing_keys as key_rows
from fixieai.storage.blobs import open_blobs
from fixieai.storage.database import is_postgres, sqlite_path
from fixieai.storage.schema import SchemaChange
from fixieai.storage.signing_keys import SealedKey
from fixieai.storage.transaction import Transaction


def migrate(settings: Settings) -> SchemaChange:
    """Brings the schema up; on Postgres also while platforms of the version before run.

    Raises:
        Conflict: a platform uses the home (SQLite).
        ConfigurationError, ServiceUnavailable: the database cannot be used, or has a newer schema.
    """
    if not settings.is_alone:
        return schema.migrate(settings.database_url)
    lock = home_lock.acquire(settings.home)
    try:
        return schema.migrate(settings.database_url)
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows of each table and how many signing keys were copied, and what was not.

    `secret_file` is None where FIXIE_SECRET_KEY is set already; `blobs` where attachments and packages
    are in a place that other homes reach, too.
    """

    rows: dict[str, int]
    signing_keys: int
    secret_file: pathlib.Path | None
    blobs: pathlib.Path | None


def copy(settings: Settings, target: str, on_table: Callable[[str, int], None]) -> Moved:
    """Copies what a home keeps in SQLite into an empty Postgres database: all of it, or nothing.

    The home stays as it is. No platform may use it meanwhile.

    Raises:
        Conflict: a platform uses the home, or the target holds something already.
        ConfigurationError: the home has no database, the target is no Postgres, or one cannot be used.
        ServiceUnavailable: the target does not answer.
    """
    if not settings.is_alone:
        raise errors.ConfigurationError(
            "With FIXIE_DATABASE_URL set, nothing is in the home. Unset it: --to names the target."
        )
    if not is_postgres(target):
        raise errors.ConfigurationError("--to must be as postgresql://user:password@host/database.")
    source = sqlite_path(settings.database_url)
    if not source.exists():
        raise errors.ConfigurationError(f"There is no {source}: nothing to copy.")
    lock = home_lock.acquire(settings.home)
    try:
        secret = secret_key.load_or_create(settings.home, settings.secret_key)
        keys = _sealed_keys(settings.home, secret)

        mark = asyncio.run(blob_place.marked(open_blobs(settings.home / "blobs", settings.blobs)))

        def add_shared(transaction: Transaction) -> None:
            for key in keys:
                key_rows.add(transaction, key)
            shared_facts.decide(transaction, blob_place.FACT, lambda: mark)

        rows = schema.copy_to_postgres(source, target, on_table, add_shared)
    finally:
        lock.release()
    has_secret = settings.secret_key is not None
    return Moved(
        rows,
        len(keys),
        secret_file=None if has_secret else settings.home / secret_key.FILE_NAME,
        blobs=None if settings.blobs.get("FIXIE_BLOBS_URL") else settings.home / "blobs",
    )


def _sealed_keys(home: pathlib.Path, secret: SecretKey) -> list[SealedKey]:
    return [shared_keys.sealed(key, secret) for key in signing_keys.read(home / signing_keys.FILE_NAME)]
