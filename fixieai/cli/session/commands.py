"""The commands below `fixie session`."""

from fixieai.cli import lazy
from fixieai.cli.lazy import Entry

_CONVERSE = "fixieai.cli.session.converse"
_LISTING = "fixieai.cli.session.listing"

session = lazy.group(
    "session",
    "Session-related commands. `fixie session` alone lists sessions.",
    {
        "list": Entry(f"{_LISTING}:list_sessions", "Lists sessions."),
        "show": Entry(f"{_LISTING}:show", "Prints a session with every step of its queries."),
        "new": Entry(f"{_CONVERSE}:new", "Creates a new session and opens it."),
        "open": Entry(f"{_CONVERSE}:open_session", "Opens a session."),
        "query": Entry(f"{_CONVERSE}:query", "Runs a single query and exit."),
        "delete": Entry("fixieai.cli.session.deleting:delete", "Deletes sessions."),
    },
    default="list",
)
