"""Asking agents over HTTP: the original's route, its shapes, and what is in the session afterwards."""

import itertools
import threading
import time
from collections.abc import Iterator

import requests

import fixieai
from fixieai import testing


def texts(lines: list[dict]) -> list[str]:
    return [line["message"]["text"] for line in lines]


def test_a_plain_query_is_answered_in_one_piece(http) -> None:
    response = http("POST", "/api/agents/local/dice", json={"message": {"text": "Roll 2d20"}})

    answer = response.json()
    assert response.status_code == 200
    assert answer["message"]["text"] == "You rolled 20 and 20, for a total of 40."
    assert answer["error"] is None
    assert answer["model"] == "few-shot"


def test_each_line_of_a_stream_is_the_answer_so_far(platform: testing.Platform, http) -> None:
    def tell(query: fixieai.Message) -> Iterator[str]:
        yield from ("Once", "Once upon", "Once upon a time")

    platform.serve(fixieai.StandaloneAgent(tell), "storyteller")

    for agent in ("dice", "storyteller", "None"):
        lines = http.lines(f"/api/agents/{agent}", {"message": {"text": "Roll 2d6"}, "stream": True})
        assert {line["type"] for line in lines} == {"response"}
        for earlier, later in itertools.pairwise(texts(lines)):
            assert later.startswith(earlier)


def test_a_stream_with_steps_shows_each_and_ends_with_the_answer(http) -> None:
    lines = http.lines(
        "/api/agents/local/dice", {"message": {"text": "Roll 2d6"}, "stream": True, "steps": True}
    )

    assert texts(lines)[:2] == ["Ask Func[roll]: 6 2", "Func[roll] says: 6 6"]
    assert [line["type"] for line in lines[:2]] == ["ask_func", "func_says"]
    assert lines[-1]["type"] == "response"
    assert lines[-1]["message"]["text"] == "You rolled 6 and 6, for a total of 12."
    assert all(lines[-1]["message"]["text"].startswith(text) for text in texts(lines[2:]))


def test_a_bare_handle_is_the_persons_own_agent(http) -> None:
    response = http("POST", "/api/agents/dice", json={"message": {"text": "Roll a d6"}})

    assert response.json()["message"]["text"] == "You rolled a 6!"


def test_with_none_as_agent_the_session_says_who_answers(http) -> None:
    session = http("POST", "/api/sessions", json={"frontendAgentId": "local/dice"}).json()["handle"]

    lines = http.lines(
        "/api/agents/None", {"session": session, "message": {"text": "Roll a d4"}, "stream": True}
    )

    assert lines[-1]["message"]["text"] == "You rolled a 4!"


def test_with_no_agent_at_all_the_router_chooses_by_sample_queries(http) -> None:
    lines = http.lines("/api/agents/None", {"message": {"text": "Roll 4d8"}, "stream": True, "steps": True})

    assert lines[0]["type"] == "routing"
    assert lines[0]["message"]["text"] == "local/dice"
    assert "total of 32" in lines[-1]["message"]["text"]


def test_a_question_like_no_sample_query_is_not_given_to_any_agent(http) -> None:
    response = http("POST", "/api/agents/None", json={"message": {"text": "Wie spät ist es in Lissabon?"}})

    assert response.status_code == 404
    assert "local/dice" in response.json()["message"]["text"]


def test_text_can_be_addressed_to_an_agent(http) -> None:
    session = http("POST", "/api/sessions", json={}).json()["handle"]
    body = {"session": session, "message": {"text": "@local/dice Roll a d12"}}

    assert http("POST", "/api/agents/None", json=body).json()["message"]["text"] == "You rolled a 12!"


def test_the_session_holds_every_step_in_order_with_senders_and_offsets(http) -> None:
    session = http("POST", "/api/agents/dice", json={"message": {"text": "Roll 2d8"}}).json()["session"]

    messages = http("GET", f"/api/sessions/{session}/messages").json()["messages"]

    assert [message["text"] for message in messages] == [
        "Roll 2d8",
        "Ask Func[roll]: 8 2",
        "Func[roll] says: 8 8",
        "You rolled 8 and 8, for a total of 16.",
    ]
    assert [message["position"] for message in messages] == [1, 2, 3, 4]
    assert messages[0]["type"] == "query"
    assert messages[0]["sentBy"] == {"handle": "user"}
    assert messages[-1]["type"] == "response"
    assert messages[-1]["inReplyTo"] == {"id": messages[0]["id"]}
    assert all(message["timestamp"].endswith("+00:00") for message in messages)


def test_a_query_goes_on_when_its_client_hangs_up(platform: testing.Platform, http) -> None:
    started, release = threading.Event(), threading.Event()
    agent = fixieai.CodeShotAgent("I wait.", "Q: Wait\nAsk Func[wait]: now\nFunc[wait] says: done\nA: done")

    @agent.register_func
    def wait(query: str) -> str:
        started.set()
        release.wait(60)
        return "it was worth it"

    platform.serve(agent, "waiter")
    session = http("POST", "/api/sessions", json={"frontendAgentId": "waiter"}).json()["handle"]
    with requests.post(
        f"{platform.url}/api/agents/None",
        json={"session": session, "message": {"text": "Wait"}, "stream": True},
        headers={"Authorization": f"Bearer {platform.api_key}"},
        stream=True,
        timeout=60,
    ):
        assert started.wait(60)
    release.set()

    assert _last_message(http, session)["text"] == "it was worth it"


def _last_message(http, session: str) -> dict:
    until = time.monotonic() + 60
    while True:
        messages = http("GET", f"/api/sessions/{session}/messages").json()["messages"]
        if messages and messages[-1]["type"] == "response":
            return messages[-1]
        assert time.monotonic() < until, messages
        time.sleep(0.05)


def test_queries_of_one_session_are_answered_one_at_a_time_in_order(http) -> None:
    session = http("POST", "/api/sessions", json={"frontendAgentId": "dice"}).json()["handle"]
    body = {"session": session, "message": {"text": "Roll a d6"}}
    threads = [
        threading.Thread(target=http, args=("POST", "/api/agents/None"), kwargs={"json": body})
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    messages = http("GET", f"/api/sessions/{session}/messages").json()["messages"]
    assert [message["type"] for message in messages] == ["query", "ask_func", "func_says", "response"] * 8


def test_two_agents_that_only_ask_each_other_end_at_the_hop_limit(platform: testing.Platform) -> None:
    for handle, other in (("ping", "pong"), ("pong", "ping")):
        shots = f"Q: Go on\nAsk Agent[{other}]: Go on\nAgent[{other}] says: gone\nA: gone"
        platform.serve(fixieai.CodeShotAgent("I pass it on.", shots), handle)

    answer = platform.ask("ping", "Go on")

    assert answer.error == "limit_reached"
    assert "8 times" in answer.text
    assert "local/ping → local/pong" in answer.text


def test_an_agent_that_is_not_there_is_named_in_the_answer(platform: testing.Platform, http) -> None:
    agent = fixieai.StandaloneAgent(lambda query: "hello")
    platform.serve(agent, "gone")
    http("PUT", "/api/agents/local/gone", json={"url": None})

    response = http("POST", "/api/agents/gone", json={"message": {"text": "Hello?"}})

    assert response.status_code == 502
    assert response.json()["error"]["code"] == "agent_unavailable"
    assert "local/gone is not running" in response.json()["message"]["text"]


def test_the_time_of_the_platform_is_a_built_in_func(platform: testing.Platform) -> None:
    shots = (
        "Q: What time is it in UTC?\nAsk Func[fixie_utc_datetime]: now\n"
        "Func[fixie_utc_datetime] says: T\nA: T"
    )
    platform.serve(fixieai.CodeShotAgent("I tell the time.", shots), "clock")

    assert platform.ask("clock", "What time is it in UTC?").text.endswith("+00:00")


def test_a_func_that_fails_ends_an_offline_query_with_its_name_and_no_traceback(platform) -> None:
    agent = fixieai.CodeShotAgent("I fail.", "Q: Fail\nAsk Func[fail]: now\nFunc[fail] says: x\nA: x")

    @agent.register_func
    def fail(query: str) -> str:
        raise ValueError("the secret is 42")

    platform.serve(agent, "failing")

    answer = platform.ask("failing", "Fail")

    assert answer.error == "agent_unavailable"
    assert "Func[fail]" in answer.text
    assert "42" not in answer.text
    assert "Traceback" not in answer.text


def test_the_embeds_of_a_session_are_listed_with_where_they_are(platform: testing.Platform, http) -> None:
    def draw(query: fixieai.Message) -> fixieai.Message:
        picture = fixieai.Embed(content_type="text/plain")
        picture.text = "(: "
        return fixieai.Message("Here: #picture", embeds={"picture": picture})

    platform.serve(fixieai.StandaloneAgent(draw), "painter")
    session = platform.ask("painter", "Draw").session

    [found] = http("GET", f"/api/sessions/{session}/embeds").json()["embeds"]

    assert found["key"] == "picture"
    assert found["embed"]["contentType"] == "text/plain"
    assert fixieai.Embed("text/plain", found["embed"]["url"]).text == "(: "
