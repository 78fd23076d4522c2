"""Who keeps bytes elsewhere than the others learns it at the start."""

import logging
import pathlib

import pytest

from fixieai.platform import blob_place
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
