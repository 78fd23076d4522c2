"""A text as tokens, and how words are bent to stand where another word stood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

NUMBER = "0"
EMBED = "#"

_MAXIMUM_CHARACTERS = 2_000
_MAXIMUM_TOKENS = 250
# Glued words come apart ("3d8" is three tokens, "GOOG's" too). A minus belongs to its number
# where nothing stands before it that could be subtracted from.
_TOKEN = re.compile(
    r"(?P<embed>#\w+)"
    r"|(?P<number>(?:(?<![\w.)\]-])-)?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]{1,30})(?:\.[0-9]{1,30})?)"
    r"|(?P<letter>[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])"  # of scripts that write no spaces
    r"|(?P<word>[^\W\d_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+)"
    r"|(?P<mark>\S)"
)


def _words(text: str) -> list[str]:
    return text.split()


_WORD_VALUES = {
    **{word: str(value) for value, word in enumerate(_words(
        "zero _ two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
        " sixteen seventeen eighteen nineteen twenty"
    ))},
    **{word: str(value) for value, word in zip(
        range(30, 101, 10), _words("thirty forty fifty sixty seventy eighty ninety hundred"), strict=True
    )},
}  # fmt: skip
# "a d6" is one d6, but not each "a" is a number: these count only where a number is wanted.
ONE = frozenset(("a", "an", "one", "single"))

# Words that say little about what is asked, and those with which one asks politely.
STOP_WORDS = frozenset(
    _words(
        "a about again also am an and any are as at be been but by can could did do does for from get "
        "give had has have hello hey hi how i if in into is it its just kindly know let like ll m may "
        "me might mine must my need now of ok on one or our out please re s shall should show so some "
        "t tell than thank thanks that the their them then there these they this those to up us use "
        "ve want was we were what when where which who whose why will with would you your yours"
    )
)
PREPOSITIONS = frozenset(("about", "as", "at", "for", "from", "in", "into", "of", "on", "that", "to", "with"))
_OTHER_FORMS = {"an": "a", "s": "is", "re": "are", "m": "am", "ll": "will", "ve": "have"}
POLITE_WORDS = frozenset(("please", "thanks", "thank", "kindly"))
_TO_SECOND_PERSON = {
    "my": "your",
    "mine": "yours",
    "me": "you",
    "i": "you",
    "myself": "yourself",
}
_TO_FIRST_PERSON = {"your": "my", "yours": "mine", "yourself": "myself"}
_WORD = re.compile(r"[^\W\d_]+")
_I_AM = re.compile(r"\bI(?:\sam|(['\u2019])m)\b")


class Token(NamedTuple):
    """`key` is what makes two tokens the same; `like` is what lets one stand for the other.

    All numbers are alike, all embeds are, and so are forms of a word ("roll", "rolling").
    `is_argument`: it is what its text is about, whatever word it is.
    """

    text: str
    key: str
    like: str
    start: int
    end: int
    is_argument: bool = False

    @property
    def is_number(self) -> bool:
        return self.like == NUMBER

    @property
    def is_mark(self) -> bool:
        return len(self.text) == 1 and not self.text.isalnum()

    @property
    def is_name(self) -> bool:
        """Begins with a capital, or is a number or an embed: what differs from question to question."""
        return self.like in (NUMBER, EMBED) or self.text[0].isupper()

    @property
    def is_content(self) -> bool:
        return self.is_argument or not self.is_little

    @property
    def is_little(self) -> bool:
        """A stop word or a mark: in most places it says little."""
        return self.like not in (NUMBER, EMBED) and (self.key in STOP_WORDS or self.is_mark)


@dataclass(frozen=True)
class Text:
    """A text and its tokens. One that is too long to be compared word by word has none."""

    raw: str
    tokens: tuple[Token, ...]

    @cached_property
    def likes(self) -> list[str]:
        return [token.like for token in self.tokens]

    @cached_property
    def positions(self) -> dict[str, list[int]]:
        """Where each word is, `my` and `your` together."""
        positions: dict[str, list[int]] = {}
        for position, token in enumerate(self.tokens):
            positions.setdefault(same_person(token.key), []).append(position)
        return positions

    @cached_property
    def word_count(self) -> int:
        """How many tokens are no marks."""
        return sum(not token.is_mark for token in self.tokens)

    @cached_property
    def numbers(self) -> list[Decimal]:
        return [Decimal(token.key) for token in self.tokens if token.is_number]

    @cached_property
    def is_numbers(self) -> bool:
        """Nothing but numbers, with at most commas and semicolons between them."""
        return bool(self.numbers) and all(token.is_number or token.text in ",;" for token in self.tokens)

    def with_argument(self, position: int) -> "Text":
        """The same text, in which the word at `position` means something, whatever word it is."""
        token = self.tokens[position]._replace(is_argument=True)
        return Text(self.raw, (*self.tokens[:position], token, *self.tokens[position + 1 :]))

    def between(self, first: int, end: int) -> str:
        """The raw text of tokens `first` to `end` (exclusive)."""
        return self.raw[self.tokens[first].start : self.tokens[end - 1].end]


def read(text: str) -> Text:
    text = text.strip()
    if len(text) > _MAXIMUM_CHARACTERS:
        return Text(text, ())
    tokens = tuple(map(_token, _TOKEN.finditer(text)))
    return Text(text, tokens if len(tokens) <= _MAXIMUM_TOKENS else ())


def _token(match: re.Match[str]) -> Token:
    text, kind = match[0], match.lastgroup
    start, end = match.span()
    if kind == "number":
        return Token(text, _canonical(text), NUMBER, start, end)
    if kind == "embed":
        return Token(text, text, EMBED, start, end)
    key = text.casefold()
    value = _WORD_VALUES.get(key)
    if value is not None:
        return Token(text, value, NUMBER, start, end)
    return Token(text, key, _stem(key), start, end)


def _canonical(number: str) -> str:
    """1,234.50 as 1234.5. Leading zeros stay: 007 is not 7."""
    number = number.replace(",", "")
    return number.rstrip("0").rstrip(".") if "." in number else number


def _stem(word: str) -> str:
    if len(word) < 5:
        return _OTHER_FORMS.get(word, word)
    for ending in ("ing", "ed", "s"):
        if word.endswith(ending) and not word.endswith("ss"):
            return word.removesuffix(ending)
    return word


def same_person(key: str) -> str:
    """What `my` and `your` have in common."""
    return _TO_SECOND_PERSON.get(key, key)


def is_first_person(key: str) -> bool:
    return key in _TO_SECOND_PERSON


def in_other_person(text: str, *, to_second: bool) -> str:
    """`my dog` as `your dog`, or the other way round."""
    swaps = _TO_SECOND_PERSON if to_second else _TO_FIRST_PERSON
    if to_second:  # "am" alone may be the time of day
        text = _I_AM.sub(lambda match: f"you{match[1]}re" if match[1] else "you are", text)

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        other = swaps.get(word.casefold())
        if other is None:
            return word
        return other.capitalize() if word[0].isupper() and word != "I" else other

    return _WORD.sub(swap, text)


def in_case_of(text: str, example: str, target: str) -> str:
    """`text` bent as `target` bends `example`: GOOG written goog, paris written Paris."""
    if example == target or not text:
        return text
    if target.isupper() and len(target) > 1:
        return text.upper()
    if target.islower() and not example.islower():
        return text.lower()
    if target[:1].isupper() and example[:1].islower():
        return text[0].upper() + text[1:]
    return text


def in_case_of_names(text: str, example: Sequence[Token]) -> str:
    """`london` as London where a city stood in capitals; what has capitals already is left alone."""
    words = [token.text for token in example if token.text[0].isalpha()]
    if not words or not text.islower():
        return text
    if all(word.isupper() and len(word) > 1 for word in words):
        return text.upper() if " " not in text else text
    if all(word[0].isupper() for word in words):
        return _WORD.sub(lambda match: match[0].capitalize(), text)
    return text


def number_in_format_of(value: Decimal, target: str) -> str:
    """A number with the decimals and the thousands separators of another."""
    whole, point, decimals = target.partition(".")
    text = f"{value:,f}" if "," in whole else f"{value:f}"
    if point:
        rounded = round(value, len(decimals))
        return f"{rounded:,f}" if "," in whole else f"{rounded:f}"
    if "." in text:
        text = f"{round(value, 2):f}".rstrip("0").rstrip(".")
    return text
