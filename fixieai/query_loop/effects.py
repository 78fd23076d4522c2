"""What the loop asks for, and what it is told. The loop yields effects; whoever drives it performs them.

effect                       reply
CallLlm(prompt, ...)         Completion
CallFunc(name, message)      Message: what the func said, or a text that says why it could not
CallAgent(agent_id, message) Message: likewise
Record(line)                 None: the line is stored before the loop goes on
"""

from collections.abc import Callable
from dataclasses import dataclass

from fixieai.protocol.messages import Message
from fixieai.protocol.prompts import Completion, Prompt
from fixieai.protocol.transcript import Line


@dataclass(frozen=True, slots=True)
class CallLlm:
    """One model call.

    `is_complete(text so far)`: nothing that the model still writes will be used, so stop reading.
    `partial_answer(text so far)`: the part of the person's answer it already holds, or None.
    """

    prompt: Prompt
    is_complete: Callable[[str], bool]
    partial_answer: Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class CallFunc:
    """Call the agent's func `name` (or the platform's, when it begins with `fixie_`)."""

    name: str
    message: Message


@dataclass(frozen=True, slots=True)
class CallAgent:
    """Ask another agent, by `handle` or `owner/handle`."""

    agent_id: str
    message: Message


@dataclass(frozen=True, slots=True)
class Record:
    """Store one line of the transcript, as a message of the session."""

    line: Line


Effect = CallLlm | CallFunc | CallAgent | Record
Reply = Completion | Message | None
