"""Which processes run: those of revisions that are needed, each once."""

import asyncio
import contextlib
import random

import pytest
from packaged_programs import becomes_true, get, main, refused

from fixieai import errors

pytestmark = pytest.mark.anyio


async def test_a_retired_revision_runs_until_nobody_needs_it(host) -> None:
    hosted = host()
    url = await hosted.start(main())
    with hosted.deployments.hold(1, "local/agent"):
        await hosted.deployments.retire(1)
        await asyncio.sleep(1.5)
        assert (await get(url)).text == "ok"

    await becomes_true(lambda: not hosted.processes)
    await becomes_true(lambda: not hosted.folders)


async def test_a_query_that_comes_late_to_a_retired_revision_is_served_and_then_it_stops_again(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    await hosted.deployments.retire(1)
    await becomes_true(lambda: not hosted.processes)

    with hosted.deployments.hold(1, "local/agent"):
        url = await hosted.deployments.address(1, package_hash, "PYTHON", "local/agent")
        assert (await get(url)).text == "ok"

    await becomes_true(lambda: not hosted.processes)


async def test_what_other_platforms_made_current_is_kept_and_what_they_replaced_stops(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    await hosted.deployments.address(1, package_hash, "PYTHON", "local/agent")
    hosted.deployments.catch_up({1: "local/agent"}, hosted.deployments.running())

    with hosted.deployments.hold(1, "local/agent"):
        hosted.deployments.catch_up(
            {}, hosted.deployments.running()
        )  # another is current, while a query still needs this one
        url = await hosted.deployments.address(1, package_hash, "PYTHON", "local/agent")
        await asyncio.sleep(1.5)
        assert (await get(url)).text == "ok"
        hosted.deployments.catch_up({1: "local/agent"}, hosted.deployments.running())  # and this one is again
    await asyncio.sleep(1.5)
    assert hosted.processes

    hosted.deployments.catch_up({}, hosted.deployments.running())
    await becomes_true(lambda: not hosted.processes)
    assert hosted.deployments.running() == set()


async def test_what_is_started_to_become_current_is_left_alone(host) -> None:
    hosted = host()
    await hosted.start(main())
    hosted.deployments.catch_up({}, hosted.deployments.running())
    await asyncio.sleep(1.5)
    assert hosted.processes


async def test_what_a_query_starts_while_it_is_asked_what_is_current_is_left_alone(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    asked = hosted.deployments.running()
    await hosted.deployments.address(1, package_hash, "PYTHON", "local/agent")
    hosted.deployments.catch_up({}, asked)
    await asyncio.sleep(1.5)
    assert hosted.processes


async def test_what_was_replaced_and_is_started_to_become_current_again_is_left_alone(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    await hosted.deployments.address(1, package_hash, "PYTHON", "local/agent")
    hosted.deployments.catch_up({1: "local/agent"}, hosted.deployments.running())
    hosted.deployments.catch_up({}, hosted.deployments.running())
    await becomes_true(lambda: not hosted.processes)

    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    hosted.deployments.catch_up({}, hosted.deployments.running())
    await asyncio.sleep(1.5)
    assert (await get(url)).text == "ok"


async def test_a_revision_that_is_current_again_while_it_is_being_stopped_runs(host) -> None:
    hosted = host(grace=2.0)
    package_hash = await hosted.store(main("import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"))
    await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    await hosted.deployments.retire(1)
    await asyncio.sleep(1.5)

    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")

    assert (await get(url)).text == "ok"
    assert "did not" in await hosted.log()
    await asyncio.sleep(1.5)
    assert len(hosted.processes) == 1


async def test_whatever_the_order_of_starts_and_retirements_one_process_is_left_or_none(host) -> None:
    hosted = host(grace=0.5)
    package_hash = await hosted.store(main("import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"))
    chance = random.Random(5)
    for _ in range(12):
        start = hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
        if chance.random() < 0.5:
            await start
        else:
            with contextlib.suppress(TimeoutError, errors.AgentUnavailable):
                await asyncio.wait_for(start, chance.random())
        await hosted.deployments.retire(1)
        await asyncio.sleep(chance.uniform(0, 2))

    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    assert (await get(url)).text == "ok"
    assert len(hosted.processes) == 1
    await hosted.deployments.retire(1)
    await becomes_true(lambda: not hosted.processes and not hosted.folders)


async def test_many_who_ask_at_once_start_one_process(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())

    urls = await asyncio.gather(
        *(hosted.deployments.address(1, package_hash, "PYTHON", "local/agent") for _ in range(50))
    )

    assert len(set(urls)) == 1
    assert len(hosted.processes) == 1


async def test_programs_that_start_at_once_are_not_given_the_same_port(host, monkeypatch) -> None:
    """Neither at one platform nor at two: who was second would end, or be taken for the first."""
    monkeypatch.setattr(random, "sample", lambda ports, _: list(ports))
    several = [host(), host()]
    stored = [(hosted, await hosted.store(main("time.sleep(1)"))) for hosted in several for _ in range(2)]

    urls = await asyncio.gather(
        *(
            hosted.deployments.start(number, f"local/agent{number}", package_hash, "PYTHON")
            for number, (hosted, package_hash) in enumerate(stored, 1)
        )
    )

    assert len(set(urls)) == 4
    assert [len(hosted.processes) for hosted in several] == [2, 2]


async def test_a_renamed_agent_runs_under_its_new_name_and_the_old_process_ends(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main("print('I am', os.environ['FIXIE_ALLOWED_AGENT_ID'])"))
    await hosted.deployments.start(1, "local/old", package_hash, "PYTHON")

    with hosted.deployments.hold(1, "local/old"):
        await hosted.deployments.address(1, package_hash, "PYTHON", "local/new")
        assert len(hosted.processes) == 2

    await becomes_true(lambda: len(hosted.processes) == 1)
    assert await hosted.said("I am local/new")


async def test_beyond_so_many_programs_the_idle_one_makes_room(host) -> None:
    hosted = host(processes=2)
    package_hash = await hosted.store(main())
    for number in (1, 2):
        await hosted.deployments.start(number, f"local/agent{number}", package_hash, "PYTHON")

    with hosted.deployments.hold(1, "local/agent1"):
        await hosted.deployments.address(3, package_hash, "PYTHON", "local/agent3")
        await becomes_true(lambda: len(hosted.processes) == 2)
        with (
            hosted.deployments.hold(3, "local/agent3"),
            pytest.raises(errors.ServiceUnavailable, match="All 2"),
        ):
            await hosted.deployments.address(2, package_hash, "PYTHON", "local/agent2")

    url = await hosted.deployments.address(2, package_hash, "PYTHON", "local/agent2")
    assert (await get(url)).text == "ok"


async def test_a_package_that_is_refused_is_not_stored(host) -> None:
    hosted = host()

    with pytest.raises(errors.UnprocessableContent):
        await hosted.start({"main.py": "", "../evil": ""})

    assert not any(path.is_file() for path in (hosted.home / "blobs").rglob("*"))
    assert hosted.folders == []


async def test_a_package_that_is_gone_is_an_error_that_says_so(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    await hosted.deployments.discard(package_hash)

    assert "no longer stored" in await refused(
        hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    )


async def test_what_is_left_of_other_revisions_goes_when_a_platform_starts(host) -> None:
    hosted = host()
    package_hash = await hosted.store(main())
    for number in (1, 2, 3):
        await hosted.deployments.start(number, "local/agent", package_hash, "PYTHON")
    await hosted.deployments.close()
    hosted.begin_again()
    await hosted.deployments.start(3, "local/agent", package_hash, "PYTHON")

    await hosted.deployments.forget_all_but([(2, "local/agent", package_hash, "PYTHON")])

    assert [folder.name.partition("-")[0] for folder in hosted.folders] == ["2", "3"]
    url = await hosted.deployments.start(1, "local/agent", package_hash, "PYTHON")
    assert (await get(url)).text == "ok"
