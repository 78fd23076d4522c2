"""What a person used on a day: queries and storage calls, and the tokens of each agent asked.

A day is `2026-01-31`, in UTC.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from fixieai.storage import ids, statements
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("usage")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spent:
    """What one or several model calls of an agent cost. `nanodollars`: 10**-9 of a US dollar.

    `hold_id` is what was held back for the call; "" where nothing was.
    """

    day: str
    agent_id: str
    prompt_tokens: int
    completion_tokens: int
    nanodollars: int
    hold_id: str = ""

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Row:
    """`agent_id` is "" in the row that counts queries and storage calls."""

    agent_id: str
    queries: int
    storage_calls: int
    prompt_tokens: int
    completion_tokens: int
    nanodollars: int

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Hold:
    """What a model call that is under way at an executor may use."""

    id: str
    executor_id: str
    user_id: int
    day: str
    agent_id: str
    tokens: int
    nanodollars: int


def count_query(transaction: Transaction, user_id: int, day: str, limit: int | None) -> int | None:
    """Counts one more and says how many it makes; None when there were `limit` already.

    Exact, whatever runs at the same time: it belongs in the transaction that stores the question,
    so that a question which is not stored is not counted either.
    """
    params: Params = {"user_id": user_id, "day": day, "limit": ids.MAXIMUM if limit is None else limit}
    row = transaction.row(_SQL["count_query"], params)
    return int(row[0]) if row else None


def add_storage_calls(transaction: Transaction, user_id: int, day: str, calls: int) -> None:
    """Counts as many; less than 0 gives back what was set aside."""
    transaction.execute(_SQL["add_storage_calls"], {"user_id": user_id, "day": day, "calls": calls})


def set_storage_calls_aside(
    transaction: Transaction, user_id: int, day: str, limit: int, part: Callable[[int], int]
) -> int:
    """Counts some before they are made, of which those that are not made are to be given back.

    Those who do so at once take turns. `part` says how many, given those that are left; 0 when none is.
    """
    left = limit - _lock_day(transaction, user_id, day)
    calls = part(left) if left > 0 else 0
    if calls:
        add_storage_calls(transaction, user_id, day, calls)
    return calls


def hold(transaction: Transaction, new: Hold, judge: Callable[[list[Row], list[Hold]], T | None]) -> T | None:
    """Holds back what a call may use, unless `judge` objects; what it says to that.

    It is given what the person used on the day, and what is held back by executors that live. Those who
    do so at once take turns.
    """
    whose: Params = {"user_id": new.user_id, "day": new.day}
    _lock_day(transaction, new.user_id, new.day)
    transaction.execute(_SQL["forget_holds"], whose)
    held = [Hold(*row) for row in transaction.rows(_SQL["holds_of_day"], whose)]
    objection = judge(of_day(transaction, new.user_id, new.day), held)
    if objection is None:
        transaction.execute(_SQL["hold"], dataclasses.asdict(new))
    return objection


def release(transaction: Transaction, ended: Iterable[Hold]) -> None:
    """Those that were released already stay so."""
    for each in ended:
        transaction.execute(_SQL["release"], {"user_id": each.user_id, "id": each.id})


def _lock_day(transaction: Transaction, user_id: int, day: str) -> int:
    """Waits until no other transaction changes the person's counts of the day; the storage calls so far."""
    row = transaction.row(_SQL["lock_day"], {"user_id": user_id, "day": day})
    return int(row[0]) if row else 0


def add_tokens(transaction: Transaction, user_id: int, spent: Spent) -> None:
    """Counts what was spent, instead of what was held back for it."""
    if spent.hold_id:
        transaction.execute(_SQL["release"], {"user_id": user_id, "id": spent.hold_id})
    transaction.execute(
        _SQL["add_tokens"],
        {
            "user_id": user_id,
            "day": spent.day,
            "agent_id": spent.agent_id,
            "prompt_tokens": spent.prompt_tokens,
            "completion_tokens": spent.completion_tokens,
            "nanodollars": spent.nanodollars,
        },
    )


def of_day(transaction: Transaction, user_id: int, day: str) -> list[Row]:
    """All rows of the day, the one without an agent first."""
    return [Row(*row) for row in transaction.rows(_SQL["of_day"], {"user_id": user_id, "day": day})]


def spend(transaction: Transaction, query_id: int, tokens: int) -> int:
    """Counts tokens for a query; how many it has used so far."""
    row = transaction.row(_SQL["spend"], {"query_id": query_id, "tokens": tokens})
    return int(row[0]) if row else 0


def spend_in_session(transaction: Transaction, user_id: int, handle: str, spent: Spent) -> None:
    """Counts what a call cost for the day, and for the query of that session that is being answered.

    The query first, as where its lines are stored: of two, one waits for the other, and not both.
    """
    params: Params = {"user_id": user_id, "handle": handle, "tokens": spent.tokens}
    transaction.execute(_SQL["spend_in_session"], params)
    add_tokens(transaction, user_id, spent)


def of_query(transaction: Transaction, user_id: int, query_id: int) -> int:
    """The tokens that a query has used so far."""
    row = transaction.row(_SQL["of_query"], {"user_id": user_id, "query_id": query_id})
    return int(row[0]) if row else 0


def of_session(transaction: Transaction, user_id: int, handle: str) -> int | None:
    """The tokens of the query of a session that is being answered; None where there is none."""
    row = transaction.row(_SQL["of_session"], {"user_id": user_id, "handle": handle})
    return int(row[0]) if row else None
