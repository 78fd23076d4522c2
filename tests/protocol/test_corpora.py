import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixieai import errors
from fixieai.protocol import corpora
from fixieai.protocol.corpora import (
    CorpusDocument,
    CorpusPage,
    CorpusPartition,
    CorpusRequest,
    CorpusResponse,
)

_TEXT = st.text("aé\n/ 0")
_DOCUMENTS = st.builds(CorpusDocument, _TEXT, st.binary(), st.sampled_from(["UTF-8", "latin-1"]), _TEXT)
_PAGES = st.builds(CorpusPage, st.lists(_DOCUMENTS, max_size=3), st.none() | _TEXT)
_PARTITIONS = st.lists(st.builds(CorpusPartition, _TEXT, st.none() | _TEXT), max_size=3)
_RESPONSES = st.builds(CorpusResponse, st.none() | _PARTITIONS, st.none() | _PAGES)


@given(_RESPONSES)
def test_a_response_comes_back_from_json_through_both_readers(response: CorpusResponse) -> None:
    body = json.loads(json.dumps(response.to_dict()))

    assert CorpusResponse.from_dict(body) == response
    assert corpora.parse_response(body) == response


def test_the_wire_shape_of_a_response() -> None:
    response = CorpusResponse([CorpusPartition("p")], CorpusPage([CorpusDocument("s", b"\xff")], "t"))

    assert response.to_dict() == {
        "partitions": [{"partition": "p", "first_page_token": None}],
        "page": {
            "documents": [
                {"source_name": "s", "content": "/w==", "encoding": "UTF-8", "mime_type": "text/plain"}
            ],
            "next_page_token": "t",
        },
    }


def test_requests_read_and_write_their_two_fields_and_ignore_others() -> None:
    assert CorpusRequest.from_dict({}) == CorpusRequest()
    assert CorpusRequest.from_dict({"page_token": "t", "more": [1]}) == CorpusRequest(None, "t")
    assert CorpusRequest("p").to_dict() == {"partition": "p", "page_token": None}
    assert CorpusRequest.from_dict({"partition": "p"}) == CorpusRequest("p")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (None, "Input should be"),
        ({"page": 5}, "page: "),
        ({"partitions": [{}]}, "partitions.0.partition: "),
        ({"page": {}}, "page.documents: "),
        ({"page": {"documents": [{"source_name": "s", "content": "é"}]}}, "page.documents.0.content: "),
        ({"page": {"documents": [{"source_name": "s", "content": "abc"}]}}, "must be base64"),
        ({"page": {"documents": [{"source_name": "s", "content": 5}]}}, "must be base64"),
        ({"page": {"documents": [{"source_name": "\ud800", "content": ""}]}}, "surrogate"),
    ],
)
def test_a_malformed_response_is_refused_with_the_place(body: object, where: str) -> None:
    with pytest.raises(errors.UnprocessableContent, match=where):
        corpora.parse_response(body)


def test_a_document_knows_its_text() -> None:
    assert CorpusDocument("s", "é".encode()).text == "é"
    assert CorpusDocument("s", b"\xe9", "latin-1").text == "é"
    with pytest.raises(UnicodeDecodeError):
        _ = CorpusDocument("s", b"\xff").text
