"""People who come back from an OAuth provider: their code goes to the agent that sent them there."""

import enum
import json
import logging
import secrets
from dataclasses import dataclass

from fixieai import errors
from fixieai.platform.auth import Caller
from fixieai.platform.oauth_values import LONGEST_STATE, OAuthValues
from fixieai.platform.performer import Services
from fixieai.protocol.messages import Message
from fixieai.storage.oauth import Flow

FUNC_NAME = "_oauth"
_DENIED = "access_denied"
_logger = logging.getLogger("fixieai.platform")


class Outcome(enum.Enum):
    """What came of it."""

    CONNECTED = "connected"
    DENIED = "denied"
    PROVIDER_FAILED = "provider_failed"
    NO_FLOW = "no_flow"
    AGENT_UNAVAILABLE = "agent_unavailable"
    AGENT_REFUSED = "agent_refused"


@dataclass(frozen=True, slots=True)
class Return:
    """How somebody comes back: with a code, or else with an error such as `access_denied`."""

    state: str
    code: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the person is told. Agent and person are "" where nobody knows who they are."""

    outcome: Outcome
    agent_id: str = ""
    username: str = ""


class OAuth:
    """Brings people back to agents."""

    def __init__(self, values: OAuthValues, services: Services) -> None:
        self._values = values
        self._services = services

    async def bring_back(self, returned: Return) -> Arrival:
        """Ends the flow of this state, and has its agent trade the code for a token.

        Whoever brings a state back is taken for the person it was given to: they hold 256 random bits
        that nobody else was told. The flow is over before the agent is asked, so a state is good once.
        """
        flow = await self._values.take_flow(returned.state) if len(returned.state) <= LONGEST_STATE else None
        if flow is None:
            return Arrival(Outcome.NO_FLOW)
        outcome = await self._outcome(flow, returned)
        return Arrival(outcome, flow.agent_id, flow.user.username)

    async def _outcome(self, flow: Flow, returned: Return) -> Outcome:
        if returned.error == _DENIED:
            return Outcome.DENIED
        if returned.error is not None or not returned.code:
            _logger.warning("an OAuth provider sent a user of %s back without a code", flow.agent_id)
            return Outcome.PROVIDER_FAILED
        text = json.dumps({"state": returned.state, "code": returned.code})
        try:
            return await self._call(flow, text)
        except (errors.NotFound, errors.UpstreamError, errors.ServiceUnavailable) as error:
            _logger.warning("OAuth of %s failed: %s", flow.agent_id, error.message)
            return Outcome.AGENT_UNAVAILABLE

    async def _call(self, flow: Flow, text: str) -> Outcome:
        """Raises NotFound when the person may not see the agent any more, AgentUnavailable if it is off."""
        caller = Caller(flow.user.id, flow.user.username, flow.user.time_zone)
        services = self._services
        program = await services.registry.program(caller, flow.agent_id)
        with services.agent_addresses.held(program):
            address = await services.agent_addresses.of(program, caller, "oauth")
            key = secrets.token_hex(16)
            response = await services.agents.call_func(address, FUNC_NAME, Message(text), key)
        if response.error is None:
            return Outcome.CONNECTED
        _logger.warning("OAuth of %s failed: %r", flow.agent_id, response.error.code[:100])
        return Outcome.AGENT_REFUSED
