"""The transcript of one running query: each line is on disk before anything else learns of it."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from fixieai import errors
from fixieai.platform import session_handles, unwatched
from fixieai.platform.embeds import PERSON, Embeds, Kept
from fixieai.platform.runs import Event, Failure, Run
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import Message
from fixieai.protocol.transcript import Line, LineKind, prefix
from fixieai.query_loop.attachments import references
from fixieai.storage import messages, queries, sessions, usage
from fixieai.storage.database import Database
from fixieai.storage.embeds import NewEmbed
from fixieai.storage.messages import NewMessage, Place
from fixieai.storage.queries import NewQuery
from fixieai.storage.sessions import Session
from fixieai.storage.transaction import DatabaseUnavailable, Transaction
from fixieai.storage.usage import Spent

ROUTER = "router"
ROUTING = "routing"
_NAME_LENGTH = 80
_PLAIN = (LineKind.QUERY, LineKind.RESPONSE)
_KINDS: dict[str, LineKind] = {kind.value: kind for kind in LineKind}
_NO_EMBEDS = "{}"


class Cancelled(errors.Conflict):
    """This query was cancelled."""

    code = "cancelled"


def shown_text(kind: str, name: str, text: str) -> str:
    """A message's text as people and clients see it: `Ask Func[roll]: 20 1`."""
    if kind not in _KINDS or kind in _PLAIN:
        return text
    return f"{prefix(Line(LineKind(kind), text, name))} {text}"


def dump_embeds(embeds: Mapping[str, Embed]) -> str:
    if not embeds:
        return _NO_EMBEDS
    return json.dumps({key: {"content_type": e.content_type, "uri": e.uri} for key, e in embeds.items()})


def load_embeds(text: str) -> Mapping[str, Embed]:
    if text == _NO_EMBEDS:
        return {}
    return {key: Embed(stored["content_type"], stored["uri"]) for key, stored in json.loads(text).items()}


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose query is run, in which session, and by which executor."""

    owner_id: int
    session: Session
    executor_id: str


class Journal:
    """Appends to one query of a session, and publishes what it appended."""

    def __init__(self, database: Database, embeds: Embeds, run: Run, desk: Desk) -> None:
        self._database = database
        self._embeds = embeds
        # Embeds by their URI in messages: those to be stored with the next line that has them, and all of
        # the query so far. What is held has bytes, which are let go when the query fails.
        self._attached: dict[str, NewEmbed] = {}
        self._noted: set[str] = set()
        self._held: list[NewEmbed] = []
        self._run = run
        self._owner_id = desk.owner_id
        self._session = desk.session
        self._executor_id = desk.executor_id
        self._place: Place | None = None
        self._question: NewMessage | None = None
        # Lines of the query behind its question, those that are not stored yet included.
        self._recorded = 0
        self._unstored: list[tuple[NewMessage, Event]] = []
        self._spent: list[Spent] = []
        # What all models of the query used, wherever they were called, when the last line was stored.
        self.tokens = 0
        self._model: str | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self.is_finished = False

    @property
    def session_id(self) -> int:
        return self._session.id

    @property
    def query_id(self) -> int | None:
        """None until the question is stored."""
        return self._place.query_id if self._place else None

    @property
    def session_handle(self) -> str:
        return self._session.handle

    async def newest_messages(self, limit: int) -> list[messages.Message]:
        """The newest `limit` messages of the session, oldest first."""
        return await self._database.read(messages.window, self._owner_id, self._session.id, limit)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody wants the query ended."""
        return self._run.is_cancelled

    @property
    def has_begun(self) -> bool:
        """Whether the question is stored, and with it that it is to be answered."""
        return self._place is not None

    async def attach(self, message: Message) -> Message:
        """What somebody outside said: its attachments are kept, and stored with the line that has them."""
        if not message.embeds:
            return message
        kept = await self._embeds.keep(self._owner_id, self._session.id, message)
        self._note_attached(kept)
        return kept.message

    def _note_attached(self, kept: Kept) -> None:
        """What is elsewhere, and is passed on from one to another, is still one embed."""
        self._attached.update({uri: new for uri, new in kept.new.items() if uri not in self._noted})
        self._noted |= kept.new.keys()
        self._held += [new for new in kept.new.values() if new.content_hash is not None]

    async def let_go(self) -> None:
        """After a query that failed: bytes that came for lines that were never stored are not kept."""
        if self._held:
            await self._embeds.let_go(self._held)

    async def with_named(self, message: Message) -> Message:
        """The message, with what its text names of the session's attachments."""
        keys = references(message.text) - message.embeds.keys()
        if not keys:
            return message
        return await self._embeds.with_named(self._owner_id, self._session.id, message, keys)

    def shown(self, message: Message) -> Message:
        """The message for somebody outside."""
        if not message.embeds:
            return message
        return Message(message.text, self._embeds.shown(self._owner_id, message.embeds))

    async def begin(
        self,
        asked: Kept,
        agent_id: str | None,
        count: Callable[[Transaction, int], int],
        *,
        is_new_session: bool,
    ) -> None:
        """Stores the question, if `count` lets it pass: given the owner's id, it numbers their queries.

        A new session has its handle from then on. A write goes on when its caller is cancelled: the query
        may begin all the same, and `finish` ends it then.
        """
        question = self._question = self._question or self._asked(asked)
        name = question.text[:_NAME_LENGTH]
        drafted, owner_id = replace(self._session, name=self._session.name or name), self._owner_id
        new = NewQuery(question, self._executor_id, agent_id, name, is_new_session)

        def begin(transaction: Transaction) -> tuple[Session, queries.Query, int]:
            number, session = count(transaction, owner_id), drafted
            if is_new_session:
                session = sessions.insert_under_free_handle(
                    transaction, owner_id, drafted, session_handles.new
                )
            return session, queries.begin(transaction, owner_id, session.id, new), number

        async def store() -> None:
            self._session, begun, number = await self._database.write(begin)
            self._run.session, self._run.query_id = self._session.handle, begun.id
            self._place = Place(owner_id, drafted.id, begun.id, self._executor_id)
            self._run.begin(number)

        self._beginning = unwatched.begun(store())
        await asyncio.shield(self._beginning)

    async def until_begun(self, seconds: float | None = None) -> None:
        """Until a question that is being stored is, or is not; or for some seconds."""
        if self._beginning is not None:
            await asyncio.wait({self._beginning}, timeout=seconds)

    def _asked(self, asked: Kept) -> NewMessage:
        """The question, with the embeds that came with it. Made once, however often it is to be stored."""
        self._note_attached(asked)
        line = Line(LineKind.QUERY, asked.message.text, embeds=asked.message.embeds)
        return self._message(line, PERSON)

    async def go_on(self, query_id: int) -> list[messages.Message]:
        """Takes up a query where it was left; its messages so far, the question first.

        Raises:
            NotFound: its session was deleted.
        """
        self._run.query_id = query_id  # at once: whoever ends it meanwhile has to store that it ended
        self._place = Place(self._owner_id, self._session.id, query_id, self._executor_id)
        recorded = await self._database.read(messages.of_query, self._owner_id, self._session.id, query_id)
        if not recorded:
            raise errors.NotFound("This session does not exist, or was deleted.")
        self._recorded = len(recorded) - 1
        self.tokens = await self._database.read(usage.of_query, self._owner_id, query_id)
        return recorded

    def note_spent(self, spent: Spent) -> None:
        """What a model call cost: stored with the next line."""
        self._spent.append(spent)

    def note_model(self, name: str) -> None:
        """The first model of the query is the one that answers it; deeper agents may use others."""
        self._model = self._model or name

    def idempotency_key(self) -> str:
        """The same for the same effect of a resumed query: it counts what is on disk."""
        return f"{self._placed().query_id}:{self._recorded}"

    def publish_partial(self, text: str, sender: str) -> None:
        query_id = self._placed().query_id
        event = Event(LineKind.RESPONSE, text, sender, model=self._model, is_partial=True, query_id=query_id)
        self._run.publish(event)

    async def record(self, line: Line, sender: str, depth: int) -> None:
        """`depth` is how many agents stand between the sender and the person."""
        text = shown_text(line.kind, line.name, line.text)
        message = replace(self._message(line, sender), depth=depth)
        await self._append(message, Event(line.kind, text, sender, line.embeds))

    def _placed(self) -> Place:
        if self._place is None:
            raise RuntimeError("the query has not begun")
        return self._place

    async def _append(self, message: NewMessage, event: Event) -> None:
        """A thought waits for what it leads to: nothing happens in between, and a commit is saved."""
        self._placed()
        self._unstored.append((message, event))
        self._recorded += 1
        if message.type != LineKind.THOUGHT:
            await self.store_thoughts()

    async def store_thoughts(self) -> None:
        """What waits is stored: thoughts led to nothing, and the model is called again."""
        if not self._unstored:
            return
        # Not tried again by `finish`: a write goes on when its caller is cancelled.
        lines, self._unstored = self._unstored, []
        new = [message for message, _ in lines]
        with self._taken_spent() as spent:
            stored = await self._database.write(_append_all, self._placed(), new, spent)
        self.tokens = stored or self.tokens
        self._publish(lines)

    @contextlib.contextmanager
    def _taken_spent(self) -> Iterator[list[Spent]]:
        """What is to be stored now, and what is to be stored later where that fails."""
        spent, self._spent = self._spent, []
        try:
            yield spent
        except errors.FixieError:
            self._spent = [*spent, *self._spent]
            raise

    async def settle(self) -> None:
        """Stores what was spent on a query whose end could not be stored."""
        with self._taken_spent() as spent:
            await self._database.write(_add_all, self._owner_id, spent)

    def _message(self, line: Line, sender: str, model: str | None = None) -> NewMessage:
        """A line to be stored, with the embeds that came with it and are not stored yet."""
        new = [(key, self._attached.pop(embed.uri, None)) for key, embed in line.embeds.items()]
        return NewMessage(
            type=line.kind,
            name=line.name,
            sender=sender,
            text=line.text,
            embeds=dump_embeds(line.embeds),
            model=model,
            attached=tuple(replace(embed, key=key, sender=sender) for key, embed in new if embed),
        )

    def _publish(self, stored: list[tuple[NewMessage, Event]]) -> None:
        for _, event in stored:
            self._run.publish(event)

    async def record_routing(self, agent_id: str) -> None:
        """The router's choice, as a message of its own."""
        routed = NewMessage(type=ROUTING, text=agent_id, sender=ROUTER)
        await self._append(routed, Event(ROUTING, agent_id, ROUTER))

    async def finish(self, line: Line, sender: str, failure: Failure | None = None) -> None:
        """Stores the last message together with the query's end.

        The first ending that can be stored counts, also when its caller is cancelled meanwhile.
        """
        if self._ending is None or (self._ending.done() and self._ending.exception() is not None):
            self._ending = unwatched.begun(self._finish(line, sender, failure))
        await asyncio.shield(self._ending)

    async def _finish(self, line: Line, sender: str, failure: Failure | None) -> None:
        await self.until_begun()
        error = self._beginning and self._beginning.exception()
        if isinstance(error, DatabaseUnavailable):  # then nobody knows whether there is something to end
            raise error
        if self._place is not None:
            lines, self._unstored = self._unstored, []
            thoughts = [message for message, _ in lines]
            ending = _Ending(_status(failure), failure.code if failure else None)
            new = [*thoughts, self._message(line, sender, self._model)]
            with self._taken_spent() as spent:
                await self._database.write(_finish, self._place, new, ending, spent)
            self._publish(lines)
        self.publish_end(line, sender, failure)

    async def runs_elsewhere(self) -> bool:
        """For a query to which nothing can be added: whether another process goes on with it, or ended it."""
        query_id = self.query_id
        if query_id is None:
            return False
        return await self._database.read(queries.get, self._owner_id, query_id) is not None

    def publish_end(
        self, line: Line, sender: str, failure: Failure | None, *, is_finished: bool = True
    ) -> None:
        """Readers learn that they have seen all; the query may go on without them (not `is_finished`)."""
        self.is_finished = is_finished
        event = Event(
            LineKind.RESPONSE, line.text, sender, line.embeds, self._model, is_final=True, failure=failure
        )
        self._run.publish(event)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a query ended."""

    status: queries.Ending
    error_code: str | None


def _append_all(transaction: Transaction, place: Place, new: list[NewMessage], spent: list[Spent]) -> int:
    """How many tokens the query has used so far; 0 when it used none now."""
    for message in new:
        messages.append(transaction, place, message)
    _add_all(transaction, place.owner_id, spent)
    return usage.spend(transaction, place.query_id, sum(cost.tokens for cost in spent)) if spent else 0


def _add_all(transaction: Transaction, owner_id: int, spent: list[Spent]) -> None:
    for cost in spent:
        usage.add_tokens(transaction, owner_id, cost)


def _finish(
    transaction: Transaction, place: Place, new: list[NewMessage], ending: _Ending, spent: list[Spent]
) -> None:
    """Stores the last messages of a query, the answer last, and how it ended."""
    *thoughts, response = new
    for thought in thoughts:
        messages.append(transaction, place, thought)
    _add_all(transaction, place.owner_id, spent)
    tokens = sum(cost.tokens for cost in spent)
    queries.finish(transaction, place, ending.status, response, ending.error_code, tokens)


def _status(failure: Failure | None) -> queries.Ending:
    if failure is None:
        return "answered"
    return "cancelled" if failure.code == Cancelled.code else "failed"


def line_of(message: messages.Message) -> Line | None:
    """A stored message as the line it was; None for what is no line of the conversation (routing)."""
    kind = _KINDS.get(message.type)
    return Line(kind, message.text, message.name, load_embeds(message.embeds)) if kind else None


def conversation(newest: list[messages.Message], agent_id: str) -> list[Line]:
    """The finished turns between the person and one agent; what other agents did is left out."""
    lines: list[Line] = []
    turn: list[Line] = []
    for message in newest:
        line = line_of(message)
        if line is None or message.sender not in (PERSON, agent_id):
            continue
        turn = [line] if line.kind is LineKind.QUERY else [*turn, line]
        if line.kind is LineKind.RESPONSE and turn[0].kind is LineKind.QUERY:
            lines += turn
            turn = []
    return lines
