from collections.abc import Iterable, Iterator

import pytest

from fixieai.agents.agent_func import AgentFunc, AgentQueryFunc
from fixieai.agents.oauth import OAuthHandler, OAuthParams
from fixieai.agents.standalone import StandaloneAgent
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.protocol.messages import AgentQuery, AgentResponse, Message
from fixieai.protocol.metadata import StandaloneAgentMetadata

_OAUTH = OAuthParams("id", "secret", "https://e/auth", "https://e/token", ["scope"])
_CLAIMS = VerifiedTokenClaims("owner/agent", False, "token")


class _Echo(AgentFunc):
    def __call__(self, query: AgentQuery, claims: VerifiedTokenClaims) -> Iterable[AgentResponse]:
        yield AgentResponse(query.message)


def _count(query: Message) -> Iterator[str]:
    yield "1"
    yield "1 2"


async def _answers(agent: StandaloneAgent) -> list[str]:
    assert agent._handle_message is not None
    responses = agent._handle_message.responses(AgentQuery(Message("hello")), _CLAIMS)
    return [response.message.text async for response in responses]


async def test_a_function_answers() -> None:
    assert await _answers(StandaloneAgent(_count)) == ["1", "1 2"]
    assert await _answers(StandaloneAgent(lambda query: query.text)) == ["hello"]


async def test_an_agent_func_answers_as_it_is() -> None:
    as_text = AgentQueryFunc.create(lambda query: query.upper(), None, str, allow_generator=True)

    assert await _answers(StandaloneAgent(as_text)) == ["HELLO"]
    assert await _answers(StandaloneAgent(_Echo())) == ["hello"]


def test_a_function_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown parameters"):
        StandaloneAgent(lambda a, b: "")
    with pytest.raises(TypeError, match="oauth_params"):
        StandaloneAgent(lambda query, oauth_handler: "")


def test_the_function_may_use_oauth() -> None:
    def handle(query: str, oauth: OAuthHandler) -> str:
        return query

    agent = StandaloneAgent(handle, oauth_params=_OAUTH)

    assert list(agent._funcs) == ["_oauth"]


def test_the_handshake_is_the_documented_one() -> None:
    assert StandaloneAgent(_count).metadata() == StandaloneAgentMetadata()
    queries = ("a", "b")
    assert StandaloneAgent(_count, queries).metadata().to_dict() == {
        "sample_queries": ["a", "b"],
        "type": "standalone",
    }


def test_there_is_nothing_to_validate() -> None:
    StandaloneAgent(_count).validate()
