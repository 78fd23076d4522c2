"""An agent of every kind of func, on a real server that tests leave as it is."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from odd_funcs import QUERY, Post, new_agent


@pytest.fixture(scope="module")
def key_server(shared_key_server: Any) -> Any:
    return shared_key_server


@pytest.fixture(scope="module")
def url(shared_served: Callable[[Any], str]) -> str:
    return shared_served(new_agent())


@pytest.fixture(scope="module")
def post(url: str, key_server: Any) -> Post:
    """Sends a query to a func, with a valid token unless headers say otherwise."""

    def send(func: str, body: Any = QUERY, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key_server.token()}", "Content-Type": "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body)
        headers = {k: v for k, v in (headers | options.pop("headers", {})).items() if v is not None}
        return requests.post(f"{url}/{func}", data=content, headers=headers, timeout=60, **options)

    return send
