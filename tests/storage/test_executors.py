"""Who beats is alive; who was removed finds out at the next beat."""

import pytest

from fixieai import errors
from fixieai.storage import executors
from fixieai.storage.transaction import Transaction


def test_beats_are_counted_for_as_long_as_the_executor_is_there(transaction: Transaction) -> None:
    executors.add(transaction, "one")
    assert executors.beat(transaction, "one")
    assert executors.beats(transaction) == {"one": 1}
    assert executors.remove(transaction, "one", 1)
    assert not executors.beat(transaction, "one")
    assert executors.beats(transaction) == {}


def test_one_that_beat_meanwhile_is_not_taken_for_dead(transaction: Transaction) -> None:
    executors.add(transaction, "one")
    executors.beat(transaction, "one")
    assert not executors.remove(transaction, "one", 0)
    assert executors.beats(transaction) == {"one": 1}


def test_of_two_that_remove_one_does(transaction: Transaction) -> None:
    executors.add(transaction, "one")
    assert [executors.remove(transaction, "one", 0) for _ in range(2)] == [True, False]


def test_an_id_is_taken_once(transaction: Transaction) -> None:
    executors.add(transaction, "one")
    with pytest.raises(errors.Conflict):
        executors.add(transaction, "one")
