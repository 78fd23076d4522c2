"""The JSON bodies of the agent protocol, as authors make them."""

from typing import Any

import pydantic
import pytest

from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import AgentError, AgentQuery, AgentResponse, Message


def test_fields_are_positional_and_optional_where_the_protocol_says_so() -> None:
    embed = Embed("text/plain", "data:,x")
    assert AgentQuery(Message("see #1", {"1": embed})).access_token is None
    assert AgentResponse(Message("a")).error is None
    assert AgentError("ERR_X", "why", None).details is None


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: Message(5), Message("5")),  # type: ignore[arg-type]
        (lambda: Message(2.5), Message("2.5")),  # type: ignore[arg-type]
        (
            lambda: Message("#1", {1: {"content_type": "t/p", "uri": "data:,", "size": 3}}),  # type: ignore[dict-item]
            Message("#1", {"1": Embed("t/p", "data:,")}),
        ),
        (lambda: AgentQuery({"text": "a", "from": "b"}), AgentQuery(Message("a"))),  # type: ignore[arg-type]
    ],
)
def test_values_are_converted_and_further_keys_ignored(made: Any, expected: object) -> None:
    assert made() == expected


@pytest.mark.parametrize("text", [None, [], {}, object()])
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(pydantic.ValidationError):
        Message(text)


def test_the_details_of_an_error_have_no_default() -> None:
    with pytest.raises(pydantic.ValidationError, match="details"):
        AgentError("ERR_X", "why")  # type: ignore[call-arg]


def test_an_untyped_query_reads_as_a_message_and_as_a_query() -> None:
    message = Message("a")
    assert message.message.text == message.text
