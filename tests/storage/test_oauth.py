"""What agents keep of people's permissions, and who is under way to an OAuth provider."""

import pytest

from fixieai import errors
from fixieai.storage import oauth, user_storage, users
from fixieai.storage.transaction import Transaction


def test_a_value_belongs_to_one_person_and_one_agent(transaction: Transaction, ann: int, bob: int) -> None:
    for value in ("1", "2"):
        oauth.put_value(transaction, ann, "ann/dice", "_oauth_token", value, most_keys=1)
    for person, agent_id in ((bob, "ann/dice"), (ann, "ann/Dice"), (ann, "bob/dice")):
        assert oauth.value(transaction, person, agent_id, "_oauth_token") is None
        assert not oauth.delete_value(transaction, person, agent_id, "_oauth_token")
    assert oauth.value(transaction, ann, "ann/dice", "_oauth_token") == "2"
    assert oauth.delete_value(transaction, ann, "ann/dice", "_oauth_token")
    assert oauth.value(transaction, ann, "ann/dice", "_oauth_token") is None


def test_there_are_not_many_of_them(transaction: Transaction, ann: int) -> None:
    for key in ("_oauth_a", "_oauth_b", "_oauth_a"):
        oauth.put_value(transaction, ann, "ann/dice", key, "1", most_keys=2)
    with pytest.raises(errors.StorageFull, match="at most 2"):
        oauth.put_value(transaction, ann, "ann/dice", "_oauth_c", "1", most_keys=2)


def test_a_flow_is_found_by_its_state_and_ends_once(transaction: Transaction, ann: int) -> None:
    oauth.begin_flow(transaction, ann, "ann/dice", "hash", now=100, expires=200)
    flow = oauth.flow(transaction, "hash", 199)
    assert flow is not None
    assert (flow.user.username, flow.agent_id) == ("ann", "ann/dice")
    assert oauth.flow(transaction, "other", 199) is None
    assert oauth.flow(transaction, "hash", 200) is None
    assert oauth.take_flow(transaction, "hash")
    assert not oauth.take_flow(transaction, "hash")
    assert oauth.flow(transaction, "hash", 199) is None


def test_a_new_flow_takes_the_place_of_the_one_before(transaction: Transaction, ann: int, bob: int) -> None:
    for person, agent_id in ((ann, "ann/dice"), (bob, "ann/dice"), (ann, "ann/other")):
        oauth.begin_flow(transaction, person, agent_id, f"{person} {agent_id}", now=100, expires=200)
    oauth.begin_flow(transaction, ann, "ann/dice", "newer", now=101, expires=201)
    assert oauth.flow(transaction, f"{ann} ann/dice", 150) is None
    assert oauth.flow(transaction, f"{bob} ann/dice", 150) is not None
    assert oauth.flow(transaction, f"{ann} ann/other", 150) is not None
    assert oauth.flow(transaction, "newer", 150) is not None


def test_nobody_takes_over_the_state_of_another(transaction: Transaction, ann: int, bob: int) -> None:
    oauth.begin_flow(transaction, ann, "ann/dice", "hash", now=100, expires=200)
    oauth.begin_flow(transaction, bob, "ann/dice", "hash", now=100, expires=200)
    oauth.begin_flow(transaction, ann, "ann/other", "hash", now=100, expires=200)
    flow = oauth.flow(transaction, "hash", 150)
    assert flow is not None
    assert (flow.user.id, flow.agent_id) == (ann, "ann/dice")


def test_flows_that_nobody_came_back_from_do_not_pile_up(transaction: Transaction, ann: int) -> None:
    for number in range(50):
        oauth.begin_flow(
            transaction, ann, f"ann/{number}", str(number), now=number * 10, expires=number * 10 + 20
        )
    (count,) = transaction.rows("SELECT COUNT(*) FROM oauth_flows", {})[0]
    assert count == 2


def test_tokens_go_with_an_agent_that_is_renamed_and_from_one_that_is_deleted(
    transaction: Transaction, ann: int, bob: int
) -> None:
    for person in (ann, bob):
        oauth.put_value(transaction, person, "ann/dice", "_oauth_token", "new", most_keys=9)
    oauth.put_value(transaction, bob, "ann/cubes", "_oauth_token", "of one that is gone", most_keys=9)
    oauth.rename_agent(transaction, "ann/dice", "ann/cubes")
    for person in (ann, bob):
        assert oauth.value(transaction, person, "ann/cubes", "_oauth_token") == "new"
        assert oauth.value(transaction, person, "ann/dice", "_oauth_token") is None
    oauth.forget_agent(transaction, "ann/cubes")
    assert oauth.value(transaction, bob, "ann/cubes", "_oauth_token") is None


def test_nothing_of_it_is_left_of_somebody_who_is_removed(
    transaction: Transaction, ann: int, bob: int
) -> None:
    for person in (ann, bob):
        user_storage.put(transaction, person, "bob/dice", "key", "1")
        oauth.put_value(transaction, person, "bob/dice", "_oauth_token", "1", most_keys=9)
        oauth.begin_flow(transaction, person, "bob/dice", str(person), now=100, expires=200)
    users.remove(transaction, ann)
    assert oauth.flow(transaction, str(ann), 150) is None
    users.erase(transaction, ann)
    for table in ("user_storage", "user_storage_usage", "oauth_values", "oauth_flows"):
        assert transaction.rows(f"SELECT user_id FROM {table}", {}) == [(bob,)]
