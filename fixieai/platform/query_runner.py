"""Queries under way: each in a task of its own, one at a time per session.

What becomes of the request that asked does not matter to them.
"""

import asyncio
import contextlib
import functools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fixieai import errors
from fixieai.platform import journal as journals
from fixieai.platform import performer, query_endings, resuming
from fixieai.platform.auth import Caller
from fixieai.platform.embeds import Kept
from fixieai.platform.executors import Executor
from fixieai.platform.feeds import Feeds
from fixieai.platform.journal import Cancelled, Desk, Journal
from fixieai.platform.left_behind import LeftBehind
from fixieai.platform.metrics import ANSWERED
from fixieai.platform.performer import Errand, QueryContext, Services
from fixieai.platform.programs import Program
from fixieai.platform.query_endings import GOES_ON_LATER, MAY_PASS, RETRY_SECONDS
from fixieai.platform.relay import Relay
from fixieai.platform.resuming import NOTHING, Progress
from fixieai.platform.runs import Failure, Run
from fixieai.platform.turns import Turns
from fixieai.protocol.messages import Message
from fixieai.protocol.transcript import Line
from fixieai.storage import queries
from fixieai.storage.database import Database
from fixieai.storage.embeds import NewEmbed
from fixieai.storage.queries import Unfinished
from fixieai.storage.sessions import Session
from fixieai.storage.transaction import DatabaseUnavailable

_logger = logging.getLogger("fixieai.platform")
# A query of the session that runs elsewhere says when it ends. Unless whoever runs it is killed.
_BUSY_SECONDS = 2.0
_MOST_ATTEMPTS = 5
_PAUSES_FOR_AGENTS = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
_TOO_OFTEN = (
    f"This query was begun {_MOST_ATTEMPTS} times, and the platform stopped each time. It is given up."
)
_Answer = Callable[[Journal], Awaitable[None]]
_Turn = contextlib.AbstractAsyncContextManager[None]


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


class QueryRunner:
    """Starts queries and sees them through; goes on with those that another process left behind."""

    def __init__(self, database: Database, services: Services, executor: Executor) -> None:
        self._database = database
        self._services = services
        self._executor = executor
        self._turns = Turns(services.limits.waiting_per_session)
        self._left_behind = LeftBehind(database)
        self._tasks: dict[asyncio.Task[None], Run] = {}
        self._takes_queries = True
        self._feeds = Feeds()
        self.relay = Relay(database.notices, self._feeds, self)
        self._handing_over: asyncio.Task[None] | None = None

    def start(self, query: Query) -> Run:
        """Begins the query, or queues it behind those of its session.

        Raises:
            Conflict: too many queries wait in this session.
            ServiceUnavailable: the platform is about to end.
        """
        if not self._takes_queries:
            raise errors.ServiceUnavailable("The platform is shutting down.", retry_after=RETRY_SECONDS)
        answer = functools.partial(self._answer, query)
        turn = self._turns.taken(query.session.id, self._turns.queue(query.session.id))
        return self._launch(query.caller.user_id, query.session, answer, turn)

    async def take_over(self) -> None:
        """Goes on with every query whose executor is no longer there.

        It is their turn already: others of their session, here too, wait until they have ended.
        """
        if self._handing_over is not None:
            return
        taken = await self._left_behind.take(self._executor.id)
        if self._handing_over is None:  # else it has begun to end, and whoever comes next finds them
            for unfinished in taken:
                self._take_up(unfinished)

    def _take_up(self, unfinished: Unfinished) -> None:
        _logger.warning("query %d goes on where it was left", unfinished.id)
        self._services.metrics.queries_taken.add()
        going_on = self._going_on(unfinished)
        self._launch(unfinished.owner_id, unfinished.session, going_on, contextlib.nullcontext())

    async def cancel(self, owner_id: int, session_id: int) -> bool:
        """Ends the query that is being answered in a session; whether there is one."""
        query_id = await self._database.write(queries.cancel, owner_id, session_id)
        if query_id is not None:
            self.cancel_here({query_id})
            self.relay.tell_cancelled(query_id)
        return query_id is not None

    async def end_cancelled(self) -> None:
        """Ends the queries that other processes were asked to end and this one runs."""
        self.cancel_here(set(await self._database.read(queries.cancelled, self._executor.id)))

    def cancel_here(self, query_ids: set[int]) -> None:
        """Ends those of them that run here."""
        for task, run in self._tasks.items():
            if run.query_id in query_ids:
                run.is_cancelled = True
                task.cancel()

    def free(self, session_id: int) -> None:
        """A query of the session ended: the next one of its queue may begin."""
        self._turns.free(session_id)

    def drop(self) -> None:
        """Ends everything that runs here; nothing of it is stored, for others go on with it."""
        loop = asyncio.get_running_loop()
        for task in self._tasks:
            loop.call_soon(task.cancel)  # once it has begun: before, nobody would be told of its end

    def under_way(self) -> tuple[int, int]:
        """How many queries are being answered here, and how many wait for their turn."""
        running = sum(run.query_id is not None for run in self._tasks.values())
        return running, len(self._tasks) - running

    def stop(self) -> None:
        """Gives queries `grace_seconds` more, then leaves those that run to whoever comes next."""
        self._feeds.close()
        if self._handing_over is None:
            self._handing_over = asyncio.create_task(self._hand_over_later())

    async def stopped(self) -> None:
        """Stops, and returns when no query runs any more."""
        self.stop()
        until = time.monotonic() + 2 * self._services.limits.grace_seconds
        while self._tasks and (left := until - time.monotonic()) > 0:  # one may begin another to go on
            await asyncio.wait(self._tasks, timeout=left)
        if self._handing_over is not None:
            self._handing_over.cancel()

    async def _hand_over_later(self) -> None:
        await asyncio.sleep(self._services.limits.grace_seconds)
        self._takes_queries = False
        self.drop()

    def _launch(self, owner_id: int, session: Session, answer: _Answer, turn: _Turn) -> Run:
        run = Run(session.handle, functools.partial(self.relay.publish, session.id))
        desk = Desk(owner_id, session, self._executor.id)
        journal = Journal(self._database, self._services.embeds, run, desk)
        task = asyncio.create_task(self._run_in_turn(turn, journal, answer))
        self._tasks[task] = run
        task.add_done_callback(functools.partial(self._ended, run, time.monotonic()))
        return run

    def _ended(self, run: Run, began: float, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        metrics = self._services.metrics
        metrics.queries.add(run.outcome or ANSWERED)
        metrics.query_seconds.observe(time.monotonic() - began)

    async def _run_in_turn(self, turn: _Turn, journal: Journal, answer: _Answer) -> None:
        try:
            async with turn:
                if not await self._see_through(journal, answer):
                    await self._go_on_later(journal)
        except asyncio.CancelledError:
            if not await asyncio.shield(query_endings.end_cancelled(journal)):
                await self._go_on_later(journal)
            raise

    async def _see_through(self, journal: Journal, answer: _Answer) -> bool:
        """Whether the query has ended; else nothing can be stored at the moment, and its readers know."""
        try:
            async with asyncio.timeout(self._services.limits.query_seconds):
                await answer(journal)
        except DatabaseUnavailable as error:
            query_endings.pause(journal, GOES_ON_LATER if journal.has_begun else self._failure(error))
            return False
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the session says so and goes on
            return await query_endings.fail(journal, self._failure(error))
        return True

    async def _go_on_later(self, journal: Journal) -> None:
        """Goes on with a query when the database can be used again.

        Where it is not known whether the question was stored, that is known then, too: as long as this is
        its turn, no other query of the session is begun here.
        """
        session_id, query_id = journal.session_id, journal.query_id
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                await journal.settle()
                if query_id is None and self._is_answered(journal.session_handle):
                    return
                found = await self._database.write(
                    queries.take_again, self._executor.id, session_id, query_id
                )
            except (errors.ServiceUnavailable, *MAY_PASS):
                continue
            break
        for unfinished in found:
            self._take_up(unfinished)

    def _is_answered(self, session: str) -> bool:
        """Whether a query of the session runs here."""
        return any(run.session == session and run.query_id is not None for run in self._tasks.values())

    async def _answer(self, query: Query, journal: Journal) -> None:
        """Stores the query, finds the agent, and lets it answer."""
        message = query.message
        if not query.is_new_session:
            message = await journal.with_named(message)
        await self._begin(query, Kept(message, query.attached), journal)
        question = Message(query.question.text, message.embeds)
        program = query.program
        if program is None:
            program = await self._route(query.caller, question, journal)
        await self._ask(query.caller, program, question, journal)

    async def _begin(self, query: Query, asked: Kept, journal: Journal) -> None:
        """Waits while a query of this session is answered elsewhere, or is gone on with here."""
        agent_id = query.program.agent_id if query.program else None
        count = self._services.usage.count_query
        while True:
            try:
                return await journal.begin(asked, agent_id, count, is_new_session=query.is_new_session)
            except queries.SessionBusy:
                await self._turns.until_free(query.session.id, _BUSY_SECONDS)

    async def _route(self, caller: Caller, question: Message, journal: Journal) -> Program:
        program = await self._services.registry.route(caller, question.text)
        await journal.record_routing(program.agent_id)
        return program

    async def _ask(
        self,
        caller: Caller,
        program: Program,
        question: Message,
        journal: Journal,
        progress: Progress = NOTHING,
    ) -> None:
        history = await self._history(program, journal)
        budgets, handle = self._services.budgets, journal.session_handle
        with budgets.opened(caller.user_id, handle, lambda: journal.tokens) as budget:
            context = QueryContext(self._services, caller, journal, budget)
            await performer.ask(context, program, Errand(question, history, progress=progress))

    async def _reachable(self, caller: Caller, agent_id: str, session: str) -> Program:
        """The agent, when it answers or after some seconds: after a restart it may be starting, too."""
        for pause in _PAUSES_FOR_AGENTS:
            program = await self._services.registry.program(caller, agent_id)
            try:
                address = await self._services.agent_addresses.of(program, caller, session)
                await self._services.agents.handshake(address)
            except errors.AgentUnavailable:
                await asyncio.sleep(pause)
            else:
                break
        return program

    def _going_on(self, unfinished: Unfinished) -> _Answer:
        caller = Caller(unfinished.owner_id, unfinished.username, unfinished.time_zone)

        async def answer(journal: Journal) -> None:
            recorded = await journal.go_on(unfinished.id)
            # Who cancelled it since it was taken did not find it here.
            cancelled = await self._database.read(queries.cancelled, self._executor.id)
            if unfinished.is_cancelled or unfinished.id in cancelled:
                raise Cancelled
            if unfinished.attempts > _MOST_ATTEMPTS:
                raise errors.FixieError(_TOO_OFTEN)
            asked = resuming.question(recorded, unfinished.agent_id)
            agent_id = asked.agent_id
            if agent_id is None:
                agent_id = (await self._route(caller, asked.message, journal)).agent_id
            program = await self._reachable(caller, agent_id, journal.session_handle)
            await self._ask(caller, program, asked.message, journal, resuming.progress(recorded))

        return answer

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
