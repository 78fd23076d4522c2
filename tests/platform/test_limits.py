"""What a person may use on a day: exact under load, told in headers, and counted again after a restart."""

import asyncio
import collections
import concurrent.futures
import contextlib
import pathlib
import time
from collections.abc import Iterator

import aiohttp
import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import DailyLimits, QueryLimits, Settings
from fixieai.testing.model_server import Fails, Hangs, ModelServer, Says, Script


def echo() -> fixieai.StandaloneAgent:
    return fixieai.StandaloneAgent(lambda query: query.text)


def post(platform: testing.Platform, handle: str, text: str = "hello", **body: object) -> requests.Response:
    return requests.post(
        f"{platform.url}/api/agents/local/{handle}",
        json={"message": {"text": text}, **body},
        headers={"Authorization": f"Bearer {platform.api_key}"},
        timeout=60,
    )


@contextlib.contextmanager
def limited(**limits: object) -> Iterator[testing.Platform]:
    with testing.platform(daily_limits=DailyLimits(**limits)) as platform:  # type: ignore[arg-type]
        platform.serve(echo(), "echo")
        yield platform


@contextlib.contextmanager
def scripted(script: Script, **limits: object) -> Iterator[tuple[testing.Platform, ModelServer]]:
    """A platform with one agent, `chat`, whose every query is one model call. In capitals: variables."""
    variables = {name: str(limits.pop(name)) for name in list(limits) if name.isupper()}
    with ModelServer(script) as server:
        variables |= {"FIXIE_LLM_BASE_URL": server.base_url, "FIXIE_DEFAULT_MODEL": "custom/scripted"}
        models = ModelSettings.from_environment({"FIXIE_LLM_RETRIES": "0", **variables})
        with testing.platform(models, daily_limits=DailyLimits(**limits)) as platform:  # type: ignore[arg-type]
            platform.serve(fixieai.CodeShotAgent("I chat.", []), "chat")
            yield platform, server


def used(platform: testing.Platform) -> dict[str, int | float]:
    usage = platform.call("GET", "/api/usage")
    return {name: usage[name]["used"] for name in ("queries", "storageCalls", "tokens", "dollars")}


async def test_of_5000_queries_at_once_exactly_1000_pass() -> None:
    async def ask(session: aiohttp.ClientSession, platform: testing.Platform, number: int) -> int:
        body = {"message": {"text": f"number {number}"}, "stream": number % 2 == 0}
        url = f"{platform.url}/api/agents/local/echo"
        async with session.post(url, json=body) as response:
            await response.read()
            return response.status

    with limited(queries=1_000) as platform:
        headers = {"Authorization": f"Bearer {platform.api_key}"}
        async with aiohttp.ClientSession(
            headers=headers, connector=aiohttp.TCPConnector(limit=250)
        ) as session:
            statuses = await asyncio.gather(*(ask(session, platform, number) for number in range(5_000)))
        assert collections.Counter(statuses) == {200: 1_000, 429: 4_000}
        assert used(platform)["queries"] == 1_000
        first = platform.call("GET", "/api/sessions?limit=1000")
        assert len(first["sessions"]) == 1_000
        last = (
            platform.call("GET", f"/api/sessions?limit=1000&after={first['next']}") if first["next"] else None
        )
        assert not last or not last["sessions"]


def test_a_query_too_many_is_429_says_when_to_come_back_and_leaves_nothing() -> None:
    with limited(queries=1) as platform:
        first = post(platform, "echo")
        sessions = platform.call("GET", "/api/sessions")
        session = sessions["sessions"][0]["handle"]
        refused = [
            post(platform, "echo"),
            post(platform, "echo", stream=True),
            post(platform, "echo", session=session),
        ]

        assert platform.call("GET", "/api/sessions") == sessions
        assert len(platform.call("GET", f"/api/sessions/{session}/messages")["messages"]) == 2

    midnight = (int(time.time()) // 86_400 + 1) * 86_400
    assert (first.status_code, first.headers["X-RateLimit-Remaining"]) == (200, "0")
    for answer in refused:
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "daily_limit_reached"
        assert "1 queries" in answer.json()["error"]["message"]
        assert abs(int(answer.headers["Retry-After"]) - (midnight - time.time())) < 60
        assert answer.headers["X-RateLimit-Limit"] == "1"
        assert answer.headers["X-RateLimit-Remaining"] == "0"
        assert int(answer.headers["X-RateLimit-Reset"]) == midnight


def test_graphql_says_the_limit_and_what_was_used_and_refuses_with_the_reason() -> None:
    with limited(queries=1) as platform:

        def graphql(query: str) -> requests.Response:
            headers = {"Authorization": f"Bearer {platform.api_key}"}
            return requests.post(
                f"{platform.url}/graphql", json={"query": query}, headers=headers, timeout=60
            )

        session = platform.call("POST", "/api/sessions", {"frontendAgentId": "echo"})["handle"]
        message = f'mutation {{ sendSessionMessage(messageData: {{session: "{session}", text: "hello"}}) '
        first, second = [graphql(message + "{ response { text } } }") for _ in range(2)]
        user = graphql("{ user { dailyQueryLimit dailyUsedQueries } }").json()["data"]["user"]
        told = platform.call("GET", f"/api/sessions/{session}/messages")["messages"]

    assert first.json()["data"]["sendSessionMessage"]["response"]["text"] == "hello"
    assert "1 queries a day" in second.json()["errors"][0]["message"]
    assert second.json()["errors"][0]["extensions"]["code"] == "daily_limit_reached"
    assert user == {"dailyQueryLimit": 1, "dailyUsedQueries": 1}
    assert len(told) == 2


def test_answers_say_how_many_queries_are_left() -> None:
    with limited(queries=10) as platform:
        left = [
            post(platform, "echo", stream=stream).headers["X-RateLimit-Remaining"] for stream in (True, False)
        ]
        usage = platform.call("GET", "/api/usage")

        user = platform.call("GET", "/api/user")

    assert left == ["9", "8"]
    assert (user["dailyQueryLimit"], user["dailyUsedQueries"]) == (10, 2)
    assert usage["queries"] == {"used": 2, "limit": 10}
    assert usage["resets"].endswith("T00:00:00+00:00")


def test_without_a_limit_there_are_no_such_headers_and_queries_are_counted_all_the_same() -> None:
    with limited(queries=None) as platform:
        assert not [name for name in post(platform, "echo").headers if name.lower().startswith("x-ratelimit")]
        assert platform.call("GET", "/api/usage")["queries"] == {"used": 1, "limit": None}


def test_counts_outlive_the_platform(tmp_path: pathlib.Path) -> None:
    settings = Settings(
        home=tmp_path,
        port=0,
        models=ModelSettings(default_model="few-shot"),
        daily_limits=DailyLimits(queries=2, storage_calls=3),
    )
    statuses = []
    tokens: list[str] = []

    def note(query: fixieai.AgentQuery) -> str:
        tokens.append(query.access_token or "")
        return "noted"

    for _ in range(2):
        with serving.background(settings) as running, contextlib.ExitStack() as stack:
            platform = testing.platforms.Platform(running.url, serving.local_key(tmp_path), stack)
            platform.serve(fixieai.StandaloneAgent(note), "note")
            statuses += [post(platform, "note").status_code]
            headers = {"Authorization": f"Bearer {tokens[0]}"}
            url = f"{platform.url}/api/userstorage/local/note"
            statuses += [requests.get(url, headers=headers, timeout=60).status_code for _ in range(2)]
            if len(statuses) == 6:
                statuses.append(post(platform, "note").status_code)

    assert statuses == [200, 200, 200, 200, 200, 429, 429]


def test_of_many_storage_calls_at_once_exactly_as_many_as_the_limit_pass() -> None:
    tokens: list[str] = []

    def note(query: fixieai.AgentQuery) -> str:
        tokens.append(query.access_token or "")
        return "noted"

    with limited(storage_calls=50) as platform, concurrent.futures.ThreadPoolExecutor(20) as pool:
        platform.serve(fixieai.StandaloneAgent(note), "note")
        post(platform, "note")
        url = f"{platform.url}/api/userstorage/local/note/key"
        headers = {"Authorization": f"Bearer {tokens[0]}"}

        def put(number: int) -> requests.Response:
            return requests.post(url, json={"data": str(number)}, headers=headers, timeout=60)

        answers = list(pool.map(put, range(120)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) == 70
        assert refused[0].json()["error"]["code"] == "daily_limit_reached"
        assert int(refused[0].headers["Retry-After"]) > 0
        assert used(platform)["storageCalls"] == 50


def test_tokens_are_counted_as_the_model_says_and_by_agent() -> None:
    with scripted([Says("Hello.", usage=(100, 20))]) as (platform, _):
        platform.serve(fixieai.CodeShotAgent("I chat, too.", []), "other")
        platform.ask("chat", "Hello")
        platform.ask("chat", "Hello")
        platform.ask("other", "Hello")
        usage = platform.call("GET", "/api/usage")

    assert usage["tokens"] == {"used": 360, "limit": None, "limitPerAgent": None}
    assert usage["agents"] == [
        {"agentId": "local/chat", "promptTokens": 200, "completionTokens": 40, "dollars": 0},
        {"agentId": "local/other", "promptTokens": 100, "completionTokens": 20, "dollars": 0},
    ]


def test_the_few_shot_model_costs_nothing() -> None:
    with testing.platform() as platform:
        platform.serve(fixieai.CodeShotAgent("I chat.", "Q: Hello\nA: Hi"), "chat")
        platform.ask("chat", "Hello")
        assert used(platform) == {"queries": 1, "storageCalls": 0, "tokens": 0, "dollars": 0}


def test_at_the_limit_of_tokens_no_model_is_called() -> None:
    with scripted([Says("Hello.", usage=(90, 10))], tokens=200) as (platform, server):
        statuses = [post(platform, "chat").status_code for _ in range(2)]
        refused = post(platform, "chat")
        streamed = post(platform, "chat", stream=True)
        assert len(server.requests) == 2

    assert statuses == [200, 200]
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "daily_limit_reached"
    assert "200 tokens" in refused.json()["message"]["text"]
    assert int(refused.headers["Retry-After"]) > 0
    assert '"daily_limit_reached"' in streamed.text.splitlines()[-1]


def test_a_limit_on_the_tokens_of_an_agent_is_of_that_agent_alone() -> None:
    with scripted([Says("Hello.", usage=(90, 10))], agent_tokens=100) as (platform, _):
        platform.serve(fixieai.CodeShotAgent("I chat, too.", []), "other")
        statuses = [post(platform, handle).status_code for handle in ("chat", "chat", "other", "other")]

    assert statuses == [200, 429, 200, 429]


def test_calls_at_once_close_to_the_limit_wait_for_one_another_and_one_goes_beyond_it_at_most() -> None:
    slow = Says("Hello there.", seconds_per_word=0.02, usage=(90, 10))
    with (
        scripted([slow], tokens=450) as (platform, server),
        concurrent.futures.ThreadPoolExecutor(20) as pool,
    ):
        statuses = list(pool.map(lambda _: post(platform, "chat").status_code, range(20)))
        assert collections.Counter(statuses) == {200: 5, 429: 15}
        assert len(server.requests) == 5
        assert used(platform)["tokens"] == 500


def test_money_is_counted_by_the_table_of_prices_and_limited(tmp_path: pathlib.Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models]\n"custom/scripted" = { input = 1000, output = 5000 }\n', "utf-8")
    with scripted([Says("Hello.", usage=(100, 20))], dollars=0.3, prices=prices) as (platform, _):
        statuses = [post(platform, "chat").status_code for _ in range(3)]
        usage = platform.call("GET", "/api/usage")

    assert statuses == [200, 200, 429]
    assert usage["dollars"] == {"used": 0.4, "limit": 0.3}


def test_an_answer_that_is_not_heard_to_its_end_is_estimated() -> None:
    writes_on = Says(
        "A: Hello.\nQ: And now" + " something else" * 500, ignores_stop=True, usage=(9_000, 9_000)
    )
    with scripted([writes_on], FIXIE_LLM_RENDERING="text") as (platform, _):
        assert platform.ask("chat", "Hello").text == "Hello."
        assert 5 < used(platform)["tokens"] < 1_000


@pytest.mark.parametrize(("reply", "is_paid"), [(Fails(500), False), (Hangs("Hello"), True)])
def test_a_model_that_fails_is_paid_for_what_it_said(reply: Fails | Hangs, is_paid: bool) -> None:
    with ModelServer([reply]) as server:
        variables = {
            "FIXIE_LLM_BASE_URL": server.base_url,
            "FIXIE_DEFAULT_MODEL": "custom/scripted",
            "FIXIE_LLM_RETRIES": "0",
            "FIXIE_LLM_BETWEEN_TOKENS_SECONDS": "2",
        }
        with testing.platform(ModelSettings.from_environment(variables)) as platform:
            platform.serve(fixieai.CodeShotAgent("I chat.", []), "chat")
            assert platform.ask("chat", "Hello").error == "model_unavailable"
            assert (used(platform)["tokens"] > 0) is is_paid


def test_deleting_a_session_under_its_query_saves_no_tokens() -> None:
    slow = Says("Hello there, person.", seconds_per_word=0.3, usage=(90, 10))
    with scripted([slow]) as (platform, server), concurrent.futures.ThreadPoolExecutor(1) as pool:
        session = platform.call("POST", "/api/sessions", {"frontendAgentId": "chat"})["handle"]
        asking = pool.submit(post, platform, "chat", session=session)
        while not server.requests:
            time.sleep(0.01)
        platform.call("DELETE", f"/api/sessions/{session}")
        asking.result()
        deadline = time.monotonic() + 60
        while not used(platform)["tokens"] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert used(platform)["tokens"] == 100


def test_a_query_ends_at_the_tokens_of_all_its_model_calls() -> None:
    asks = Says("Ask Func[roll]: 20", usage=(300, 50))
    with ModelServer([asks]) as server:
        variables = {"FIXIE_LLM_BASE_URL": server.base_url, "FIXIE_DEFAULT_MODEL": "custom/scripted"}
        models = ModelSettings.from_environment({**variables, "FIXIE_LLM_RENDERING": "text"})
        with testing.platform(models, QueryLimits(tokens=1_000)) as platform:
            dice = fixieai.CodeShotAgent("I roll.", "Q: Roll\nAsk Func[roll]: 20\nFunc[roll] says: 3\nA: 3")
            dice.register_func(lambda query: query, func_name="roll")
            platform.serve(dice, "dice")
            first, second = platform.ask("dice", "Roll"), platform.ask("dice", "Roll")

    assert (first.error, second.error) == ("limit_reached", "limit_reached")
    assert "1,050 tokens; 1,000 is the limit for one query" in first.text
    assert len(server.requests) == 6
