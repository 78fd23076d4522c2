"""The transcript rendering: the typed lines, for the few-shot model, which answers in protocol text."""

from fixieai.protocol.prompts import Completion, TranscriptPrompt
from fixieai.protocol.transcript import Line, Transcript
from fixieai.query_loop.code_shot import CodeShot, callables
from fixieai.query_loop.completions import Plain, Step, parse_completion


class TranscriptView:
    """A conversation in the transcript rendering; all few-shots are shown, as nothing is paid for them."""

    plain = Plain.PREFACE

    def __init__(self, code_shot: CodeShot) -> None:
        self._code_shot = code_shot
        self._lines: list[Line] = []

    def add(self, line: Line) -> None:
        self._lines.append(line)

    def prompt(self) -> TranscriptPrompt:
        agent, known = self._code_shot, callables(self._code_shot)
        funcs, agents = tuple(known.funcs.values()), tuple(sorted(known.agents))
        return TranscriptPrompt(
            Transcript(agent.base_prompt, agent.few_shots, tuple(self._lines), funcs, agents)
        )

    def read(self, completion: Completion) -> Step:
        return parse_completion(completion.text, self.plain)
