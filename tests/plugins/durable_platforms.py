"""Platforms as processes of their own, in homes that outlive them."""

import base64
import contextlib
import pathlib
import signal
import threading
import time
from typing import Any

import platform_programs
import requests
from free_ports import free_port

from fixieai.platform import serving

_SECONDS = 60
# On a busy machine a process may well stand still for a few seconds.
LEASE_SECONDS = 8.0
SHARED = {
    "FIXIE_SECRET_KEY": base64.b64encode(bytes(32)).decode(),
    "FIXIE_LEASE_SECONDS": str(LEASE_SECONDS),
    "FIXIE_DRAIN_SECONDS": "0",
}


class Reached:
    """A platform as the local user of its home reaches it."""

    def __init__(self, home: pathlib.Path, url: str) -> None:
        self.home, self.url = home, url

    def log(self) -> str:
        return ""

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {serving.local_key(self.home)}"} | options.pop("headers", {})
        return requests.request(
            method, self.url + path, json=body, headers=headers, timeout=_SECONDS, **options
        )

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer that is no refusal."""
        response = self.call(method, path, body)
        assert response.ok, (response.status_code, response.text, self.log())
        return response.json() if response.content else None

    def session(self, agent: str) -> str:
        handle: str = self.ok("POST", "/api/sessions", {"frontendAgentId": agent})["handle"]
        return handle

    def ask(self, agent: str, number: int, session: str | None = None) -> requests.Response:
        """Asks `Go 1` and the like."""
        body = {"message": {"text": f"Go {number}"}} | ({"session": session} if session else {})
        return self.call("POST", f"/api/agents/{agent}", body)

    def ask_later(self, agent: str, number: int, session: str) -> "Later":
        """Asks without waiting for the answer, which the session gets."""
        return Later(self, agent, number, session)

    def messages(self, session: str) -> list[str]:
        return [message["text"] for message in self._messages(session)]

    def _messages(self, session: str) -> list[dict[str, Any]]:
        path = f"/api/sessions/{session}/messages"
        found: list[dict[str, Any]] = self.ok("GET", path)["messages"]
        return found

    def answered(self, session: str) -> list[str]:
        """The messages of a session, once its last one is an answer."""
        until = time.monotonic() + _SECONDS
        while True:
            found = self._messages(session)
            if found and found[-1]["type"] == "response":
                return [message["text"] for message in found]
            assert time.monotonic() < until, (found, self.log())
            time.sleep(0.05)


class Process(Reached):
    """From its start until it is killed. `port` 0 takes any free one."""

    def __init__(self, home: pathlib.Path, variables: dict[str, str], port: int = 0) -> None:
        self.port = port or free_port()
        super().__init__(home, f"http://127.0.0.1:{self.port}")
        self._log = home.parent.with_name(f"{home.name}-{self.port}-{time.monotonic_ns()}.log")
        self.process = platform_programs.start(home, self.port, self._log, variables)

    def wait(self) -> None:
        """Until it answers."""
        platform_programs.wait_for(self.process, self.url, self._log)

    def log(self) -> str:
        return self._log.read_text("utf-8")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(_SECONDS)

    def stop(self) -> None:
        """Asks it to end, and waits until it has."""
        self.process.terminate()
        self.process.wait(_SECONDS)

    def stand_still(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        if self.process.poll() is None:
            self.go_on()
            self.kill()


class Later:
    """A question on its way. `response` is None where the platform was killed."""

    def __init__(self, process: Reached, agent: str, number: int, session: str) -> None:
        self.response: requests.Response | None = None

        def ask() -> None:
            with contextlib.suppress(requests.RequestException):
                self.response = process.ask(agent, number, session)

        self._thread = threading.Thread(target=ask, daemon=True)
        self._thread.start()

    def wait(self) -> requests.Response | None:
        self._thread.join(_SECONDS)
        return self.response
