"""The people of a platform and their API keys: what administrators do, and everybody with their own keys."""

import logging
import secrets
import time
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform import local_user, owner_names, passwords
from fixieai.platform.auth import Auth, Caller
from fixieai.platform.registry import Registry
from fixieai.platform.sessions import Sessions
from fixieai.platform.settings import LOCAL_USERNAME, Settings
from fixieai.platform.signing_keys import SigningKey
from fixieai.storage import api_keys, invitations, organizations, users
from fixieai.storage.api_keys import ApiKey
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction
from fixieai.storage.users import Account, NewUser, User

INVITATION_SECONDS = 7 * 24 * 3600
_MOST_KEYS = 100
_LONGEST_NAME = 100
_PAGE = 100

_logger = logging.getLogger("fixieai.platform")


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link with which the person chooses a password; `expires` is in Unix seconds."""

    account: Account
    url: str
    expires: int


class Accounts:
    """A platform has one local user, who administrates it, and whoever is added."""

    def __init__(
        self, settings: Settings, database: Database, auth: Auth, registry: Registry, sessions: Sessions
    ) -> None:
        self._settings = settings
        self._database = database
        self._auth = auth
        self._registry = registry
        self._sessions = sessions

    async def check_who_may_come(self) -> None:
        """Raises ConfigurationError when others can reach a platform that has no users for them."""
        if self._settings.is_for_this_machine:
            return
        if not await self._database.read(users.has_another, LOCAL_USERNAME):
            raise errors.ConfigurationError(
                f"This platform has no user besides its local one, so it does not listen on "
                f"{self._settings.host}.\nAdd one first: fixie platform users add NAME"
            )

    async def page(self, caller: Caller, after: str | None, limit: int) -> list[Account]:
        """Everybody, the oldest first.

        Raises:
            Forbidden: the caller is no administrator.
        """
        caller.must_administrate()
        return await self._database.read(users.page, after, limit)

    async def find(self, caller: Caller, username: str) -> Account:
        """The caller's own account, or for administrators anybody's.

        Raises:
            NotFound: there is none that the caller may see.
        """
        account = None
        if caller.is_administrator or username == caller.username:
            account = await self._database.read(users.account, username)
        if account is None:
            raise errors.NotFound(f"There is no user {username!r} here.")
        return account

    async def add(self, caller: Caller, new: NewUser) -> Invitation:
        """Somebody new, who has no password yet.

        Raises:
            Forbidden: the caller is no administrator, or signed in a while ago.
            UnprocessableContent: the name cannot be one.
            Conflict: it is, or was, somebody's.
        """
        caller.must_administrate()
        caller.must_be_fresh()
        owner_names.check("username", new.username)
        await self._database.write(_create, new)
        _logger.info("%s added the user %s", caller.username, new.username)
        return await self.invite(caller, new.username)

    async def invite(self, caller: Caller, username: str) -> Invitation:
        """A new link for somebody to choose a password; the one before is worth nothing from now on.

        Raises:
            Forbidden: the caller is no administrator, or signed in a while ago.
            NotFound: there is no such user.
        """
        caller.must_administrate()
        caller.must_be_fresh()
        account = await self.find(caller, username)
        code = secrets.token_urlsafe(32)
        expires = int(time.time()) + INVITATION_SECONDS
        await self._database.write(invitations.put, account.user.id, passwords.hash_of_code(code), expires)
        # In the fragment, which browsers never send: it stays out of logs.
        fragment = urllib.parse.urlencode({"user": username, "code": code})
        return Invitation(
            await self.find(caller, username), f"{self._settings.url}/welcome#{fragment}", expires
        )

    async def remove(self, caller: Caller, username: str) -> None:
        """Ends the account at once, and deletes what belongs to it. The name is not given out again.

        Raises:
            Forbidden: the caller is no administrator.
            NotFound: there is no such user.
            Conflict: it is the caller, or the local user.
        """
        caller.must_administrate()
        user = (await self.find(caller, username)).user
        if username in {LOCAL_USERNAME, caller.username}:
            raise errors.Conflict("You cannot remove yourself, nor the local user of this platform.")
        # Nobody signs in any more; should the rest break off, there still is a user to remove.
        await self._database.write(users.lock_out, user.id)
        self._auth.forget()
        await self._delete_possessions(Caller(user.id, user.username))
        await self._database.write(_erase, user.id)
        self._auth.forget()
        _logger.info("%s removed the user %s", caller.username, username)

    async def keys(self, caller: Caller, username: str) -> list[ApiKey]:
        """The keys of an account that are good, the newest first. Raises NotFound as `find` does."""
        account = await self.find(caller, username)
        return await self._database.read(api_keys.good_of_user, account.user.id)

    async def create_key(self, caller: Caller, username: str, name: str) -> tuple[ApiKey, str]:
        """A new key for an account: what is kept of it, and the key itself, which is shown this once.

        Raises:
            NotFound: as `find`.
            SignInAgain: the caller's page signed in a while ago.
            UnprocessableContent: the name cannot be one.
            Conflict: the account has 100 keys that last, or was removed meanwhile.
        """
        account = await self.find(caller, username)
        caller.must_be_fresh()
        name = name.strip()
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise errors.UnprocessableContent(f"name: 1 to {_LONGEST_NAME} printable characters")
        return await self._auth.give_key(account.user, name, most=_MOST_KEYS)

    async def revoke_key(self, caller: Caller, username: str, key_id: str) -> None:
        """Ends a key at once. Raises NotFound as `find` does, and when there is no such key."""
        account = await self.find(caller, username)
        if not await self._auth.revoke(account.user.id, key_id):
            raise errors.NotFound("There is no such key, or it was revoked before.")
        if username == LOCAL_USERNAME:  # commands on this machine go on with a new one
            await local_user.ensure_key(self._settings.home, self._auth)

    async def revoke_any_key(self, caller: Caller, key_id: str) -> None:
        """As `revoke_key`, for whoever has the key; for administrators."""
        caller.must_administrate()
        user = await self._database.read(api_keys.active_user, key_id)
        await self.revoke_key(caller, user.username if user else caller.username, key_id)

    async def rotate_signing_keys(self, caller: Caller) -> SigningKey:
        """A new key that signs in five minutes. Raises Forbidden for who is no administrator."""
        caller.must_administrate()
        _logger.info("%s made a new signing key", caller.username)
        return await self._auth.rotate_keys()

    async def _delete_possessions(self, owner: Caller) -> None:
        while found := await self._sessions.page(owner, None, _PAGE):
            for session in found:
                await self._sessions.delete(owner, session.handle)
        theirs_alone = await self._database.write(_leave_organizations, owner)
        async for agent_id in self._agents_of(owner, {owner.username, *theirs_alone}):
            await self._registry.delete(owner, agent_id)
        for handle in theirs_alone:
            await self._database.write(_delete_organization, owner, handle)

    async def _agents_of(self, caller: Caller, owners: set[str]) -> AsyncIterator[str]:
        """Ids of the agents that those own, among all that the caller may see."""
        after = None
        while found := await self._registry.page(caller, after, _PAGE):
            for agent in found:
                if agent.owner in owners:
                    yield agent.agent_id
            after = str(found[-1].id)


def _create(transaction: Transaction, new: NewUser) -> User:
    if users.is_taken(transaction, new.username):
        raise errors.Conflict(f"The name {new.username} is taken, or was once: choose another.")
    return users.create(transaction, new)


def _leave_organizations(transaction: Transaction, user: Caller) -> list[str]:
    """Handles of those that nobody else is in. Others that lose their owner go to their oldest member."""
    theirs_alone: list[str] = []
    after = None
    while found := organizations.page(transaction, user.user_id, after, _PAGE):
        theirs_alone.extend(each.handle for each in found if not _leave(transaction, each.handle, user))
        after = str(found[-1].id)
    return theirs_alone


def _leave(transaction: Transaction, handle: str, user: Caller) -> bool:
    """Whether anybody stays in it."""
    organization = organizations.locked(transaction, user.user_id, handle)
    members = organizations.members(transaction, organization, None, 2)
    others = [member.username for member in members if member.user_id != user.user_id]
    if not others:
        return False
    if not organizations.has_other_owner(transaction, organization, user.user_id):
        organizations.put_member(transaction, organization, others[0], organizations.OWNER)
    organizations.remove_member(transaction, organization, user.username)
    return True


def _delete_organization(transaction: Transaction, owner: Caller, handle: str) -> None:
    organizations.delete(transaction, organizations.get(transaction, owner.user_id, handle))


def _erase(transaction: Transaction, user_id: int) -> None:
    users.remove(transaction, user_id)
    users.erase(transaction, user_id)
