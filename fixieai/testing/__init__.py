"""For authors of agents: ask an agent, with a whole platform in the same process, over real HTTP.

    answer = testing.ask(agent, "Roll 2d20")
    assert answer.said("roll")

`model_server` is a scripted server that speaks the API of OpenAI.
"""

from fixieai.testing.agents import load, wait_until_reachable
from fixieai.testing.answers import Answer, Step
from fixieai.testing.oauth_provider import OAuthProvider
from fixieai.testing.platforms import Platform, ask, platform

__all__ = ["Answer", "OAuthProvider", "Platform", "Step", "ask", "load", "platform", "wait_until_reachable"]
