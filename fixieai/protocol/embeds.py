"""Attachments of a message: a content type and where the bytes are."""

import base64
import binascii
import urllib.parse

import pydantic
from pydantic.dataclasses import dataclass

# `Message(5)` is the text "5", as it always was. What comes over the wire is read strictly.
NUMBERS_AS_TEXT = pydantic.ConfigDict(coerce_numbers_to_str=True)


@dataclass(config=NUMBERS_AS_TEXT)
class Embed:
    """An attachment. `uri` is an http(s) URL or a `data:` URI (RFC 2397)."""

    content_type: str
    uri: str = ""

    @property
    def content(self) -> bytes:
        """The bytes. Reads a `data:` URI in place and fetches any other.

        Raises:
            ValueError: there is no content, the URI cannot be read, it holds more than 32 MiB, or its
                address is not on the public internet (and FIXIE_ALLOW_PRIVATE_EMBEDS is not 1).
            requests.RequestException: the server could not be reached, answered with an error
                status, or took longer than 30 seconds.
        """
        if not self.uri:
            raise ValueError("this embed has no content yet: set .content or .text, or give it a uri")
        if self.uri[:5].lower() == "data:":
            return _data_uri_content(self.uri)
        from fixieai.protocol import embed_connections  # noqa: PLC0415 - start-up: few embeds are fetched

        return embed_connections.fetch(self.uri)

    @content.setter
    def content(self, content: bytes) -> None:
        self.uri = f"data:{self.content_type};base64,{base64.b64encode(content).decode('ascii')}"

    @property
    def text(self) -> str:
        """The content as UTF-8 text; set it to replace the content."""
        return self.content.decode("utf-8")

    @text.setter
    def text(self, text: str) -> None:
        self.content = text.encode("utf-8")


def _data_uri_content(uri: str) -> bytes:
    """Also reads `data:base64,...`, which the original SDK wrote."""
    header, comma, data = uri[5:].partition(",")
    if not comma:
        raise ValueError("a data: URI needs a comma before its data")
    raw = urllib.parse.unquote_to_bytes(data)
    parameters = [part.strip().lower() for part in header.split(";")]
    if "base64" not in parameters:
        return raw
    try:
        return base64.b64decode(b"".join(raw.split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the data of a base64 data: URI cannot be decoded: {error}") from error
