"""Lists: the items of one text, written in another with commas and an `and`."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from fixieai.llm.by_example.words import Text

_MAXIMUM_ITEMS = 60
_SEPARATOR = r"([\s,;&+•*/|-]{0,6}(?:\b(?:and|or|then|plus)\b)?[\s•*-]{0,4})"
_COMMAS = re.compile(r"\s*(?:[,;]\s*(?:and\s|or\s)?|\s(?:and|or)\s)\s*")
_WRAPPING = " \t\"'[](){}•*-."
_BETWEEN_NUMBERS = frozenset((",", ";", "&", "and", "or"))


class ItemsFound(NamedTuple):
    """Items of a source, and where and how a target shows them. `splitting` is how the source has them."""

    splitting: str
    start: int
    end: int
    separator: str
    last_separator: str

    def shown(self, source: Text) -> str | None:
        """The items of another source, written like these. None when it has none."""
        items = split(source, self.splitting)
        if not items:
            return None
        return join(items, self.separator, self.last_separator)


def find(source: Text, target: str) -> ItemsFound | None:
    """Where the target shows all items of the source, in their order and with nothing else between."""
    for splitting in ("series", "lines", "commas", "words"):
        items = split(source, splitting)
        if items is None or not 2 <= len(items) <= _MAXIMUM_ITEMS:
            continue
        pattern = r"(?<![\w.])" + _SEPARATOR.join(map(re.escape, items)) + r"(?!\w|\.\w)"
        match = re.search(pattern, target)
        if match is not None:
            return ItemsFound(splitting, match.start(), match.end(), match[1], match[match.lastindex or 1])
    return None


def split(source: Text, splitting: str) -> list[str] | None:
    """The items of a text, or None when it is not such a list."""
    text = source.raw
    if splitting == "series":
        first, end = series(source)
        return [token.text for token in source.tokens[first:end] if token.is_number] or None
    if source.is_numbers:
        return None
    if splitting == "lines":
        parts = text.split("\n")
    elif splitting == "commas":
        parts = _COMMAS.split(text) if "\n" not in text else []
    else:
        parts = text.split() if len(source.tokens) <= _MAXIMUM_ITEMS else []
    items = [part.strip(_WRAPPING) for part in parts]
    return [item for item in items if item] or None


def series(text: Text) -> tuple[int, int]:
    """The longest stretch of tokens that is numbers with commas or `and` between them.

    Where there is nothing but numbers, spaces are enough.
    """
    if text.is_numbers:
        return 0, len(text.tokens)
    best, first, last_number = (0, 0), 0, -1
    for position, token in enumerate(text.tokens):
        if token.is_number and (last_number < 0 or position > last_number + 1):
            first = first if last_number >= 0 else position
            last_number = position
            best = max(best, (first, position + 1), key=lambda span: span[1] - span[0])
        elif token.key not in _BETWEEN_NUMBERS:
            last_number = position if token.is_number else -1
            first = position
    return best


def join(items: Sequence[str], separator: str, last_separator: str) -> str:
    """Items with the separators of another list, which may have had only two."""
    if len(items) < 2:
        return "".join(items)
    last = last_separator
    if len(items) == 2 and separator != last_separator:
        last = last_separator.removeprefix(",")
    elif len(items) > 2 and separator == last_separator and separator.strip().isalpha():
        separator, last = ", ", f",{last_separator}"
    return separator.join(items[:-1]) + last + items[-1]
