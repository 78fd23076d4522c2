"""Checks of a Code Shot agent's prompts, at their documented path."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fixieai.protocol import few_shot_validation
from fixieai.protocol.few_shot_validation import FewShotError, FewshotLinePattern

if TYPE_CHECKING:
    from fixieai.agents.code_shot import CodeShotAgent

__all__ = ["FewShotError", "FewshotLinePattern", "strip_prompt_lines", "validate_code_shot_agent"]


def strip_prompt_lines(agent: CodeShotAgent) -> None:
    """Strips the base prompt and the few-shots of `agent`, as wholes and line by line."""
    agent.base_prompt = stripped(agent.base_prompt)
    agent.few_shots = [stripped(shot) for shot in agent.few_shots]


def stripped(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n")).strip()


def validate_code_shot_agent(agent: CodeShotAgent) -> None:
    """Raises ValueError, which names the prompt, the line and what was expected there."""
    try:
        few_shot_validation.validate_base_prompt(agent.base_prompt)
    except FewShotError as error:
        raise ValueError(f"the base prompt, {error}") from error
    for number, shot in enumerate(agent.few_shots, 1):
        try:
            _validate_few_shot_prompt(shot, agent.conversational, agent.is_valid_func_name)
        except FewShotError as error:
            raise ValueError(f"few-shot {number}, {error}") from error


def _validate_few_shot_prompt(
    prompt: str, conversational: bool, is_valid_func_name: Callable[[str], bool]
) -> None:
    few_shot_validation.validate_few_shot(prompt, conversational, is_valid_func_name)
