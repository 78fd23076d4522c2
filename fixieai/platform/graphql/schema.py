"""The schema with its resolvers."""

import functools
from importlib import resources
from typing import Any

from ariadne import ScalarType, make_executable_schema
from graphql import GraphQLError, GraphQLSchema
from starlette.datastructures import UploadFile

from fixieai.platform.graphql import agents, revisions, sessions, users

_upload = ScalarType("Upload")


@_upload.value_parser
def _parse_upload(value: Any) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise GraphQLError("send the file as a part of a multipart request, and name it in `map`")
    return value


@_upload.literal_parser
def _parse_upload_literal(*_: Any) -> UploadFile:
    raise GraphQLError("a file is given as a variable")


def text() -> str:
    """As it is written, with its descriptions."""
    return (resources.files("fixieai.platform") / "schema.graphql").read_text("utf-8")


@functools.cache
def executable() -> GraphQLSchema:
    """Made when it is first asked for: it takes some 30 ms."""
    modules = (agents, revisions, sessions, users)
    return make_executable_schema(text(), _upload, *(each for module in modules for each in module.BINDABLES))
