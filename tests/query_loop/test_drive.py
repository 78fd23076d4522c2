"""Whoever drives the loop performs its effects; what goes wrong there passes through the loop."""

import asyncio
import inspect

import pytest

from fixieai.protocol.prompts import Completion, Rendering
from fixieai.protocol.transcript import Line, LineKind
from fixieai.query_loop.drive import drive
from fixieai.query_loop.effects import CallLlm, Record
from fixieai.query_loop.loop import answer

_QUERY = Line(LineKind.QUERY, "hi")


async def test_effects_are_performed_in_order_and_the_answer_returned(dice):
    performed = []

    async def perform(effect):
        performed.append(type(effect))
        return Completion("A: hello") if isinstance(effect, CallLlm) else None

    line = await drive(answer(dice, (), _QUERY, Rendering.TEXT), perform)
    assert line == Line(LineKind.RESPONSE, "hello")
    assert performed == [CallLlm, Record]


@pytest.mark.parametrize("error", [OSError("disk"), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_what_perform_raises_ends_the_loop_and_comes_out(dice, error):
    async def perform(_effect):
        raise error

    generator = answer(dice, (), _QUERY, Rendering.TEXT)
    with pytest.raises(type(error)) as caught:
        await drive(generator, perform)
    assert caught.value is error
    assert inspect.getgeneratorstate(generator) == inspect.GEN_CLOSED


async def test_a_generator_may_clean_up_with_an_effect_of_its_own():
    def careful():
        try:
            yield Record(Line(LineKind.THOUGHT, "one", "Thought"))
        except OSError:
            yield Record(Line(LineKind.THOUGHT, "two", "Thought"))
        return Line(LineKind.RESPONSE, "ended")

    async def perform(effect):
        if effect.line.text == "one":
            raise OSError

    assert (await drive(careful(), perform)).text == "ended"


async def test_a_reply_of_the_wrong_kind_is_a_clear_error(dice):
    async def perform(_effect):
        return None

    with pytest.raises(TypeError, match="Completion"):
        await drive(answer(dice, (), _QUERY, Rendering.TEXT), perform)
