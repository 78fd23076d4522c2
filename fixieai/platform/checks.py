"""Whether everything that a platform keeps is there and whole: rows, keys, bytes. Changes nothing.

The platform may be in use meanwhile.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from fixieai import errors
from fixieai.platform import blob_place, secret_key, shared_keys, signing_keys
from fixieai.platform.oauth_values import is_readable
from fixieai.platform.secret_key import SecretKey
from fixieai.platform.settings import Settings
from fixieai.storage import blobs, database, integrity, retention, shared_facts, sqlite_backup, views
from fixieai.storage import signing_keys as key_rows
from fixieai.storage.blobs import Blobs
from fixieai.storage.transaction import Transaction
from fixieai.storage.views import View


@dataclass(frozen=True, slots=True)
class Area:
    """Bytes of one kind. `referred_to` are the hashes that must be there,
    `unused` picks those that need not be.
    """

    name: str
    noun: str
    referred_to: Callable[[Transaction], Iterator[str]]
    unused: Callable[[Transaction, Sequence[str], int], list[str]]


def _marks(transaction: Transaction) -> Iterator[str]:
    """Where platforms share a database: what says that they share the place of bytes, too."""
    mark = shared_facts.find(transaction, blob_place.FACT)
    if mark:
        yield mark


def _unused_marks(transaction: Transaction, hashes: Sequence[str], _now: int) -> list[str]:
    return [each for each in hashes if each != shared_facts.find(transaction, blob_place.FACT)]


AREAS = (
    Area("embeds", "attachment", integrity.contents, retention.unused_by_embeds),
    Area("packages", "package", integrity.packages, retention.unused_by_revisions),
    Area("place", "mark of the place", _marks, _unused_marks),
)


@dataclass(slots=True)
class Report:
    """`findings` are what is wrong, `notes` what is good to know."""

    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def check(settings: Settings, *, reads_bytes: bool = True) -> Report:
    """Looks through the database, the keys and the stored bytes of a platform.

    Args:
        reads_bytes: whether all stored bytes are read and compared with their hashes.

    Raises:
        ConfigurationError, ServiceUnavailable: the database or the bytes cannot be looked at at all.
    """
    report = Report()
    if settings.is_alone:
        path = database.sqlite_path(settings.database_url)
        if path.is_file():
            report.findings += await asyncio.to_thread(sqlite_backup.findings, path)
    if report.findings:
        report.notes.append("The database is damaged, so nothing else was looked at.")
        return report
    with views.opened(settings.database_url) as view:
        if not view.is_current:
            raise errors.ConfigurationError(
                f"The database has schema {view.schema}, which is not this program's. "
                "`fixie platform migrate` brings an older one up to date; a newer one needs a newer program."
            )
        report.findings += await asyncio.to_thread(integrity.findings, view.transaction)
        report.findings += _keys(settings, view)
        stored = blobs.open_blobs(settings.home / "blobs", settings.blobs)
        for area in AREAS:
            await _bytes(report, settings, view, stored.area(area.name), area, reads_bytes=reads_bytes)
    return report


def _keys(settings: Settings, view: View) -> list[str]:
    try:
        secret = _secret(settings)
        sealed = integrity.sealed_value(view.transaction)
        if sealed is not None and (secret is None or not is_readable(secret, sealed)):
            return ["the secret key is not the one that what is stored for OAuth was encrypted with"]
        if settings.is_alone:
            if not (settings.home / signing_keys.FILE_NAME).exists():
                return [f"{signing_keys.FILE_NAME} is missing: API keys that were given out are not valid"]
            signing_keys.read(settings.home / signing_keys.FILE_NAME)
        elif secret is not None:
            for key in key_rows.all_keys(view.transaction):
                shared_keys.opened(key, secret)
    except errors.ConfigurationError as error:
        return [error.message]
    return []


def _secret(settings: Settings) -> SecretKey | None:
    """None: there is none, and none is made."""
    if settings.secret_key is None and not (settings.home / secret_key.FILE_NAME).exists():
        return None
    return secret_key.load_or_create(settings.home, settings.secret_key)


async def _bytes(
    report: Report, settings: Settings, view: View, stored: Blobs, area: Area, *, reads_bytes: bool
) -> None:
    async for content_hash, problem in _problems(view.transaction, stored, area, reads_bytes):
        if await asyncio.to_thread(_is_needed_still, settings.database_url, area, content_hash):
            report.findings.append(f"{area.noun} {content_hash}: its bytes are {problem}")
    count = size = 0
    async for found in stored.slices():
        unused = area.unused(view.transaction, list(found), int(time.time()))
        count += len(unused)
        size += sum(found[each] for each in unused)
    if count:
        report.notes.append(
            f"{count} {area.noun}s ({size} bytes) that nothing refers to: `fixie platform gc` removes them "
            "when they are a day old."
        )


async def _problems(
    transaction: Transaction, stored: Blobs, area: Area, reads_bytes: bool
) -> AsyncIterator[tuple[str, str]]:
    for content_hash in area.referred_to(transaction):
        if not await stored.exists(content_hash):
            yield content_hash, "missing"
        elif reads_bytes and not await is_whole(stored, content_hash):
            yield content_hash, "damaged"


async def is_whole(stored: Blobs, content_hash: str) -> bool:
    """Whether stored bytes are those of their hash. What was deleted meanwhile is not."""
    digest = hashlib.sha256()
    try:
        async for piece in stored.stream(content_hash):
            digest.update(piece)
    except errors.NotFound:
        return False
    return digest.hexdigest() == content_hash


def _is_needed_still(url: str, area: Area, content_hash: str) -> bool:
    """It may have been deleted since the view was opened, and its bytes with it."""
    with views.opened(url) as now:
        return not area.unused(now.transaction, [content_hash], int(time.time()))
