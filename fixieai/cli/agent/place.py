"""Where the platform finds an agent that is served for a while.

That is leased, and said again every few seconds: when this process is killed, what was current before is
current again a few seconds later.
"""

import contextlib
import threading
from collections.abc import Mapping

from fixieai import errors
from fixieai.client.client import FixieClient

LEASE_SECONDS = 15
_RENEWAL_SECONDS = 5.0


class Place:
    """One agent's place at the platform. `leave` it at the end."""

    def __init__(self, client: FixieClient, agent_id: str, about: Mapping[str, str]) -> None:
        """`about` is what people read of the agent: `name`, `description`, `moreInfoUrl`."""
        self._client = client.clone()  # for the thread that renews, and under the lock for others
        self._agent_id = agent_id
        self._about = dict(about)
        self._url: str | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._renew_for_ever, daemon=True)
        self.problem: str | None = None

    def register(self, url: str) -> None:
        """Lets the platform shake hands with the agent at `url`, and keeps it there from now on.

        Raises:
            UpstreamError: the handshake failed; the agent is where it was.
        """
        with self._lock:
            self._register(url)
            self._url = url
            self.problem = None
        if not self._renewer.is_alive():
            self._renewer.start()

    def leave(self) -> None:
        """What was current before is so again, unless another program serves the agent meanwhile."""
        self._ended.set()
        with self._lock, contextlib.suppress(errors.FixieError):  # the platform is gone, or stopping
            agent = self._client.get_agent(self._agent_id)
            if self._url is not None and agent.valid and agent.get_metadata().get("url") == self._url:
                agent.register(None)
            self._url = None

    def _register(self, url: str) -> None:
        self._client.get_agent(self._agent_id).register(url, lease_seconds=LEASE_SECONDS, **self._about)

    def _renew_for_ever(self) -> None:
        while not self._ended.wait(_RENEWAL_SECONDS):
            with self._lock:
                if self._url is not None:
                    self._renew(self._url)

    def _renew(self, url: str) -> None:
        try:
            self._client.renew_lease(self._agent_id, url, LEASE_SECONDS)
        except errors.NotFound:  # this machine slept, or the platform was away for too long
            with contextlib.suppress(errors.FixieError):  # not now: in five seconds
                self._register(url)
        except errors.Conflict as conflict:
            self.problem = str(conflict)
            self._url = None
        except errors.FixieError:  # the platform is away: it leaves us the time to try again
            pass
