"""Transactions that run at the same time, on two connections' worth of processes: rules hold nevertheless."""

import asyncio

import pytest

from fixieai import errors
from fixieai.storage import agents, organizations, revisions, users
from fixieai.storage.agents import AgentChanges, Handshake
from fixieai.storage.database import Database, connect
from fixieai.storage.revisions import Served, Source
from fixieai.storage.transaction import Transaction

_SAID = Handshake("standalone", '{"type": "standalone"}', ["Hi"])


@pytest.fixture
async def both(postgres_url: str):
    """As two processes have it."""
    databases = [await connect(postgres_url) for _ in range(2)]
    yield databases
    for database in databases:
        await database.close()


async def test_of_two_owners_who_leave_at_once_one_stays(both: list[Database]) -> None:
    one, two = both
    ann, bob = [await one.write(users.ensure, name) for name in ("ann", "bob")]
    for turn in range(15):
        acme = await one.write(organizations.create, ann.id, f"acme-{turn}", None)
        await one.write(organizations.put_member, acme, "bob", organizations.OWNER)
        left = await asyncio.gather(
            one.write(organizations.remove_member, acme, "ann"),
            two.write(organizations.remove_member, acme, "bob"),
            return_exceptions=True,
        )
        assert [type(each) for each in left if each is not None] == [errors.Conflict]
        assert len(await one.read(organizations.members, acme, None, 10)) == 1
    assert bob.id != ann.id


async def test_what_is_current_and_what_is_served_agree_however_many_switch_at_once(
    both: list[Database],
) -> None:
    ann = await both[0].write(users.ensure, "ann")
    dice = await both[0].write(agents.insert, ann.id, "dice", AgentChanges())

    def switch(transaction: Transaction, number: int) -> None:
        new = revisions.insert(transaction, dice, Source(url=f"http://{number}"), revisions.READY, _SAID)
        revisions.make_current(transaction, dice, new)

    def serve(transaction: Transaction, number: int) -> None:
        revisions.serve(transaction, dice, Served(f"http://s{number}", 1, _SAID))

    work = [
        write
        for number in range(20)
        for write in (
            both[number % 2].write(switch, number),
            both[number % 2].write(serve, number),
            both[1 - number % 2].write(revisions.restore_expired, 10, 5),
        )
    ]
    await asyncio.gather(*work)

    await both[0].write(revisions.restore_expired, 10, 5)
    now = await both[0].read(agents.by_id, ann.id, dice.id)
    current = await both[1].read(revisions.find, now, now.current_revision_id)
    assert current is not None
    assert (current.url, current.is_current, current.is_served) == (now.url, True, False)
    assert await both[0].read(revisions.served, now) is None
    assert await both[0].read(revisions.next_expiry) is None
