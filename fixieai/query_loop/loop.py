"""One query, from the person's words to the answer: a generator that decides and does nothing itself.

Each step is one model call, of which the thoughts are recorded and one action is taken: a func or
an agent is called and what it says recorded, or the answer is recorded and returned. The same
replies always lead to the same effects, so a query that was cut off is resumed by replaying them.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from fixieai import errors
from fixieai.protocol.messages import Message
from fixieai.protocol.prompts import Completion, Prompt, Rendering
from fixieai.protocol.transcript import Line, LineKind
from fixieai.query_loop.attachments import Attachments
from fixieai.query_loop.code_shot import DEFAULT_LIMITS, Callables, CodeShot, Limits, callables
from fixieai.query_loop.completions import SAYS, Plain, Reader, Step, storable
from fixieai.query_loop.effects import CallAgent, CallFunc, CallLlm, Effect, Record, Reply
from fixieai.query_loop.few_shot_choice import choose
from fixieai.query_loop.history import window
from fixieai.query_loop.text_prompt import TextView
from fixieai.query_loop.tool_prompt import ToolView
from fixieai.query_loop.transcript_prompt import TranscriptView

__all__ = ["DEFAULT_LIMITS", "CodeShot", "Limits", "answer"]

_COMPLETIONS_WITHOUT_ACTION = 2
_NAMES_LISTED = 50
_REQUESTS = frozenset({LineKind.ASK_FUNC, LineKind.ASK_AGENT})
_AGENT_LINES = frozenset({LineKind.ASK_AGENT, LineKind.AGENT_SAYS})


class View(Protocol):
    """A conversation as one rendering shows it."""

    plain: Plain

    def add(self, line: Line) -> None: ...
    def prompt(self) -> Prompt: ...
    def read(self, completion: Completion) -> Step: ...


def answer(
    code_shot: CodeShot,
    history: Sequence[Line],
    query: Line,
    rendering: Rendering,
    limits: Limits = DEFAULT_LIMITS,
    done: Sequence[Line] = (),
) -> Generator[Effect, Reply, Line]:
    """Answers one query; returns the RESPONSE line, which it has also had recorded.

    `history` is the conversation before the query, oldest first; it is used by conversational
    agents alone. The query is not recorded: whoever received it did. `done` are the lines that were
    recorded when the query was cut off: it goes on behind them, and repeats the call under way, if any.

    Raises:
        LimitReached: a limit ended the query; the message names it.
        ModelUnavailable: the model answered twice in a row without saying anything.
    """
    past = window(history, limits.history_characters) if code_shot.conversational else ()
    view = _view(code_shot, query, rendering, limits)
    for line in (*past, query):
        view.add(line)
    turn = _Turn(view, Attachments((*past, query)), callables(code_shot), query, limits)
    return (yield from turn.run(done))


def _view(code_shot: CodeShot, query: Line, rendering: Rendering, limits: Limits) -> View:
    if rendering is Rendering.TRANSCRIPT:
        return TranscriptView(code_shot)
    chosen = choose(code_shot, query.text, limits.few_shot_characters)
    return TextView(code_shot, chosen) if rendering is Rendering.TEXT else ToolView(code_shot, chosen)


class _Turn:
    """The state of one query."""

    def __init__(
        self, view: View, attachments: Attachments, known: Callables, query: Line, limits: Limits
    ) -> None:
        self._view = view
        self._attachments = attachments
        self._callables = known
        self._query = query
        self._limits = limits
        self._problems = 0
        self._without_action = 0

    def run(self, done: Sequence[Line]) -> Generator[Effect, Reply, Line]:
        unanswered = self._go_to_the_end_of(done)
        if unanswered is not None:
            yield from self._call_and_record(unanswered)
        taken = sum(line.kind in SAYS for line in done) + (unanswered is not None) + self._without_action
        for _ in range(self._limits.steps - taken):
            step = yield from self._ask_model()
            for thought in step.thoughts:
                yield from self._record(thought)
            if step.action is None:
                self._count_without_action()
                continue
            self._without_action = 0
            if step.action.kind is LineKind.RESPONSE:
                return (yield from self._record(self._with_embeds(step.action)))
            yield from self._act(step.action, step.problem)
        raise errors.LimitReached(
            f"This query reached its limit of {self._limits.steps} steps before it had an answer."
        )

    def _ask_model(self) -> Generator[Effect, Reply, Step]:
        reader, longest = Reader(self._view.plain), self._limits.answer_characters

        def is_complete(text: str) -> bool:
            return len(text) > longest or reader.is_complete(text)

        def partial_answer(text: str) -> str | None:
            return reader.partial_answer(text[:longest])

        completion = yield CallLlm(self._view.prompt(), is_complete, partial_answer)
        if not isinstance(completion, Completion):
            raise TypeError(f"CallLlm needs a Completion, got {type(completion).__name__}")
        if len(completion.text) > longest:
            completion = replace(completion, text=completion.text[:longest])
            return _cut(self._view.read(completion), f"the limit of {longest} characters")
        step = self._view.read(completion)
        return _cut(step, "the model's token limit") if completion.is_cut_off else step

    def _go_to_the_end_of(self, done: Sequence[Line]) -> Line | None:
        """Knows what was recorded; the request that nobody has answered yet."""
        unanswered = None
        for line in done:
            self._view.add(line)
            self._attachments.keep(line)
            if line.kind in SAYS:
                unanswered = None
            elif line.kind in _REQUESTS:
                unanswered = line
                self._problems += bool(self._unknown(line))
        # What led to nothing more was all that the model wrote.
        self._without_action = int(bool(done) and done[-1].kind is LineKind.THOUGHT)
        return unanswered

    def _act(self, action: Line, problem: str) -> Generator[Effect, Reply, None]:
        """Calls what the model asked for, or tells it why not, and records both."""
        request = yield from self._record(self._request(action))
        problem = problem or self._unknown(request)
        if problem:
            self._count_problem(problem)
        yield from self._call_and_record(request, problem)

    def _request(self, action: Line) -> Line:
        """A model that begins a reply itself asks with the person's words. What it asks is recorded
        like any request: a query that is cut off during the call knows that the model has spoken.
        """
        if action.kind not in SAYS:
            return self._with_embeds(action)
        kind = LineKind.ASK_AGENT if action.kind in _AGENT_LINES else LineKind.ASK_FUNC
        return Line(kind, self._query.text, action.name, self._query.embeds)

    def _call_and_record(self, request: Line, problem: str = "") -> Generator[Effect, Reply, None]:
        problem = problem or self._unknown(request)
        if problem:
            reply = Message(problem)
        else:
            reply = yield from self._call(request)
        kind = LineKind.AGENT_SAYS if request.kind in _AGENT_LINES else LineKind.FUNC_SAYS
        yield from self._record(Line(kind, reply.text, request.name, reply.embeds))

    def _call(self, request: Line) -> Generator[Effect, Reply, Message]:
        is_agent, message = request.kind in _AGENT_LINES, Message(request.text, dict(request.embeds))
        reply = yield CallAgent(request.name, message) if is_agent else CallFunc(request.name, message)
        if not isinstance(reply, Message):
            raise TypeError(f"a call needs a Message, got {type(reply).__name__}")
        text = storable(reply.text)
        longest = self._limits.reply_characters
        if len(text) > longest:
            text = f"{text[:longest]}\n(Cut here: {len(text) - longest} characters more.)"
        return self._attachments.adopt(Message(text, reply.embeds))

    def _record(self, line: Line) -> Generator[Effect, Reply, Line]:
        yield Record(line)
        self._view.add(line)
        return line

    def _with_embeds(self, line: Line) -> Line:
        embeds = self._attachments.named_in(line.text)
        return replace(line, embeds=embeds) if embeds else line

    def _unknown(self, action: Line) -> str:
        """What to tell the model if nothing of that name may be called."""
        known, name = self._callables, action.name
        if action.kind in _AGENT_LINES:
            return "" if known.has_agent(name) else f"There is no agent {name}. {_listed(known.agents)}"
        return "" if known.has_func(name) else f"There is no func {name}. {_listed(known.funcs)}"

    def _count_problem(self, problem: str) -> None:
        self._problems += 1
        if self._problems > self._limits.unknown_names:
            raise errors.LimitReached(
                f"The model asked for what cannot be called more than {self._limits.unknown_names} times,"
                f" which is the limit. The last time: {problem}"
            )

    def _count_without_action(self) -> None:
        self._without_action += 1
        if self._without_action == _COMPLETIONS_WITHOUT_ACTION:
            raise errors.ModelUnavailable(
                "The language model gave neither an answer nor a request, twice in a row."
            )


def _listed(names: Iterable[str]) -> str:
    """In a fixed order: a resumed query must say the same."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _NAMES_LISTED} more" if len(ordered) > _NAMES_LISTED else ""
    return f"Available: {', '.join(ordered[:_NAMES_LISTED])}{more}." if ordered else "None is available."


def _cut(step: Step, limit: str) -> Step:
    """What may be used of a completion that ended at a limit: an answer, marked as cut; nothing else.

    Raises:
        LimitReached: it ended in its thoughts, or in a request, which must not be sent by half.
    """
    if step.is_whole:
        return step
    if step.action is None or step.action.kind is not LineKind.RESPONSE:
        raise errors.LimitReached(f"The model's answer reached {limit} before it could be used.")
    note = f"[The answer was cut off here: it reached {limit}.]"
    return replace(step, action=replace(step.action, text=f"{step.action.text}\n\n{note}"))
