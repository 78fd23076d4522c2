"""What agents keep for people: over HTTP, with the query token and with nothing else."""

import pytest
import requests

import fixieai
from fixieai import testing


class Notebook:
    """An agent that hands out its query token, so that a test can act as that agent."""

    def __init__(self, platform: testing.Platform, handle: str) -> None:
        self.tokens: list[str] = []

        def note(query: fixieai.AgentQuery) -> str:
            self.tokens.append(query.access_token or "")
            return "noted"

        agent = fixieai.StandaloneAgent(note)
        platform.serve(agent, handle)
        platform.ask(handle, "Note this")
        self.url = f"{platform.url}/api/userstorage/local/{handle}"
        self.headers = {"Authorization": f"Bearer {self.tokens[0]}"}

    def call(self, method: str, key: str = "", **options: object) -> requests.Response:
        url = f"{self.url}/{key}" if key else self.url
        return requests.request(method, url, headers=self.headers, timeout=10, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def notebook(platform: testing.Platform) -> Notebook:
    return Notebook(platform, "notebook-one")


def test_a_value_is_stored_read_listed_and_deleted(notebook: Notebook) -> None:
    assert notebook.call("HEAD", "tea").status_code == 404
    assert notebook.call("POST", "tea", json={"data": '"at five"'}).status_code == 200
    assert notebook.call("HEAD", "tea").status_code == 200
    assert notebook.call("GET", "tea").json() == {"data": '"at five"'}
    assert {"key": "tea", "value": '"at five"'} in notebook.call("GET").json()
    assert notebook.call("DELETE", "tea").status_code == 200
    assert notebook.call("GET", "tea").status_code == 404
    assert notebook.call("DELETE", "tea").status_code == 404


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_a_list_without_a_limit_is_of_all_there_is(platform: testing.Platform, count: int) -> None:
    notebook = Notebook(platform, f"notebook-of-{count}")
    keys = [f"{number:03}" for number in range(count)]
    for key in keys:
        notebook.call("POST", key, json={"data": key.lstrip("0") or "0"})

    assert [item["key"] for item in notebook.call("GET").json()] == keys
    assert [item["value"] for item in notebook.call("GET", params={"limit": 2}).json()] == ["0", "1"][:count]
    assert [item["key"] for item in notebook.call("GET", params={"after": "000"}).json()] == keys[1:]


@pytest.mark.parametrize(
    "key",
    ["a%2Fb", "a/b", "a b", "%C3%A9", "e%CC%81", "100%2525", "%3Fx%23y", "_", "%0A", "a%0A", "a%0D%0Ab"],
)
def test_keys_of_any_text_come_back_as_they_were(notebook: Notebook, key: str) -> None:
    assert notebook.call("POST", key, json={"data": "1"}).status_code == 200
    assert notebook.call("GET", key).json() == {"data": "1"}
    assert requests.utils.unquote(key) in [item["key"] for item in notebook.call("GET").json()]
    notebook.call("DELETE", key)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"data": 1}, 422),
        ({"data": "{"}, 422),
        ({"data": "NaN"}, 422),
        ({"data": '"' + "a" * 2**20 + '"'}, 413),
    ],
)
def test_what_is_not_json_text_or_too_large_is_refused(notebook: Notebook, body: object, status: int) -> None:
    assert notebook.call("POST", "bad", json=body).status_code == status
    assert notebook.call("GET", "bad").status_code == 404


def test_another_agents_storage_is_not_there_for_this_one(
    platform: testing.Platform, notebook: Notebook
) -> None:
    notebook.call("POST", "secret", json={"data": "1"})
    other = Notebook(platform, "notebook-two")

    foreign = requests.get(f"{notebook.url}/secret", headers=other.headers, timeout=10)

    assert foreign.status_code == 404
    assert other.call("GET").json() == []


def test_an_api_key_does_not_open_storage_and_a_query_token_opens_nothing_else(
    platform, notebook, http
) -> None:
    assert http("GET", notebook.url.removeprefix(platform.url)).status_code == 403
    assert requests.get(f"{platform.url}/api/user", headers=notebook.headers, timeout=10).status_code == 403
    assert (
        requests.get(f"{platform.url}/api/sessions", headers=notebook.headers, timeout=10).status_code == 403
    )
