"""The embeds of a conversation, by the keys that texts name them with: `#key`.

An odd run of `#` before a word is a reference, an even one (`##`) is only text. Whatever a func
or an agent attaches gets a key of its own: nobody can replace what somebody else attached.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import islice

from fixieai.protocol.embeds import Embed
from fixieai.protocol.messages import Message
from fixieai.protocol.transcript import Line, LineKind

_REFERENCE = re.compile(r"(?<!#)(?P<hashes>#(?:##)*)(?P<key>\w+)")
_NOT_A_WORD = re.compile(r"\W+")
_KEY_CHARACTERS = 64
_EMBEDS_OF_A_REPLY = 100


def references(text: str) -> frozenset[str]:
    """The keys that a text names."""
    if "#" not in text:
        return frozenset()
    return frozenset(match["key"] for match in _REFERENCE.finditer(text))


def shown_text(line: Line) -> str:
    """What a model reads of a line: its text, and the keys of embeds that the text does not name."""
    if not line.embeds:
        return line.text
    named = references(line.text)
    silent = [f"#{key}" for key in line.embeds if key not in named]
    return f"{line.text}\n(Attached: {' '.join(silent)})" if silent else line.text


class Attachments:
    """What the conversation knows. The person's own embeds win over those of funcs and agents."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._known: dict[str, Embed] = {}
        persons: dict[str, Embed] = {}
        for line in lines:
            if line.embeds:
                (persons if line.kind is LineKind.QUERY else self._known).update(line.embeds)
        self._known.update(persons)

    def keep(self, line: Line) -> None:
        """Knows the embeds of a line that was adopted before."""
        for key, embed in line.embeds.items():
            self._known.setdefault(key, embed)

    def named_in(self, text: str) -> dict[str, Embed]:
        """The known embeds that a text refers to."""
        return {key: self._known[key] for key in sorted(references(text)) if key in self._known}

    def adopt(self, message: Message) -> Message:
        """A reply as the conversation keeps it.

        A key that is taken, or is no word, is renamed; so are the references to it in the text,
        and a last line of the text says so. Embeds beyond the hundredth are left out.
        """
        new_keys: dict[str, str] = {}
        embeds: dict[str, Embed] = {}
        for key, embed in islice(message.embeds.items(), _EMBEDS_OF_A_REPLY):
            new_keys[key] = self._free_key(key, embed, taken=(message.embeds, embeds))
            embeds[new_keys[key]] = embed
        self._known.update(embeds)
        return Message(_renamed(message.text, new_keys), embeds)

    def _free_key(self, key: str, embed: Embed, taken: tuple[Mapping[str, Embed], ...]) -> str:
        word = _word(key)
        if word == key and self._known.get(key, embed) == embed:
            return key
        candidate, number = word, 1
        while candidate in self._known or any(candidate in keys for keys in taken):
            number += 1
            candidate = f"{word}_{number}"
        return candidate


def _renamed(text: str, new_keys: Mapping[str, str]) -> str:
    changed = {old: new for old, new in new_keys.items() if old != new}
    if not changed:
        return text
    text = _REFERENCE.sub(lambda match: match["hashes"] + changed.get(match["key"], match["key"]), text)
    notes = ", ".join(f"#{_word(old)} is #{new} here" for old, new in changed.items())
    return f"{text}\n({notes})"


def _word(key: str) -> str:
    return _NOT_A_WORD.sub("_", key)[:_KEY_CHARACTERS] or "embed"
