"""What agents keep for a person: one store per person and agent, reached by query token alone."""

import sys
from collections.abc import AsyncGenerator

from fixieai import errors
from fixieai.platform.auth import QueryCaller
from fixieai.platform.oauth_values import OAuthValues
from fixieai.storage import user_storage
from fixieai.storage.database import Database
from fixieai.storage.user_storage import Item, Key, Quota

MAXIMUM_KEY = 1_024
MAXIMUM_VALUE_BYTES = 1024 * 1024
_KEYS_AT_ONCE = 1_000
_BYTES_AT_ONCE = 4 * 1024 * 1024


class UserStorage:
    """Get, put, delete and list the values of one (person, agent)."""

    def __init__(self, database: Database, oauth_values: OAuthValues, quota: Quota) -> None:
        self._database = database
        self._oauth_values = oauth_values
        self._quota = quota

    async def get(self, caller: QueryCaller, key: str) -> str:
        """The JSON text stored under the key.

        Raises:
            NotFound: nothing is.
        """
        if self._oauth_values.owns(key):
            value = await self._oauth_values.get(caller, key)
        else:
            value = await self._database.read(user_storage.get, caller.user.user_id, caller.agent_id, key)
        if value is None:
            raise errors.NotFound("Nothing is stored under this key.")
        return value

    async def has(self, caller: QueryCaller, key: str) -> bool:
        """Whether anything is stored under the key."""
        if self._oauth_values.owns(key):
            return await self._oauth_values.get(caller, key) is not None
        return await self._database.read(user_storage.is_present, caller.user.user_id, caller.agent_id, key)

    async def put(self, caller: QueryCaller, key: str, value: str) -> None:
        """Stores JSON text.

        Raises:
            UnprocessableContent: the key is empty, or has over 1,024 characters.
            ContentTooLarge: the value has over 1 MiB.
            StorageFull: the person's storage with this agent is as full as it may be.
        """
        if not 0 < len(key) <= MAXIMUM_KEY:
            raise errors.UnprocessableContent(f"A key has 1 to {MAXIMUM_KEY} characters.")
        if len(value.encode("utf-8")) > MAXIMUM_VALUE_BYTES:
            raise errors.ContentTooLarge(f"A stored value has at most {MAXIMUM_VALUE_BYTES} bytes.")
        if self._oauth_values.owns(key):
            return await self._oauth_values.put(caller, key, value)
        user_id = caller.user.user_id
        await self._database.write(user_storage.put, user_id, caller.agent_id, key, value, self._quota)
        return None

    async def delete(self, caller: QueryCaller, key: str) -> None:
        """Raises NotFound when nothing is stored under the key."""
        if self._oauth_values.owns(key):
            was_there = await self._oauth_values.delete(caller, key)
        else:
            user_id = caller.user.user_id
            was_there = await self._database.write(user_storage.delete, user_id, caller.agent_id, key)
        if not was_there:
            raise errors.NotFound("Nothing is stored under this key.")

    async def key_pieces(
        self, caller: QueryCaller, after: str | None, limit: int | None
    ) -> AsyncGenerator[list[Key], None]:
        """Keys in their order, from behind `after` on, as many as `limit` (None: all) in pieces of 1,000."""
        left = sys.maxsize if limit is None else limit
        while left > 0:
            wanted = min(_KEYS_AT_ONCE, left)
            keys = await self._database.read(
                user_storage.keys, caller.user.user_id, caller.agent_id, after, wanted
            )
            if keys:
                yield keys
            if len(keys) < wanted:
                return
            after = keys[-1].key
            left -= len(keys)

    async def item_pieces(
        self, caller: QueryCaller, after: str | None, limit: int | None
    ) -> AsyncGenerator[list[Item], None]:
        """The same with the values, in pieces of at most 4 MiB, or of one item."""
        async for keys in self.key_pieces(caller, after, limit):
            for first, last in _ranges(keys):
                items = await self._database.read(
                    user_storage.between, caller.user.user_id, caller.agent_id, first, last
                )
                if items:  # all of them may have been deleted meanwhile
                    yield items


def _ranges(keys: list[Key]) -> list[tuple[str, str]]:
    """First and last keys of pieces that are not too large."""
    ranges: list[tuple[str, str]] = []
    size = 0
    for key in keys:
        size += key.size
        if ranges and size <= _BYTES_AT_ONCE:
            ranges[-1] = (ranges[-1][0], key.key)
        else:
            ranges.append((key.key, key.key))
            size = key.size
    return ranges
