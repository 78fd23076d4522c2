"""A platform that others reach: under its public name, and with less reach of its own."""

import dataclasses
import pathlib

import pytest
import requests
from account_requests import bearer

from fixieai import errors, testing
from fixieai.platform import serving
from fixieai.platform.agent_calls.fixie import AgentAddress, AgentCaller
from fixieai.platform.app import open_platform
from fixieai.platform.settings import Settings, from_environment
from fixieai.storage import users
from fixieai.web import egress


async def test_others_reach_only_a_platform_with_users(tmp_path: pathlib.Path) -> None:
    environment = {"FIXIE_PUBLIC_URL": "https://Fixie.example.com:443/"}
    with pytest.raises(errors.ConfigurationError, match="FIXIE_PUBLIC_URL"):
        from_environment({}, tmp_path, host="0.0.0.0")
    chosen = from_environment(environment, tmp_path, host="0.0.0.0")
    assert chosen.url == "https://fixie.example.com"
    with pytest.raises(errors.ConfigurationError, match="users add"):
        async with open_platform(chosen):
            pass
    async with open_platform(Settings(home=tmp_path)) as platform:
        await platform.auth.create_api_key("ann", "laptop")
    async with open_platform(chosen) as platform:
        assert (await platform.database.read(users.by_username, "ann")) is not None


@pytest.mark.parametrize(
    "url", ["fixie.example.com", "ftp://x", "https://x/path", "https://u:p@x", "https://x?y", "https://"]
)
def test_a_public_url_is_a_scheme_and_a_host(url: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="FIXIE_PUBLIC_URL"):
        from_environment({"FIXIE_PUBLIC_URL": url})


def test_others_reach_it_by_its_public_name_and_by_no_other(tmp_path: pathlib.Path) -> None:
    chosen = Settings(home=tmp_path, port=0, public_url="https://fixie.example.com")
    with serving.background(chosen) as running:
        key = serving.local_key(tmp_path)

        def status(host: str, origin: str | None = None) -> int:
            headers = bearer(key) | {"Host": host} | ({} if origin is None else {"Origin": origin})
            return requests.get(running.url + "/api/user", headers=headers, timeout=60).status_code

        own = running.url.removeprefix("http://")
        assert [status(own), status("fixie.example.com"), status("Fixie.Example.com:443")] == [200] * 3
        assert status("fixie.example.com", "https://fixie.example.com") == 200
        assert status("fixie.example.com", "http://fixie.example.com") == 403
        assert status("fixie.example.com", "https://evil.example.com") == 403
        assert status("evil.example.com") == 421
        added = requests.post(
            running.url + "/api/users", json={"username": "ann"}, headers=bearer(key), timeout=60
        )
        assert added.json()["invitation"]["url"].startswith("https://fixie.example.com/welcome#")


def test_where_others_come_in_no_agent_is_an_address_of_this_machine(tmp_path: pathlib.Path) -> None:
    """Whoever names one would have the platform ask what only this machine can reach."""
    with testing.platform() as local:
        own = local.url
        for may, expected in ((False, 403), (True, 200)):
            home = tmp_path / str(may)
            chosen = Settings(
                home=home, port=0, public_url="https://fixie.example.com", may_reach_private_agents=may
            )
            with serving.background(chosen) as running:
                answer = requests.put(
                    running.url + "/api/agents/local/inside",
                    json={"url": f"{own}/healthz"},
                    headers=bearer(serving.local_key(home)),
                    timeout=60,
                )
                assert answer.status_code == expected, answer.text


async def test_agents_that_run_here_are_reached_here() -> None:
    with testing.platform() as local:
        strict, open_to_here = egress.EgressPolicy(), egress.EgressPolicy(allow_loopback=True)
        caller = AgentCaller(egress.build_session(strict), egress.build_session(open_to_here))
        address = AgentAddress("ann/x", f"{local.url}/healthz", "token", 5)
        with pytest.raises(errors.Forbidden):
            await caller.handshake(address)
        assert await caller.handshake(dataclasses.replace(address, is_hosted=True)) is None
        await caller.close()


async def test_an_address_that_may_not_be_reached_is_told_to_its_owner_alone() -> None:
    caller = AgentCaller(*(egress.build_session(egress.EgressPolicy()) for _ in "12"))
    own = AgentAddress("ann/x", "http://127.0.0.1:1", "token", 5)
    with pytest.raises(errors.Forbidden, match=r"127\.0\.0\.1"):
        await caller.handshake(own)
    with pytest.raises(errors.AgentUnavailable) as told:
        await caller.handshake(dataclasses.replace(own, is_own=False))
    await caller.close()

    assert "127.0.0.1" not in told.value.message
