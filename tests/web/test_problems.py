from typing import Any

import pydantic
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from fixieai import errors
from fixieai.web import problems


class _Shape(pydantic.BaseModel):
    text: str
    sizes: list[int] = []


RAISED: list[Exception] = []


async def _raise(request: Request) -> Response:
    raise RAISED.pop()


def _answer(error: Exception, method: str = "GET") -> Any:
    RAISED.append(error)
    app = Starlette(routes=[Route("/raise", _raise)], exception_handlers=problems.EXCEPTION_HANDLERS)
    return TestClient(app, raise_server_exceptions=False).request(method, "/raise")


@pytest.mark.parametrize(
    "kind",
    [
        errors.BadRequest,
        errors.NotFound,
        errors.Conflict,
        errors.UpstreamError,
        errors.StorageFull,
        errors.FixieError,
    ],
)
def test_an_error_is_answered_with_its_status_code_and_message(kind: type[errors.FixieError]) -> None:
    response = _answer(kind("what to do"))
    assert response.status_code == kind.status
    assert response.json() == {"error": {"code": kind.code, "message": "what to do", "reference": "-"}}


def test_a_missing_credential_names_the_scheme() -> None:
    assert _answer(errors.Unauthenticated()).headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("seconds", "header"), [(None, "1"), (0.2, "1"), (2.3, "3")])
def test_retry_after_is_in_whole_seconds(seconds: float | None, header: str) -> None:
    assert _answer(errors.TooManyRequests(retry_after=seconds)).headers["retry-after"] == header


def test_any_text_can_be_answered() -> None:
    assert _answer(errors.NotFound("half \ud83d \0")).json()["error"]["message"] == "half \ud83d \0"


def test_no_such_route_reads_like_what_is_not_yours() -> None:
    client = TestClient(Starlette(exception_handlers=problems.EXCEPTION_HANDLERS))
    assert client.get("/nowhere").json() == _answer(errors.NotFound()).json()


def test_no_such_method_says_which_there_are() -> None:
    response = _answer(errors.NotFound(), "DELETE")
    RAISED.clear()
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_other_http_exceptions_keep_their_status_and_detail() -> None:
    assert _answer(HTTPException(418, "short and stout")).json()["error"] == {
        "code": "im_a_teapot",
        "message": "short and stout",
        "reference": "-",
    }
    assert _answer(HTTPException(499, "odd")).json()["error"]["code"] == "refused"
    assert _answer(HTTPException(400, "too many parts")).json()["error"]["message"] == "too many parts"


def test_a_wrong_shape_says_where_and_what_but_not_the_value() -> None:
    with pytest.raises(pydantic.ValidationError) as raised:
        _Shape.model_validate({"text": 5, "sizes": [1, "the secret"]})
    response = _answer(raised.value)
    assert response.status_code == 422
    message = response.json()["error"]["message"]
    assert "text: Input should be a valid string" in message
    assert "sizes[1]: Input should be a valid integer" in message
    assert "secret" not in message


def test_a_flood_of_problems_is_cut_short() -> None:
    with pytest.raises(pydantic.ValidationError) as raised:
        pydantic.TypeAdapter(dict[str, int]).validate_python(
            {"a" * 10_000 + str(n): "x" for n in range(1000)}
        )
    assert len(problems.from_validation(raised.value).message) < 1000


def test_an_unhandled_exception_says_nothing() -> None:
    response = _answer(RuntimeError("the secret"))
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in response.text
