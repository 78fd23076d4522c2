"""What people and organisations may be called. Both own agents, so they share their names."""

import re

from fixieai import errors

# In lower case only: two names never look alike by their case.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}")
# `None` is whichever agent the router chooses; the others speak in conversations under these names.
_RESERVED = frozenset({"none", "platform", "router", "user"})


def check(field: str, name: str) -> None:
    """Raises UnprocessableContent, which names the field, when nobody may be called that."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise errors.UnprocessableContent(
            f"{field}: 1 to 39 lower-case letters, digits, hyphens and underscores, the first a letter or a "
            f"digit. Not for owners of agents: {', '.join(sorted(_RESERVED))}"
        )
