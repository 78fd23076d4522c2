"""What agents keep of people's permissions at OAuth providers: the keys `_oauth...` of their storage.

They are encrypted with the platform's secret key, stand in no list and count for no quota. A value
under `_oauth_state` tells that the person is under way to a provider, and how to know them again.
"""

import json
import logging
import time

from fixieai import errors
from fixieai.platform.auth import QueryCaller
from fixieai.platform.secret_key import SecretKey
from fixieai.storage import oauth
from fixieai.storage.database import Database
from fixieai.storage.transaction import Transaction

FLOW_SECONDS = 600
LONGEST_STATE = 512
MAXIMUM_KEYS = 16
MAXIMUM_BYTES = 64 * 1024
_PREFIX = "_oauth"
_STATE_KEY = "_oauth_state"
_VALUES = "OAuth values"
_STATES = "OAuth states"
_logger = logging.getLogger("fixieai.platform")


class OAuthValues:
    """Of each person with each agent."""

    def __init__(self, database: Database, secret_key: SecretKey) -> None:
        self._database = database
        self._secret_key = secret_key

    @staticmethod
    def owns(key: str) -> bool:
        """Whether the key of a storage is one of these."""
        return key.startswith(_PREFIX)

    async def get(self, caller: QueryCaller, key: str) -> str | None:
        """The JSON text under the key. One that cannot be decrypted any more is none."""
        sealed = await self._database.read(oauth.value, caller.user.user_id, caller.agent_id, key)
        return None if sealed is None else self._opened(caller, key, sealed)

    async def put(self, caller: QueryCaller, key: str, value: str) -> None:
        """Raises ContentTooLarge for more than 64 KiB, StorageFull for a key beyond 16."""
        if len(value.encode("utf-8")) > MAXIMUM_BYTES:
            raise errors.ContentTooLarge(f"A stored value for OAuth has at most {MAXIMUM_BYTES} bytes.")
        sealed = self._secret_key.encrypt(_VALUES, json.dumps([caller.user.user_id, key, value]))
        state = _state(value) if key == _STATE_KEY else None
        state_hash = None if state is None else self._hash(state)
        await self._database.write(_put, caller, key, sealed, state_hash)

    async def delete(self, caller: QueryCaller, key: str) -> bool:
        """Whether there was one."""
        return await self._database.write(oauth.delete_value, caller.user.user_id, caller.agent_id, key)

    async def take_flow(self, state: str) -> oauth.Flow | None:
        """Who is under way with this state, and for which agent. From now on nobody is."""
        state_hash = self._hash(state)
        flow = await self._database.read(oauth.flow, state_hash, int(time.time()))
        if flow is None or not await self._database.write(oauth.take_flow, state_hash):
            return None
        return flow

    def _opened(self, caller: QueryCaller, key: str, sealed: str) -> str | None:
        try:
            user_id, sealed_key, value = json.loads(self._secret_key.decrypt(_VALUES, sealed))
        except errors.ConfigurationError as error:
            _logger.warning("what %s keeps under %r is lost: %s", caller.agent_id, key, error.message)
            return None
        # In another row than where it was put, it is nobody's.
        return str(value) if (user_id, sealed_key) == (caller.user.user_id, key) else None

    def _hash(self, state: str) -> str:
        return self._secret_key.mac(_STATES, state.encode("utf-8", "surrogatepass")).hex()


def is_readable(secret_key: SecretKey, sealed: str) -> bool:
    """Whether a stored value was encrypted with this key."""
    try:
        secret_key.decrypt(_VALUES, sealed)
    except errors.ConfigurationError:
        return False
    return True


def _state(value: str) -> str | None:
    state = json.loads(value)
    return state if isinstance(state, str) and 0 < len(state) <= LONGEST_STATE else None


def _put(
    transaction: Transaction, caller: QueryCaller, key: str, sealed: str, state_hash: str | None
) -> None:
    user_id, agent_id = caller.user.user_id, caller.agent_id
    oauth.put_value(transaction, user_id, agent_id, key, sealed, most_keys=MAXIMUM_KEYS)
    if state_hash is not None:
        now = int(time.time())
        oauth.begin_flow(transaction, user_id, agent_id, state_hash, now, now + FLOW_SECONDS)
