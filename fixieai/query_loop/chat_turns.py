"""Transcript lines as chat turns that strict servers take.

User and assistant alternate, each call is followed by its result, and call ids are nine letters
and digits. Where a transcript has a gap (a reply without an Ask, an Ask without a reply, a query
without an answer), the missing turn is put in.
"""

from collections.abc import Iterable, Mapping

from fixieai.protocol.prompts import ChatMessage, ToolCall
from fixieai.protocol.transcript import FuncSpec, Line, LineKind, render_line
from fixieai.query_loop.attachments import shown_text
from fixieai.query_loop.tool_calls import agent_tool, func_tool, written_arguments

_UNANSWERED = ChatMessage("assistant", "(This was not answered.)")
_GO_ON = ChatMessage("user", "Go on: call a tool, or answer.")
_NO_REPLY = "(There was no reply.)"
_AGENT_LINES = frozenset({LineKind.ASK_AGENT, LineKind.AGENT_SAYS})


class ChatTurns:
    """Turns that grow line by line. `id_prefix`, five characters, keeps the call ids of several apart."""

    def __init__(self, id_prefix: str, funcs: Mapping[str, FuncSpec]) -> None:
        self._id_prefix = id_prefix
        self._funcs = funcs
        self._turns: list[ChatMessage] = []
        self._thoughts: list[str] = []
        self._calls = 0
        self._open: ToolCall | None = None
        self._question = ""

    def add(self, line: Line) -> None:
        match line.kind:
            case LineKind.QUERY:
                self._question = line.text
                self._end_turn()
                self._turns.append(ChatMessage("user", shown_text(line)))
            case LineKind.THOUGHT:
                self._thoughts.append(render_line(line))
            case LineKind.ASK_FUNC | LineKind.ASK_AGENT:
                self._call(line, line.text)
            case LineKind.FUNC_SAYS | LineKind.AGENT_SAYS:
                self._reply(line)
            case LineKind.RESPONSE:
                self._assistant(f"A: {line.text}" if self._thoughts else line.text)

    def closed(self) -> tuple[ChatMessage, ...]:
        """The turns, ended so that a person's next turn can follow."""
        self._end_turn()
        return tuple(self._turns)

    def asking(self) -> tuple[ChatMessage, ...]:
        """The turns, ended so that the assistant's next turn can follow."""
        if not self._thoughts:
            return tuple(self._turns)
        return (*self._turns, ChatMessage("assistant", "\n".join(self._thoughts)), _GO_ON)

    def _call(self, line: Line, text: str) -> None:
        self._calls += 1
        spec = None if line.kind in _AGENT_LINES else self._funcs.get(line.name)
        tool = agent_tool(line.name) if line.kind in _AGENT_LINES else func_tool(line.name)
        call = ToolCall(f"{self._id_prefix}{self._calls:04d}", tool, written_arguments(text, spec))
        self._assistant("", call)

    def _reply(self, line: Line) -> None:
        """A reply that nobody asked for: what was asked are the person's words."""
        tool = agent_tool(line.name) if line.kind in _AGENT_LINES else func_tool(line.name)
        if self._open is None or self._open.name != tool:
            self._call(line, self._question)
        self._result(shown_text(line))

    def _result(self, text: str) -> None:
        """Answers the open call, if there is one."""
        if self._open is not None:
            self._turns.append(ChatMessage("tool", text, tool_call_id=self._open.id))
            self._open = None

    def _assistant(self, text: str, call: ToolCall | None = None) -> None:
        self._result(_NO_REPLY)
        if not self._turns or self._turns[-1].role == "assistant":
            self._turns.append(_GO_ON)
        self._turns.append(ChatMessage("assistant", self._with_thoughts(text), call))
        self._open = call

    def _with_thoughts(self, text: str) -> str:
        parts = [*self._thoughts, text] if text else self._thoughts
        self._thoughts = []
        return "\n".join(parts)

    def _end_turn(self) -> None:
        if self._thoughts:
            self._assistant("")
        self._result(_NO_REPLY)
        if self._turns and self._turns[-1].role != "assistant":
            self._turns.append(_UNANSWERED)


def turns_of(lines: Iterable[Line], id_prefix: str, funcs: Mapping[str, FuncSpec]) -> tuple[ChatMessage, ...]:
    turns = ChatTurns(id_prefix, funcs)
    for line in lines:
        turns.add(line)
    return turns.closed()
