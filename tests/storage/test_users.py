import pytest

from fixieai import errors
from fixieai.storage import api_keys, users
from fixieai.storage.transaction import Transaction


def test_a_user_is_created_once(transaction: Transaction) -> None:
    ann = users.ensure(transaction, "ann")
    assert users.ensure(transaction, "ann") == ann
    assert users.by_username(transaction, "ann") == users.by_id(transaction, ann.id) == ann
    assert users.by_username(transaction, "Ann") is users.by_id(transaction, 7) is None
    assert (ann.first_name, ann.time_zone) == (None, None)


def test_a_key_is_good_until_its_owner_revokes_it(transaction: Transaction, ann: int, bob: int) -> None:
    key = api_keys.create(transaction, ann, "k1", "laptop")
    assert api_keys.active_user(transaction, "k1") == users.by_id(transaction, ann)
    assert api_keys.active_user(transaction, "k2") is None
    assert not api_keys.revoke(transaction, bob, "k1")
    assert api_keys.of_user(transaction, ann) == [key]
    assert api_keys.revoke(transaction, ann, "k1")
    assert not api_keys.revoke(transaction, ann, "k1")
    assert api_keys.active_user(transaction, "k1") is None
    assert api_keys.of_user(transaction, ann)[0].revoked is not None
    assert api_keys.of_user(transaction, bob) == []


def test_a_key_id_is_given_out_once_and_to_somebody(transaction: Transaction, ann: int) -> None:
    api_keys.create(transaction, ann, "k1", "laptop")
    with pytest.raises(errors.Conflict):
        api_keys.create(transaction, ann, "k1", "again")
    with pytest.raises(errors.Conflict):
        api_keys.create(transaction, 12345, "k2", "nobody's")
