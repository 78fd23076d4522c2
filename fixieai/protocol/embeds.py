"""Attachments of a message: a content type and where the bytes are."""

import base64
import binascii
import time
import urllib.parse

import requests
from pydantic.dataclasses import dataclass

MAXIMUM_BYTES = 32 * 1024 * 1024
_CONNECT_AND_READ_SECONDS = (5, 10)
_TOTAL_SECONDS = 30


@dataclass
class Embed:
    """An attachment. `uri` is an http(s) URL or a `data:` URI (RFC 2397)."""

    content_type: str
    uri: str = ""

    @property
    def content(self) -> bytes:
        """The bytes. Reads a `data:` URI in place and fetches any other.

        Raises:
            ValueError: there is no content, the URI cannot be read, or it holds more than 32 MiB.
            requests.RequestException: the server could not be reached, answered with an error
                status, or took longer than 30 seconds.
        """
        if not self.uri:
            raise ValueError("this embed has no content yet: set .content or .text, or give it a uri")
        if self.uri[:5].lower() == "data:":
            return _data_uri_content(self.uri)
        return _fetch(self.uri)

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
    parameters = [part.strip().lower() for part in header.split(";")]
    if "base64" not in parameters:
        return urllib.parse.unquote_to_bytes(data)
    try:
        return base64.b64decode(urllib.parse.unquote(data), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the data of a base64 data: URI cannot be decoded: {error}") from error


def _fetch(uri: str) -> bytes:
    if urllib.parse.urlsplit(uri).scheme not in ("http", "https"):
        raise ValueError("an embed's uri must begin with http:, https: or data:")
    deadline = time.monotonic() + _TOTAL_SECONDS
    content = bytearray()
    with requests.get(uri, timeout=_CONNECT_AND_READ_SECONDS, stream=True) as response:
        response.raise_for_status()
        for chunk in response.iter_content(64 * 1024):
            content += chunk
            if len(content) > MAXIMUM_BYTES:
                raise ValueError(f"the embed holds more than {MAXIMUM_BYTES} bytes")
            if time.monotonic() > deadline:
                raise requests.Timeout(f"fetching the embed took longer than {_TOTAL_SECONDS} s")
    return bytes(content)
