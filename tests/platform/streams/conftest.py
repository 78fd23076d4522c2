"""Two platforms on one Postgres, an agent that tells what the test lets it, and readers of event streams."""

import base64
import contextlib
import http.client
import json
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import DailyLimits, Settings

_SECONDS = 60
_SECRET = base64.b64encode(bytes(32)).decode()
Event = tuple[str, int | None, str]


class Stream:
    """The events of a session, read as they come: kind, number, text, and when (`time.perf_counter`)."""

    def __init__(self, url: str, key: str, session: str, last: int | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": str(last)} if last else {})
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=_SECONDS)
        self._connection.request("GET", f"/api/sessions/{session}/events", headers=headers)
        self._socket = self._connection.sock
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        self.times: list[float] = []
        self.seen: list[Event] = []
        self.has_ended = threading.Event()
        self._arrived: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The client is gone in the middle of whatever it is sent."""
        with contextlib.suppress(OSError):  # the platform was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._response.close()
        self._connection.close()

    def _read(self) -> None:
        event: dict[str, str] = {}
        with contextlib.suppress(OSError, http.client.HTTPException):  # the platform was killed
            for line in self._response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif "data" in event:
                    self._arrive(event)
                    event = {}
        self.has_ended.set()

    def _arrive(self, event: dict[str, str]) -> None:
        content = json.loads(event["data"])
        text = content["text"] if event["event"] == "message" else content["message"]["text"]
        self.times.append(time.perf_counter())
        self.seen.append((event["event"], int(event["id"]) if "id" in event else None, text))
        self._arrived.put(self.seen[-1])

    def next(self) -> Event:
        return self._arrived.get(timeout=_SECONDS)

    def until(self, is_last: Callable[[Event], bool]) -> list[Event]:
        """The events up to that one."""
        events = [self.next()]
        while not is_last(events[-1]):
            events.append(self.next())
        return events

    def until_partial(self, text: str) -> list[Event]:
        return self.until(lambda event: event == ("partial", None, text))

    def has_seen_partial(self, seconds: float) -> bool:
        """Whether there was one, or comes within that time."""
        until = time.monotonic() + seconds
        while not (is_so := any(kind == "partial" for kind, _, _ in self.seen)) and time.monotonic() < until:
            time.sleep(0.01)
        return is_so

    def until_message(self, text: str) -> list[Event]:
        return self.until(lambda event: event[0] == "message" and event[2] == text)

    def time_of(self, text: str) -> float:
        """When it came first."""
        return next(when for when, event in zip(self.times, self.seen, strict=False) if event[2] == text)

    def messages(self) -> list[Event]:
        return [event for event in self.seen if event[0] == "message"]


class Teller:
    """A standalone agent that says what the test wants next; None ends its answer."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self._texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def say(self, *texts: str | None) -> None:
        for text in texts:
            self._texts.put(text)

    def answer(self, query: fixieai.Message) -> Iterator[str]:
        self.asked.release()
        while (text := self._texts.get(timeout=_SECONDS)) is not None:
            yield text


@dataclass
class Replicas:
    """`one` and `two` are the same to a person; `teller` is an agent of both."""

    one: testing.Platform
    two: testing.Platform
    database_url: str
    teller: Teller = field(default_factory=Teller)

    def session(self) -> str:
        handle: str = self.one.call("POST", "/api/sessions", {"frontendAgentId": "teller"})["handle"]
        return handle

    def tell_until_seen(self, stream: Stream, text: str) -> None:
        """Says it until a piece is seen: replicas learn a little later that somebody watches at another."""
        until = time.monotonic() + _SECONDS
        self.teller.say(text)
        while not stream.has_seen_partial(0.2):
            assert time.monotonic() < until, stream.seen
            self.teller.say(text)

    def ask_later(self, replica: testing.Platform, session: str, question: str = "Tell") -> None:
        """Asks without waiting for the answer."""

        def ask() -> None:
            with contextlib.suppress(requests.RequestException):
                replica.ask("teller", question, session)

        threading.Thread(target=ask, daemon=True).start()


def watch(replica: testing.Platform, session: str, last: int | None = None) -> Stream:
    return Stream(replica.url, replica.api_key, session, last)


@contextlib.contextmanager
def _replica(url: str, home: Any, stack: contextlib.ExitStack) -> Iterator[testing.Platform]:
    # A lease so long that nothing here happens by a beat.
    settings = Settings(
        home=home,
        port=0,
        postgres_url=url,
        secret_key=_SECRET,
        models=ModelSettings(default_model="few-shot"),
        daily_limits=DailyLimits(queries=None, storage_calls=None),
        lease_seconds=120,
    )
    with serving.background(settings) as running:
        yield testing.Platform(running.url, serving.local_key(home), stack)


@pytest.fixture(scope="module")
def _two(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres_server.database(f"streams-{uuid.uuid4().hex}", "migrated"))
        one, two = (
            stack.enter_context(_replica(url, tmp_path_factory.mktemp("home"), stack)) for _ in range(2)
        )
        replicas = Replicas(one, two, url)

        def tell(query: fixieai.Message) -> Iterator[str]:
            return replicas.teller.answer(query)

        one.serve(fixieai.StandaloneAgent(tell), "teller")
        yield replicas


@pytest.fixture
def replicas(_two: Replicas) -> Replicas:
    """Two platforms, the same for all tests of a module."""
    _two.teller = Teller()
    return _two


@pytest.fixture
def watching() -> Callable[..., Stream]:
    return watch
