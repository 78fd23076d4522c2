"""Where commands find the platform of a home."""

import os
import pathlib
import socket

import pytest

from fixieai import errors, testing
from fixieai.platform import addresses
from fixieai.platform.settings import Settings
from fixieai.storage import home_lock


def test_a_platform_is_found_while_it_has_the_home_and_says_where_it_is(tmp_path: pathlib.Path) -> None:
    chosen = Settings(home=tmp_path, host="0.0.0.0", port=8199)
    assert addresses.of_running(tmp_path) is None
    lock = home_lock.acquire(tmp_path)
    with addresses.published(chosen):
        assert addresses.of_running(tmp_path) == "http://127.0.0.1:8199"
        lock.release()
        assert addresses.of_running(tmp_path) is None  # left behind, as by one that was killed
    assert not (tmp_path / addresses.FILE_NAME).exists()


@pytest.mark.parametrize("content", [None, "{", "{}", '{"pid": 1, "url": "http://127.0.0.1:1"}'])
def test_what_the_lock_does_not_vouch_for_is_not_believed(
    tmp_path: pathlib.Path, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_LOOKS", 2)
    lock = home_lock.acquire(tmp_path)
    if content is not None:
        (tmp_path / addresses.FILE_NAME).write_text(content, "utf-8")
        (tmp_path / addresses.FILE_NAME).chmod(0o600)

    with pytest.raises(errors.Conflict, match=str(os.getpid())):
        addresses.of_running(tmp_path)
    lock.release()


def test_a_home_whose_address_cannot_be_written_is_served_all_the_same(tmp_path: pathlib.Path) -> None:
    (tmp_path / addresses.FILE_NAME).mkdir()
    with addresses.published(Settings(home=tmp_path)):
        pass


def test_a_server_that_takes_connections_and_does_not_answer_is_not_reachable_yet() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(TimeoutError, match="nothing answers"),
    ):
        testing.wait_until_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.5)
