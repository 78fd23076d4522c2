"""`@owner/handle text`: a question for that agent."""

import re

_ADDRESSED = re.compile(r"@(?P<agent>[\w-]{1,64}(?:/[\w-]{1,64})?)\s+(?P<text>\S.*)", re.DOTALL)


def split(text: str) -> tuple[str | None, str]:
    """Whom a text names in front, if anybody, and what it says to them."""
    match = _ADDRESSED.match(text)
    return (match["agent"], match["text"]) if match else (None, text)
