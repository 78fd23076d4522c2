"""A process that runs a workflow of five effects; tests kill it, stop it and start it again.

    durable_program.py URL EXECUTOR_ID FOLDER [DEAD_EXECUTOR_ID ...]

Each effect is a line in FOLDER/effects: its number and its key. As long as there is FOLDER/hold-N, effect
N does not return; as long as there is FOLDER/pause-N, the workflow does not go on behind it. Once the outcome
of effect N is stored there is FOLDER/stored-N.
"""

import asyncio
import pathlib
import sys

from fixieai.workflows import engine

URL, EXECUTOR_ID, FOLDER, *DEAD = sys.argv[1:]
PLACE = pathlib.Path(FOLDER)


async def effect(number: int) -> int:
    with (PLACE / "effects").open("a") as file:
        file.write(f"{number} {engine.step_key()}\n")
    await gone(f"hold-{number}")
    return number * 10


async def gone(name: str) -> None:
    while (PLACE / name).exists():  # noqa: ASYNC110 - another process removes it
        await asyncio.sleep(0.01)


@engine.workflow("five-effects")
async def five_effects(first: int) -> list[int]:
    outcomes = []
    for number in range(first, first + 5):
        outcomes.append(await engine.step(f"effect {number}", effect, number))
        (PLACE / f"stored-{number}").touch()
        await gone(f"pause-{number}")
    return outcomes


async def main() -> None:
    settings = engine.EngineSettings(url=URL, version="1", executor_id=EXECUTOR_ID)
    async with engine.opened(settings) as running:
        await running.take_over(DEAD)
        await running.start("five-effects", "the-run", 1)
        print(await running.result("the-run"), flush=True)


asyncio.run(main())
