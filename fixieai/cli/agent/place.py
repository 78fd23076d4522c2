"""Where the platform finds an agent that is served for a while.

That is leased, and said again every few seconds: when this process is killed, what was current before is
current again a few seconds later.
"""

import contextlib
import threading
import time
from collections.abc import Mapping

from fixieai import errors
from fixieai.client.client import FixieClient

LEASE_SECONDS = 15
_RENEWAL_SECONDS = 5.0
_LEAVING_SECONDS = 10.0
_SECONDS_BETWEEN_TRIES = 2.0


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

    def register(self, url: str, *, patience_seconds: float = 0) -> None:
        """Lets the platform shake hands with the agent at `url`, and keeps it there from now on.

        Tries again for `patience_seconds` while the platform does not reach it.

        Raises:
            UpstreamError: the handshake failed; the agent is where it was.
        """
        until = time.monotonic() + patience_seconds
        while True:
            try:
                self._register(url)
                break
            except errors.UpstreamError:
                if time.monotonic() > until:
                    raise
            time.sleep(_SECONDS_BETWEEN_TRIES)
        self.problem = None
        if self._renewer.ident is None:
            self._renewer.start()

    def leave(self) -> None:
        """What was current before is so again, unless another program serves the agent meanwhile.

        Takes 10 seconds at most: a platform that does not answer finds out by itself.
        """
        self._ended.set()
        leaving = threading.Thread(target=self._release, daemon=True)
        leaving.start()
        leaving.join(_LEAVING_SECONDS)

    def _release(self) -> None:
        with self._lock, contextlib.suppress(errors.FixieError):  # the platform is gone, or stopping
            agent = self._client.get_agent(self._agent_id)
            if self._url is not None and agent.valid and agent.get_metadata().get("url") == self._url:
                agent.register(None)

    def _register(self, url: str) -> None:
        with self._lock:
            if self._ended.is_set():  # a tunnel moved while we were leaving
                return
            self._say(url)
            self._url = url

    def _say(self, url: str) -> None:
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
                self._say(url)
        except errors.Conflict as conflict:
            self.problem = str(conflict)
            self._url = None
        except errors.FixieError:  # the platform is away: it leaves us the time to try again
            pass
