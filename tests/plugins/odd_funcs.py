"""An agent with a func for each thing an author can do, the wrong ones too."""

import asyncio
import sys
import time
from collections.abc import Callable

import requests

from fixieai.agents.code_shot import CodeShotAgent
from fixieai.agents.exceptions import AgentException
from fixieai.agents.user_storage import UserStorage
from fixieai.protocol.corpora import CorpusDocument, CorpusPage, CorpusRequest, CorpusResponse
from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import AgentQuery, AgentResponse, Message

QUERY = {"message": {"text": "hello"}}
Post = Callable[..., requests.Response]


class NotAnException(BaseException):
    pass


class Resource:
    """Something that is no JSON."""

    def __repr__(self) -> str:
        return "<resource>"


def new_agent() -> CodeShotAgent:
    agent = CodeShotAgent("I echo.", ["Q: Hi\nAsk Func[echo]: Hi\nFunc[echo] says: Hi\nA: Hi"])
    for func in (
        echo, echo_async, shout, with_embed, in_pieces, nothing_at_all, wrong_type, refuse, refuse_oddly,
        fail, time_out, leave, leave_async, stop_iteration, unusual, cancel_myself, sleep_long,
        sleep_long_async, surrogate, mistyped, keep, whole_query,
    ):  # fmt: skip
        agent.register_func(func)
    agent.register_func(echo, func_name="corpus")
    agent.register_func(echo, func_name="_hidden")
    agent.register_corpus_func(documents)
    agent.register_corpus_func(no_documents)
    return agent


def echo(query: Message) -> str:
    return query.text


async def echo_async(query: Message) -> str:
    await asyncio.sleep(0)
    return query.text


def shout(query: str) -> Message:
    return Message(query.upper())


def whole_query(query: AgentQuery) -> str:
    return repr(query.access_token)


def with_embed(query: Message) -> AgentResponse:
    embed = Embed("text/plain")
    embed.text = query.embeds["given"].text + "!"
    return AgentResponse(Message("see #made", {"made": embed}))


def in_pieces(query: Message):  # type: ignore[no-untyped-def]
    yield "first"
    yield "second"


def nothing_at_all(query: Message):  # type: ignore[no-untyped-def]
    yield from ()


def wrong_type(query: Message):  # type: ignore[no-untyped-def]
    return 5


def refuse(query: Message) -> str:
    raise AgentException("I will not.", "ERR_WILL_NOT", "because", 409, reason="mood", resource=Resource())


def refuse_oddly(query: Message) -> str:
    raise AgentException("odd", "ERR_ODD", "odd", 204, text="\ud800")


def fail(query: Message) -> str:
    secret = "swordfish"
    raise ValueError(f"the secret is {secret}")


def time_out(query: Message) -> str:
    raise TimeoutError("the author's own")


def leave(query: Message) -> str:
    sys.exit(3)


async def leave_async(query: Message) -> str:
    sys.exit(3)


def stop_iteration(query: Message) -> str:
    raise StopIteration


def unusual(query: Message) -> str:
    raise NotAnException


async def cancel_myself(query: Message) -> str:
    raise asyncio.CancelledError


def sleep_long(query: Message) -> str:
    time.sleep(20)
    return "late"


async def sleep_long_async(query: Message) -> str:
    await asyncio.sleep(30)
    return "late"


def surrogate(query: Message) -> str:
    return "half \ud800"


def mistyped(query: Message) -> AgentResponse:
    response = AgentResponse(Message("x"))
    response.message.text = 5  # type: ignore[assignment]
    return response


def keep(query: Message, user_storage: UserStorage) -> str:
    return "kept"


def documents(request: CorpusRequest) -> CorpusResponse:
    content = (request.page_token or "none").encode()
    return CorpusResponse(page=CorpusPage([CorpusDocument("source", content)], "next"))


def no_documents() -> CorpusResponse:
    raise ValueError("the library is closed")
