"""One exchange of a few-shot, made ready to be imitated."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from fixieai.llm.by_example import arguments, filling, templates
from fixieai.llm.by_example.alignment import Alignment, Wanted, align, likeness
from fixieai.llm.by_example.exchanges import Exchange
from fixieai.llm.by_example.resemblance import Pattern
from fixieai.llm.by_example.templates import QUESTION, Sources, Template
from fixieai.llm.by_example.words import Text, read
from fixieai.protocol.transcript import Line, LineKind

_SAME_KIND_OF_REPLY = 0.5
_SENTENCE_ENDS = ".!?:\"“'(*•-"
# Capitals that state no fact.
_UNITS = frozenset((
    "i", "am", "pm", "utc", "gmt", "ok", "celsius", "fahrenheit", "c", "f", "km", "kg", "mb", "gb",
    "usd", "eur", "gbp", "chf", "jpy", "id", "url", "api", "monday", "tuesday", "wednesday", "thursday",
    "friday", "saturday", "sunday",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a conversation stands: its last question, the replies since, and the exchange before."""

    question: Text
    replies: tuple[Text, ...]
    earlier: tuple[Text, ...]

    @classmethod
    def of(cls, exchange: Exchange) -> "Situation":
        before = exchange.before
        earlier = (read(before.question), *(read(step.reply) for step in before.steps)) if before else ()
        return cls(read(exchange.question), tuple(read(step.reply) for step in exchange.steps), earlier)


@dataclass(frozen=True, slots=True)
class Match:
    """How an example fits a situation. `score` is of the questions alone, `rank` of all that was said."""

    score: float
    rank: float
    alignments: tuple[Alignment | None, ...]


class Example:
    """An exchange and the templates of its lines."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._own = Situation.of(exchange)
        self._texts = (self._own.question, *self._own.replies, *self._own.earlier)
        self._texts = self._with_arguments()
        self._plan = self._make_plan()
        self._asks = [lines[-1][1] for lines in self._plan[:-1]]
        self._answer = self._plan[-1][-1][1]
        self._wanted = [self._wanted_of(source) for source in range(len(self._texts))]
        self._pattern = self._make_pattern()
        self.names_from_nowhere = frozenset(self._unexplained_names())
        self._risks: AbstractSet[str] = self.names_from_nowhere

    @property
    def question(self) -> Text:
        return self._texts[QUESTION]

    def accept(self, constants: AbstractSet[str]) -> None:
        """Takes these words for ones that are true whatever was asked."""
        self._risks = self.names_from_nowhere - constants

    def match(self, situation: Situation) -> Match | None:
        """How this example fits the question, or None when it does not."""
        question = align(self.question, situation.question, self._wanted[QUESTION])
        score = self._pattern.score(question)
        if score is None:
            return None
        replies = self._aligned(1, self._own.replies, situation.replies)
        first = 1 + len(self._own.replies)
        earlier = self._aligned(first, self._texts[first:], situation.earlier)
        alikes = [_reply_likeness(alignment) for alignment in replies if alignment is not None]
        rank = score + 0.5 * question.is_same + 0.3 * (sum(alikes) / len(alikes) if alikes else 1.0)
        if earlier:
            rank += -0.1 if earlier[0] is None else 0.05 * likeness(earlier[0])
        return Match(score, rank, (question, *replies, *earlier))

    def say(self, match: Match, step: int) -> list[Line] | None:
        """What the example says after `step` replies, for this situation; None where it cannot tell."""
        planned = self._plan[step]
        earlier = match.alignments[1 + len(self._own.replies) :]
        if all(alignment and alignment.is_same for alignment in (*match.alignments[: 1 + step], *earlier)):
            return [line for line, _ in planned]
        if step == len(self._asks) and not self._answer_holds(match):
            return None
        filled = [_filled(line, template, match) for line, template in planned]
        if filled[-1] is None:
            return None
        return [line for line in filled if line is not None]

    def _with_arguments(self) -> tuple[Text, ...]:
        """The texts, with the words marked that the lines show to be what a question is about."""
        *steps, closing = self._make_plan()
        questions = [QUESTION, *([1 + len(self._own.replies)] if self._own.earlier else [])]
        return tuple(
            arguments.mark(self._texts, questions, [lines[-1][1] for lines in steps], closing[-1][1])
        )

    def _make_plan(self) -> list[list[tuple[Line, Template]]]:
        exchange = self.exchange
        closing = (*exchange.closing_thoughts, Line(LineKind.RESPONSE, exchange.answer or ""))
        lines = [*((*step.thoughts, step.ask) for step in exchange.steps), closing]
        return [
            [(line, self._template(line, position)) for line in step] for position, step in enumerate(lines)
        ]

    def _template(self, line: Line, step: int) -> Template:
        """`step` replies are known when the line is written."""
        replies = tuple(range(1, 1 + step))
        earlier = tuple(range(1 + len(self._own.replies), len(self._texts)))
        sources = Sources(self._texts, replies, earlier)
        return templates.make(line.text, sources, is_answer=line.kind is LineKind.RESPONSE)

    def _wanted_of(self, source: int) -> Wanted:
        """What the lines use of a source. Of a question the steps use it: the answer may not know more."""
        users = [ask for ask in self._asks if not ask.is_question]
        if source != QUESTION or not self._asks or self._only_the_answer_differs():
            users.append(self._answer)
        found = [template.wanted(source) for template in users]
        if source == QUESTION and self._only_the_answer_differs():
            found = [_without_verb(wanted, self.question) for wanted in found]
        return Wanted(
            frozenset().union(*(wanted.tokens for wanted in found)),
            frozenset().union(*(wanted.growing for wanted in found)),
        )

    def _only_the_answer_differs(self) -> bool:
        """No step uses the question, and what funcs are asked follows from replies alone.

        "I attack the goblin" rolls a die and names the goblin in its answer: it may be a dragon as
        well. A func that was asked about GOOG because the question says Google rules that out.
        """
        return not any(ask.uses(QUESTION) for ask in self._asks) and not any(
            ask.target.tokens[position].is_content
            for ask, step in zip(self._asks, self.exchange.steps, strict=True)
            if step.partner[0]
            for position in ask.unexplained
        )

    def _make_pattern(self) -> Pattern:
        users = [ask for ask in self._asks if not ask.is_question]
        parts = tuple(
            range(run.first, run.first + run.length)
            for template in users
            for run in template.runs
            if run.source == QUESTION
        )
        tokens = self._answer.target.tokens
        return Pattern(
            question=self.question,
            wanted=self._wanted[QUESTION],
            parts=parts,
            is_passed_on=any(ask.is_question for ask in self._asks),
            has_steps=bool(self._asks),
            answers_itself=not any(tokens[position].is_content for position in self._answer.unexplained),
            kept=arguments.kept(self.question, [*self._asks, self._answer]),
            takes_series=any(items.source == QUESTION for template in users for items in template.items),
        )

    def _aligned(self, first: int, own: tuple[Text, ...], actual: tuple[Text, ...]) -> list[Alignment | None]:
        aligned: list[Alignment | None] = [None] * len(own)
        for position, (mine, other) in enumerate(zip(own, actual, strict=False)):
            aligned[position] = align(mine, other, self._wanted[first + position])
        return aligned

    def _answer_holds(self, match: Match) -> bool:
        """Whether no fact of the example would be passed on as a fact of this question."""
        if self._risks or self._has_relatives_of_what_is_asked():
            return False
        for position in range(len(self._asks)):
            source = 1 + position
            alignment = match.alignments[source]
            later = [*self._asks[position + 1 :], self._answer]
            is_unused = alignment is not None and not any(template.uses(source) for template in later)
            if alignment is not None and is_unused and _reply_likeness(alignment) < _SAME_KIND_OF_REPLY:
                return False
        return True

    def _unexplained_names(self) -> Iterator[str]:
        """Numbers and names in the answer that neither the question nor a reply has: facts, perhaps."""
        target = self._answer.target
        for position in self._answer.unexplained:
            token = target.tokens[position]
            before = target.raw[: token.start].rstrip(" ")
            is_first_word = not before or before[-1] in _SENTENCE_ENDS or before.endswith("\n")
            if token.is_number or (token.is_name and not is_first_word and token.key not in _UNITS):
                yield token.key

    def _has_relatives_of_what_is_asked(self) -> bool:
        """Google in the answer, where GOOG was asked for."""
        asked = [self.question.tokens[position] for position in self._wanted[QUESTION].tokens]
        said = [self._answer.target.tokens[position] for position in self._answer.unexplained]
        names = [token.key for token in asked if token.is_content]
        words = [token.key for token in said if token.is_content]
        return any(
            min(len(mine), len(other)) > 2 and (mine.startswith(other) or other.startswith(mine))
            for mine in names
            for other in words
        )


def _without_verb(wanted: Wanted, question: Text) -> Wanted:
    """Without the first word that means something: it says what is to be done, and that stays."""
    first = next((position for position, token in enumerate(question.tokens) if token.is_content), -1)
    return Wanted(wanted.tokens - {first}, wanted.growing - {first})


def _filled(line: Line, template: Template, match: Match) -> Line | None:
    """The line for this situation. A thought that cannot be filled is not thought."""
    try:
        return replace(line, text=filling.fill(template, match.alignments))
    except filling.CannotFill:
        return None


def _reply_likeness(alignment: Alignment) -> float:
    if alignment.is_same:
        return 1.0
    if alignment.example.is_numbers and alignment.actual.is_numbers:
        return 0.9 if len(alignment.example.numbers) == len(alignment.actual.numbers) else 0.85
    if not alignment.actual.tokens or not alignment.example.tokens:
        return 0.5
    return 0.8 * likeness(alignment)
