"""What the platform removes in the course of time: what its settings name, and what has ended.

    sessions       nobody asked in them for FIXIE_KEEP_SESSIONS_DAYS
    messages       asked before FIXIE_KEEP_MESSAGES_DAYS; the newest query of a session stays
    revisions      code that is not current, after FIXIE_KEEP_REVISIONS_DAYS; failed ones after 30 days
    usage          days before FIXIE_KEEP_USAGE_DAYS
    codes, ...     what can no longer be used
    attachments,   bytes that nothing in the database refers to
    packages

Everything is removed in slices, with a rest behind each: nobody waits for more than one slice.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from fixieai import errors
from fixieai.platform.embeds import Embeds
from fixieai.platform.hosting import Hosting
from fixieai.platform.settings import KeptDays
from fixieai.storage import retention
from fixieai.storage.blobs import Blobs
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction

_logger = logging.getLogger("fixieai.platform")
_DAY_SECONDS = 86_400.0
_ROWS = 500
# Of what the last slice took: others have the writer for most of the time.
_REST = 3.0
_FIRST_AFTER_SECONDS = 60.0
# What ended, but somebody may still look for: codes that were typed too late, revisions that failed.
_ENDED_SECONDS: dict[retention.Ended, float] = {
    "authorizations": _DAY_SECONDS,
    "browser_codes": _DAY_SECONDS,
    "attempts": _DAY_SECONDS,
    "flows": _DAY_SECONDS,
    "invitations": 30 * _DAY_SECONDS,
    "keys": 30 * _DAY_SECONDS,
    "removals": _DAY_SECONDS,
}
_FAILED_SECONDS = 30 * _DAY_SECONDS
# Bytes are stored before what refers to them.
_NEW_BLOB_SECONDS = _DAY_SECONDS
# What reports call them, where it is not as above.
_NAMES = {
    "flows": "OAuth flows",
    "keys": "API keys",
    "browser_codes": "codes",
    "attempts": "sign-ins",
    "removals": "marks",
}

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Amount:
    """`bytes` is 0 for what is rows."""

    count: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Collection:
    """One time that everything was looked through. `amounts` are what went, or would go, so far.

    `problem` says why it ended early, None unless it did.
    """

    is_dry_run: bool
    amounts: dict[str, Amount] = field(default_factory=dict)
    is_running: bool = True
    problem: str | None = None

    def add(self, what: str, count: int, size: int = 0) -> None:
        amount = self.amounts.setdefault(what, Amount())
        amount.count += count
        amount.bytes += size


class Retention:
    """Looks once a day, and when it is told to. `blobs` are those of attachments."""

    def __init__(
        self, database: Database, blobs: Blobs, embeds: Embeds, hosting: Hosting, kept: KeptDays
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._embeds = embeds
        self._hosting = hosting
        self._kept = kept
        self._running: asyncio.Task[None] | None = None
        self._daily: asyncio.Task[None] | None = None
        self.newest: Collection | None = None

    def open(self) -> None:
        """Begins to look once a day, first when a minute or two have passed."""
        self._daily = asyncio.create_task(self._collect_daily())

    async def close(self) -> None:
        """Ends what is under way; it is gone on with the next time."""
        for task in (self._daily, self._running):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def begin(self, *, is_dry_run: bool) -> Collection:
        """Begins to look everything through. `newest` is how far it is.

        Raises:
            Conflict: it is being looked through.
        """
        if self.newest is not None and self.newest.is_running:
            raise errors.Conflict("The platform is removing what is old at this moment. Try again later.")
        self.newest = Collection(is_dry_run)
        self._running = asyncio.create_task(self._collect(self.newest))
        return self.newest

    async def _collect_daily(self) -> None:
        await asyncio.sleep(_FIRST_AFTER_SECONDS * random.uniform(1, 2))  # noqa: S311 - replicas take turns
        while True:
            with contextlib.suppress(errors.Conflict):
                self.begin(is_dry_run=False)
            await asyncio.sleep(_DAY_SECONDS)

    async def _collect(self, collection: Collection) -> None:
        try:
            for look_through in (
                self._sessions,
                self._messages,
                self._usage,
                self._ended,
                self._revisions,
                self._attachments,
                self._packages,
            ):
                await look_through(collection, time.time())
        except errors.FixieError as error:
            collection.problem = error.message
            _logger.warning("what is old could not be removed: %s", error.message)
        except Exception:
            collection.problem = "Something went wrong on the platform's side. Its log says more."
            _logger.exception("what is old could not be removed")
        finally:
            collection.is_running = False
            _log(collection)

    async def _sessions(self, collection: Collection, now: float) -> None:
        if self._kept.sessions is not None:
            until, after = now - self._kept.sessions * _DAY_SECONDS, 0
            while found := await self._read(retention.idle_sessions, until, after, _ROWS):
                after = found[-1]
                if collection.is_dry_run:
                    inside = await self._read(retention.inside_sessions, found)
                    collection.add("sessions", len(found))
                    collection.add("messages", inside.messages)
                    collection.add("attachments", inside.embeds, inside.bytes)
                else:
                    collection.add("sessions", await self._write(retention.give_to_nobody, found, until))
        if not collection.is_dry_run:
            while (removed := await self._write(retention.remove_nobodys, _ROWS)) is not None:
                collection.add("messages", removed.messages)

    async def _messages(self, collection: Collection, now: float) -> None:
        if self._kept.messages is None:
            return
        until, after = now - self._kept.messages * _DAY_SECONDS, 0
        while True:
            if collection.is_dry_run:
                seen = await self._read(retention.count_old_messages, until, after, _ROWS)
            else:
                seen = await self._write(retention.trim_sessions, until, after, _ROWS)
            collection.add("messages", seen.rows)
            if seen.after is None:
                return
            after = seen.after

    async def _usage(self, collection: Collection, now: float) -> None:
        if self._kept.usage is None:
            return
        until, after = now - self._kept.usage * _DAY_SECONDS, 0
        if collection.is_dry_run:
            collection.add("days of usage", await self._read(retention.count_usage, until))
            return
        while True:
            seen = await self._write(retention.remove_usage, until, after, _ROWS)
            collection.add("days of usage", seen.rows)
            if seen.after is None:
                return
            after = seen.after

    async def _ended(self, collection: Collection, now: float) -> None:
        for kind in retention.ENDED:
            name, until = _NAMES.get(kind, kind), now - _ENDED_SECONDS[kind]
            if collection.is_dry_run:
                collection.add(name, await self._read(retention.count_ended, kind, until))
                continue
            while count := await self._write(retention.remove_ended, kind, until, _ROWS):
                collection.add(name, count)

    async def _revisions(self, collection: Collection, now: float) -> None:
        days, after = self._kept.revisions, 0
        until = now - days * _DAY_SECONDS if days is not None else 0.0
        failed_until = max(until, now - _FAILED_SECONDS)
        while found := await self._read(retention.old_revisions, until, failed_until, after, _ROWS):
            after = found[-1].id
            if not collection.is_dry_run:
                found = await self._write(retention.remove_revisions, found)
                for each in found:
                    self._hosting.retire(each.id)
                self._hosting.discard([each.package_hash for each in found if each.package_hash])
            collection.add("revisions", len(found))

    async def _attachments(self, collection: Collection, now: float) -> None:
        if not collection.is_dry_run:
            await self._embeds.remove_unused()
        async for found in self._blobs.slices(now - _NEW_BLOB_SECONDS):
            unused = set(await self._read(retention.unused_by_embeds, list(found), int(now)))
            for content_hash in unused:
                if not collection.is_dry_run:
                    await self._embeds.remove_if_unused(content_hash)
                collection.add("attachments", 1, found[content_hash])

    async def _packages(self, collection: Collection, now: float) -> None:
        if not collection.is_dry_run:
            await self._hosting.deployments.remove_old_logs()
        async for found in self._blobs.area("packages").slices(now - _NEW_BLOB_SECONDS):
            unused = await self._read(retention.unused_by_revisions, list(found), int(now))
            if not collection.is_dry_run:
                self._hosting.discard(unused)
            for content_hash in unused:
                collection.add("packages", 1, found[content_hash])

    async def _read(
        self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._rested(self._database.read(function, *args, **kwargs))

    async def _write(
        self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._rested(self._database.write(function, *args, **kwargs))

    @staticmethod
    async def _rested(work: Awaitable[T]) -> T:
        """The longer a slice had to wait or to work, the longer the rest behind it."""
        began = time.monotonic()
        result = await work
        await asyncio.sleep(_REST * (time.monotonic() - began))
        return result


def _log(collection: Collection) -> None:
    removed = {what: amount.count for what, amount in collection.amounts.items() if amount.count}
    if removed and not collection.is_dry_run:
        _logger.info("removed what was old: %s", removed)
