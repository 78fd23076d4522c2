"""Who keeps bytes elsewhere than the others learns it at the start."""

import base64
import dataclasses
import logging
import pathlib

import pytest

from fixieai.platform import blob_place
from fixieai.platform.app import open_platform
from fixieai.platform.settings import from_environment
from fixieai.storage import shared_facts
from fixieai.storage.blobs import open_blobs
from fixieai.storage.database import connect


async def test_another_place_than_the_first_one_is_reported(
    postgres_url: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = await connect(postgres_url)
    shared, own = open_blobs(tmp_path / "shared", {}), open_blobs(tmp_path / "own", {})

    found = [await blob_place.check(database, blobs) for blobs in (shared, shared, own)]

    assert found == [True, True, False]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "FIXIE_BLOBS_URL" in caplog.text
    await database.close()


async def test_a_command_that_passes_by_decides_no_place(postgres_url: str, tmp_path: pathlib.Path) -> None:
    environment = {
        "FIXIE_DATABASE_URL": postgres_url,
        "FIXIE_SECRET_KEY": base64.b64encode(bytes(32)).decode(),
    }
    settings = dataclasses.replace(from_environment(environment, tmp_path / "home"), takes_up_work=False)

    async with open_platform(settings):
        pass

    database = await connect(postgres_url)
    assert not await database.read(shared_facts.find, blob_place.FACT)
    await database.close()
