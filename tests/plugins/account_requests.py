"""What people send who sign in, and who administrate."""

import urllib.parse

import requests

from fixieai import testing

PASSWORD = "correct horse battery"


def bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def post(platform: testing.Platform, path: str, body: object, key: str | None = None) -> requests.Response:
    return requests.post(platform.url + path, json=body, headers=bearer(key), timeout=60)


def accept(platform: testing.Platform, url: str, password: str = PASSWORD) -> requests.Response:
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(url).fragment)["code"][0]
    return post(platform, "/api/invitations", {"code": code, "password": password})
