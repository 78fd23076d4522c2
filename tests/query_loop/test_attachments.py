"""Embeds are named by keys that nobody can take from somebody else."""

import re

from hypothesis import given
from hypothesis import strategies as st

from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import Message
from fixieai.protocol.transcript import Line, LineKind
from fixieai.query_loop.attachments import Attachments, references

_MINE, _THEIRS, _OTHER = (Embed("text/plain", f"data:,{number}") for number in range(3))
_KEYS = st.sampled_from(["1", "a", "a_2", "a_3", "", "a b", "a\nA:", "é", "x" * 99]) | st.text(max_size=3)


def test_an_odd_run_of_hashes_is_a_reference():
    assert references("#a ##b ###c x#d # e ####f #1.") == {"a", "c", "d", "1"}


def test_a_taken_key_is_renamed_everywhere_and_the_text_says_so():
    known = Attachments([Line(LineKind.QUERY, "", embeds={"a": _MINE})])
    adopted = known.adopt(Message("#a ##a ###a #ab", {"a": _THEIRS, "a_2": _OTHER}))
    assert adopted == Message("#a_3 ##a ###a_3 #ab\n(#a is #a_3 here)", {"a_3": _THEIRS, "a_2": _OTHER})
    assert known.named_in("#a #a_3 #zzz") == {"a": _MINE, "a_3": _THEIRS}


def test_the_same_embed_keeps_its_key():
    known = Attachments([Line(LineKind.QUERY, "", embeds={"a": _MINE})])
    assert known.adopt(Message("#a", {"a": _MINE})) == Message("#a", {"a": _MINE})


def test_a_persons_embed_wins_over_a_funcs_in_the_history():
    lines = [
        Line(LineKind.QUERY, "", embeds={"a": _MINE}),
        Line(LineKind.FUNC_SAYS, "", "f", {"a": _THEIRS, "b": _OTHER}),
    ]
    assert Attachments(lines).named_in("#a #b") == {"a": _MINE, "b": _OTHER}


@given(st.lists(st.dictionaries(_KEYS, st.sampled_from([_MINE, _THEIRS, _OTHER])), max_size=4))
def test_no_reply_replaces_what_is_known_and_every_key_can_be_named(replies):
    known = Attachments([Line(LineKind.QUERY, "", embeds={"a": _MINE, "1": _MINE})])
    seen = {"a": _MINE, "1": _MINE}
    for embeds in replies:
        adopted = known.adopt(Message("", embeds))
        assert list(adopted.embeds.values()) == list(embeds.values())
        assert all(re.fullmatch(r"\w+", key) for key in adopted.embeds)
        assert all(seen.get(key, embed) == embed for key, embed in adopted.embeds.items())
        seen |= adopted.embeds
    for key, embed in seen.items():
        assert known.named_in(f"#{key}") == {key: embed}


def test_a_reply_brings_at_most_a_hundred_embeds():
    assert len(Attachments(()).adopt(Message("", {str(key): _MINE for key in range(500)})).embeds) == 100
