"""Who one is, and what one may use, over GraphQL."""

import fixieai
from fixieai import testing
from fixieai.platform.settings import DailyLimits

GET = """
    query getUsername { user { username firstName lastName email avatar organization { handle }
        dailyQueryLimit dailyUsedQueries } }"""
SEND = """mutation($session: String!) {
    sendSessionMessage(messageData: {session: $session, text: "Say it"}) { response { text } } }"""


def test_the_days_limit_and_use_are_shown_and_a_query_beyond_is_refused(graphql_of) -> None:
    with testing.platform(daily_limits=DailyLimits(queries=2)) as platform:
        platform.serve(fixieai.StandaloneAgent(lambda query: "said"), "sayer")
        graphql = graphql_of(platform)
        create = 'mutation { createSession(sessionData: {frontendAgentId: "sayer"}) { session { handle } } }'
        session = graphql(create).data["createSession"]["session"]["handle"]
        assert graphql(GET).data["user"] == {
            "username": "local",
            "firstName": None,
            "lastName": None,
            "email": None,
            "avatar": None,
            "organization": None,
            "dailyQueryLimit": 2,
            "dailyUsedQueries": 0,
        }
        for _ in range(2):
            assert graphql(SEND, session=session).data["sendSessionMessage"]["response"] == {"text": "said"}

        refused = graphql(SEND, session=session)

        assert refused.codes == ["daily_limit_reached"]
        assert refused.content["errors"][0]["extensions"]["retryAfter"] > 0
        assert graphql(GET).data["user"]["dailyUsedQueries"] == 2
        messages = graphql("{ allSessions { messages { text } } }").data["allSessions"][0]["messages"]
        assert len(messages) == 4


def test_without_a_limit_it_is_null(graphql) -> None:
    assert graphql("{ user { dailyQueryLimit } }").data == {"user": {"dailyQueryLimit": None}}
