"""Signing in to the web pages with a name and a password, which is chosen through an invitation."""

from fixieai import errors
from fixieai.platform import passwords
from fixieai.platform.attempts import Attempts
from fixieai.platform.auth import Auth, Caller
from fixieai.platform.passwords import Hashing
from fixieai.storage import api_keys, invitations, users
from fixieai.storage import passwords as stored_passwords
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction
from fixieai.storage.users import User

_KEY_NAME = "Web page"


class SignIn:
    """Each way in gives a key that ends after 12 hours."""

    def __init__(self, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth
        self._hashing = Hashing()
        self._attempts = Attempts(database)

    async def has_passwords(self) -> bool:
        """Whether anybody here has a password to sign in with."""
        return await self._database.read(stored_passwords.has_any)

    async def with_password(self, username: str, password: str) -> str:
        """A key for the person of that name.

        Raises:
            Forbidden: there is no such person, or it is another password: nothing tells which.
            TooManyRequests: too many attempts with that name.
        """
        user = await self._proven(username, password)
        return await self._auth.sign_in(user, _KEY_NAME)

    async def with_invitation(self, code: str, password: str) -> str:
        """Sets the password of the person who was invited. Ends what their web pages were signed in with.

        Raises:
            Forbidden: the code is too old, was used, or never was one.
            UnprocessableContent: the password is no good one.
        """
        code_hash = passwords.hash_of_code(code)
        user = await self._database.read(invitations.invited, code_hash)
        if user is None:
            raise errors.Forbidden("This invitation was used before, or is too old. Ask for a new one.")
        passwords.check(password, user.username)
        password_hash = await self._hashing.hashed(password)
        await self._database.write(_accept, user, code_hash, password_hash)
        self._auth.forget()
        await self._attempts.succeeded(user.username)
        return await self._auth.sign_in(user, _KEY_NAME)

    async def change_password(self, caller: Caller, current: str, new: str) -> str:
        """A new password, and a key for the page it was chosen on; other pages have to sign in again.

        Raises:
            Forbidden: the current password is another.
            TooManyRequests: too many attempts.
            UnprocessableContent: the new password is no good one.
        """
        passwords.check(new, caller.username)
        user = await self._proven(caller.username, current)
        password_hash = await self._hashing.hashed(new)
        await self._database.write(_change, user.id, password_hash)
        self._auth.forget()
        return await self._auth.sign_in(user, _KEY_NAME)

    async def _proven(self, username: str, password: str) -> User:
        await self._attempts.begin(username)
        user = await self._database.read(users.by_username, username)
        stored = await self._database.read(stored_passwords.of_user, user.id) if user else None
        if not await self._hashing.is_right(password, stored) or user is None:
            raise errors.Forbidden("There is nobody of that name with that password.")
        await self._attempts.succeeded(username)
        return user


def _accept(transaction: Transaction, user: User, code_hash: str, password_hash: str) -> None:
    if not invitations.delete(transaction, code_hash):
        raise errors.Forbidden("This invitation was used before. Ask for a new one.")
    _change(transaction, user.id, password_hash)


def _change(transaction: Transaction, user_id: int, password_hash: str) -> None:
    stored_passwords.put(transaction, user_id, password_hash)
    api_keys.forget_sign_ins(transaction, user_id, all_of_them=True)
