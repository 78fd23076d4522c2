"""Queries under way: each in a task of its own, one at a time per session.

What becomes of the request that asked does not matter to them.
"""

import asyncio
import contextlib
import functools
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from fixieai import errors
from fixieai.platform import journal as journals
from fixieai.platform import performer
from fixieai.platform.auth import Caller
from fixieai.platform.embeds import Kept
from fixieai.platform.feeds import Feeds
from fixieai.platform.journal import Journal
from fixieai.platform.performer import QueryContext, Services
from fixieai.platform.programs import Program
from fixieai.platform.runs import Failure, Run
from fixieai.protocol.messages import Message
from fixieai.protocol.transcript import Line, LineKind
from fixieai.storage.database import Database
from fixieai.storage.embeds import NewEmbed
from fixieai.storage.queries import INTERRUPTED
from fixieai.storage.sessions import Session

_logger = logging.getLogger("fixieai.platform")
PLATFORM = "platform"
INTERRUPTED_TEXT = "This query was interrupted: the platform was stopped. Ask again."
_INTERRUPTED = Failure(INTERRUPTED, INTERRUPTED_TEXT, 503)


@dataclass(frozen=True, slots=True)
class Query:
    """What a person asks. `program` is None when the router is to choose the agent.

    `message` is what the person wrote; `question` is that without the `@owner/handle` in front.
    A session that `is_new` is stored together with the query. `attached` are the new embeds of the
    message, which refers to them.
    """

    caller: Caller
    session: Session
    program: Program | None
    message: Message
    question: Message
    is_new_session: bool = False
    attached: Mapping[str, NewEmbed] = field(default_factory=dict)


@dataclass(slots=True)
class _Turn:
    """The queue of one session; asyncio's locks are fair."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    holders: int = 0


class QueryRunner:
    """Starts queries and sees them through."""

    def __init__(self, database: Database, services: Services) -> None:
        self._database = database
        self._services = services
        self._turns: dict[int, _Turn] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._takes_queries = True
        self.feeds = Feeds()
        self._interrupting: asyncio.Task[None] | None = None

    def start(self, query: Query) -> Run:
        """Begins the query, or queues it behind those of its session.

        Raises:
            Conflict: too many queries wait in this session.
            ServiceUnavailable: the platform is about to end.
        """
        if not self._takes_queries:
            raise errors.ServiceUnavailable("The platform is shutting down.")
        waiting = self._services.limits.waiting_per_session
        turn = self._turns.setdefault(query.session.id, _Turn())
        if turn.holders > waiting:
            raise errors.Conflict(
                f"{waiting} queries already wait in this session. Wait for an answer, or open another."
            )
        turn.holders += 1
        run = Run(query.session.handle, functools.partial(self.feeds.publish, query.session.id))
        task = asyncio.create_task(self._run_in_turn(query, run, turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    def stop(self) -> None:
        """Gives queries `grace_seconds` more, then marks those that run interrupted. Again is harmless."""
        self.feeds.close()
        if self._interrupting is None:
            self._interrupting = asyncio.create_task(self._interrupt_later())

    async def stopped(self) -> None:
        """Stops, and returns when no query runs any more."""
        self.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2 * self._services.limits.grace_seconds)
        if self._interrupting is not None:
            self._interrupting.cancel()

    async def _interrupt_later(self) -> None:
        await asyncio.sleep(self._services.limits.grace_seconds)
        self._takes_queries = False
        for task in self._tasks:
            task.cancel()

    @contextlib.asynccontextmanager
    async def _in_turn(self, session_id: int, turn: _Turn) -> AsyncIterator[None]:
        try:
            async with turn.lock:
                yield
        finally:
            turn.holders -= 1
            if turn.holders == 0:
                self._turns.pop(session_id, None)

    async def _run_in_turn(self, query: Query, run: Run, turn: _Turn) -> None:
        journal = Journal(self._database, self._services.embeds, run, query.caller.user_id, query.session)
        try:
            async with (
                self._in_turn(query.session.id, turn),
                asyncio.timeout(self._services.limits.query_seconds),
            ):
                await self._answer(query, journal)
        except asyncio.CancelledError:
            await asyncio.shield(_fail(journal, _INTERRUPTED))
            raise
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the session says so and goes on
            await _fail(journal, self._failure(error))

    async def _answer(self, query: Query, journal: Journal) -> None:
        """Stores the query, finds the agent, and lets it answer."""
        agent_id = query.program.agent_id if query.program else None
        count = self._services.usage.count_query
        message = query.message
        if not query.is_new_session:
            message = await journal.with_named(message)
        asked = Kept(message, query.attached)
        await journal.begin(asked, agent_id, count, is_new_session=query.is_new_session)
        question = Message(query.question.text, message.embeds)
        program = query.program
        if program is None:
            program = await self._services.registry.route(query.caller, question.text)
            await journal.record_routing(program.agent_id)
        context = QueryContext(self._services, query.caller, journal)
        history = await self._history(program, journal)
        await performer.ask(context, program, question, history, ())

    async def _history(self, program: Program, journal: Journal) -> list[Line]:
        """What the person and the agent said before: of as many messages in any session, long or short."""
        if program.code_shot is None or not program.code_shot.conversational:
            return []
        newest = await journal.newest_messages(self._services.limits.history_messages)
        return journals.conversation(newest, program.agent_id)

    def _failure(self, error: Exception) -> Failure:
        if isinstance(error, errors.FixieError):
            return Failure(error.code, error.message, error.status, error.retry_after, error.headers)
        if isinstance(error, TimeoutError):
            seconds = self._services.limits.query_seconds
            text = f"This query took longer than {seconds:g} seconds, which is the limit for one query."
            return Failure(errors.LimitReached.code, text, errors.LimitReached.status)
        reference = secrets.token_hex(6)
        _logger.error("query failed [%s]", reference, exc_info=error)
        text = f"Something went wrong on the platform's side. Its log says more under {reference}."
        return Failure(errors.FixieError.code, text, errors.FixieError.status)


async def _fail(journal: Journal, failure: Failure) -> None:
    """Ends the query with its reason; where even that cannot be stored, readers still learn of it."""
    if journal.is_finished:
        return
    line = Line(LineKind.RESPONSE, failure.message)
    try:
        await journal.finish(line, PLATFORM, failure)
    except errors.NotFound:  # its session was deleted meanwhile
        journal.publish_end(line, PLATFORM, failure)
        await journal.settle()
    except Exception:
        _logger.exception("the end of a query could not be stored")
        journal.publish_end(line, PLATFORM, failure)
