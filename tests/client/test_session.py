import pytest

from fixieai import errors
from fixieai.client.session import Session

STORED = {"handle": "calm-blue-fox", "name": None, "frontendAgentId": "ann/dice"}


def _line(text: str, kind: str = "response", **more: object) -> dict[str, object]:
    return {"message": {"text": text, "embeds": {}}, "type": kind, "sentBy": {"handle": "dice"}, **more}


def _ndjson(*lines: dict[str, object]) -> bytes:
    import json

    return b"".join(json.dumps(line).encode() + b"\n\n" for line in lines)


def test_a_new_session_keeps_the_agent_the_platform_names(scripted_platform, client):
    scripted_platform.will(STORED)
    session = client.create_session("dice")
    assert scripted_platform.seen[0].body == {"frontendAgentId": "dice"}
    assert (session.session_id, session.frontend_agent_id) == ("calm-blue-fox", "dice")
    assert session.session_url == f"{client.url}/sessions/calm-blue-fox"


def test_an_opened_session_knows_its_agent_and_may_be_given_another(scripted_platform, client):
    scripted_platform.will(STORED)
    assert client.get_session("calm-blue-fox").frontend_agent_id == "ann/dice"
    scripted_platform.will(STORED)
    assert Session(client, "calm-blue-fox", "ann/other").frontend_agent_id == "ann/other"


def test_a_session_that_does_not_exist_is_an_error(scripted_platform, client):
    scripted_platform.will({}, status=404)
    with pytest.raises(errors.NotFound):
        client.get_session("none")


@pytest.mark.parametrize(
    ("agent", "path"),
    [("ann/dice", "/api/agents/ann/dice"), ("@dice", "/api/agents/dice"), (None, "/api/agents/None")],
)
def test_queries_go_to_the_frontend_agent(scripted_platform, client, agent, path):
    scripted_platform.will({**STORED, "frontendAgentId": None})
    scripted_platform.will(_ndjson(_line("Ask Func[roll]: 20 1", "ask_func"), _line("You"), _line("You win")))
    session = client.create_session(agent)
    assert session.query("Roll") == "You win"
    assert scripted_platform.seen[1].path == path
    assert scripted_platform.seen[1].body == {
        "session": "calm-blue-fox",
        "message": {"text": "Roll"},
        "stream": True,
        "steps": True,
    }


def test_streaming_gives_steps_and_the_growing_answer(scripted_platform, client):
    scripted_platform.will(STORED)
    failure = {"code": "agent_unavailable", "message": "down"}
    scripted_platform.will(
        _ndjson(_line("hm", "thought"), _line("Sorry", error=failure, final=True, model="few-shot"))
    )
    first, last = client.create_session().streaming_query("Roll")
    assert (first["type"], first["text"], first["sentBy"], first["final"]) == (
        "thought",
        "hm",
        {"handle": "dice"},
        False,
    )
    assert (last["text"], last["error"], last["final"], last["model"]) == ("Sorry", failure, True, "few-shot")


def test_an_empty_stream_is_an_empty_answer(scripted_platform, client):
    scripted_platform.will(STORED)
    scripted_platform.will(b"")
    assert client.create_session().query("Roll") == ""


def test_a_line_without_a_message_is_an_error_with_what_it_says(scripted_platform, client):
    scripted_platform.will(STORED)
    scripted_platform.will(_ndjson({"error": {"code": "limit_reached", "message": "20 steps"}}))
    with pytest.raises(errors.UpstreamError, match="20 steps"):
        client.create_session().query("Roll")


def test_messages_and_embeds_are_listed(scripted_platform, client):
    scripted_platform.will(STORED)
    scripted_platform.will({"messages": [{"text": "a"}], "next": 7})
    scripted_platform.will({"messages": [{"text": "b"}], "next": None})
    scripted_platform.will({"embeds": [{"key": "img", "embed": {"url": "http://x"}}]})
    session = client.get_session("calm-blue-fox")
    assert [message["text"] for message in session.get_messages()] == ["a", "b"]
    assert session.get_embeds() == [{"key": "img", "embed": {"url": "http://x"}}]
    assert scripted_platform.seen[2].path.endswith("/messages?limit=100&after=7")
