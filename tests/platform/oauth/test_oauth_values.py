"""What agents keep of OAuth, through the storage that any agent has: readable by name, and nowhere else."""

import json
import pathlib
import secrets

import pytest
import requests

import fixieai
from fixieai import testing
from fixieai.platform.auth import Caller, QueryCaller
from fixieai.platform.oauth_values import OAuthValues
from fixieai.platform.secret_key import SecretKey
from fixieai.storage import oauth, users
from fixieai.storage.database import connect, sqlite_url

TOKEN = '"{\\"access_token\\": \\"ya29.secret\\", \\"expiry\\": null, \\"refresh_token\\": null}"'


class Keeper:
    """An agent as the original SDK writes them: it keeps state and token by plain calls of its storage."""

    def __init__(self, platform: testing.Platform) -> None:
        self.handle = f"keeper-{secrets.token_hex(4)}"
        self.tokens: list[str] = []
        self.returned: list[str] = []
        agent = fixieai.StandaloneAgent(self._answer)
        agent.register_func(self._come_back(), func_name="_oauth")
        platform.serve(agent, self.handle)
        platform.ask(self.handle, "Hello")
        self.url = f"{platform.url}/api/userstorage/local/{self.handle}"

    @property
    def _answer(self):
        def answer(query: fixieai.AgentQuery) -> str:
            self.tokens.append(query.access_token or "")
            return "noted"

        return answer

    def _come_back(self):
        def come_back(query: str) -> str:
            self.returned.append(query)
            return "Authorization successful!"

        return come_back

    def call(self, method: str, key: str = "", **options: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.tokens[0]}"}
        url = f"{self.url}/{key}" if key else self.url
        return requests.request(method, url, headers=headers, timeout=60, **options)  # type: ignore[arg-type]

    def put(self, key: str, data: str) -> int:
        return self.call("POST", key, json={"data": data}).status_code


@pytest.fixture
def keeper(platform: testing.Platform) -> Keeper:
    return Keeper(platform)


def test_they_are_read_by_name_and_stand_in_no_list(keeper: Keeper) -> None:
    assert keeper.put("_oauth_token", TOKEN) == 200
    keeper.put("_oauth", "1")
    keeper.put("tea", "1")

    assert keeper.call("GET", "_oauth_token").json() == {"data": TOKEN}
    assert keeper.call("HEAD", "_oauth_token").status_code == 200
    assert [item["key"] for item in keeper.call("GET").json()] == ["tea"]
    assert keeper.call("GET", params={"limit": 5, "values": "false"}).json() == [{"key": "tea"}]
    assert keeper.call("DELETE", "_oauth_token").status_code == 200
    assert keeper.call("DELETE", "_oauth_token").status_code == 404
    assert keeper.call("GET", "_oauth_token").status_code == 404


def test_another_agent_does_not_see_them(platform: testing.Platform, keeper: Keeper) -> None:
    keeper.put("_oauth_token", TOKEN)
    other = Keeper(platform)

    assert other.call("GET", "_oauth_token").status_code == 404
    headers = {"Authorization": f"Bearer {other.tokens[0]}"}
    assert requests.get(f"{keeper.url}/_oauth_token", headers=headers, timeout=60).status_code == 404


def test_there_are_few_and_they_are_small(keeper: Keeper) -> None:
    statuses = [keeper.put(f"_oauth_{number}", "1") for number in range(17)]

    assert statuses == [200] * 16 + [507]
    assert keeper.put("_oauth_0", "2") == 200
    assert keeper.put("_oauth_0", f'"{"x" * 65_536}"') == 413


@pytest.mark.parametrize("state", ["5", "null", '""', "[]", '"\\ud800"', f'"{"s" * 513}"'])
def test_what_is_no_state_leads_nowhere(platform: testing.Platform, keeper: Keeper, state: str) -> None:
    assert keeper.put("_oauth_state", state) == 200

    params = {"state": state.strip('"') or "x", "code": "c"}
    page = requests.get(f"{platform.url}/oauth", params=params, timeout=60)

    assert (page.status_code, keeper.returned) == (404, [])


def test_an_agent_of_the_original_sdk_gets_its_people_back(
    platform: testing.Platform, keeper: Keeper
) -> None:
    state = f"local/{keeper.handle}:é~{secrets.token_urlsafe()}"
    keeper.call("POST", "_oauth_state", json={"data": f'"{state}"'})

    page = requests.get(f"{platform.url}/oauth", params={"state": state, "code": "4/0Ab+c"}, timeout=60)

    assert page.status_code == 200
    assert json.loads(keeper.returned[0]) == {"state": state, "code": "4/0Ab+c"}


def test_no_agent_takes_over_the_state_of_another(platform: testing.Platform, keeper: Keeper) -> None:
    thief = Keeper(platform)
    keeper.put("_oauth_state", '"the very same"')
    thief.put("_oauth_state", '"the very same"')

    params = {"state": "the very same", "code": "c"}
    pages = [requests.get(f"{platform.url}/oauth", params=params, timeout=60) for _ in range(2)]

    assert [page.status_code for page in pages] == [200, 404]
    assert (len(keeper.returned), len(thief.returned)) == (1, 0)


async def test_what_is_moved_to_another_row_is_nobodys(tmp_path: pathlib.Path) -> None:
    """Somebody who can write the database, but has no key."""
    database = await connect(sqlite_url(tmp_path / "fixie.db"))
    values = OAuthValues(database, SecretKey(b"k" * 32))
    ann, bob = [
        QueryCaller(Caller((await database.write(users.ensure, name)).id, name), "ann/diary")
        for name in ("ann", "bob")
    ]
    await values.put(ann, "_oauth_token", TOKEN)
    sealed = await database.read(oauth.value, ann.user.user_id, "ann/diary", "_oauth_token")
    assert sealed is not None
    assert "ya29" not in sealed

    for person, key in ((bob, "_oauth_token"), (ann, "_oauth_flow")):
        user_id = person.user.user_id
        await database.write(oauth.put_value, user_id, "ann/diary", key, sealed, most_keys=9)
        assert await values.get(person, key) is None
    assert await values.get(ann, "_oauth_token") == TOKEN
    await database.close()
