"""The commands below `fixie agent`."""

from fixieai.cli import lazy
from fixieai.cli.lazy import Entry

_LISTING = "fixieai.cli.agent.listing"
_PUBLISHING = "fixieai.cli.agent.publishing"

agent = lazy.group(
    "agent",
    "Agent-related commands.",
    {
        "init": Entry("fixieai.cli.agent.init:init_agent", "Creates an agent.yaml file."),
        "deploy": Entry("fixieai.cli.agent.deploy:deploy_agent", "Deploy the current agent."),
        "serve": Entry("fixieai.cli.agent.serve:serve_agent", "Serve the current agent locally."),
        "publish": Entry(f"{_PUBLISHING}:publish_agent", "Make the current agent public."),
        "unpublish": Entry(f"{_PUBLISHING}:unpublish_agent", "Make the current agent not public."),
        "revisions": Entry("fixieai.cli.agent.revisions:revisions", "Revisions-related commands."),
        "list": Entry(f"{_LISTING}:list_agents", "List agents."),
        "show": Entry(f"{_LISTING}:show", "Show an agent."),
        "register": Entry(f"{_LISTING}:register", "Tell the platform where an agent is served."),
        "logs": Entry("fixieai.cli.agent.revisions:logs", "Print what a deployed agent printed."),
        "delete": Entry(f"{_LISTING}:delete", "Delete an agent."),
    },
)
