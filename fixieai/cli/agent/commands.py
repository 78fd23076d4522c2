"""The commands below `fixie agent`."""

from fixieai.cli import lazy
from fixieai.cli.lazy import Entry

_LISTING = "fixieai.cli.agent.listing"

agent = lazy.group(
    "agent",
    "Agent-related commands.",
    {
        "init": Entry("fixieai.cli.agent.init:init_agent", "Creates an agent.yaml file."),
        "serve": Entry("fixieai.cli.agent.serve:serve_agent", "Serve the current agent locally."),
        "list": Entry(f"{_LISTING}:list_agents", "List agents."),
        "show": Entry(f"{_LISTING}:show", "Show an agent."),
        "register": Entry(f"{_LISTING}:register", "Tell the platform where an agent is served."),
        "delete": Entry(f"{_LISTING}:delete", "Delete an agent."),
    },
)
