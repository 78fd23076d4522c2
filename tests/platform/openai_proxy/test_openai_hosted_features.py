"""What OpenAI would keep in the platform's account, or do for money of its own, is not for agents."""

from typing import Any

import openai
import pytest
from openai_agents import Agent, ask, proxied

from fixieai.testing.model_server import ModelServer, Says

MODEL = "gpt-4o-mini"
PICTURE: Any = {"type": "input_image", "detail": "auto", "file_id": "file-of-another"}
DOCUMENT: Any = {"type": "file", "file": {"file_id": "file-of-another"}}


def said(*parts: Any) -> list[Any]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"previous_response_id": "resp_of_another"}, "previous_response_id"),
        ({"conversation": "conv_of_another"}, "conversation"),
        ({"conversation": {"id": "conv_of_another"}}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_of_the_account"}}, "prompt"),
        ({"prompt_cache_options": {"comparison_response_id": "resp_of_another"}}, "prompt_cache_options"),
        ({"input": [{"type": "item_reference", "id": "msg_of_another"}]}, "input"),
        ({"input": [{"id": "msg_of_another"}]}, "input"),
        ({"input": said(PICTURE)}, "input"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": [PICTURE]}]}, "input"),
        ({"input": [{"type": "shell_call", "environment": {"type": "container_reference"}}]}, "input"),
        ({"input": [{"type": "additional_tools", "tools": [{"type": "web_search"}]}]}, "input.tools"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": [{"type": "web_search_preview_2025_03_11"}]}, "tools"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_of_another"]}]}, "tools"),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, "tools"),
        ({"tools": [{"type": "image_generation"}]}, "tools"),
        ({"tools": [{"type": "mcp", "server_url": "https://example.com", "server_label": "x"}]}, "tools"),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, "tools"),
        ({"tools": [{"type": "shell"}]}, "tools"),
        ({"tools": [{"type": "tool_search"}]}, "tools"),
        ({"tools": [{"type": "namespace", "tools": [{"type": "web_search"}]}]}, "tools"),
        ({"tools": [{"type": ["function"]}]}, "tools"),
        ({"tools": ["function"]}, "tools"),
        ({"tools": {"type": "web_search"}}, "tools"),
    ],
    ids=str,
)
def test_a_response_that_takes_more_than_a_model_is_refused(
    nobody: tuple[Agent, ModelServer], asked: dict[str, Any], parameter: str
) -> None:
    agent, server = nobody
    with pytest.raises(openai.BadRequestError) as refusal:
        agent.client().responses.create(model=MODEL, **{"input": "Hello", **asked})

    assert (refusal.value.code, refusal.value.param) == ("not_served", parameter)
    assert refusal.value.type == "invalid_request_error"
    assert refusal.value.body["message"].startswith(f"{parameter}: ")  # type: ignore[index]
    assert server.requests == []


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"web_search_options": {}}, "web_search_options"),
        ({"model": "gpt-4o-search-preview"}, "model"),
        ({"messages": said(DOCUMENT)}, "messages"),
    ],
    ids=str,
)
def test_a_chat_that_takes_more_than_a_model_is_refused(
    nobody: tuple[Agent, ModelServer], asked: dict[str, Any], parameter: str
) -> None:
    agent, server = nobody
    with pytest.raises(openai.BadRequestError) as refusal:
        agent.client().chat.completions.create(**{"model": MODEL, "messages": said(), **asked})

    assert (refusal.value.code, refusal.value.param) == ("not_served", parameter)
    assert server.requests == []


def test_what_the_agent_does_by_itself_is_served() -> None:
    tools = [
        {"type": "function", "name": "roll", "parameters": {}, "strict": False},
        {"type": "custom", "name": "note"},
        {"type": "namespace", "name": "dice", "description": "", "tools": [{"type": "custom", "name": "r"}]},
        {"type": "shell", "environment": {"type": "local"}},
        {"type": "tool_search", "execution": "client"},
        {"type": "apply_patch"},
        {"type": "local_shell"},
        {"type": "computer"},
    ]
    citation = {"type": "file_citation", "file_id": "file-of-mine", "filename": "a.txt", "index": 0}
    conversation = [
        *said(
            {"type": "input_image", "detail": "auto", "file_id": None, "image_url": "data:image/png;base64,"}
        ),
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "annotations": [citation]}],
        },
        {"type": "function_call", "call_id": "c", "name": "roll", "arguments": '{"file_id": "mine"}'},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "..."},
    ]
    options: Any = {"background": False, "previous_response_id": None, "tools": tools, "input": conversation}
    with proxied([Says("Hello")]) as (agent, server):
        agent.client().responses.create(model=MODEL, **options)

    assert server.requests[0].body == {"model": MODEL, "store": False, **options}


def test_nothing_is_stored_even_when_it_is_asked_for() -> None:
    with proxied([Says("Hello")]) as (agent, server):
        answer = agent.client().responses.create(model=MODEL, input="Hello", store=True)
        ask(agent.client(), store=True)

    assert [request.body["store"] for request in server.requests] == [False, False]
    assert answer.to_dict()["store"] is False
