import contextlib
import itertools
import pathlib
import sqlite3
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fixieai import errors
from fixieai.storage import sqlite_connection, user_storage, users
from fixieai.storage.sqlite_connection import SqliteTransaction
from fixieai.storage.user_storage import Item, Key, Quota, Used

_ALL_KEYS = ("", "\U0010ffff" * 20)
_KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_agents = (f"ann/agent-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteTransaction]:
    """One file for all examples; each uses an agent of its own."""
    file = tmp_path_factory.mktemp("home") / "fixie.db"
    with contextlib.closing(sqlite_connection.open_writer(file)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        transaction = SqliteTransaction(connection, file)
        users.ensure(transaction, "ann")
        yield transaction


def _ann(transaction: SqliteTransaction) -> int:
    user = users.by_username(transaction, "ann")
    assert user is not None
    return user.id


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(_KEYS, _KEYS, max_size=12), st.integers(1, 5))
@example({"é": "1", "e\u0301": "2", "É": "3", "E\u0301": "4"}, 2)
@example({"": "empty", " ": "", ".": "", "..": "", "../x": "", "a/b": "", "%2e": "", "%252e": ""}, 3)
@example({"a": "", "A": "", "\u0430": "", "\uff41": "", "ß": "", "ss": "", "\u202e": "", "\ufeff": ""}, 1)
@example({"\n": "", "\r\n": "", "\x7f": "", "\U0010ffff": "", "\ue000": "", "\U00010000": ""}, 2)
@example({"'; DROP TABLE user_storage; --": "%s {0} :key", "x" * 10_000: "", ":key": ""}, 1)
def test_any_key_comes_back_exactly_and_listings_are_complete(
    shared: SqliteTransaction, values: dict[str, str], limit: int
) -> None:
    owner_id, agent_id = _ann(shared), next(_agents)
    for key, value in values.items():
        user_storage.put(shared, owner_id, agent_id, key, value)
    listed: list[str] = []
    while page := user_storage.keys(shared, owner_id, agent_id, listed[-1] if listed else None, limit):
        listed += [key.key for key in page]
    assert listed == sorted(values, key=lambda key: key.encode())
    assert user_storage.between(shared, owner_id, agent_id, *_ALL_KEYS) == [
        Item(key, values[key]) for key in listed
    ]
    for key, value in values.items():
        assert user_storage.get(shared, owner_id, agent_id, key) == value
        assert user_storage.delete(shared, owner_id, agent_id, key)
        assert not user_storage.is_present(shared, owner_id, agent_id, key)
    assert user_storage.keys(shared, owner_id, agent_id, None, 1) == []


def test_a_key_space_belongs_to_one_person_and_one_agent(
    transaction: SqliteTransaction, ann: int, bob: int
) -> None:
    user_storage.put(transaction, ann, "ann/dice", "key", "1")
    user_storage.put(transaction, ann, "ann/dice", "key", "2")
    assert user_storage.get(transaction, ann, "ann/dice", "key") == "2"
    for person, agent_id in ((bob, "ann/dice"), (ann, "ann/Dice"), (ann, "ann/dic"), (ann, "bob/dice")):
        assert user_storage.get(transaction, person, agent_id, "key") is None
        assert not user_storage.is_present(transaction, person, agent_id, "key")
        assert not user_storage.delete(transaction, person, agent_id, "key")
        assert user_storage.keys(transaction, person, agent_id, None, 10) == []
        assert user_storage.between(transaction, person, agent_id, *_ALL_KEYS) == []
    assert user_storage.is_present(transaction, ann, "ann/dice", "key")


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_everything_costs_the_same_among_many_keys(
    transaction: SqliteTransaction, connection: sqlite3.Connection, ann: int
) -> None:
    connection.execute("BEGIN")
    for agent_id, count in (("ann/few", 200), ("ann/many", 20_000)):
        for number in range(count):
            user_storage.put(transaction, ann, agent_id, f"{number:06}", "1")
    connection.execute("COMMIT")

    def steps(work: Callable[[str], object], agent_id: str) -> int:
        count = [0]

        def step() -> int:
            count[0] += 1
            return 0

        connection.set_progress_handler(step, 1)
        work(agent_id)
        connection.set_progress_handler(None, 1)
        return count[0]

    quota = Quota(keys=30_000, bytes=10**6)
    for work in (
        lambda agent_id: user_storage.keys(transaction, ann, agent_id, "000100", 50),
        lambda agent_id: user_storage.between(transaction, ann, agent_id, "000100", "000150"),
        lambda agent_id: user_storage.put(transaction, ann, agent_id, "000050x", "1", quota),
        lambda agent_id: user_storage.delete(transaction, ann, agent_id, "000050x"),
        lambda agent_id: user_storage.used(transaction, ann, agent_id),
    ):
        assert steps(work, "ann/many") == steps(work, "ann/few")


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_a_value_of_megabytes_is_stored_whole(
    transaction: SqliteTransaction, ann: int, file: pathlib.Path
) -> None:
    value = '"' + "ü" * 3_000_000 + '"'
    user_storage.put(transaction, ann, "ann/dice", "large", value)
    assert user_storage.get(transaction, ann, "ann/dice", "large") == value


def _counted(transaction: SqliteTransaction, owner_id: int, agent_id: str) -> Used:
    """By looking at every key."""
    keys = user_storage.keys(transaction, owner_id, agent_id, None, 1_000)
    return Used(len(keys), sum(key.size for key in keys))


_CHANGES = st.lists(st.tuples(st.sampled_from(["a", "b", "é", "日本"]), st.none() | _KEYS), max_size=20)


@settings(deadline=None, max_examples=60)
@given(_CHANGES, st.integers(0, 4), st.integers(0, 60))
def test_what_is_held_is_counted_exactly_and_never_beyond_the_quota(
    shared: SqliteTransaction, changes: list[tuple[str, str | None]], keys: int, most_bytes: int
) -> None:
    owner_id, agent_id, values = _ann(shared), next(_agents), dict[str, str]()
    quota = Quota(keys, most_bytes)
    for key, value in changes:
        if value is None:
            assert user_storage.delete(shared, owner_id, agent_id, key) == (values.pop(key, None) is not None)
            continue
        wanted = values | {key: value}
        is_more = _bytes(wanted) > _bytes(values)
        fits = len(wanted) <= max(keys, len(values)) and (_bytes(wanted) <= most_bytes or not is_more)
        try:
            user_storage.put(shared, owner_id, agent_id, key, value, quota)
        except errors.StorageFull:
            assert not fits
        else:
            assert fits
            values = wanted
    assert {
        item.key: item.value for item in user_storage.between(shared, owner_id, agent_id, *_ALL_KEYS)
    } == values
    used = user_storage.used(shared, owner_id, agent_id)
    assert used == _counted(shared, owner_id, agent_id) == Used(len(values), _bytes(values))


def _bytes(values: dict[str, str]) -> int:
    return sum(len((key + value).encode()) for key, value in values.items())


def test_what_shrinks_is_never_refused(transaction: SqliteTransaction, ann: int) -> None:
    user_storage.put(transaction, ann, "ann/dice", "key", "x" * 100)
    lowered = Quota(keys=0, bytes=10)
    user_storage.put(transaction, ann, "ann/dice", "key", "x" * 50, lowered)
    with pytest.raises(errors.StorageFull, match=r"1 keys of 53 bytes.*10 bytes \(FIXIE_STORAGE_BYTES\)"):
        user_storage.put(transaction, ann, "ann/dice", "key", "x" * 51, lowered)
    with pytest.raises(errors.StorageFull, match=r"0 keys \(FIXIE_STORAGE_KEYS\)"):
        user_storage.put(transaction, ann, "ann/dice", "other", "", lowered)
    assert user_storage.delete(transaction, ann, "ann/dice", "key")
    assert user_storage.used(transaction, ann, "ann/dice") == Used(0, 0)


def test_an_agent_that_is_renamed_keeps_what_it_kept(
    transaction: SqliteTransaction, ann: int, bob: int
) -> None:
    for person, value in ((ann, "of ann"), (bob, "of bob")):
        user_storage.put(transaction, person, "ann/dice", "key", value)
    user_storage.put(transaction, bob, "ann/cubes", "left by one that is gone", "1")
    user_storage.put(transaction, bob, "ann/other", "key", "other")
    user_storage.rename_agent(transaction, "ann/dice", "ann/cubes")
    for person, value in ((ann, "of ann"), (bob, "of bob")):
        assert user_storage.between(transaction, person, "ann/cubes", *_ALL_KEYS) == [Item("key", value)]
        assert user_storage.used(transaction, person, "ann/cubes") == Used(1, 9)
        assert user_storage.between(transaction, person, "ann/dice", *_ALL_KEYS) == []
        assert user_storage.used(transaction, person, "ann/dice") == Used(0, 0)
    assert user_storage.get(transaction, bob, "ann/other", "key") == "other"


def test_items_between_two_keys_are_those_of_the_list(transaction: SqliteTransaction, ann: int) -> None:
    for key in ("a", "b", "c", "d"):
        user_storage.put(transaction, ann, "ann/dice", key, key.upper())
    found = user_storage.between(transaction, ann, "ann/dice", "b", "c")
    assert found == [Item("b", "B"), Item("c", "C")]
    assert user_storage.keys(transaction, ann, "ann/dice", "b", 1) == [Key("c", 2)]
