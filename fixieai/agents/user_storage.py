"""What an agent keeps for one user: a mapping on the platform, of JSON values and bytes."""

from __future__ import annotations

import base64
import contextlib
import json
import urllib.parse
from collections.abc import Iterator, Mapping, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from fixieai import errors
from fixieai.agents import exceptions, token

if TYPE_CHECKING:
    from fixieai.agents import outgoing

UserStoragePrimitive: TypeAlias = bool | int | float | str | bytes | None
UserStorageType: TypeAlias = (
    "UserStoragePrimitive | list[UserStorageType] | tuple[UserStorageType, ...] | dict[str, UserStorageType]"
)

_BYTES = "_bytes_ascii"
# A dict of the user's own that looks like one of our markers is wrapped in this one.
_PLAIN_DICT = "_plain_dict"
_PAGE_SIZE = 100
_MAXIMUM_BYTES = 128 * 1024 * 1024  # where a page of keys comes with its values, of 1 MiB each at most
_REFUSALS = {
    413: "the value is too large (413): it has at most 1 MiB as JSON",
    422: "the key or the value cannot be stored (422): a key has at most 1,024 characters, none of them NUL",
    429: "the platform answers no more calls for this user for now (429)",
    507: "the storage of this user with this agent is full (507)",
}
_PROBLEM = "User storage could not {what}: {why}"


class UserStorageError(errors.UpstreamError):
    """The user storage could not be used. It does not say whether there is a value."""


class UserStorage(MutableMapping[str, UserStorageType]):
    """Values by key, of the user of a query and the agent that was queried; no other agent sees them.

    Values are None, bool, int, float, str, bytes, lists and dicts of these; tuples come back as
    lists. Keys are any text but the empty one. Every access is a request to the platform that
    blocks: an `async def` func awaits `asyncio.to_thread(storage.get, key)`.

    Raises, from every access:
        KeyError: there is no such value. Nothing else is a KeyError.
        UserStorageError: the platform refused, failed, or could not be reached.
    """

    def __init__(self, token_claims: token.VerifiedTokenClaims, userstorage_url: str | None = None) -> None:
        """At the platform that the query came from, unless `userstorage_url` names another place.

        Raises:
            AgentException: (400) the query is of nobody who could have a storage.
        """
        if token_claims.is_anonymous:
            raise exceptions.AgentException(
                response_message="This agent can only be used by a user who is signed in.",
                error_code="ERR_USERSTORAGE_REQUIRES_USER",
                error_message="User storage and OAuth need a user, and this query is anonymous.",
                http_status_code=HTTPStatus.BAD_REQUEST,
            )
        self._token = token_claims.token
        storage_url = userstorage_url or f"{token_claims.api_url}/api/userstorage"
        self._url = f"{storage_url}/{urllib.parse.quote(token_claims.agent_id)}"

    def __getitem__(self, key: str) -> UserStorageType:
        answer = self._send("GET", key)
        try:
            return from_json(answer.json()["data"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserStorageError(_PROBLEM.format(what=f"read {key!r}", why="it is not JSON")) from error

    def __setitem__(self, key: str, value: UserStorageType) -> None:
        """Raises ValueError for an empty key, NaN and infinities; TypeError for other kinds of values."""
        if key == "":
            raise ValueError("a key of the user storage must not be empty")
        self._send("POST", key, {"data": to_json(value)})

    def __delitem__(self, key: str) -> None:
        self._send("DELETE", key)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        try:
            self._send("HEAD", key)
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        after: str | None = None
        while True:
            keys = self._page(after)
            if not keys or keys[-1] == after:
                return
            yield from keys
            if len(keys) != _PAGE_SIZE:
                return  # the last page; or all there is, from a service that knows no pages
            after = keys[-1]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _page(self, after: str | None) -> list[str]:
        what = "list its keys"
        query = {"limit": str(_PAGE_SIZE), "values": "false"} | ({} if after is None else {"after": after})
        answer = self._exchange("GET", f"{self._url}?{urllib.parse.urlencode(query)}", what)
        _check(answer, what)
        try:
            return [str(item["key"]) for item in answer.json()]
        except (ValueError, KeyError, TypeError) as error:
            raise UserStorageError(_PROBLEM.format(what=what, why="it is not JSON")) from error

    def _send(self, method: str, key: str, body: Any = None) -> outgoing.Answer:
        if key == "":
            raise KeyError(key)  # its URL would be that of the list of all keys
        what = f"{method} {key!r}"
        answer = self._exchange(method, f"{self._url}/{_quoted(key)}", what, body)
        if _is_absent(method, answer.status):
            raise KeyError(key)
        _check(answer, what)
        return answer

    def _exchange(self, method: str, url: str, what: str, body: Any = None) -> outgoing.Answer:
        from fixieai.agents import outgoing  # noqa: PLC0415 - start-up: few agents have a storage

        call = outgoing.Call(method, url, self._token, body, maximum_bytes=_MAXIMUM_BYTES)
        try:
            return outgoing.send(call)
        except (OSError, ValueError) as error:
            raise UserStorageError(_PROBLEM.format(what=what, why=type(error).__name__)) from error


def _check(answer: outgoing.Answer, what: str) -> None:
    if not answer.is_success:
        raise UserStorageError(_PROBLEM.format(what=what, why=_refusal(answer.status)))


def _is_absent(method: str, status: int) -> bool:
    """HEAD 400 too: there are services that answer it for what is not there."""
    if method == "HEAD" and status == HTTPStatus.BAD_REQUEST:
        return True
    return method != "POST" and status == HTTPStatus.NOT_FOUND


def _refusal(status: int) -> str:
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return f"the platform refused the query's token ({status}), which may have expired"
    return _REFUSALS.get(status, f"the platform answered with status {status}")


def _quoted(key: str) -> str:
    """A key as the rest of a URL path that arrives as it left: `a/b` stays readable as two segments.

    Raises:
        TypeError: the key is no text.
        ValueError: it holds half of a surrogate pair.
    """
    if not isinstance(key, str):
        raise TypeError(f"a key of the user storage must be a str, not {type(key).__name__}")
    if {"", ".", ".."}.isdisjoint(key.split("/")):
        return urllib.parse.quote(key)
    # Empty and dot segments are dropped or resolved on the way: hide the slashes that make them.
    quoted = urllib.parse.quote(key, safe="")
    return quoted.replace(".", "%2E") if key in (".", "..") else quoted


def to_json(value: UserStorageType) -> str:
    """A value as the JSON text that is stored.

    Raises:
        TypeError: it holds something that is not one of the storable types.
        ValueError: it holds NaN or an infinity, or is nested too deeply.
    """
    try:
        return json.dumps(to_json_type(value), allow_nan=False)
    except RecursionError as error:
        raise ValueError("the value is nested too deeply, or holds itself") from error


def from_json(text: str) -> UserStorageType:
    """The value that `to_json` wrote. Raises ValueError when it is not JSON."""
    try:
        return from_json_type(json.loads(text))
    except RecursionError as error:
        raise ValueError("the value is nested too deeply") from error


def to_json_type(value: UserStorageType) -> Any:
    """A value in JSON's own types: bytes become `{"type": "_bytes_ascii", "data": <base64>}`.

    Raises:
        TypeError: it holds something that is not one of the storable types.
        ValueError: two keys of a dict are the same text.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return {"type": _BYTES, "data": base64.b64encode(value).decode("ascii")}
    if isinstance(value, (list, tuple)):
        return [to_json_type(item) for item in value]
    if isinstance(value, Mapping):
        return _dict_to_json_type(value)
    raise TypeError(f"a value of type {type(value).__name__} cannot be stored")


def _dict_to_json_type(value: Mapping[str, UserStorageType]) -> dict[str, Any]:
    # Keys that are numbers become text, as JSON does it.
    content = {_key_to_json_type(key): to_json_type(item) for key, item in value.items()}
    if len(content) != len(value):
        raise ValueError("two keys of a dict to be stored are the same text")
    if value.get("type") in (_BYTES, _PLAIN_DICT):
        return {"type": _PLAIN_DICT, "data": content}
    return content


def _key_to_json_type(key: object) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(key, allow_nan=False)
    raise TypeError(f"a key of type {type(key).__name__} cannot be stored")


def from_json_type(value: Any) -> UserStorageType:
    """The value that `to_json_type` gave."""
    if isinstance(value, list):
        return [from_json_type(item) for item in value]
    if not isinstance(value, dict):
        primitive: UserStoragePrimitive = value
        return primitive
    data = value.get("data")
    if value.get("type") == _BYTES and isinstance(data, str):
        # Without base64 it is a dict of the user's own that was stored before there was _PLAIN_DICT.
        with contextlib.suppress(ValueError):
            return base64.b64decode(data, validate=True)
    if value.get("type") == _PLAIN_DICT and isinstance(data, dict):
        value = data
    return {key: from_json_type(item) for key, item in value.items()}
