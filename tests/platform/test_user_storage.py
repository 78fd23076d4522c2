"""What agents keep for people: over HTTP, with the query token and with nothing else."""

import concurrent.futures
import contextlib
import pathlib
from collections.abc import Iterator

import pytest
import requests

import fixieai
from fixieai import errors, testing
from fixieai.agents.token import VerifiedTokenClaims
from fixieai.agents.user_storage import UserStorageError
from fixieai.llm.settings import ModelSettings
from fixieai.platform import serving
from fixieai.platform.settings import Settings, from_environment
from fixieai.storage.user_storage import Quota


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
        self.agent_id = f"local/{handle}"
        self.url = f"{platform.url}/api/userstorage/local/{handle}"
        self.headers = {"Authorization": f"Bearer {self.tokens[0]}"}

    def storage(self, platform: testing.Platform) -> fixieai.UserStorage:
        """As the agent's functions get it."""
        return fixieai.UserStorage(VerifiedTokenClaims(self.agent_id, False, self.tokens[0], platform.url))

    def call(self, method: str, key: str = "", **options: object) -> requests.Response:
        url = f"{self.url}/{key}" if key else self.url
        return requests.request(method, url, headers=self.headers, timeout=60, **options)  # type: ignore[arg-type]


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

    foreign = requests.get(f"{notebook.url}/secret", headers=other.headers, timeout=60)

    assert foreign.status_code == 404
    assert other.call("GET").json() == []


def test_an_api_key_does_not_open_storage_and_a_query_token_opens_nothing_else(
    platform, notebook, http
) -> None:
    assert http("GET", notebook.url.removeprefix(platform.url)).status_code == 403
    assert requests.get(f"{platform.url}/api/user", headers=notebook.headers, timeout=60).status_code == 403
    assert (
        requests.get(f"{platform.url}/api/sessions", headers=notebook.headers, timeout=60).status_code == 403
    )


KEYS = [
    ".", "..", "../x", "x/..", "a//b", "/a", "a/", "//", "%2e%2e", "%2F", "%252F", "a\\b", " ", "?", "#",
    "&a=b", ";", "values", "\n", "\r\n", "\t", "\x7f", "\u202e", "\ufeff", "é", "e\u0301", "\uff21", "A",
    "日本/語", "\U0001f98a" * 1024, "'; DROP TABLE users; --", "%s{0}", "a" * 1024, "None", "__proto__",
    "oauth_token", "_OAUTH_TOKEN",
]  # fmt: skip


def test_the_sdk_gets_every_key_back_as_it_was(platform: testing.Platform) -> None:
    notebook = Notebook(platform, "notebook-of-keys")
    storage = notebook.storage(platform)
    for number, key in enumerate(KEYS):
        storage[key] = number

    assert list(storage) == sorted(KEYS, key=str.encode)
    assert [storage[key] for key in KEYS] == list(range(len(KEYS)))
    for key in KEYS:
        assert key in storage
        del storage[key]
        assert key not in storage
    assert len(storage) == 0


@pytest.mark.parametrize(("key", "status"), [("", 422), ("a" * 1025, 422), ("%00", 400), ("%FF", 400)])
def test_what_cannot_be_a_key_is_refused(notebook: Notebook, key: str, status: int) -> None:
    answer = requests.post(f"{notebook.url}/{key}", json={"data": "1"}, headers=notebook.headers, timeout=60)

    assert answer.status_code == status


def test_large_values_are_listed_in_pieces(platform: testing.Platform) -> None:
    notebook = Notebook(platform, "notebook-of-pictures")
    picture = '"' + "x" * (2**20 - 2) + '"'
    for number in range(9):
        assert notebook.call("POST", f"{number}", json={"data": picture}).status_code == 200

    listed = notebook.call("GET").json()

    assert [(item["key"], len(item["value"])) for item in listed] == [(f"{n}", 2**20) for n in range(9)]
    assert [item["key"] for item in notebook.call("GET", params={"limit": 5, "after": "2"}).json()] == list(
        "34567"
    )
    assert notebook.call("GET", params={"values": "false", "after": "6"}).json() == [
        {"key": "7"},
        {"key": "8"},
    ]


def test_more_keys_than_a_piece_are_listed(platform: testing.Platform) -> None:
    notebook = Notebook(platform, "notebook-of-many")
    storage = notebook.storage(platform)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: storage.__setitem__(f"{number:04}", number), range(1_050)))

    assert [item["value"] for item in notebook.call("GET").json()] == [str(number) for number in range(1_050)]
    assert list(storage) == [f"{number:04}" for number in range(1_050)]


@pytest.fixture
def small_platform(tmp_path: pathlib.Path) -> Iterator[testing.Platform]:
    """Where each person's storage with an agent holds ten keys of a thousand bytes."""
    models = ModelSettings(default_model="few-shot")
    settings = Settings(home=tmp_path, port=0, models=models, storage_quota=Quota(keys=10, bytes=1_000))
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(serving.background(settings))
        yield testing.Platform(running.url, serving.local_key(tmp_path), stack)


def test_a_quota_is_exact_under_concurrency_and_of_each_agent_alone(small_platform: testing.Platform) -> None:
    notebooks = [Notebook(small_platform, handle) for handle in ("one", "two")]

    def put(number: int) -> int:
        notebook = notebooks[number % 2]
        return notebook.call("POST", str(number), json={"data": "1"}).status_code

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(put, range(100)))

    assert sorted(statuses) == [200] * 20 + [507] * 80
    for notebook in notebooks:
        assert len(notebook.call("GET").json()) == 10


def test_who_is_full_is_told_and_can_make_room(small_platform: testing.Platform) -> None:
    notebook = Notebook(small_platform, "one")
    storage = notebook.storage(small_platform)
    storage["large"] = "x" * 900

    answer = notebook.call("POST", "more", json={"data": f'"{"x" * 100}"'})
    with pytest.raises(UserStorageError, match=r"POST 'more': the storage .* is full \(507\)"):
        storage["more"] = "x" * 100

    assert answer.status_code == 507
    assert answer.json()["error"]["code"] == "storage_full"
    assert "1 keys of 907 bytes" in answer.json()["error"]["message"]
    storage["large"] = "x" * 100
    storage["more"] = "x" * 100
    storage["_oauth_token"] = "x" * 2_000  # not of the quota
    assert sorted(storage) == ["large", "more"]


def test_quotas_are_settings() -> None:
    assert settings_from({}) == Quota(keys=1_000_000, bytes=1024**3)
    assert settings_from({"FIXIE_STORAGE_KEYS": "5", "FIXIE_STORAGE_BYTES": "0"}) == Quota(keys=5)
    with pytest.raises(errors.ConfigurationError, match="FIXIE_STORAGE_BYTES"):
        settings_from({"FIXIE_STORAGE_BYTES": "many"})


def settings_from(environment: dict[str, str]) -> Quota:
    return from_environment(environment).storage_quota
