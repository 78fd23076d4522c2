"""GraphQL documents sent over the connection of a client; files among the variables go as parts of a form."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any, Protocol

from fixieai import errors
from fixieai.client import failures, uploads
from fixieai.client.uploads import MultipartBody, Part

_COMMENT_OR_TEXT = re.compile(r'"""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*')
_CHANGES = re.compile(r"\b(?:mutation|subscription)\b")
UPLOAD_NAME = "upload.tar.gz"
_UPLOAD_TYPE = "application/gzip"


class Connection(Protocol):
    """What is needed of a connection; `fixieai.client.connection` is one."""

    @property
    def url(self) -> str: ...

    def post(self, url: str, data: Any = None) -> Any: ...

    def post_repeatable(self, url: str, data: Any) -> Any: ...


class GraphQLClient:
    """Runs GraphQL operations as the user of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(
        self,
        document: Any,
        variable_values: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        upload_files: bool = False,
        progress: uploads.Progress | None = None,
    ) -> dict[str, Any]:
        """Runs one operation and gives its `data`.

        Args:
            document: GraphQL text, a `DocumentNode` of graphql-core, or what gql's `gql()` gives.
            variable_values: the operation's variables; a variable without a value is not sent.
            operation_name: which one, where the document holds several.
            upload_files: send a multipart form, in which open binary files among the variables are parts.
            progress: told of an upload as it goes: bytes sent, bytes in all.

        Raises:
            FixieError: the platform refused, could not be reached, or answered with errors; the class
                says which. A query is repeated when a failure may pass, a mutation never.
        """
        text = text_of(document)
        given = {"variables": dict(variable_values or {}), "operationName": operation_name}
        operation = {"query": text} | {name: value for name, value in given.items() if value}
        url = f"{self._connection.url}/graphql"
        if upload_files:
            answer = self._connection.post(url, form_of(operation, progress))
        elif is_query(text):
            answer = self._connection.post_repeatable(url, operation)
        else:
            answer = self._connection.post(url, operation)
        return _data(answer)


def part_of(data: Mapping[str, Any], *path: str) -> Any:
    """What is at `path` in an answer.

    Raises:
        UpstreamError: there is nothing; the schema allows that, and a platform that did its work does not.
    """
    found: Any = data
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is None:
        raise errors.UpstreamError(f"The platform did not say {'.'.join(path)}: is it of this version?")
    return found


def text_of(document: Any) -> str:
    """The text of a document, in whichever of its usual forms it comes.

    Raises:
        TypeError: it is none of them.
    """
    if isinstance(document, str):
        return document
    node = getattr(document, "document", document)  # gql 4 wraps the node, with variables of its own
    source = getattr(getattr(node, "loc", None), "source", None)
    if source is not None:
        return str(source.body)
    if getattr(node, "kind", None) != "document":
        raise TypeError(f"a GraphQL document is text or a DocumentNode, not {type(document).__name__}")
    import graphql  # noqa: PLC0415 - slow to import, and whoever has a DocumentNode has done so

    return graphql.print_ast(node)


def is_query(text: str) -> bool:
    """Whether the document holds nothing that could change something."""
    return not _CHANGES.search(_COMMENT_OR_TEXT.sub(" ", text))


def form_of(operation: Mapping[str, Any], progress: uploads.Progress | None = None) -> MultipartBody:
    """An operation as the GraphQL multipart request: `operations`, `map`, then one part for each file."""
    files: dict[str, IO[bytes]] = {}
    without = _without_files(operation, "", files)
    places = {str(number): [place] for number, place in enumerate(files)}
    parts = [Part("operations", _json(without)), Part("map", _json(places))]
    parts += [
        Part(str(number), file, UPLOAD_NAME, _UPLOAD_TYPE) for number, file in enumerate(files.values())
    ]
    return MultipartBody(parts, progress)


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _without_files(value: Any, place: str, files: dict[str, IO[bytes]]) -> Any:
    """`value` with None where files stood; `files` takes those, by their places."""
    if isinstance(value, Mapping):
        return {key: _without_files(item, f"{place}.{key}".strip("."), files) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_files(item, f"{place}.{number}", files) for number, item in enumerate(value)]
    if hasattr(value, "read"):
        files[place] = value
        return None
    return value


def _data(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise errors.UpstreamError("The platform's GraphQL answer is not a JSON object.")
    if answer.get("errors"):
        raise failures.of_graphql(answer["errors"])
    data = answer.get("data")
    if not isinstance(data, dict):
        raise errors.UpstreamError("The platform's GraphQL answer holds neither data nor errors.")
    return data
