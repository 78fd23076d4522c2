"""Conversations of a person: opening, listing, asking in one."""

import dataclasses

from fixieai import errors
from fixieai.platform import addressing, session_handles
from fixieai.platform.auth import Caller
from fixieai.platform.embeds import Embeds
from fixieai.platform.programs import Program
from fixieai.platform.query_runner import Query, QueryRunner
from fixieai.platform.registry import Registry
from fixieai.platform.runs import Run
from fixieai.protocol.messages import Message
from fixieai.storage import messages, sessions
from fixieai.storage.database import Database
from fixieai.storage.sessions import Session
from fixieai.storage.transaction import Transaction

MAXIMUM_TEXT = 256 * 1024
_NO_AGENT = "None"


class Sessions:
    """What a person can do with sessions. Another person's session does not exist here."""

    def __init__(self, database: Database, registry: Registry, runner: QueryRunner, embeds: Embeds) -> None:
        self._database = database
        self._embeds = embeds
        self._registry = registry
        self._runner = runner

    async def create(self, caller: Caller, frontend_agent_id: str | None) -> Session:
        """A new session, with an agent that answers what is addressed to no other.

        Raises:
            NotFound: there is no such agent.
        """
        if frontend_agent_id is not None:
            program = await self._registry.program(caller, frontend_agent_id)
            frontend_agent_id = program.agent_id
        session = sessions.draft(session_handles.new(), frontend_agent_id)
        return await self._database.write(
            sessions.insert_under_free_handle, caller.user_id, session, session_handles.new
        )

    async def find(self, caller: Caller, handle: str) -> Session:
        """Raises NotFound: the caller has no such session."""
        return await self._database.read(sessions.existing, caller.user_id, handle)

    async def page(self, caller: Caller, after: str | None, limit: int) -> list[Session]:
        """The newest first; `after` is the id of the last one seen."""
        return await self._database.read(sessions.page, caller.user_id, after, limit)

    async def cancel(self, caller: Caller, handle: str) -> None:
        """Ends the query that is being answered in the session.

        Raises:
            NotFound: there is no such session, or no query in it.
        """
        session = await self.find(caller, handle)
        if not await self._runner.cancel(caller.user_id, session.id):
            raise errors.NotFound("No query is being answered in this session.")

    async def delete(self, caller: Caller, handle: str) -> None:
        """With all that was said and attached in it. Raises NotFound as `find` does."""
        session = await self.find(caller, handle)
        await self._embeds.delete_session(caller.user_id, session.id)
        self._runner.relay.publish(session.id, None)

    async def later_messages(
        self, caller: Caller, handle: str, after: int, limit: int
    ) -> list[messages.Message]:
        """Up to `limit` messages behind the position `after`, in order. Raises NotFound as `find` does."""

        def read(transaction: Transaction) -> list[messages.Message]:
            session = sessions.existing(transaction, caller.user_id, handle)
            return messages.page(transaction, caller.user_id, session.id, after, limit)

        return await self._database.read(read)

    async def messages_with_embeds(
        self, caller: Caller, handle: str, after: int, limit: int
    ) -> list[messages.Message]:
        """As `later_messages`, of the messages that have embeds."""
        session = await self.find(caller, handle)
        return await self._database.read(messages.with_embeds, caller.user_id, session.id, after, limit)

    async def newest_messages(
        self, caller: Caller, handle: str, before: int | None, limit: int
    ) -> list[messages.Message]:
        """Up to `limit` messages before a position (None: the newest of all), in order.

        Raises NotFound as `find` does.
        """
        session = await self.find(caller, handle)
        return await self._database.read(messages.window, caller.user_id, session.id, limit, before)

    async def newest_of(
        self, caller: Caller, session_ids: list[int], each: int, limit: int
    ) -> list[messages.Message]:
        """The newest `each` messages of each session, in order; at most `limit` in all."""
        return await self._database.read(messages.newest, caller.user_id, session_ids, each, limit)

    async def pages_of(
        self, caller: Caller, session_ids: list[int], span: tuple[int, int], limit: int
    ) -> list[messages.Message]:
        """Of each session the messages behind the first position of `span`, up to its last one."""
        return await self._database.read(messages.pages, caller.user_id, session_ids, span, limit)

    async def messages_of_ids(self, caller: Caller, message_ids: list[int]) -> list[messages.Message]:
        """Those of the caller's that are still there, in any order."""
        return await self._database.read(messages.of_ids, caller.user_id, message_ids)

    async def exchange(self, caller: Caller, session: Session, query_id: int) -> list[messages.Message]:
        """What a query asked, and its answer when it has one."""
        return await self._database.read(messages.exchange, caller.user_id, session.id, query_id)

    async def ask(self, caller: Caller, agent: str, handle: str | None, message: Message) -> Run:
        """Starts a query. `agent` is "None" when the session, or else the router, is to say which.

        Raises:
            NotFound: no such agent or session.
            UnprocessableContent: the text is empty or has more than 262,144 characters, or a `data:` URI
                of an embed cannot be read.
            Conflict: too many queries wait in this session.
        """
        _check(message)
        session = await self.find(caller, handle) if handle else None
        program, text = await self._addressed(caller, message.text)
        if program is None:
            program = await self._named(caller, agent, session)
        is_new = session is None
        if session is None:
            session = sessions.draft(session_handles.new(), program.agent_id if program else None)
        kept = await self._embeds.keep(caller.user_id, session.id, message, is_persons=True)
        question = dataclasses.replace(kept.message, text=text)
        query = Query(caller, session, program, kept.message, question, is_new, attached=kept.new)
        try:
            return self._runner.start(query)
        except errors.FixieError:
            if kept.new:
                await self._embeds.let_go(list(kept.new.values()))
            raise

    async def _addressed(self, caller: Caller, text: str) -> tuple[Program | None, str]:
        """A bare `@word` that is no agent is just text."""
        agent, rest = addressing.split(text)
        if agent is None:
            return None, text
        try:
            return await self._registry.program(caller, agent), rest
        except errors.NotFound:
            if "/" in agent:
                raise
            return None, text

    async def _named(self, caller: Caller, agent: str, session: Session | None) -> Program | None:
        if agent != _NO_AGENT:
            return await self._registry.program(caller, agent)
        if session is not None and session.frontend_agent_id is not None:
            return await self._registry.program(caller, session.frontend_agent_id)
        return None


def _check(message: Message) -> None:
    if not message.text.strip():
        raise errors.UnprocessableContent("message.text: there is no question in it")
    if len(message.text) > MAXIMUM_TEXT:
        raise errors.UnprocessableContent(f"message.text: more than {MAXIMUM_TEXT} characters")
