"""What people use on a day, and the limits on it. Days are UTC; each limit starts anew at midnight.

    queries         counted in the transaction that stores the question: exact, whatever runs at the same time
    storage calls   exact, too: see `storage_calls`
    tokens, money   known only after a call: stored with the line that follows it, checked before the
                    call against a tally in memory in which calls under way are reserved. Close to a
                    limit calls wait for one another: the last one may go beyond it.

Where a limit on tokens or money is not set, there is no tally. Each process has tallies of its own;
where several share a database, each looks every two seconds what the others stored.
"""

import asyncio
import datetime as dt
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fixieai import errors
from fixieai.platform.prices import Prices
from fixieai.platform.settings import DailyLimits
from fixieai.platform.storage_calls import StorageCalls
from fixieai.storage import usage as rows
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction
from fixieai.storage.usage import Spent

_DAY_SECONDS = 86_400
_NANODOLLARS = 1_000_000_000
_PEOPLE_REMEMBERED = 10_000
_MODELS_REMEMBERED = 1_000
_logger = logging.getLogger("fixieai.platform")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a model call used, or may use: `model` is `owner/model`."""

    model: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class AgentUsage:
    """What the model calls of one agent cost for one person."""

    agent_id: str
    prompt_tokens: int
    completion_tokens: int
    dollars: float


@dataclass(frozen=True, slots=True)
class UsageToday:
    """What a person used today, and may use; a limit is None where there is none.

    `resets` is when the next day begins: ISO 8601 in UTC.
    """

    limits: DailyLimits
    resets: str
    queries: int
    storage_calls: int
    agents: tuple[AgentUsage, ...]

    @property
    def tokens(self) -> int:
        return sum(agent.prompt_tokens + agent.completion_tokens for agent in self.agents)

    @property
    def dollars(self) -> float:
        return sum(agent.dollars for agent in self.agents)


@dataclass(slots=True)
class _Tally:
    """One person's day so far. `reserved` is what calls under way may cost."""

    day: str
    fresh_until: float
    tokens: dict[str, int] = field(default_factory=dict)
    all_tokens: int = 0
    nanodollars: int = 0
    reserved: list[tuple[str, int, int]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, agent_id: str, tokens: int, nanodollars: int) -> None:
        self.tokens[agent_id] = self.tokens.get(agent_id, 0) + tokens
        self.all_tokens += tokens
        self.nanodollars += nanodollars

    def catch_up(self, stored: Sequence[rows.Row]) -> None:
        """What the database knows counts, unless what was counted here is more: it may be stored yet."""
        for row in stored:
            used = row.prompt_tokens + row.completion_tokens
            self.tokens[row.agent_id] = max(self.tokens.get(row.agent_id, 0), used)
        self.all_tokens = max(self.all_tokens, sum(self.tokens.values()))
        self.nanodollars = max(self.nanodollars, sum(row.nanodollars for row in stored))

    def release(self, reservation: tuple[str, int, int]) -> None:
        self.reserved.remove(reservation)
        self.changed.set()
        self.changed = asyncio.Event()


class Usage:
    """Counts, and refuses what goes beyond a limit. `clock` gives seconds since 1970."""

    def __init__(
        self,
        database: Database,
        limits: DailyLimits,
        prices: Prices,
        clock: Callable[[], float] = time.time,
        note: Callable[[str, int, int], None] = lambda *_: None,
        fresh_seconds: float = math.inf,
    ) -> None:
        """
        Args:
            note: is told of every call that ended: its model, tokens of the prompt and of the answer.
            fresh_seconds: how old what is known of other processes may be; without end where there are none.
        """
        self._clock = clock
        self._note = note
        self._fresh_seconds = fresh_seconds
        self._database = database
        self._limits = limits
        self._prices = prices
        self._tallies: dict[int, _Tally] = {}
        self._loading = asyncio.Lock()
        self._storage_calls = StorageCalls(
            database, limits.storage_calls, clock, is_alone=math.isinf(fresh_seconds)
        )
        self._looked_up: set[str] = set()

    async def today(self, user_id: int) -> UsageToday:
        now = self._clock()
        day = _day(now)
        storage_calls, stored = await self._storage_calls.of_day(user_id, day)
        agents = [
            AgentUsage(row.agent_id, row.prompt_tokens, row.completion_tokens, row.nanodollars / _NANODOLLARS)
            for row in stored
            if row.agent_id
        ]
        return UsageToday(
            limits=self._limits,
            resets=dt.datetime.fromtimestamp(_next_day(now), dt.UTC).isoformat(),
            queries=sum(row.queries for row in stored),
            storage_calls=storage_calls,
            agents=tuple(agents),
        )

    def count_query(self, transaction: Transaction, user_id: int) -> int:
        """How many queries this one makes today, counted in the transaction that stores it.

        Raises:
            DailyLimitReached: there were as many as there may be.
        """
        used = rows.count_query(transaction, user_id, _day(self._clock()), self._limits.queries)
        if used is None:
            error = self._reached(f"{self._limits.queries:,} queries")
            error.headers = self.query_headers(None)
            raise error
        return used

    def query_headers(self, used: int | None) -> dict[str, str]:
        """`X-RateLimit-*` of an answer. `used`: the number of its query on this day, None: one too many."""
        limit = self._limits.queries
        if limit is None:
            return {}
        left = 0 if used is None else max(0, limit - used)
        reset = str(_next_day(self._clock()))
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": reset,
        }

    async def count_storage_call(self, user_id: int) -> None:
        """Raises DailyLimitReached when there were as many as there may be."""
        if not await self._storage_calls.count(user_id, _day(self._clock())):
            raise self._reached(f"{self._limits.storage_calls:,} calls to the storage of agents")

    async def admit(self, user_id: int, agent_id: str, expect: Callable[[], Tokens]) -> "Admission":
        """Permission for one model call, to be closed with what it cost.

        `expect` says what it may use, where there is a limit on that.

        Raises:
            DailyLimitReached: what the person, or this agent for them, may use today is used up.
        """
        limits = self._limits
        if limits.tokens is None and limits.agent_tokens is None and limits.dollars is None:
            return Admission(self, agent_id, None, ("", 0, 0))
        tally = await self._tally(user_id)
        while (exceeded := self._exceeded(tally, agent_id)) is not None:
            limit, is_used_up = exceeded
            if is_used_up:
                raise self._reached(limit)
            await tally.changed.wait()
            tally = await self._tally(user_id)
        expected = expect()
        tokens = expected.prompt_tokens + expected.completion_tokens
        if limits.dollars is not None:
            self._look_up(expected.model)
        cost = self._prices.cost(expected.model, expected.prompt_tokens, expected.completion_tokens)
        reservation = agent_id, tokens, cost
        tally.reserved.append(reservation)
        return Admission(self, agent_id, tally, reservation)

    def _look_up(self, model: str) -> None:
        is_new = model not in self._looked_up and len(self._looked_up) < _MODELS_REMEMBERED
        if is_new and self._prices.price(model) is None:
            _logger.warning("No price is known for %s: FIXIE_DAILY_DOLLARS does not limit its use.", model)
        if is_new:
            self._looked_up.add(model)

    async def record(self, user_id: int, session: str, spent: Spent) -> None:
        """Stores what a call of an agent cost, and that it was for the query of that session."""
        await self._database.write(rows.spend_in_session, user_id, session, spent)

    def spent(self, agent_id: str, used: Tokens) -> Spent:
        self._note(used.model, used.prompt_tokens, used.completion_tokens)
        cost = self._prices.cost(used.model, used.prompt_tokens, used.completion_tokens)
        return Spent(_day(self._clock()), agent_id, used.prompt_tokens, used.completion_tokens, cost)

    async def close(self) -> None:
        """Stores what is only counted in memory so far."""
        await self._storage_calls.close()

    def _reached(self, limit: str) -> errors.DailyLimitReached:
        now = self._clock()
        seconds = _next_day(now) - now
        hours, minutes = divmod(int(seconds) // 60, 60)
        return errors.DailyLimitReached(
            f"The limit of {limit} a day is reached. "
            f"The next day begins at 00:00 UTC, in {hours} h {minutes} min.",
            retry_after=seconds,
        )

    def _exceeded(self, tally: _Tally, agent_id: str) -> tuple[str, bool] | None:
        """The limit that is in the way, and whether it is by what was used, not by what is reserved."""
        limits = self._limits
        reserved_here = sum(tokens for owner, tokens, _ in tally.reserved if owner == agent_id)
        reserved = sum(tokens for _, tokens, _ in tally.reserved)
        reserved_cost = sum(cost for *_, cost in tally.reserved)
        for limit, used, held, unit in (
            (limits.agent_tokens, tally.tokens.get(agent_id, 0), reserved_here, f"tokens for {agent_id}"),
            (limits.tokens, tally.all_tokens, reserved, "tokens"),
        ):
            if limit is not None and used + held >= limit:
                return f"{limit:,} {unit}", used >= limit
        if limits.dollars is not None and tally.nanodollars + reserved_cost >= limits.dollars * _NANODOLLARS:
            is_used_up = tally.nanodollars >= limits.dollars * _NANODOLLARS
            return f"${limits.dollars:g} of model calls", is_used_up
        return None

    async def _tally(self, user_id: int) -> _Tally:
        day = _day(self._clock())
        tally = self._tallies.get(user_id)
        if tally is not None and tally.day == day:
            await self._catch_up(user_id, tally)
            return tally
        async with self._loading:
            tally = self._tallies.get(user_id)
            if tally is None or tally.day != day:
                tally = await self._load(user_id, day)
        return tally

    async def _load(self, user_id: int, day: str) -> _Tally:
        tally = _Tally(day, self._clock() + self._fresh_seconds)
        tally.catch_up(await self._database.read(rows.of_day, user_id, day))
        if len(self._tallies) >= _PEOPLE_REMEMBERED:
            self._tallies.pop(next(iter(self._tallies)))
        self._tallies[user_id] = tally
        return tally

    async def _catch_up(self, user_id: int, tally: _Tally) -> None:
        if self._clock() >= tally.fresh_until:
            tally.fresh_until = self._clock() + self._fresh_seconds  # others who ask meanwhile do not wait
            tally.catch_up(await self._database.read(rows.of_day, user_id, tally.day))


class Admission:
    """One model call under way."""

    __slots__ = ("_agent_id", "_reservation", "_tally", "_usage")

    def __init__(
        self, usage: Usage, agent_id: str, tally: _Tally | None, reservation: tuple[str, int, int]
    ) -> None:
        self._usage = usage
        self._agent_id = agent_id
        self._tally = tally
        self._reservation = reservation

    def close(self, used: Tokens) -> Spent:
        """Ends it; what it cost, to be stored."""
        spent = self._usage.spent(self._agent_id, used)
        if self._tally is not None:
            self._tally.add(self._agent_id, used.prompt_tokens + used.completion_tokens, spent.nanodollars)
            self._tally.release(self._reservation)
        return spent


def _day(now: float) -> str:
    return dt.datetime.fromtimestamp(now, dt.UTC).date().isoformat()


def _next_day(now: float) -> int:
    """Seconds since 1970."""
    return (int(now) // _DAY_SECONDS + 1) * _DAY_SECONDS
