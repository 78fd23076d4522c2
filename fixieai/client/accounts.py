"""The user's own account: API keys, and what was used of the limits of the day."""

from collections.abc import Iterator
from typing import Any

from fixieai.client import connection


class AccountConnection(connection.PlatformConnection):
    """A connection that also knows the account of the user whose API key this is."""

    def get_api_keys(self) -> Iterator[dict[str, Any]]:
        """The user's keys that are good, the newest first: `id`, `name`, `created`, `expires` (or None).

        Keys themselves are not kept by the platform, so they are not shown.
        """
        yield from self.get(self._keys_url())["keys"]

    def create_api_key(self, name: str) -> dict[str, Any]:
        """A new API key of the user's, as in `get_api_keys`, and with the key itself: `key`. Keep it safe.

        It acts as the user until it is revoked. `name` says what it is for, in 1 to 100 characters.

        Raises:
            UnprocessableContent: the name is empty, too long, or holds control characters.
            Conflict: the user has 100 keys: revoke one that is not used.
        """
        return dict(self.post(self._keys_url(), {"name": name}))

    def revoke_api_key(self, key_id: str) -> None:
        """Ends the key of that `id` at once, which may be this client's own.

        Raises:
            NotFound: the user has no such key, or it was revoked before.
        """
        self.delete(f"{self._keys_url()}/{connection.quoted(key_id)}")

    def get_usage(self) -> dict[str, Any]:
        """What the user used today, and may use: `queries`, `storageCalls`, `tokens` and `dollars`.

        Each is `{"used", "limit"}`, with None for no limit. `agents` lists what went to which of them, and
        `resets` says when the next day begins.
        """
        return dict(self.get(f"{self.url}/api/usage"))

    def _keys_url(self) -> str:
        return f"{self.url}/api/users/{connection.quoted(self.get_current_username())}/keys"
