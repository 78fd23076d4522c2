"""What agents keep for a person: one store per person and agent, reached by query token alone."""

from fixieai import errors
from fixieai.platform.auth import QueryCaller
from fixieai.storage import user_storage
from fixieai.storage.database import Database

MAXIMUM_KEY = 1_024
MAXIMUM_VALUE_BYTES = 1024 * 1024


class UserStorage:
    """Get, put, delete and list the values of one (person, agent)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: QueryCaller, key: str) -> str:
        """The JSON text stored under the key.

        Raises:
            NotFound: nothing is.
        """
        value = await self._database.read(user_storage.get, caller.user.user_id, caller.agent_id, key)
        if value is None:
            raise errors.NotFound("Nothing is stored under this key.")
        return value

    async def put(self, caller: QueryCaller, key: str, value: str) -> None:
        """Raises UnprocessableContent for a key over 1,024 characters, ContentTooLarge for over 1 MiB."""
        if not 0 < len(key) <= MAXIMUM_KEY:
            raise errors.UnprocessableContent(f"A key has 1 to {MAXIMUM_KEY} characters.")
        if len(value.encode("utf-8")) > MAXIMUM_VALUE_BYTES:
            raise errors.ContentTooLarge(f"A stored value has at most {MAXIMUM_VALUE_BYTES} bytes.")
        await self._database.write(user_storage.put, caller.user.user_id, caller.agent_id, key, value)

    async def delete(self, caller: QueryCaller, key: str) -> None:
        """Raises NotFound when nothing is stored under the key."""
        if not await self._database.write(user_storage.delete, caller.user.user_id, caller.agent_id, key):
            raise errors.NotFound("Nothing is stored under this key.")

    async def page(self, caller: QueryCaller, after: str | None, limit: int) -> list[user_storage.Item]:
        """Items in the order of their keys."""
        return await self._database.read(
            user_storage.page, caller.user.user_id, caller.agent_id, after, limit
        )
