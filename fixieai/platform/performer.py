"""Does what the loop of one agent asks for: calls models, funcs and other agents, records lines."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from fixieai import errors
from fixieai.llm.base import LanguageModel
from fixieai.llm.failures import AnswerBrokeOff
from fixieai.llm.models import Models
from fixieai.platform import builtin_funcs, query_embed
from fixieai.platform.agent_addresses import AgentAddresses
from fixieai.platform.agent_calls.fixie import AgentAddress, AgentCaller
from fixieai.platform.auth import Caller
from fixieai.platform.budgets import Budget, Budgets
from fixieai.platform.embeds import Embeds
from fixieai.platform.journal import Journal
from fixieai.platform.measured_model import measured
from fixieai.platform.metered_model import Payer, metered
from fixieai.platform.metrics import Metrics
from fixieai.platform.programs import Program
from fixieai.platform.query_embed import EmbedReader
from fixieai.platform.registry import Registry
from fixieai.platform.resuming import NOTHING, Progress
from fixieai.platform.settings import QueryLimits
from fixieai.platform.usage import Usage
from fixieai.protocol.builtin_funcs import is_builtin
from fixieai.protocol.messages import AgentResponse, Message
from fixieai.protocol.prompts import Completion, LlmSettings, Prompt, Rendering
from fixieai.protocol.transcript import Line, LineKind
from fixieai.query_loop.drive import drive
from fixieai.query_loop.effects import CallAgent, CallFunc, CallLlm, Effect, Record, Reply
from fixieai.query_loop.loop import Limits, answer

_DEFAULT_TEMPERATURE = 0.0
_DEFAULT_MAXIMUM_TOKENS = 1000
_SECONDS_BETWEEN_PARTIALS = 0.03


@dataclass(frozen=True, slots=True)
class Services:
    """What performing needs, shared by all queries."""

    agents: AgentCaller
    agent_addresses: AgentAddresses
    registry: Registry
    models: Models
    usage: Usage
    budgets: Budgets
    embeds: Embeds
    embed_reader: EmbedReader
    limits: QueryLimits
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class QueryContext:
    """One query of one person, the same at every depth."""

    services: Services
    caller: Caller
    journal: Journal
    budget: Budget

    async def address(self, program: Program) -> AgentAddress:
        """Raises AgentUnavailable when the agent is registered but does not run."""
        return await self.services.agent_addresses.of(program, self.caller, self.journal.session_handle)


@dataclass(frozen=True, slots=True)
class Errand:
    """What one agent is asked.

    Attributes:
        history: the conversation before, oldest first.
        path: the ids of the agents that asked before it, the first one first.
        progress: what it had done when the query was cut off.
    """

    query: Message
    history: Sequence[Line] = ()
    path: tuple[str, ...] = ()
    progress: Progress = NOTHING


async def ask(context: QueryContext, program: Program, errand: Errand) -> Line:
    """The answer of one agent to one query.

    Raises:
        FixieError: there is no answer, with the reason for the person who asked.
    """
    with context.services.agent_addresses.held(program):
        return await _ask(context, program, errand)


async def _ask(context: QueryContext, program: Program, errand: Errand) -> Line:
    query, path = errand.query, (*errand.path, program.agent_id)
    if program.code_shot is None:
        return await _ask_standalone(context, program, query, is_outermost=len(path) == 1)
    model = await context.services.models.choose(program.llm_settings.model)
    context.journal.note_model(model.name)
    payer = Payer(context.caller.user_id, program.agent_id, context.budget)
    model = measured(model, context.services.metrics)
    model = metered(model, context.services.usage, payer, context.journal.note_spent)
    performer = _Performer(context, program, model, path, errand.progress.inner)
    limits = Limits(steps=context.services.limits.steps)
    line = Line(LineKind.QUERY, query.text, embeds=query.embeds)
    done = errand.progress.lines
    loop = answer(program.code_shot, errand.history, line, model.rendering, limits, done)
    return await drive(loop, performer.perform)


async def _ask_standalone(
    context: QueryContext, program: Program, query: Message, *, is_outermost: bool
) -> Line:
    """A standalone agent may answer several times, each time the answer so far; the last one counts."""
    response: AgentResponse | None = None
    asked = context.services.agents.ask_standalone(
        await context.address(program), context.journal.shown(query), context.journal.idempotency_key()
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(context.services.metrics.agent_call())
        async for response in await stack.enter_async_context(contextlib.aclosing(asked)):
            if is_outermost and response.error is None:
                context.journal.publish_partial(response.message.text, program.agent_id)
    if response is None:
        raise errors.AgentUnavailable(f"The agent {program.agent_id} answered nothing.")
    if response.error is not None:
        raise errors.AgentUnavailable(_error_text(program, response))
    answer = await context.journal.attach(response.message)
    line = Line(LineKind.RESPONSE, answer.text, embeds=answer.embeds)
    if is_outermost:
        await context.journal.finish(line, program.agent_id)
    return line


def _error_text(program: Program, response: AgentResponse) -> str:
    code = response.error.code if response.error else ""
    return f"The agent {program.agent_id} failed ({code}): {response.message.text}"


class _Performer:
    """One agent's turn within a query."""

    def __init__(
        self,
        context: QueryContext,
        program: Program,
        model: LanguageModel,
        path: tuple[str, ...],
        inner: Progress | None,
    ) -> None:
        """`path` ends with this agent. `inner` is how far the agent got that this one was waiting for."""
        self._context = context
        self._program = program
        self._model = model
        self._path = path
        self._inner = inner
        self._is_outermost = len(path) == 1
        self._is_answer_seen = False

    async def perform(self, effect: Effect) -> Reply:
        """Does one thing that the loop asks for, and gives back what came of it."""
        match effect:
            case CallLlm():
                return await self._call_llm(effect)
            case CallFunc():
                return await self._call_func(effect)
            case CallAgent():
                return await self._call_agent(effect)
            case Record():
                await self._record(effect.line)
                return None

    async def _record(self, line: Line) -> None:
        journal = self._context.journal
        if line.kind is not LineKind.RESPONSE:
            await journal.record(line, self._program.agent_id, len(self._path) - 1)
        elif self._is_outermost:
            await journal.finish(line, self._program.agent_id)

    async def _call_llm(self, effect: CallLlm) -> Completion:
        """An answer that broke off is asked for once more, unless the person has seen its beginning."""
        self._is_answer_seen = False
        await self._context.journal.store_thoughts()
        try:
            return await self._completion(effect)
        except AnswerBrokeOff:
            if self._is_answer_seen:
                raise
            return await self._completion(effect)

    async def _completion(self, effect: CallLlm) -> Completion:
        wanted = self._program.llm_settings
        settings = LlmSettings(
            model=wanted.model,
            temperature=_DEFAULT_TEMPERATURE if wanted.temperature is None else wanted.temperature,
            maximum_tokens=wanted.maximum_tokens or _DEFAULT_MAXIMUM_TOKENS,
        )
        key = self._context.journal.idempotency_key()
        text = ""
        published = 0.0
        async with contextlib.aclosing(self._model.stream(effect.prompt, settings, key)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Completion):
                    return piece
                text += piece
                if effect.is_complete(text):
                    break
                if self._is_outermost and time.monotonic() - published > _SECONDS_BETWEEN_PARTIALS:
                    published = time.monotonic()
                    self._publish(effect.partial_answer(text))
        return Completion(text, model=self._model.name)

    def _publish(self, partial: str | None) -> None:
        if partial:
            self._is_answer_seen = True
            self._context.journal.publish_partial(partial, self._program.agent_id)

    async def _call_func(self, effect: CallFunc) -> Message:
        if effect.name == query_embed.NAME:
            return await self._query_embed(effect.message)
        if is_builtin(effect.name):
            code_shot = self._program.code_shot
            base_prompt = code_shot.base_prompt if code_shot else ""
            known = builtin_funcs.BuiltinContext(base_prompt, self._context.caller.time_zone)
            return builtin_funcs.call(effect.name, effect.message, known)
        services, address = self._context.services, await self._context.address(self._program)
        with services.metrics.agent_call():
            response = await services.agents.call_func(
                address,
                effect.name,
                self._context.journal.shown(effect.message),
                self._context.journal.idempotency_key(),
            )
        if response.error is None:
            return await self._context.journal.attach(response.message)
        if self._model.rendering is Rendering.TRANSCRIPT:
            # The few-shot model would take the error for a value and fill it into an answer.
            raise errors.AgentUnavailable(f"Func[{effect.name}] of {_error_text(self._program, response)}")
        return Message(f"Error ({response.error.code}): {response.message.text}")

    async def _query_embed(self, message: Message) -> Message:
        message = await self._context.journal.with_named(message)
        model = query_embed.Model(self._model.name, self._model.rendering, self._ask_aside)
        reader, owner_id = self._context.services.embed_reader, self._context.caller.user_id
        return Message(await reader.answer(owner_id, message, model))

    async def _ask_aside(self, prompt: Prompt) -> str:
        """One more model call, of which the person sees nothing."""
        completion = await self._call_llm(CallLlm(prompt, lambda _: False, lambda _: None))
        return completion.text

    async def _call_agent(self, effect: CallAgent) -> Message:
        if len(self._path) >= self._context.services.limits.hops:
            raise errors.LimitReached(
                f"This query was passed between agents {len(self._path)} times without an answer, which is "
                f"the limit: {' → '.join(self._path)}."
            )
        try:
            program = await self._context.services.registry.program(self._context.caller, effect.agent_id)
            inner, self._inner = self._inner, None
            errand = Errand(effect.message, path=self._path, progress=inner or NOTHING)
            line = await ask(self._context, program, errand)
        except (errors.NotFound, errors.UpstreamError) as error:
            if self._model.rendering is Rendering.TRANSCRIPT:
                raise
            return Message(f"Error ({error.code}): {error.message}")
        return Message(line.text, dict(line.embeds))
