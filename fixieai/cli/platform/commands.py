"""The commands below `fixie platform`."""

from fixieai.cli import lazy
from fixieai.cli.lazy import Entry

_LOCAL = "fixieai.cli.platform.local"

platform = lazy.group(
    "platform",
    "Runs the platform on this machine.",
    {
        "serve": Entry(f"{_LOCAL}:serve", "Serves the platform until it is stopped."),
        "key": Entry(f"{_LOCAL}:key", "Prints the local user's API key."),
    },
)
