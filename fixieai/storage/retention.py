"""What is removed in the course of time: everybody's at once, so no function here asks for an owner.

Each function changes a bounded number of rows. A session is taken from its owner in one step, and then
belongs to nobody: of what nobody sees any more, any number of rows can go at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fixieai.storage import ids, statements, timestamps
from fixieai.storage.transaction import Params, Transaction

_SQL = statements.load("retention")
_DAY_LENGTH = len("2026-01-31")

Ended = Literal["authorizations", "browser_codes", "attempts", "flows", "invitations", "keys", "removals"]
ENDED: tuple[Ended, ...] = (
    "authorizations",
    "browser_codes",
    "attempts",
    "flows",
    "invitations",
    "keys",
    "removals",
)


@dataclass(frozen=True, slots=True)
class Slice:
    """How many rows a step removed or counted, and the id to go on behind; None: there is no more."""

    rows: int
    after: int | None


@dataclass(frozen=True, slots=True)
class Inside:
    """What sessions hold, or held: `bytes` of the embeds, counted once for each."""

    messages: int
    embeds: int
    bytes: int = 0


# --- sessions ---


def idle_sessions(transaction: Transaction, until: float, after: int, limit: int) -> list[int]:
    """Ids of sessions in which nobody asked since `until` (Unix seconds), in order, behind `after`."""
    params: Params = {**_since(until), "after": after, "limit": limit}
    return [int(row[0]) for row in transaction.rows(_SQL["idle_sessions"], params)]


def give_to_nobody(transaction: Transaction, session_ids: Sequence[int], until: float) -> int:
    """Takes idle sessions from their owners; how many were idle still."""
    transaction.execute(_SQL["make_nobody"], {"now": timestamps.now()})
    return sum(
        transaction.execute(
            _SQL["give_to_nobody"], {"id": each, "handle": f"removed-{each}", "until": timestamps.at(until)}
        )
        for each in session_ids
    )


def inside_sessions(transaction: Transaction, session_ids: Sequence[int]) -> Inside:
    messages_sql, listed = statements.with_list(_SQL["count_messages"], "session_ids", session_ids)
    embeds_sql, _ = statements.with_list(_SQL["count_embeds"], "session_ids", session_ids)
    ((count, size),) = transaction.rows(embeds_sql, listed)
    return Inside(_count(transaction, messages_sql, listed), int(count), int(size))


def remove_nobodys(transaction: Transaction, limit: int) -> Inside | None:
    """Removes up to `limit` messages and as many embeds of a session of nobody; None: there is none.

    The bytes of the embeds are left to `embeds.BYTES.perhaps_unused`.
    """
    row = transaction.row(_SQL["nobodys_session"], {})
    if row is None:
        return None
    params: Params = {"session_id": row[0], "limit": limit}
    transaction.execute(_SQL["remove_first_queries"], params)
    removed = transaction.execute(_SQL["remove_first_messages"], params)
    transaction.execute(_SQL["abandon_first_embeds"], params)
    removed_embeds = transaction.execute(_SQL["remove_first_embeds"], params)
    transaction.execute(_SQL["remove_empty_session"], {"session_id": row[0]})
    return Inside(removed, removed_embeds)


# --- messages ---


def trim_sessions(transaction: Transaction, until: float, after: int, limit: int) -> Slice:
    """Removes the oldest queries of the next session, with their lines: those asked before `until`.

    The newest query of a session stays, however old it is.
    """
    first_kept = ids.first_at(until)
    found = transaction.row(_SQL["next_old_query"], {"after": after, "first_kept_id": first_kept})
    if found is None:
        return Slice(0, None)
    query_id, session_id = found
    transaction.row(_SQL["lock_session"], {"session_id": session_id})
    newest = transaction.row(_SQL["newest_query"], {"session_id": session_id})
    params: Params = {
        "session_id": session_id,
        "first_kept_id": first_kept,
        "newest_query_id": newest[0] if newest else 0,
        "limit": limit,
    }
    removed = transaction.rows(_SQL["trim"], params)
    if not removed:
        return Slice(0, int(query_id))
    oldest = transaction.row(_SQL["oldest_query"], {"session_id": session_id})
    for each in {row[0] for row in removed} - {oldest[0] if oldest else 0}:
        transaction.execute(_SQL["remove_query"], {"query_id": each})
    return Slice(len(removed), after)


def count_old_messages(transaction: Transaction, until: float, after: int, limit: int) -> Slice:
    """How many of the next `limit` messages `trim_sessions` would remove."""
    params: Params = {"after": after, "first_kept_id": ids.first_at(until), "limit": limit}
    ((seen, last, old),) = transaction.rows(_SQL["count_old_messages"], params)
    return Slice(int(old), int(last) if seen == limit else None)


# --- usage ---


def remove_usage(transaction: Transaction, until: float, after: int, limit: int) -> Slice:
    """Removes counts of days before the one of `until`, of the next person."""
    row = transaction.row(_SQL["next_user_of_usage"], {"after": after})
    if row is None or row[0] is None:
        return Slice(0, None)
    params: Params = {"user_id": row[0], "first_kept_day": _day(until), "limit": limit}
    removed = transaction.execute(_SQL["remove_usage"], params)
    return Slice(removed, after if removed == limit else int(row[0]))


def count_usage(transaction: Transaction, until: float) -> int:
    return _count(transaction, _SQL["count_usage"], {"first_kept_day": _day(until)})


# --- what ended ---


def remove_ended(transaction: Transaction, kind: Ended, until: float, limit: int) -> int:
    """Removes codes, links, OAuth flows, API keys, ... that ended before `until`; how many."""
    return transaction.execute(_SQL[f"remove_{kind}"], {**_ended(kind, until), "limit": limit})


def count_ended(transaction: Transaction, kind: Ended, until: float) -> int:
    return _count(transaction, _SQL[f"count_{kind}"], _ended(kind, until))


# --- revisions and bytes ---


@dataclass(frozen=True, slots=True)
class OldRevision:
    """`package_hash` is None for one that ran elsewhere."""

    id: int
    package_hash: str | None


def old_revisions(
    transaction: Transaction, until: float, failed_until: float, after: int, limit: int
) -> list[OldRevision]:
    """Revisions made before `until` (those that failed: `failed_until`) that are not current, in order."""
    params: Params = {
        "after": after,
        "first_kept_id": ids.first_at(until),
        "first_kept_failure": ids.first_at(failed_until),
        "limit": limit,
    }
    return [OldRevision(*row) for row in transaction.rows(_SQL["old_revisions"], params)]


def remove_revisions(transaction: Transaction, revisions: Sequence[OldRevision]) -> list[OldRevision]:
    """Removes those that are still not current, and returns them."""
    return [each for each in revisions if _remove_revision(transaction, {"id": each.id})]


def _remove_revision(transaction: Transaction, params: Params) -> bool:
    transaction.row(_SQL["lock_agent"], params)
    return transaction.execute(_SQL["remove_revision"], params) > 0


def unused_by_embeds(transaction: Transaction, hashes: Sequence[str], now: int) -> list[str]:
    """Those of the hashes that no embed has, nor is about to have."""
    return _unused(transaction, _SQL["used_by_embeds"], hashes, now)


def unused_by_revisions(transaction: Transaction, hashes: Sequence[str], now: int) -> list[str]:
    """Those of the hashes that are no revision's package, nor about to be."""
    return _unused(transaction, _SQL["used_by_revisions"], hashes, now)


def _unused(transaction: Transaction, sql: str, hashes: Sequence[str], now: int) -> list[str]:
    if not hashes:
        return []
    sql, listed = statements.with_list(sql, "hashes", hashes)
    used = {row[0] for row in transaction.rows(sql, {"now": now, **listed})}
    return [each for each in hashes if each not in used]


def _since(until: float) -> dict[str, str | int]:
    return {"until": timestamps.at(until), "first_kept_id": ids.first_at(until)}


def _ended(kind: Ended, until: float) -> Params:
    if kind == "attempts":
        return {"milliseconds": int(until * 1000)}
    seconds = int(until)
    return {"seconds": seconds, "until": timestamps.at(until)} if kind == "keys" else {"seconds": seconds}


def _day(until: float) -> str:
    return timestamps.at(until)[:_DAY_LENGTH]


def _count(transaction: Transaction, sql: str, params: Params) -> int:
    ((count,),) = transaction.rows(sql, params)
    return int(count)
