"""A disk that is full in the middle of queries: what they cannot store is stored once there is room."""

import contextlib
import pathlib

from scripted_world import EFFECTS, lines
from small_disks import needs_root, small_disk

_MIB = 1024 * 1024


def fill(file: pathlib.Path) -> None:
    with file.open("wb", buffering=0) as filling, contextlib.suppress(OSError):
        for _ in range(4096):
            filling.write(b"x" * 4096)


@needs_root
def test_queries_go_on_by_themselves_when_there_is_room_again(world, tmp_path) -> None:
    with small_disk(tmp_path / "disk", "size=16m,mode=700"):
        platform = world.platform(tmp_path / "disk")
        world.register(platform, "go")
        before = platform.session("go")
        assert platform.ask("go", 100, before).ok
        effects = EFFECTS["go"]
        sessions = [platform.session("go") for _ in effects]
        asked = []
        for number, effect in enumerate(effects):
            world.calls.hold(number, effect)
            asked.append(platform.ask_later("go", number, sessions[number]))
        world.calls.wait(len(effects))
        fill(tmp_path / "disk" / "filling")
        world.calls.let_go()
        refused = [later.wait() for later in asked]
        refused.append(platform.ask("go", 101))
        for response in refused:
            assert response is not None
            assert response.status_code in (503, 507), response.text
            assert "room" in response.text or "goes on by itself" in response.text
        assert platform.messages(before) == lines("go", 100)

        (tmp_path / "disk" / "filling").unlink()
        for number, effect in enumerate(effects):
            assert platform.answered(sessions[number]) == lines("go", number)
            # A line of one query may have found the last room: then it was the next call that waited.
            assert world.calls.repeated(number) in ([effect], [*effects[number + 1 : number + 2]])
        assert platform.ask("go", 102).ok
        assert "Traceback" not in platform.log()
        platform.close()
