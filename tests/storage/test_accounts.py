"""Who signs in how: passwords, invitations, keys of browsers, codes for command lines."""

import time

import pytest

from fixieai import errors
from fixieai.storage import api_keys, authorizations, invitations, passwords, users
from fixieai.storage.authorizations import Authorization
from fixieai.storage.transaction import Transaction
from fixieai.storage.users import NewUser

LATER = int(time.time()) + 1000


def test_a_name_is_given_out_once_and_for_good(transaction: Transaction) -> None:
    made = users.create(transaction, NewUser("carol", is_administrator=True, email="carol@example.com"))
    assert users.by_username(transaction, "carol") == made
    assert (made.is_administrator, made.email) == (True, "carol@example.com")
    with pytest.raises(errors.Conflict):
        users.create(transaction, NewUser("carol"))

    assert users.remove(transaction, made.id)
    assert not users.remove(transaction, made.id)
    assert users.by_username(transaction, "carol") is users.by_id(transaction, made.id) is None
    assert users.is_taken(transaction, "carol")
    assert not users.is_taken(transaction, "dave")


def test_everybody_is_listed_in_pages(transaction: Transaction, ann: int, bob: int) -> None:
    passwords.put(transaction, ann, "a hash")
    invitations.put(transaction, bob, "another", LATER)
    first, second = users.page(transaction, None, 10)
    assert (first.user.username, first.has_password, first.invited_until) == ("ann", True, None)
    assert (second.user.username, second.has_password, second.invited_until) == ("bob", False, LATER)
    assert users.page(transaction, str(first.user.id), 1) == [second]
    assert users.account(transaction, "bob") == second
    assert users.account(transaction, "carol") is None
    assert users.has_another(transaction, "ann")
    users.remove(transaction, bob)
    assert not users.has_another(transaction, "ann")


def test_a_password_takes_the_place_of_the_one_before(transaction: Transaction, ann: int, bob: int) -> None:
    assert not passwords.has_any(transaction)
    passwords.put(transaction, ann, "first")
    passwords.put(transaction, ann, "second")
    assert passwords.of_user(transaction, ann) == "second"
    assert passwords.of_user(transaction, bob) is None
    assert passwords.has_any(transaction)


def test_an_invitation_is_for_one_person_and_ends(transaction: Transaction, ann: int, bob: int) -> None:
    invitations.put(transaction, ann, "old link", LATER)
    invitations.put(transaction, ann, "new link", LATER)
    invitations.put(transaction, bob, "too late", int(time.time()))
    invited = invitations.invited(transaction, "new link")
    assert invited is not None
    assert invited.username == "ann"
    assert invitations.invited(transaction, "old link") is None
    assert invitations.invited(transaction, "too late") is None
    assert invitations.delete(transaction, "new link")
    assert not invitations.delete(transaction, "new link")


def test_keys_of_browsers_end_and_lasting_ones_do_not(transaction: Transaction, ann: int, bob: int) -> None:
    api_keys.create(transaction, ann, "lasting", "laptop")
    api_keys.create(transaction, ann, "browser", "Browser", LATER)
    api_keys.create(transaction, ann, "over", "Browser", int(time.time()))
    assert {key.id for key in api_keys.good_of_user(transaction, ann)} == {"lasting", "browser"}
    assert api_keys.count_lasting(transaction, ann) == 1
    api_keys.forget_sign_ins(transaction, ann)
    assert {key.id for key in api_keys.of_user(transaction, ann)} == {"lasting", "browser"}
    for owner, key_id in ((bob, "browser"), (ann, "lasting")):
        api_keys.end_sign_in(transaction, owner, key_id)
    assert api_keys.active_user(transaction, "browser") is not None
    assert api_keys.active_user(transaction, "lasting") is not None
    api_keys.forget_sign_ins(transaction, ann, all_of_them=True)
    assert [key.id for key in api_keys.of_user(transaction, ann)] == ["lasting"]


def test_a_code_is_taken_once(transaction: Transaction, ann: int) -> None:
    allowed = Authorization(ann, "ann", "http://localhost:7", None, LATER)
    authorizations.put(transaction, "code", allowed)
    assert authorizations.take(transaction, "code") == allowed
    assert authorizations.take(transaction, "code") is None


def test_codes_that_were_never_taken_go_with_the_next(transaction: Transaction, ann: int) -> None:
    authorizations.put(transaction, "old", Authorization(ann, "ann", "http://localhost:7", None, 1))
    authorizations.put(transaction, "new", Authorization(ann, "ann", "http://localhost:7", "c", LATER))
    assert authorizations.take(transaction, "old") is None


def test_nothing_of_a_removed_user_is_left(transaction: Transaction, ann: int, bob: int) -> None:
    for user, name in ((ann, "a"), (bob, "b")):
        api_keys.create(transaction, user, name, "laptop")
        passwords.put(transaction, user, name)
        invitations.put(transaction, user, name, LATER)
        authorizations.put(transaction, name, Authorization(user, name, "http://localhost:7", None, LATER))
    users.remove(transaction, ann)
    assert api_keys.active_user(transaction, "a") is None
    assert passwords.of_user(transaction, ann) is None
    assert invitations.invited(transaction, "a") is None
    users.erase(transaction, ann)
    users.erase(transaction, ann)
    assert api_keys.of_user(transaction, ann) == []
    assert authorizations.take(transaction, "a") is None
    assert api_keys.active_user(transaction, "b") is not None
    assert passwords.of_user(transaction, bob) == "b"
    assert authorizations.take(transaction, "b") is not None


@pytest.mark.parametrize("transaction", ["sqlite"], indirect=True)
def test_no_table_of_people_is_forgotten(transaction: Transaction, ann: int) -> None:
    """What refers to a user goes with agents and sessions, or is erased by itself."""
    tables = [row[0] for row in transaction.rows("SELECT name FROM sqlite_master WHERE type = 'table'", {})]
    referring = {
        table
        for table in tables
        for row in transaction.rows(f"PRAGMA foreign_key_list({table})", {})
        if row[2] == "users"
    }
    erased = {sql.split()[2] for sql in users._ERASE}
    with_what_they_own = {"agents", "sessions", "agent_aliases"}
    assert referring - erased == with_what_they_own
