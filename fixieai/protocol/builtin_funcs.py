"""The funcs that the platform itself offers to every agent. Their names all begin with `fixie_`."""

from collections.abc import Mapping

PREFIX = "fixie_"

# Name to description, as a model is told it.
DESCRIPTIONS: Mapping[str, str] = {
    "fixie_base_prompt": "Returns the base prompt of this agent.",
    "fixie_local_datetime": "Returns the date and time where the person is.",
    "fixie_utc_datetime": "Returns the date and time in UTC.",
    "fixie_query_embed": "Answers a question about an attached document or picture, named as #key.",
    "fixie_query_corpus": "Finds the passages of this agent's documents that answer a question.",
}


def is_builtin(name: str) -> bool:
    return name in DESCRIPTIONS
