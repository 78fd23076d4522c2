"""The documented import path of LlmSettings."""

from fixieai.protocol.prompts import LlmSettings

__all__ = [
    "LlmSettings",
]
