"""Revisions of agents: made, made current, deleted, served for a while."""

import asyncio
import logging
import math
import pathlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform import registry
from fixieai.platform.auth import Caller
from fixieai.platform.executors import Executor
from fixieai.platform.handshakes import Handshakes
from fixieai.platform.hosting import Hosting
from fixieai.platform.leases import Leases
from fixieai.storage import agents, ids, organizations, revisions
from fixieai.storage.agents import Agent, AgentChanges, Handshake
from fixieai.storage.database import Database
from fixieai.storage.revisions import Revision, Served, Source, Switch
from fixieai.storage.transaction import Transaction

_logger = logging.getLogger("fixieai.platform")
ENVIRONMENTS = ("PYTHON", "NODEJS")
_MAXIMUM_LABELS = 100
_LONGEST_KEY, _LONGEST_VALUE = 200, 10_000
# A program registers its address while it starts; it need not answer at once.
_SECONDS_BETWEEN_HANDSHAKES = (0.5, 1.5, 3.0)
_NO_CHANGES = AgentChanges()
_NO_LONGER = "Whoever made it may not change this agent any more."


@dataclass(frozen=True, slots=True)
class NewRevision:
    """Either the `url` at which the agent answers, or a `package` of code (gzip tar) for an `environment`.

    `labels` are what its maker says of it: pairs of key and value.
    """

    url: str | None = None
    environment: str | None = None
    package: pathlib.Path | None = None
    labels: Sequence[tuple[str, str]] = ()


class Revisions:
    """What runs as an agent. Only those who may change the agent learn of its revisions."""

    def __init__(
        self,
        database: Database,
        handshakes: Handshakes,
        hosting: Hosting,
        executor: Executor,
        deploy_seconds: float,
    ) -> None:
        self._database = database
        self._handshakes = handshakes
        self._hosting = hosting
        self._executor = executor
        self._deploy_seconds = deploy_seconds
        self._leases = Leases(database, hosting)

    async def open(self) -> None:
        """Goes on with what was under way when the platform last stopped."""
        await self._leases.open()
        await self._hosting.start_all()
        await self.take_over()

    async def take_over(self) -> None:
        """Deploys what a process that is no longer there was about to."""
        for agent, revision in await self._database.write(revisions.take_pending, self._executor.id):
            caller = Caller(agent.owner_id, agent.owner)
            self._hosting.in_background(self._deploy(caller, agent, revision, makes_current=False))

    async def catch_up(self) -> None:
        """Learns what other platforms changed: which revisions are current, and whether any are leased."""
        self._leases.watch()
        await self._hosting.catch_up()

    async def close(self) -> None:
        await self._leases.close()
        await self._hosting.close()

    async def page(self, caller: Caller, agent_id: str, after: str | None, limit: int) -> list[Revision]:
        """The newest first; `after` is the id of the last one seen.

        Raises:
            NotFound: there is no such agent that the caller may change.
        """
        agent = await self._editable(caller, agent_id)
        return await self._database.read(revisions.page, agent, after, limit)

    async def current_of(self, caller: Caller, agent_ids: Sequence[int]) -> dict[int, Revision]:
        """The current revisions of agents, by `Agent.id`; of those alone that the caller may change."""
        return await self._database.read(revisions.current_of, caller.user_id, agent_ids)

    async def newest_of(
        self, caller: Caller, agent_ids: Sequence[int], limit: int
    ) -> dict[int, list[Revision]]:
        """The newest revisions of agents, by `Agent.id`; of those alone that the caller may change."""
        return await self._database.read(revisions.newest_of, caller.user_id, agent_ids, limit)

    async def get(self, caller: Caller, agent_id: str, revision_id: str) -> Revision:
        """Raises NotFound: there is none such that the caller may see."""
        agent = await self._editable(caller, agent_id)
        return await self._database.read(revisions.get, agent, _number(revision_id))

    async def create(
        self, caller: Caller, agent_id: str, new: NewRevision, *, make_current: bool
    ) -> Revision:
        """A new revision, which has answered a handshake when it becomes current.

        Code that is not to become current is deployed in the background: the revision is "pending". Else
        the former revision stays current until the new one is ready.

        Raises:
            NotFound: there is no such agent that the caller may change.
            UnprocessableContent: it has not exactly one of URL and package, or they cannot be used.
            AgentUnavailable: the agent does not answer, or its code could not be started.
        """
        _check(new)
        agent = await self._editable(caller, agent_id)
        if new.url is not None:
            return await self._create_elsewhere(caller, agent, new, make_current)
        environment, package = str(new.environment), new.package or pathlib.Path()
        async with self._hosting.stored(package, environment) as package_hash:
            source = Source(environment=environment, package_hash=package_hash, labels=new.labels)
            revision = await self._database.write(
                revisions.insert, agent, source, revisions.PENDING, executor_id=self._executor.id
            )
        deploying = asyncio.create_task(self._deploy(caller, agent, revision, makes_current=make_current))
        self._hosting.in_background(deploying)
        if not make_current:
            return revision
        return await asyncio.shield(deploying)  # goes on when the caller is gone

    async def _create_elsewhere(
        self, caller: Caller, agent: Agent, new: NewRevision, make_current: bool
    ) -> Revision:
        url, user_id = str(new.url), caller.user_id
        said = await self._ask_patiently(caller, agent.agent_id, url)
        source = Source(url=url, labels=new.labels)
        revision, switch = await self._database.write(_insert, user_id, agent, source, said, make_current)
        self._hosting.follow(switch)
        return revision

    async def _ask_patiently(self, caller: Caller, agent_id: str, url: str) -> Handshake:
        for seconds in _SECONDS_BETWEEN_HANDSHAKES:
            said = await self._handshakes.try_to_ask(caller, agent_id, url)
            if said is not None:
                return said
            await asyncio.sleep(seconds)
        return await self._handshakes.ask(caller, agent_id, url)

    async def _deploy(
        self, caller: Caller, agent: Agent, revision: Revision, *, makes_current: bool
    ) -> Revision:
        """Starts the code of a pending revision and asks it what it is.

        Raises:
            AgentUnavailable: it could not be started; the revision has failed, for that reason.
        """
        try:
            async with asyncio.timeout(self._deploy_seconds):
                url = await self._hosting.start(agent, revision)
                said = await self._handshakes.ask(caller, agent.agent_id, url, is_hosted=True)
        except TimeoutError:
            problem = f"It did not start within {self._deploy_seconds:g} seconds."
        except errors.FixieError as error:
            problem = error.message
        except Exception:
            _logger.exception("a revision of %s could not be deployed", agent.agent_id)
            problem = "Something went wrong on the platform's side. Its log says more."
        else:
            return await self._ready(caller.user_id, agent, revision, said, makes_current)
        self._hosting.retire(revision.id)
        await self._database.write(revisions.end_deployment, agent, revision.id, None, problem)
        raise errors.AgentUnavailable(f"The revision could not be deployed: {problem}")

    async def _ready(
        self, user_id: int, agent: Agent, revision: Revision, said: Handshake, makes_current: bool
    ) -> Revision:
        try:
            revision, switch = await self._database.write(_end, user_id, agent, revision, said, makes_current)
        except errors.NotFound:  # deleted meanwhile, or they may not change the agent any more
            self._hosting.retire(revision.id)
            await self._database.write(revisions.end_deployment, agent, revision.id, None, _NO_LONGER)
            raise
        self._hosting.follow(switch)
        if not revision.is_current:
            self._hosting.retire(revision.id)
        return revision

    async def set_current(self, caller: Caller, agent_id: str, revision_id: str) -> Agent:
        """Makes a revision current, an older one too (rollback), once it answers.

        An address elsewhere that does not answer becomes current nevertheless, shown as unreachable.

        Raises:
            NotFound: there is none such that the caller may change.
            Conflict: it is not ready, or could not be deployed.
            AgentUnavailable: its code could not be started.
        """
        agent = await self._editable(caller, agent_id)
        revision = await self._database.read(revisions.get, agent, _number(revision_id))
        if revision.is_current:
            return agent
        said = None
        if revision.url is not None:
            said = await self._handshakes.try_to_ask(caller, agent.agent_id, revision.url)
        elif revision.status == revisions.READY:
            await self._hosting.start(agent, revision)
        switch = await self._database.write(_switch, caller.user_id, agent, revision.id, said)
        self._hosting.follow(switch)
        return switch.after

    async def delete(self, caller: Caller, agent_id: str, revision_id: str) -> Agent:
        """Deletes a revision. When it was current, the agent is not running any more.

        When it was one that a program serves, what was current before is current again.

        Raises:
            NotFound: there is none such that the caller may change.
        """
        agent = await self._editable(caller, agent_id)
        revision, switch = await self._database.write(_delete, agent, _number(revision_id))
        self._hosting.follow(switch)
        if revision.package_hash is not None:
            self._hosting.retire(revision.id)
            self._hosting.discard([revision.package_hash])
        return switch.after

    async def logs(self, caller: Caller, agent_id: str, revision_id: str, limit: int) -> list[str]:
        """The newest lines that the code of a revision wrote; none for one that runs elsewhere.

        Raises:
            NotFound: there is none such that the caller may change.
        """
        revision = await self.get(caller, agent_id, revision_id)
        if revision.package_hash is None:
            return []
        return await self._hosting.deployments.logs(revision.id, limit)

    async def serve(
        self,
        caller: Caller,
        agent_id: str,
        url: str,
        lease_seconds: int | None = None,
        changes: AgentChanges = _NO_CHANGES,
    ) -> Agent:
        """A program serves the agent at `url` now, for `lease_seconds` unless it renews.

        Creates the agent when there is none. What was current before is so again after `release`, or
        when the lease has ended.

        Raises:
            NotFound: the caller may change no agents of that owner.
            UnprocessableContent: the handle, a text or the address cannot be one.
            AgentUnavailable: the agent does not answer there; nothing was changed.
        """
        owner, handle = registry.split(caller, agent_id)
        registry.check_handle(handle)
        registry.check_changes(changes)
        await self._database.read(organizations.owner_id, caller.user_id, owner)
        said = await self._handshakes.ask(caller, f"{owner}/{handle}", url)
        until = None if lease_seconds is None else _until(lease_seconds)
        place = Served(url, until, said)
        switch = await self._database.write(_serve, caller.user_id, f"{owner}/{handle}", changes, place)
        self._hosting.follow(switch)
        if lease_seconds is not None:
            self._leases.watch()
        return switch.after

    async def release(self, caller: Caller, agent_id: str, changes: AgentChanges = _NO_CHANGES) -> Agent:
        """The program serves the agent no longer: what was current before is so again, or nothing.

        Raises:
            NotFound: the caller may change no agents of that owner.
            UnprocessableContent: the handle or a text cannot be one.
        """
        owner, handle = registry.split(caller, agent_id)
        registry.check_handle(handle)
        registry.check_changes(changes)
        switch = await self._database.write(_release, caller.user_id, f"{owner}/{handle}", changes)
        self._hosting.follow(switch)
        return switch.after

    async def renew(self, caller: Caller, agent_id: str, url: str, lease_seconds: int) -> Agent:
        """The program at `url` goes on serving the agent; nothing is asked there.

        Raises:
            NotFound: there is no such agent that the caller may change, or no program serves it.
            Conflict: another program serves it meanwhile.
        """
        agent = await self._editable(caller, agent_id)
        until = _until(lease_seconds)
        await self._database.write(_renew, agent, url, until)
        self._leases.watch()
        return agent

    async def _editable(self, caller: Caller, agent_id: str) -> Agent:
        return await self._database.read(agents.editable, caller.user_id, *registry.split(caller, agent_id))


def _check(new: NewRevision) -> None:
    if (new.url is None) == (new.package is None):
        raise errors.UnprocessableContent("A revision has either an address or a package of code.")
    if new.package is not None and new.environment not in ENVIRONMENTS:
        raise errors.UnprocessableContent(f"environment: must be one of {', '.join(ENVIRONMENTS)}")
    if len(new.labels) > _MAXIMUM_LABELS:
        raise errors.UnprocessableContent(f"metadata: more than {_MAXIMUM_LABELS} entries")
    if any(len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE for key, value in new.labels):
        raise errors.UnprocessableContent(
            f"metadata: a key has at most {_LONGEST_KEY} characters, a value {_LONGEST_VALUE}"
        )


def _number(revision_id: str) -> int:
    """Raises NotFound for what is no id."""
    if not (revision_id.isascii() and revision_id.isdecimal() and 0 < len(revision_id) < 20):
        raise errors.NotFound("The agent has no such revision.")
    return min(int(revision_id), ids.MAXIMUM)


def _until(lease_seconds: int) -> int:
    return math.ceil(time.time() + lease_seconds)


def _insert(
    transaction: Transaction, user_id: int, agent: Agent, source: Source, said: Handshake, makes_current: bool
) -> tuple[Revision, Switch]:
    agent = agents.locked_for(transaction, user_id, agent)
    revision = revisions.insert(transaction, agent, source, revisions.READY, said)
    return _made_current(transaction, agent, revision, makes_current)


def _end(
    transaction: Transaction, user_id: int, agent: Agent, new: Revision, said: Handshake, makes_current: bool
) -> tuple[Revision, Switch]:
    agent = agents.locked_for(transaction, user_id, agent)
    revision = revisions.end_deployment(transaction, agent, new.id, said, None)
    current = revisions.find(transaction, agent, agent.current_revision_id)
    if not makes_current or current is None or current.id < revision.id:
        return _made_current(transaction, agent, revision, makes_current)
    # A later one became current while this one was deployed: it stays so, for as long as it is served.
    if current.is_served:
        revisions.set_former(transaction, agent, current.id, revision.id)
    return revision, Switch(agent, agent)


def _made_current(
    transaction: Transaction, agent: Agent, revision: Revision, makes_current: bool
) -> tuple[Revision, Switch]:
    if not makes_current:
        return revision, Switch(agent, agent)
    switch = revisions.make_current(transaction, agent, revision)
    return revisions.get(transaction, agent, revision.id), switch


def _switch(
    transaction: Transaction, user_id: int, agent: Agent, revision_id: int, said: Handshake | None
) -> Switch:
    agent = agents.locked_for(transaction, user_id, agent)
    if said is not None:
        revisions.set_handshake(transaction, agent, revision_id, said)
    revision = revisions.get(transaction, agent, revision_id)
    is_reachable = said is not None or revision.url is None
    return revisions.make_current(transaction, agent, revision, is_reachable=is_reachable)


def _delete(transaction: Transaction, agent: Agent, revision_id: int) -> tuple[Revision, Switch]:
    revision = revisions.get(transaction, agent, revision_id)
    return revision, revisions.delete(transaction, agent, revision)


def _serve(
    transaction: Transaction, user_id: int, agent_id: str, changes: AgentChanges, place: Served
) -> Switch:
    owner, _, handle = agent_id.partition("/")
    agent = agents.upsert(transaction, user_id, owner, handle, changes)
    return revisions.serve(transaction, agent, place)


def _release(transaction: Transaction, user_id: int, agent_id: str, changes: AgentChanges) -> Switch:
    owner, _, handle = agent_id.partition("/")
    agent = agents.upsert(transaction, user_id, owner, handle, changes)
    served = revisions.served(transaction, agent)
    return revisions.delete(transaction, agent, served) if served else Switch(agent, agent)


def _renew(transaction: Transaction, agent: Agent, url: str, until: int) -> None:
    if revisions.renew(transaction, agent, url, until):
        return
    if revisions.served(transaction, agent) is None:
        raise errors.NotFound("No program serves this agent. Register its address again.")
    raise errors.Conflict("Another program serves this agent meanwhile.")
