"""What people use on a day, and the limits on it. Days are UTC; each limit starts anew at midnight.

queries         counted in the transaction that stores the question: exact, whatever runs at the same time
storage calls   exact, too: see `storage_calls`
tokens, money   known only after a call: stored with the line that follows it, checked before the
                call, where there is a limit on them: see `calls_under_way`
"""

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform.calls_under_way import Amount, CallsUnderWay, Held, Holds, Reached, Tallies
from fixieai.platform.prices import Prices
from fixieai.platform.settings import DailyLimits
from fixieai.platform.storage_calls import StorageCalls
from fixieai.storage import usage as rows
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction
from fixieai.storage.usage import Spent

_DAY_SECONDS = 86_400
_NANODOLLARS = 1_000_000_000
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


class Usage:
    """Counts, and refuses what goes beyond a limit. `clock` gives seconds since 1970."""

    def __init__(
        self,
        database: Database,
        limits: DailyLimits,
        prices: Prices,
        clock: Callable[[], float] = time.time,
        note: Callable[[str, int, int], None] = lambda *_: None,
        executor_id: Callable[[], str] | None = None,
    ) -> None:
        """
        Args:
            note: is told of every call that ended: its model, tokens of the prompt and of the answer.
            executor_id: names this process among those that share the database; None where it is alone.
        """
        self._clock = clock
        self._note = note
        self._database = database
        self._limits = limits
        self._prices = prices
        self._storage_calls = StorageCalls(
            database, limits.storage_calls, clock, is_alone=executor_id is None
        )
        self._under_way: CallsUnderWay = (
            Tallies(database, limits, self._today)
            if executor_id is None
            else Holds(database, limits, self._today, executor_id)
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
        used = rows.count_query(transaction, user_id, self._today(), self._limits.queries)
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
        if not await self._storage_calls.count(user_id, self._today()):
            raise self._reached(f"{self._limits.storage_calls:,} calls to the storage of agents")

    async def admit(self, user_id: int, agent_id: str, expect: Callable[[], Tokens]) -> "Admission":
        """Permission for one model call, to be closed with what it cost.

        `expect` says what it may use, where there is a limit on that.

        Raises:
            DailyLimitReached: what the person, or this agent for them, may use today is used up.
        """
        limits = self._limits
        if limits.tokens is None and limits.agent_tokens is None and limits.dollars is None:
            return Admission(self, agent_id, None)
        expected = expect()
        if limits.dollars is not None:
            self._look_up(expected.model)
        held = await self._under_way.begin(user_id, agent_id, self._amount(expected))
        if isinstance(held, Reached):
            raise self._reached(held.limit)
        return Admission(self, agent_id, held)

    def _amount(self, tokens: Tokens) -> Amount:
        cost = self._prices.cost(tokens.model, tokens.prompt_tokens, tokens.completion_tokens)
        return Amount(tokens.prompt_tokens + tokens.completion_tokens, cost)

    def _look_up(self, model: str) -> None:
        is_new = model not in self._looked_up and len(self._looked_up) < _MODELS_REMEMBERED
        if is_new and self._prices.price(model) is None:
            _logger.warning("No price is known for %s: FIXIE_DAILY_DOLLARS does not limit its use.", model)
        if is_new:
            self._looked_up.add(model)

    async def record(self, user_id: int, session: str, spent: Spent) -> None:
        """Stores what a call of an agent cost, and that it was for the query of that session."""
        await self._database.write(rows.spend_in_session, user_id, session, spent)

    def spent(self, agent_id: str, used: Tokens, hold_id: str = "") -> Spent:
        """What a call that has ended cost, to be stored."""
        self._note(used.model, used.prompt_tokens, used.completion_tokens)
        cost = self._amount(used).nanodollars
        return Spent(self._today(), agent_id, used.prompt_tokens, used.completion_tokens, cost, hold_id)

    async def close(self) -> None:
        """Stores what is only counted in memory so far."""
        await self._storage_calls.close()
        await self._under_way.close()

    def _today(self) -> str:
        return _day(self._clock())

    def _reached(self, limit: str) -> errors.DailyLimitReached:
        now = self._clock()
        seconds = _next_day(now) - now
        hours, minutes = divmod(int(seconds) // 60, 60)
        return errors.DailyLimitReached(
            f"The limit of {limit} a day is reached. "
            f"The next day begins at 00:00 UTC, in {hours} h {minutes} min.",
            retry_after=seconds,
        )


class Admission:
    """One model call under way."""

    __slots__ = ("_agent_id", "_held", "_usage")

    def __init__(self, usage: Usage, agent_id: str, held: Held | None) -> None:
        self._usage = usage
        self._agent_id = agent_id
        self._held = held

    def close(self, used: Tokens) -> Spent:
        """Ends it; what it cost, to be stored."""
        spent = self._usage.spent(self._agent_id, used, self._held.id if self._held else "")
        if self._held is not None:
            self._held.end(Amount(spent.tokens, spent.nanodollars))
        return spent


def _day(now: float) -> str:
    return dt.datetime.fromtimestamp(now, dt.UTC).date().isoformat()


def _next_day(now: float) -> int:
    """Seconds since 1970."""
    return (int(now) // _DAY_SECONDS + 1) * _DAY_SECONDS
