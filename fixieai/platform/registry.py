"""Which agents there are, whose they are, and what they said of themselves at their last handshake."""

import re
from dataclasses import dataclass, replace

from fixieai import errors
from fixieai.platform import router
from fixieai.platform.auth import Caller
from fixieai.platform.handshakes import Handshakes
from fixieai.platform.hosting import Hosting
from fixieai.platform.programs import Program, Programs
from fixieai.storage import agents, organizations, revisions
from fixieai.storage.agents import Agent, AgentChanges, Handshake
from fixieai.storage.database import Database
from fixieai.storage.revisions import Source, Switch
from fixieai.storage.transaction import Transaction
from fixieai.web import egress

_HANDLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_ROUTED_AGENTS = 1_000
_LONGEST = {"name": 200, "description": 20_000, "more_info_url": 4_096}


class Registry:
    """Agents by id: `owner/handle`, or a bare handle of the caller's own.

    An owner is a user or an organisation; what an organisation owns, each of its members may change.
    """

    def __init__(self, database: Database, handshakes: Handshakes, hosting: Hosting) -> None:
        self._database = database
        self._handshakes = handshakes
        self._hosting = hosting
        self._programs = Programs()

    async def find(self, caller: Caller, agent_id: str) -> Agent:
        """The caller's own agent, one of an organisation of theirs, or a published one of somebody else.

        Raises:
            NotFound: there is none that the caller may see.
        """
        owner, handle = split(caller, agent_id)
        agent = await self._database.read(agents.get, caller.user_id, owner, handle)
        if agent is None:
            raise errors.NotFound(
                f"There is no agent {agent_id!r} here. `fixie agent list` shows those that are."
            )
        return agent

    async def find_editable(self, caller: Caller, agent_id: str) -> Agent:
        """The caller's own agent, or one of an organisation of theirs.

        Raises:
            NotFound: there is none.
        """
        return await self._database.read(agents.editable, caller.user_id, *split(caller, agent_id))

    async def program(self, caller: Caller, agent_id: str) -> Program:
        return self._programs.of(await self.find(caller, agent_id))

    async def page(self, caller: Caller, after: str | None, limit: int) -> list[Agent]:
        """What the caller may see, the oldest first; `after` is the id of the last one seen."""
        return await self._database.read(agents.page, caller.user_id, after, limit)

    async def create(
        self, caller: Caller, handle: str, changes: AgentChanges, owner: str | None = None
    ) -> Agent:
        """A new agent of the caller's, or of an organisation of theirs.

        With a `func_url` or `query_url` the agent is asked there what it is; it is created also when it
        does not answer.

        Raises:
            Conflict: the owner has an agent of that handle.
            UnprocessableContent: the handle, a text or an address cannot be one.
            NotFound: the caller may not create agents for that owner.
        """
        owner = owner or caller.username
        check_handle(handle)
        check_changes(changes)
        await self._database.read(organizations.owner_id, caller.user_id, owner)
        place = await self._place(caller, f"{owner}/{handle}", changes)
        return await self._database.write(_create, caller.user_id, f"{owner}/{handle}", changes, place)

    async def update(self, caller: Caller, agent_id: str, changes: AgentChanges) -> Agent:
        """Changes what `changes` names, all of it or nothing. After a renaming the old handle works too.

        Raises:
            NotFound: there is no such agent that the caller may change.
            Conflict: another agent has the new handle.
            UnprocessableContent: the new handle, a text or an address cannot be one.
        """
        check_changes(changes)
        if changes.new_handle == split(caller, agent_id)[1]:
            changes = replace(changes, new_handle=None)  # no renaming, also when both are a former handle
        agent = await self.find_editable(caller, agent_id)
        place = await self._place(caller, agent.agent_id, changes)
        switch = await self._database.write(_update, caller.user_id, agent.agent_id, changes, place)
        self._hosting.follow(switch)
        if switch.after.handle != agent.handle:
            self._hosting.start_current(switch.after)  # its process knows the former name
        return switch.after

    async def _place(self, caller: Caller, agent_id: str, changes: AgentChanges) -> "_Place | None":
        """Where old clients say that an agent answers."""
        url = changes.func_url or changes.query_url
        if not url:
            return None
        return _Place(url, await self._handshakes.try_to_ask(caller, agent_id, url))

    async def register(self, caller: Caller, agent_id: str, changes: AgentChanges) -> Agent:
        """Creates or changes the agent, without a word about where it runs.

        Raises:
            NotFound: the caller may change no agents of that owner.
            UnprocessableContent: the handle or a text cannot be one.
        """
        owner, handle = split(caller, agent_id)
        check_handle(handle)
        check_changes(changes)
        return await self._database.write(agents.upsert, caller.user_id, owner, handle, changes)

    async def refresh(self, caller: Caller, agent_id: str) -> Agent:
        """Asks the agent again what it is.

        Raises:
            NotFound: there is no such agent that the caller may change.
            AgentUnavailable: it does not answer; it is shown as unreachable from now on.
        """
        agent = await self.find_editable(caller, agent_id)
        try:
            url = await self._address(agent)
            said = await self._handshakes.ask(caller, agent.agent_id, url, is_hosted=agent.url is None)
        except errors.AgentUnavailable:
            await self._database.write(agents.set_unreachable, agent)
            raise
        return await self._database.write(_greet, agent, said)

    def show_reachability(self, agent_id: str, url: str, is_reachable: bool) -> None:
        """Shows whether the agent answers, in the background; nothing while it runs elsewhere, or not."""
        owner, _, handle = agent_id.partition("/")
        self._hosting.in_background(
            self._database.write(agents.set_reachability, owner, handle, url, is_reachable=is_reachable)
        )

    async def _address(self, agent: Agent) -> str:
        if agent.url is not None:
            return agent.url
        if agent.current_revision_id is None:
            raise errors.AgentUnavailable(f"The agent {agent.handle} is not running. Start its program.")
        revision = await self._database.read(revisions.get, agent, agent.current_revision_id)
        return await self._hosting.start(agent, revision)

    async def delete(self, caller: Caller, agent_id: str) -> None:
        """Deletes the agent with its revisions. Queries under way end by themselves.

        Raises:
            NotFound: there is no such agent that the caller may change.
        """
        agent, packages = await self._database.write(_delete, caller.user_id, *split(caller, agent_id))
        if agent.environment is not None and agent.current_revision_id is not None:
            self._hosting.retire(agent.current_revision_id)
        if packages:
            self._hosting.discard(packages)

    async def route(self, caller: Caller, text: str) -> Program:
        """The agent whose sample queries are most like the text.

        Raises:
            NotFound: none is like it.
        """
        candidates = await self._database.read(agents.samples, caller.user_id, _ROUTED_AGENTS)
        chosen = router.choose(text, candidates)
        if chosen is None:
            names = ", ".join(candidate.agent_id for candidate in candidates[:10]) or "none is registered"
            raise errors.NotFound(
                f"No agent says that it answers questions like this one. Name one, as in `@owner/handle "
                f"your question`. Agents here: {names}."
            )
        return await self.program(caller, chosen)


@dataclass(frozen=True, slots=True)
class _Place:
    """An address, and what the agent said there; None: it did not answer."""

    url: str
    said: Handshake | None


def split(caller: Caller, agent_id: str) -> tuple[str, str]:
    """Owner and handle of `owner/handle`, or of a bare handle of the caller's own."""
    owner, slash, handle = agent_id.rpartition("/")
    return owner if slash else caller.username, handle


def check_handle(handle: str) -> None:
    """Raises UnprocessableContent when it cannot be a handle, of an agent or an organisation."""
    if not _HANDLE.fullmatch(handle):
        raise errors.UnprocessableContent(
            "A handle has 1 to 64 letters, digits, hyphens and underscores, and begins with no hyphen."
        )


def check_changes(changes: AgentChanges) -> None:
    """Raises UnprocessableContent when one of them cannot be."""
    if changes.new_handle is not None:
        check_handle(changes.new_handle)
    for field, longest in _LONGEST.items():
        if len(getattr(changes, field) or "") > longest:
            raise errors.UnprocessableContent(f"{field.replace('_', ' ')}: more than {longest} characters")
    for url in (changes.query_url, changes.func_url):
        if url:
            egress.check_url(url)


def _create(
    transaction: Transaction, user_id: int, agent_id: str, changes: AgentChanges, place: _Place | None
) -> Agent:
    owner, _, handle = agent_id.partition("/")
    owner_id = organizations.owner_id(transaction, user_id, owner)
    agent = agents.insert(transaction, owner_id, handle, changes)
    return _move(transaction, agent, place).after


def _update(
    transaction: Transaction, user_id: int, agent_id: str, changes: AgentChanges, place: _Place | None
) -> Switch:
    owner, _, handle = agent_id.partition("/")
    agent = agents.locked(transaction, agents.editable(transaction, user_id, owner, handle))
    return _move(transaction, agents.update(transaction, agent, changes), place)


def _move(transaction: Transaction, agent: Agent, place: _Place | None) -> Switch:
    """Makes an address the agent's current revision, unless it is that already."""
    if place is None or (place.said is None and place.url == agent.url):
        return Switch(agent, agent)
    if place.said is not None and place.url == agent.url:
        return Switch(agent, _greet(transaction, agent, place.said))
    revision = revisions.insert(transaction, agent, Source(url=place.url), revisions.READY, place.said)
    return revisions.make_current(transaction, agent, revision, is_reachable=place.said is not None)


def _greet(transaction: Transaction, agent: Agent, said: Handshake) -> Agent:
    """Keeps what the agent said, unless another revision has become current meanwhile."""
    now = agents.locked(transaction, agent)
    if now.current_revision_id != agent.current_revision_id or now.current_revision_id is None:
        return now
    revisions.set_handshake(transaction, now, now.current_revision_id, said)
    return agents.set_handshake(transaction, now, said)


def _delete(transaction: Transaction, user_id: int, owner: str, handle: str) -> tuple[Agent, list[str]]:
    """The agent that was, and the packages that it had."""
    agent = agents.editable(transaction, user_id, owner, handle)
    packages = revisions.packages(transaction, agent)
    agents.delete(transaction, agent)
    return agent, packages
