"""From the recorded lines of a query that was cut off to where each of its agents stood."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fixieai.platform import addressing
from fixieai.platform.journal import ROUTING, line_of, load_embeds
from fixieai.protocol.messages import Message as Text
from fixieai.protocol.transcript import Line, LineKind
from fixieai.storage.messages import Message


@dataclass(frozen=True, slots=True)
class Progress:
    """What one agent recorded of its turn. `inner` is that of the agent it was waiting for, if any."""

    lines: tuple[Line, ...] = ()
    inner: "Progress | None" = None


NOTHING = Progress()


def progress(recorded: Iterable[Message]) -> Progress:
    """Where the agents of a query stood. `recorded` are its messages in order, the question left out.

    An agent's lines are those of its depth since a line of a lesser depth: the answer to whoever
    asked it stands at that lesser depth and so ends it.
    """
    levels: list[list[Line]] = []
    for message in recorded:
        line = line_of(message)
        if line is None or line.kind is LineKind.QUERY:
            continue
        del levels[message.depth + 1 :]
        levels += [[] for _ in range(message.depth + 1 - len(levels))]
        levels[message.depth].append(line)
    found: Progress | None = None
    for lines in reversed(levels):
        # What an agent did that nobody is recorded to wait for is not gone on with.
        is_waiting = bool(lines) and lines[-1].kind is LineKind.ASK_AGENT
        found = Progress(tuple(lines), found if is_waiting else None)
    return found or NOTHING


@dataclass(frozen=True, slots=True)
class Question:
    """What a query asked, and whom; `agent_id` is None when the router had not chosen yet."""

    message: Text
    agent_id: str | None


def question(recorded: Sequence[Message], agent_id: str | None) -> Question:
    """From a query's messages, and the agent that it was begun with."""
    asked, *lines = recorded
    routed = next((line.text for line in lines if line.type == ROUTING), None)
    agent, rest = addressing.split(asked.text)
    is_addressed = agent is not None and agent_id is not None and f"/{agent_id}".endswith(f"/{agent}")
    text = rest if is_addressed else asked.text
    return Question(Text(text, dict(load_embeds(asked.embeds))), agent_id or routed)
