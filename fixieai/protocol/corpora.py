"""What an agent offers for indexing, and the JSON bodies in which a corpus func hands out its documents.

A crawl begins with a request that names nothing. The answer lists partitions, or holds the first page of
the only one; every later request names a partition, a page token, or both. A page without
`next_page_token` is the last of its partition.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Annotated

import pydantic
from dataclasses_json import DataClassJsonMixin, config

from fixieai.protocol import shapes

# The body is JSON that was read with a limit on its bytes: these only keep the walk bounded.
_LIMITS = shapes.Limits(characters=32 * 1024 * 1024, values=200_000)


def _encode_content(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decode_content(content: object) -> bytes:
    """Raises ValueError for anything but bytes and base64 text."""
    if isinstance(content, bytes):
        return content
    if not isinstance(content, str):
        raise ValueError("must be base64 text")  # noqa: TRY004 - pydantic turns only ValueError into a report
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"must be base64 text: {error}") from error


@dataclass
class CorpusRequest(DataClassJsonMixin):
    """What the platform asks of a corpus func. The first request of a crawl has neither field."""

    partition: str | None = None
    page_token: str | None = None


@dataclass
class CorpusPartition(DataClassJsonMixin):
    """A part of the corpus that is read page by page, beside the other parts."""

    partition: str
    first_page_token: str | None = None


@dataclass
class CorpusDocument(DataClassJsonMixin):
    """One document. `source_name` is shown with answers from it; `content` is base64 text in JSON."""

    source_name: str
    content: Annotated[bytes, pydantic.BeforeValidator(_decode_content)] = field(
        metadata=config(encoder=_encode_content, decoder=_decode_content)
    )
    encoding: str = "UTF-8"
    mime_type: str = "text/plain"

    @property
    def text(self) -> str:
        """The content decoded with `encoding`.

        Raises:
            UnicodeDecodeError: the content is not text in that encoding.
            LookupError: Python does not know that encoding.
        """
        return self.content.decode(self.encoding)


@dataclass
class CorpusPage(DataClassJsonMixin):
    """Some documents of one partition; without `next_page_token` there are no more."""

    documents: list[CorpusDocument]
    next_page_token: str | None = None


@dataclass
class CorpusResponse(DataClassJsonMixin):
    """What a corpus func answers: more partitions, a page of documents, or both."""

    partitions: list[CorpusPartition] | None = None
    page: CorpusPage | None = None


@dataclass
class DocumentLoader:
    """Deprecated, without effect: the platform finds out by itself how to read a document."""

    name: str


@dataclass
class UrlDocumentCorpus:
    """Web pages that the platform fetches and indexes.

    A URL that ends in `*` stands for every page below it; `exclude_patterns` are wildcards.
    `auth_token_func` names a registered func: the text it answers is sent as
    `Authorization: Bearer` with every fetch.
    """

    urls: list[str]
    exclude_patterns: list[str] | None = None
    auth_token_func: str | None = None
    loader: DocumentLoader | None = None


DocumentCorpus = UrlDocumentCorpus


@dataclass
class CustomCorpus:
    """Documents that a registered corpus func hands out."""

    func_name: str


def parse_response(body: object) -> CorpusResponse:
    """The decoded JSON body of a corpus func's answer.

    Raises:
        UnprocessableContent: the message says what is wrong and where.
    """
    return shapes.read(CorpusResponse, body, "the corpus response", _LIMITS)
