"""Agents' own calls to OpenAI: with the platform's key, on the account of the person who asked.

What a call used is told by the answer. It is counted like that of the agent's other model calls:
checked before, recorded after, also when the client goes away in the middle.
"""

import asyncio
import contextlib
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from fixieai import errors
from fixieai.llm.event_relay import EventRelay, Told
from fixieai.llm.passthrough import Passthrough, Reply
from fixieai.llm.providers import FEW_SHOT
from fixieai.llm.settings import ModelSettings
from fixieai.platform.auth import QueryCaller
from fixieai.platform.budgets import Budget, Budgets
from fixieai.platform.openai_calls import OpenAICall
from fixieai.platform.usage import Admission, Tokens, Usage
from fixieai.storage.usage import Spent

_LARGEST_ANSWER = 32 * 1024 * 1024
_LARGEST_ERROR = 64 * 1024
_CALLS_AT_ONCE = 32
_ACCOUNT = re.compile(rb"\b(?:org|proj)[-_][A-Za-z0-9]{12,}")
# Clients of OpenAI try again what they take for a passing failure, unless they are told not to.
_IN_VAIN = {"x-should-retry": "false"}
_NO_KEY = "This platform has no OpenAI key to share. Set OPENAI_API_KEY where the platform runs."
_SWITCHED_OFF = "This platform does not share its OPENAI_API_KEY with agents."
_OFFLINE = "This platform uses no model but the offline few-shot model, and shares no OpenAI key."
_logger = logging.getLogger("fixieai.platform")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered. `closing` is to be closed when it was sent, or never will be."""

    status: int
    headers: dict[str, str]
    body: bytes | AsyncIterator[bytes]
    closing: contextlib.AsyncExitStack


class OpenAIProxy:
    """Passes calls on, within the limits of who asked."""

    def __init__(
        self, settings: ModelSettings, usage: Usage, budgets: Budgets, *, is_on: bool = True
    ) -> None:
        self._obstacle = None if is_on else _SWITCHED_OFF
        if settings.default_model == FEW_SHOT:
            self._obstacle = _OFFLINE
        self._budgets = budgets
        self._upstream = Passthrough(settings)
        self._usage = usage
        self._counts_streams = True
        self._under_way: Counter[int] = Counter()
        self._recording: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def entered(self, caller: QueryCaller) -> Iterator[None]:
        """One call, from before its body is read until its answer is sent.

        Raises:
            TooManyRequests: too many of the person's are under way.
        """
        user_id = caller.user.user_id
        if self._under_way[user_id] >= _CALLS_AT_ONCE:
            raise errors.TooManyRequests(f"More than {_CALLS_AT_ONCE} calls to OpenAI at once.")
        self._under_way[user_id] += 1
        try:
            yield
        finally:
            self._under_way[user_id] -= 1
            if not self._under_way[user_id]:
                del self._under_way[user_id]

    async def answer(self, caller: QueryCaller, call: OpenAICall) -> Answer:
        """Close what it holds.

        Raises:
            DailyLimitReached: what the person may use today is used up.
            TooManyRequests: the query has used what it may.
            ServiceUnavailable: the platform has no key, or does not share it.
            UpstreamError: OpenAI did not answer, or does not take the platform's key.
        """
        obstacle = self._obstacle or (None if self._upstream.has_key else _NO_KEY)
        if obstacle is not None:
            raise _unavailable(obstacle)
        async with contextlib.AsyncExitStack() as stack:
            try:
                return await self._answer(caller, call, stack)
            except errors.DailyLimitReached as error:
                error.headers = _IN_VAIN
                raise

    async def close(self) -> None:
        """Waits for what is still to be recorded."""
        if self._recording:
            await asyncio.wait(self._recording)
        await self._upstream.close()

    def record(self, caller: QueryCaller, spent: Spent) -> asyncio.Task[None]:
        """In a task of its own: the request may be cancelled."""
        task = asyncio.create_task(self._record(caller, spent))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return task

    async def _record(self, caller: QueryCaller, spent: Spent) -> None:
        try:
            if spent.tokens:
                await self._usage.record(caller.user.user_id, caller.session, spent)
        except errors.FixieError as error:
            _logger.warning("the usage of a call is lost: %s", error.message)

    async def _answer(
        self, caller: QueryCaller, call: OpenAICall, stack: contextlib.AsyncExitStack
    ) -> Answer:
        if call.hides_usage and not self._counts_streams:
            call = call.without_usage()
        content = await call.content()
        bill = None
        if content is not None:
            bill = await self._admit(caller, call.expected(len(content)))
            stack.callback(bill.close)
        reply = await stack.enter_async_context(self._upstream.send(call.method, call.path, content))
        if reply.is_stream and reply.status < 400 and bill is not None:
            relay = call.relay()
            bill.told = relay.told
            return Answer(reply.status, reply.headers, _events(reply, relay), stack.pop_all())
        if reply.status >= 400:
            return await self._refused(reply, call, caller, stack)
        body = await reply.read(_LARGEST_ANSWER)
        if bill is not None:
            told = call.told(body)
            bill.told = lambda: told
            body = _ACCOUNT.sub(b"***", body) if told.has_failed else body
            await asyncio.shield(bill.close())
        return Answer(reply.status, reply.headers, call.answer(body), stack.pop_all())

    async def _admit(self, caller: QueryCaller, expected: Tokens) -> "_Bill":
        """A query that has ended has no budget any more; its token ends within minutes."""
        budget = await self._budgets.find(caller.user.user_id, caller.session)
        if budget is not None and budget.reached is not None:
            error = errors.TooManyRequests(budget.reached)
            error.headers = _IN_VAIN
            raise error
        admission = await self._usage.admit(caller.user.user_id, caller.agent_id, lambda: expected)
        return _Bill(self, caller, admission, expected, budget)

    async def _refused(
        self, reply: Reply, call: OpenAICall, caller: QueryCaller, stack: contextlib.AsyncExitStack
    ) -> Answer:
        """OpenAI's own refusal, but for what concerns the platform alone."""
        body = _ACCOUNT.sub(b"***", await reply.read(_LARGEST_ERROR))
        if reply.status in (401, 403):
            error = errors.UpstreamError("OpenAI does not accept the key of this platform.")
            error.headers = _IN_VAIN
            raise error
        plainer = call.plainer(body) if reply.status == 400 else None
        if plainer is not None:
            if call.hides_usage and not plainer.hides_usage:
                self._counts_streams = False
            await stack.aclose()
            return await self.answer(caller, plainer)
        if (explained := call.refusal(reply.status, body)) is not None:
            return Answer(404, {"content-type": "application/json"}, explained, stack.pop_all())
        return Answer(reply.status, reply.headers, body, stack.pop_all())


class _Bill:
    """What one admitted call used, recorded when it is closed; nothing unless something was answered."""

    def __init__(
        self,
        proxy: OpenAIProxy,
        caller: QueryCaller,
        admission: Admission,
        expected: Tokens,
        budget: Budget | None,
    ) -> None:
        self._proxy = proxy
        self._caller = caller
        self._admission = admission
        self._expected = expected
        self._budget = budget
        self.told: Callable[[], Told] | None = None
        self._closing: asyncio.Task[None] | None = None

    def close(self) -> asyncio.Task[None]:
        """The task that records it. Again is harmless."""
        if self._closing is None:
            spent = self._admission.close(self._used())
            if self._budget is not None:
                self._budget.spend(spent.tokens)
            self._closing = self._proxy.record(self._caller, spent)
        return self._closing

    def _used(self) -> Tokens:
        model, told = self._expected.model, self.told and self.told()
        if not told or (told.usage is None and told.has_failed and not told.written):
            return Tokens(model, 0, 0)
        usage = told.usage
        if usage is None:
            written = min(told.written, self._expected.completion_tokens)
            return Tokens(model, self._expected.prompt_tokens, written)
        read = _tokens(usage.get("prompt_tokens", usage.get("input_tokens")))
        return Tokens(model, read, _tokens(usage.get("completion_tokens", usage.get("output_tokens"))))


async def _events(reply: Reply, relay: EventRelay) -> AsyncIterator[bytes]:
    try:
        async for piece in reply.pieces(_LARGEST_ANSWER):
            if shown := relay.feed(piece):
                yield _shown(reply, relay, shown)
    except ValueError:
        raise errors.UpstreamError("OpenAI sent something that is no stream of events.") from None
    if rest := relay.finish():
        yield _shown(reply, relay, rest)


def _shown(reply: Reply, relay: EventRelay, events: bytes) -> bytes:
    """Errors within a stream name the account."""
    events = reply.without_key(events)
    return _ACCOUNT.sub(b"***", events) if relay.has_failed else events


def _tokens(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**40 else 0


def _unavailable(obstacle: str) -> errors.ServiceUnavailable:
    error = errors.ServiceUnavailable(
        f"{obstacle} Agents that have an OPENAI_API_KEY of their own do not need it."
    )
    error.retry_after = None
    error.headers = _IN_VAIN
    return error
