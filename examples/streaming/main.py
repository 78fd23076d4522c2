"""A standalone agent: it answers by itself, and shows its answer as it grows."""

import asyncio
from collections.abc import AsyncIterator

import fixieai

VERSES = (
    "A program woke up in the night,",
    "and found that its tests were not right;",
    "it fixed every one",
    "and then, when 'twas done,",
    "it slept till the pipeline was bright.",
)


async def recite(query: fixieai.Message) -> AsyncIterator[str]:
    """Yields the poem so far after each verse. The last thing yielded is the answer."""
    poem = f"On {query.text.strip().rstrip('.?!')}:\n"
    for verse in VERSES:
        await asyncio.sleep(0.2)
        poem += verse + "\n"
        yield poem


agent = fixieai.StandaloneAgent(recite, sample_queries=["Recite a poem on testing"])

if __name__ == "__main__":
    agent.serve("poet")
