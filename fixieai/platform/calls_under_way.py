"""What model calls under way may use is held back, so that calls at once do not pass a limit together.

A call begins when what was used and what is held back are together below the limit. Close to it, calls
wait for one another: the last one may go beyond it, and others as far as they use more than expected.

A platform that has its database to itself holds back in memory (`Tallies`). Several that share one do
it in the database (`Holds`), where each call is entered before the next one looks, whichever platform that
is at. Storing what a call used takes its place; so does the end of the platform that made it.
"""

import asyncio
import logging
import secrets
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from fixieai import errors
from fixieai.platform import unwatched
from fixieai.platform.settings import DailyLimits
from fixieai.storage import usage as rows
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction
from fixieai.storage.usage import Hold

_NANODOLLARS = 1_000_000_000
_PEOPLE_REMEMBERED = 10_000
# What a call used is stored soon after its end. Nothing is where it failed, or where its query is dropped.
_SECONDS_UNTIL_STORED = 5.0
_SECONDS_BETWEEN_LOOKS = 0.5
_logger = logging.getLogger("fixieai.platform")


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and what they cost in 10**-9 of a US dollar."""

    tokens: int
    nanodollars: int


@dataclass(frozen=True, slots=True)
class Reached:
    """The limit that is in the way: because of what was used (`is_used_up`), or of calls under way."""

    limit: str
    is_used_up: bool


class Held(Protocol):
    """A call that has begun. What it used is stored with this `id`."""

    @property
    def id(self) -> str: ...

    def end(self, used: Amount) -> None:
        """What it used counts instead of what it might have."""
        ...


class CallsUnderWay(Protocol):
    """Of all people."""

    async def begin(self, user_id: int, agent_id: str, expected: Amount) -> Held | Reached:
        """Waits for calls under way when they are in the way; Reached is what was used up."""
        ...

    async def close(self) -> None: ...


class Sum:
    """Of a person's day: what one agent used, and all of them."""

    def __init__(self, agent_id: str, parts: Iterable[tuple[str, int, int]]) -> None:
        self.agent_tokens = self.tokens = self.nanodollars = 0
        for owner, tokens, nanodollars in parts:
            self.agent_tokens += tokens if owner == agent_id else 0
            self.tokens += tokens
            self.nanodollars += nanodollars


def _reached(limits: DailyLimits, agent_id: str, used: Sum, held: Sum) -> Reached | None:
    dollars = None if limits.dollars is None else limits.dollars * _NANODOLLARS
    for limit, before, more, name in (
        (limits.agent_tokens, used.agent_tokens, held.agent_tokens, f"tokens for {agent_id}"),
        (limits.tokens, used.tokens, held.tokens, "tokens"),
        (dollars, used.nanodollars, held.nanodollars, ""),
    ):
        if limit is not None and before + more >= limit:
            text = f"{limit:,} {name}" if name else f"${limits.dollars:g} of model calls"
            return Reached(text, before >= limit)
    return None


@dataclass(slots=True)
class _Tally:
    """One person's day so far. `reserved` is what calls under way may use."""

    day: str
    used: dict[str, Amount] = field(default_factory=dict)
    reserved: "list[_Reserved]" = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def reached(self, limits: DailyLimits, agent_id: str) -> Reached | None:
        used = Sum(agent_id, ((owner, each.tokens, each.nanodollars) for owner, each in self.used.items()))
        held = Sum(agent_id, ((each.agent_id, each.tokens, each.nanodollars) for each in self.reserved))
        return _reached(limits, agent_id, used, held)

    def add(self, agent_id: str, more: Amount) -> None:
        so_far = self.used.get(agent_id, Amount(0, 0))
        self.used[agent_id] = Amount(so_far.tokens + more.tokens, so_far.nanodollars + more.nanodollars)


@dataclass(frozen=True, slots=True, eq=False)
class _Reserved:
    """A call that is held back in a tally."""

    tally: _Tally
    agent_id: str
    tokens: int
    nanodollars: int

    @property
    def id(self) -> str:
        """Nothing in the database is."""
        return ""

    def end(self, used: Amount) -> None:
        self.tally.add(self.agent_id, used)
        self.tally.reserved.remove(self)
        self.tally.changed.set()
        self.tally.changed = asyncio.Event()


class Tallies:
    """For a platform that is alone. `today` gives the day."""

    def __init__(self, database: Database, limits: DailyLimits, today: Callable[[], str]) -> None:
        self._database = database
        self._limits = limits
        self._today = today
        self._tallies: dict[int, _Tally] = {}
        self._loading = asyncio.Lock()

    async def begin(self, user_id: int, agent_id: str, expected: Amount) -> Held | Reached:
        """See `CallsUnderWay`."""
        tally = await self._tally(user_id)
        while (reached := tally.reached(self._limits, agent_id)) is not None:
            if reached.is_used_up:
                return reached
            await tally.changed.wait()
            tally = await self._tally(user_id)
        reserved = _Reserved(tally, agent_id, expected.tokens, expected.nanodollars)
        tally.reserved.append(reserved)
        return reserved

    async def close(self) -> None:
        """What is in memory is stored already, with what calls led to."""

    async def _tally(self, user_id: int) -> _Tally:
        day = self._today()
        tally = self._tallies.get(user_id)
        if tally is not None and tally.day == day:
            return tally
        async with self._loading:
            tally = self._tallies.get(user_id)
            if tally is None or tally.day != day:
                tally = await self._load(user_id, day)
        return tally

    async def _load(self, user_id: int, day: str) -> _Tally:
        tally = _Tally(day)
        for row in await self._database.read(rows.of_day, user_id, day):
            tally.add(row.agent_id, Amount(row.tokens, row.nanodollars))
        if len(self._tallies) >= _PEOPLE_REMEMBERED:
            self._tallies.pop(next(iter(self._tallies)))
        self._tallies[user_id] = tally
        return tally


@dataclass(frozen=True, slots=True)
class _HeldInDatabase:
    """A call that is held back in the database."""

    hold: Hold
    release: Callable[[Hold], None]

    @property
    def id(self) -> str:
        return self.hold.id

    def end(self, used: Amount) -> None:
        """`used` is stored by whoever made the call."""
        self.release(self.hold)


class Holds:
    """For one of several platforms. `executor_id` names it among those that live; `today` gives the day."""

    def __init__(
        self,
        database: Database,
        limits: DailyLimits,
        today: Callable[[], str],
        executor_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._limits = limits
        self._today = today
        self._executor_id = executor_id
        self._turns: weakref.WeakValueDictionary[tuple[int, str], asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )
        self._ended: list[Hold] = []
        self._releasing: asyncio.Task[None] | None = None

    async def begin(self, user_id: int, agent_id: str, expected: Amount) -> Held | Reached:
        """See `CallsUnderWay`. Of those who wait at this platform for an agent, one looks for all."""
        turn = self._turns.setdefault((user_id, agent_id), asyncio.Lock())
        async with turn:
            while True:
                found = await self._try(user_id, agent_id, expected)
                if not isinstance(found, Reached) or found.is_used_up:
                    return found
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)

    async def close(self) -> None:
        """Releases what calls that have ended held back."""
        if self._releasing is not None:
            self._releasing.cancel()
        await self._release_ended()

    async def _try(self, user_id: int, agent_id: str, expected: Amount) -> Held | Reached:
        hold = Hold(
            secrets.token_hex(8),
            self._executor_id(),
            user_id,
            self._today(),
            agent_id,
            expected.tokens,
            expected.nanodollars,
        )
        writing = unwatched.begun(self._database.write(self._hold, hold))
        try:
            reached = await asyncio.shield(writing)
        except BaseException:
            writing.add_done_callback(lambda _: self._release(hold))  # it may be held back all the same
            raise
        return reached or _HeldInDatabase(hold, self._release)

    def _hold(self, transaction: Transaction, hold: Hold) -> Reached | None:
        def judge(used: list[rows.Row], others: list[Hold]) -> Reached | None:
            return _reached(
                self._limits,
                hold.agent_id,
                Sum(hold.agent_id, ((row.agent_id, row.tokens, row.nanodollars) for row in used)),
                Sum(hold.agent_id, ((each.agent_id, each.tokens, each.nanodollars) for each in others)),
            )

        return rows.hold(transaction, hold, judge)

    def _release(self, hold: Hold) -> None:
        self._ended.append(hold)
        if self._releasing is None:
            self._releasing = asyncio.create_task(self._release_later())

    async def _release_later(self) -> None:
        while self._ended:
            await asyncio.sleep(_SECONDS_UNTIL_STORED)
            await asyncio.shield(self._release_ended())
        self._releasing = None

    async def _release_ended(self) -> None:
        ended, self._ended = self._ended, []
        if not ended:
            return
        try:
            await self._database.write(rows.release, ended)
        except errors.FixieError as error:
            _logger.warning("what calls that ended held back cannot be released: %s", error.message)
            self._ended += ended
