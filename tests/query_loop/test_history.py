"""The window holds the newest whole turns."""

from fixieai.protocol.transcript import Line, LineKind
from fixieai.query_loop.history import window


class _Counted(list):
    read = 0

    def __getitem__(self, position):
        self.read += 1
        return super().__getitem__(position)


def _turn(text: str) -> list[Line]:
    return [Line(LineKind.QUERY, text), Line(LineKind.FUNC_SAYS, text, "f"), Line(LineKind.RESPONSE, text)]


def test_the_newest_whole_turns_are_kept():
    history = [*_turn("aaaa"), *_turn("bb"), *_turn("c")]
    assert window(history, 9) == history[3:]
    assert window(history, 8) == history[6:]
    assert window(history, 2) == []
    assert window(history, 100) == history


def test_lines_before_the_first_query_are_left_out():
    assert window([Line(LineKind.RESPONSE, "hello"), *_turn("a")], 100) == _turn("a")


def test_the_past_beyond_the_window_is_not_read():
    history = _Counted(_turn("aaa") * 10_000)
    window(history, 30)
    assert history.read < 20
