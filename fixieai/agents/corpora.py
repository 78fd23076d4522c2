"""The documented import path of the corpus types."""

from fixieai.protocol.corpora import (
    CorpusDocument,
    CorpusPage,
    CorpusPartition,
    CorpusRequest,
    CorpusResponse,
    CustomCorpus,
    DocumentCorpus,
    DocumentLoader,
    UrlDocumentCorpus,
)

__all__ = [
    "CorpusDocument",
    "CorpusPage",
    "CorpusPartition",
    "CorpusRequest",
    "CorpusResponse",
    "CustomCorpus",
    "DocumentCorpus",
    "DocumentLoader",
    "UrlDocumentCorpus",
]
