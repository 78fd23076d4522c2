"""User storage over real HTTP: what arrives, what comes back, and what each failure is called."""

import json
import math
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import requests_mock as requests_mocking
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fixieai.agents import user_storage
from fixieai.agents.exceptions import AgentException
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorage, UserStorageError
from fixieai.web import server as web_server

CLAIMS = VerifiedTokenClaims("owner/agent", False, "the-token")
PROTECTED = "/owner/agent"


class _Anything(Convertor[str]):
    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class Service:
    """The wire protocol of user storage on a dict. `status` answers everything with that status."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.status: int | None = None
        self.absent_status = 404
        self.knows_pages = True
        self.requests: list[tuple[str, str, str | None]] = []
        register_url_convertor("anything", _Anything())  # `path` drops a newline at the end
        methods = ["GET", "HEAD", "POST", "DELETE"]
        self.app = Starlette(
            routes=[
                Route("/storage/owner/agent", self.list, methods=["GET"]),
                Route("/storage/owner/agent/{key:anything}", self.value, methods=methods),
                Route("/{path:anything}", self.foreign, methods=methods),
            ]
        )
        self.app.router.redirect_slashes = False

    def _note(self, request: Request) -> Response | None:
        path = request.scope["raw_path"].decode()
        self.requests.append((request.method, path, request.headers.get("authorization")))
        if self.status is None:
            return None
        return Response(status_code=self.status, headers={"Location": "/elsewhere", "Set-Cookie": "a=b"})

    async def list(self, request: Request) -> Response:
        keys = sorted(self.values)
        if self.knows_pages:
            after, limit = request.query_params.get("after"), int(request.query_params["limit"])
            keys = [key for key in keys if after is None or key > after][:limit]
        return self._note(request) or JSONResponse([{"key": key} for key in keys])

    async def value(self, request: Request) -> Response:
        key = request.path_params["key"]
        if (refusal := self._note(request)) is not None:
            return refusal
        if request.method == "POST":
            self.values[key] = (await request.json())["data"]
        elif key not in self.values:
            return Response(status_code=self.absent_status)
        elif request.method == "DELETE":
            del self.values[key]
            return JSONResponse({})
        return JSONResponse({"data": self.values[key]})

    async def foreign(self, request: Request) -> Response:
        self.requests.append(("ELSEWHERE", request.url.path, None))
        return Response(status_code=418)


class RunningService:
    def __init__(self, service: Service, url: str) -> None:
        self.service = service
        self.storage = UserStorage(CLAIMS, f"{url}/storage")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningService]:
    service = Service()
    with web_server.BackgroundServer(service.app, web_server.bind("127.0.0.1", 0)) as background:
        yield RunningService(service, background.url)


@pytest.fixture
def service(running: RunningService) -> Service:
    pristine = {name: value for name, value in vars(Service()).items() if name != "app"}
    vars(running.service).update(pristine)
    return running.service


@pytest.fixture
def storage(running: RunningService, service: Service) -> UserStorage:
    return running.storage


# Values

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=[]))
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["_bytes_ascii", "_plain_dict"])},
            optional={"data": inner | st.just("aGk="), "more": inner},
        )
    ),
    max_leaves=20,
)


@given(VALUES)
def test_every_value_comes_back_exactly(value: Any) -> None:
    text = user_storage.to_json(value)
    text.encode("ascii")
    assert user_storage.from_json(text) == value


def test_the_wire_format_is_the_originals() -> None:
    value = {"a": [1, 2.5, None, True, "é"], "b": b"hi", "n": {1: "one"}}
    assert json.loads(user_storage.to_json(value)) == {  # type: ignore[arg-type]
        "a": [1, 2.5, None, True, "é"],
        "b": {"type": "_bytes_ascii", "data": "aGk="},
        "n": {"1": "one"},
    }
    assert user_storage.to_json_type(b"hi") == {"type": "_bytes_ascii", "data": "aGk="}
    assert user_storage.from_json_type({"type": "_bytes_ascii", "data": "aGk="}) == b"hi"
    assert user_storage.from_json('{"type": "_bytes_ascii", "data": "not base64"}') == {
        "type": "_bytes_ascii",
        "data": "not base64",
    }
    assert user_storage.from_json(user_storage.to_json((1, (2,)))) == [1, [2]]


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    ("value", "kind", "what"),
    [
        (math.nan, ValueError, "JSON"),
        ([math.inf], ValueError, "JSON"),
        ({"a": -math.inf}, ValueError, "JSON"),
        ({1: "a", "1": "b"}, ValueError, "same text"),
        (_circle(), ValueError, "nested"),
        ({(1, 2): 3}, TypeError, "key of type tuple"),
        (object(), TypeError, "type object"),
        ({1, 2}, TypeError, "type set"),
        (bytearray(b"x"), TypeError, "type bytearray"),
    ],
)
def test_what_cannot_come_back_is_refused(
    storage: UserStorage, service: Service, value: Any, kind: type[Exception], what: str
) -> None:
    with pytest.raises(kind, match=what):
        storage["key"] = value
    assert service.requests == []


# A mapping


def test_it_is_a_mapping(storage: UserStorage) -> None:
    storage["a"] = {"b": b"bytes"}
    storage["c"] = None
    assert storage["a"] == {"b": b"bytes"}
    assert "a" in storage
    assert "x" not in storage
    assert not storage.__contains__(5)
    assert (list(storage), len(storage)) == (["a", "c"], 2)
    assert dict(storage) == {"a": {"b": b"bytes"}, "c": None}
    assert storage.get("x", "default") == "default"
    assert storage.pop("c") is None
    del storage["a"]
    assert len(storage) == 0
    with pytest.raises(KeyError, match="a"):
        _ = storage["a"]
    with pytest.raises(KeyError, match="a"):
        del storage["a"]


def test_every_request_carries_the_token_and_no_cookies(storage: UserStorage, service: Service) -> None:
    storage["a"] = 1
    _ = storage["a"], "a" in storage, set(storage)
    del storage["a"]
    assert [method for method, _, _ in service.requests] == ["POST", "GET", "HEAD", "GET", "DELETE"]
    assert {token for _, _, token in service.requests} == {"Bearer the-token"}


@pytest.mark.parametrize("knows_pages", [True, False])
@pytest.mark.parametrize("count", [99, 100, 101, 200, 250])
def test_all_keys_are_listed(storage: UserStorage, service: Service, count: int, knows_pages: bool) -> None:
    service.knows_pages = knows_pages
    service.values = {f"{number:04}": "1" for number in range(count)}
    assert list(storage) == sorted(service.values)


# Keys

ODD_KEYS = [
    ".", "..", "...", "a/..", "../a", "a/../b", "./a", "a/.", "../../../etc/passwd", "/", "//", "/a", "a/",
    "a//b", "a/b/c", "a?b=c", "#", "a#b", "%", "%2e%2e", "%2F", "100%25", "%252e", "%zz", " ", "a b",
    "&;=,:@!$'()*~", "?", "a+b", "\\", "..\\a", "\n", "a\n", "\r\nX: y", "\t", "\x7f",
    "é", "e\u0301", "日本", "😀", "\u202e", "\ufeff", "ﬁ", "{0}",
    "%s", "' OR 1=1 --", "<script>", "_oauth_token", "a" * 1000,
]  # fmt: skip


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_a_key_arrives_as_it_is(storage: UserStorage, service: Service, key: str) -> None:
    storage[key] = "value"
    assert service.values == {key: '"value"'}
    assert storage[key] == "value"
    assert key in storage
    assert list(storage) == [key]
    del storage[key]
    assert service.values == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.text("./%2eE\\é", min_size=1, max_size=6), min_size=1, max_size=4, unique=True))
def test_different_keys_never_collide(running: RunningService, keys: list[str]) -> None:
    running.service.values.clear()
    for key in keys:
        running.storage[key] = key
    assert running.service.values == {key: json.dumps(key) for key in keys}
    running.service.values.clear()


def test_readable_keys_have_the_originals_urls(storage: UserStorage, service: Service) -> None:
    for key in ("a", "a/b", "a.b", "a-b_c~"):
        storage[key] = 1
    prefix = "/storage/owner/agent/"
    assert [path.removeprefix(prefix) for _, path, _ in service.requests] == ["a", "a/b", "a.b", "a-b_c~"]


def test_the_empty_key_is_never_there(storage: UserStorage, service: Service) -> None:
    with pytest.raises(ValueError, match="empty"):
        storage[""] = 1
    with pytest.raises(KeyError):
        _ = storage[""]
    assert "" not in storage
    assert service.requests == []


@pytest.mark.parametrize(("key", "kind"), [(5, TypeError), (b"a", TypeError), ("\ud800", ValueError)])
def test_a_key_that_is_no_text_is_refused(storage: UserStorage, key: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        storage[key] = 1


def test_the_agent_id_cannot_lead_elsewhere(running: RunningService, service: Service) -> None:
    url = running.storage._url.removesuffix(PROTECTED)
    for agent_id in ("owner/agent?x=", "owner/agent#", "owner/agent/../other"):
        claims = VerifiedTokenClaims(agent_id, False, "t")
        with pytest.raises((UserStorageError, KeyError)):
            _ = UserStorage(claims, url)["key"]
    assert not any(path.endswith("/agent/key") for _, path, _ in service.requests)


# Failures


@pytest.mark.parametrize("status", [302, 400, 401, 403, 409, 413, 422, 429, 500, 503])
def test_a_failure_is_not_absence(storage: UserStorage, service: Service, status: int) -> None:
    service.status = status
    with pytest.raises(UserStorageError, match=str(status)):
        _ = storage["key"]
    with pytest.raises(UserStorageError, match=str(status)):
        storage["key"] = 1
    with pytest.raises(UserStorageError, match=str(status)):
        del storage["key"]
    with pytest.raises(UserStorageError, match=str(status)):
        list(storage)
    if status != 400:
        with pytest.raises(UserStorageError, match=str(status)):
            _ = "key" in storage
    assert not any(method == "ELSEWHERE" for method, _, _ in service.requests)


@pytest.mark.parametrize("status", [404, 400])
def test_some_services_answer_head_400_for_what_is_not_there(
    storage: UserStorage, service: Service, status: int
) -> None:
    service.absent_status = status
    assert "key" not in storage


def test_a_404_to_a_write_is_not_a_missing_key(storage: UserStorage, service: Service) -> None:
    service.status = 404
    with pytest.raises(UserStorageError, match="404"):
        storage["key"] = 1


@pytest.mark.parametrize(
    "body", ["", "no", "[]", "null", "{}", '{"data": 5}', '{"data": "no json"}', "[" * 99999]
)
def test_an_answer_that_cannot_be_read_is_a_failure(
    requests_mock: requests_mocking.Mocker, body: str
) -> None:
    requests_mock.get("https://platform.example/owner/agent/key", text=body)
    with pytest.raises(UserStorageError, match="not JSON"):
        _ = UserStorage(CLAIMS, "https://platform.example")["key"]


@pytest.mark.parametrize("body", ["no", "null", "{}", "[5]", '[{"name": "x"}]'])
def test_a_list_that_cannot_be_read_is_a_failure(requests_mock: requests_mocking.Mocker, body: str) -> None:
    requests_mock.get("https://platform.example/owner/agent", text=body)
    if body == "{}":
        assert list(UserStorage(CLAIMS, "https://platform.example")) == []
        return
    with pytest.raises(UserStorageError, match="not JSON"):
        list(UserStorage(CLAIMS, "https://platform.example"))


@pytest.mark.parametrize("error", [requests.ConnectionError, requests.Timeout])
def test_a_platform_that_cannot_be_reached_is_a_failure(
    requests_mock: requests_mocking.Mocker, error: type[Exception]
) -> None:
    requests_mock.register_uri(requests_mocking.ANY, requests_mocking.ANY, exc=error)
    storage = UserStorage(CLAIMS, "https://platform.example")
    with pytest.raises(UserStorageError, match=error.__name__):
        _ = storage["key"]
    with pytest.raises(UserStorageError):
        _ = "key" in storage


def test_requests_mock_answers_for_the_platform(requests_mock: requests_mocking.Mocker) -> None:
    claims = VerifiedTokenClaims("fake agent", False, "fake-token")
    url = "https://platform.example/fake agent/some key"
    requests_mock.post(url, json={})
    requests_mock.get(url, json={"data": '{"a": 1}'})
    requests_mock.head(url, status_code=400)
    storage = UserStorage(claims, "https://platform.example")
    storage["some key"] = {"a": 1}
    sent = requests_mock.request_history[0]
    assert (sent.json(), sent.headers["Authorization"]) == ({"data": '{"a": 1}'}, "Bearer fake-token")
    assert urllib.parse.urlsplit(sent.url).path == "/fake%20agent/some%20key"
    assert storage["some key"] == {"a": 1}
    assert "some key" not in storage


def test_an_anonymous_query_has_no_storage() -> None:
    with pytest.raises(AgentException) as caught:
        UserStorage(VerifiedTokenClaims("owner/agent", True, "t"))
    assert (caught.value.http_status_code, caught.value.error_code) == (400, "ERR_USERSTORAGE_REQUIRES_USER")
