"""Runs the loop: performs each effect and sends its reply back."""

from collections.abc import Awaitable, Callable, Generator

from fixieai.protocol.transcript import Line
from fixieai.query_loop.effects import Effect, Reply


async def drive(
    generator: Generator[Effect, Reply, Line], perform: Callable[[Effect], Awaitable[Reply]]
) -> Line:
    """Returns what the generator returns.

    What `perform` raises, a cancellation too, is thrown into the generator, where it ends the
    query unless the generator knows better, and comes out of here.
    """
    try:
        effect = next(generator)
        while True:
            try:
                reply = await perform(effect)
            except BaseException as error:  # noqa: BLE001 - the generator raises it again
                effect = generator.throw(error)
            else:
                effect = generator.send(reply)
    except StopIteration as stop:
        line: Line = stop.value
        return line
    finally:
        generator.close()
