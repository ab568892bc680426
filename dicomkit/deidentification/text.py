"""Texts without what identifies: names in any order and spelling, numbers, places, dates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import permutations

from dicomkit.deidentification.identifiers import (
    SHORTEST_ID,
    SHORTEST_PLACE,
    Identifiers,
    telling_id,
    telling_words,
    words_of,
)

_SEPARATOR = r"[\W_]{0,3}"
_NO_LETTER_BEFORE, _NO_LETTER_AFTER = r"(?<![^\W\d_])", r"(?![^\W\d_])"
_NO_ALNUM_BEFORE, _NO_ALNUM_AFTER = r"(?<![^\W_])", r"(?![^\W_])"
_MOST_PERMUTED = 3

# How letters are written with and without marks; digraphs that stand for one letter.
_MARKS = {
    "a": "aàáâãäåāăą",
    "c": "cçćč",
    "d": "dďđ",
    "e": "eèéêëēęě",
    "g": "gğ",
    "i": "iìíîïīıi̇",
    "l": "lł",
    "n": "nñńň",
    "o": "oòóôõöøōő",
    "r": "rř",
    "s": "sśšşș",
    "t": "tťțţ",
    "u": "uùúûüūůű",
    "y": "yýÿ",
    "z": "zźżž",
}
_BASES = {marked: base for base, forms in _MARKS.items() for marked in forms}
_DIGRAPHS = {"ae": "ä|æ", "oe": "ö|ø|œ", "ue": "ü", "ss": "ß"}
_EXPANDED = {"ä": "ae", "æ": "ae", "ö": "oe", "ø": "oe", "œ": "oe", "ü": "ue", "ß": "ss"}

_MONTHS = r"(?:jan|feb|m[aä]r|apr|ma[iyj]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*"
DATES = re.compile(
    r"(?<!\d)(?:"
    r"(?:19|20)\d\d[-./ ]?(?:0[1-9]|1[0-2])[-./ ]?(?:0[1-9]|[12]\d|3[01])(?:[T ]?\d{4}(?:\d\d)?)?"
    r"|\d{1,2}[-./]\d{1,2}[-./](?:19|20)?\d\d"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.)?[- ]?{_MONTHS}[-., ]{{0,2}}(?:19|20)?\d\d"
    rf"|{_MONTHS}\.?[- ]?\d{{1,2}}(?:st|nd|rd|th)?,?[- ](?:19|20)?\d\d"
    r")(?![\d])",
    re.IGNORECASE,
)
_MONTH_NUMBERS = {name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_MONTH_NUMBERS |= {"mär": 3, "mai": 5, "okt": 10, "dez": 12, "maj": 5}
_CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+|(?:https?|ftp)://\S+|(?<![\d.])\+?\(?\d{2,4}\)?[-/ ]\d{3,4}[-/ ]\d{3,5}(?![\d.])"
)
_TITLED = re.compile(
    r"\b(?:Dr|Prof|Mr|Mrs|Ms|Mme|Herr|Frau|Pr)\b\.?(?:\s*(?:med|Dr|Prof)\.)*\s*[^\W\d_][\w'-]*", re.IGNORECASE
)
_AGE_OR_SEX = re.compile(
    r"\b\d{1,3}[ -]?(?:y/?o|yrs?|years?|jahre?|ans)\b(?:[ -]?(?:old|alt))?(?:[ -]?[FMWfmw]\b)?"
    r"|\b\d{2,3}[YyJj]?[FMWfmw]\b|\b(?:female|male|wom[ae]n|weiblich|männlich)\b",
    re.IGNORECASE,
)
_GAPS = re.compile(r"[ \t]{2,}")
_LOOSE_ENDS = " ,;:-_/^=."


def clean_text(text: str, identifiers: Identifiers, *, dates: bool = True, characteristics: bool = True) -> str:
    """Return a text without names, numbers, places and dates.

    Besides what is known to identify, it removes whatever looks like a date, a contact, a person with a title, or an
    age; so does no list of words that are safe.

    Parameters
    ----------
    dates, characteristics
        Whether to remove what looks like a date, and like an age or a sex.

    Examples
    --------
    >>> known = Identifiers(names=frozenset(["Müller^Jürgen"]), ids=frozenset(["PID-0815"]))
    >>> clean_text("CT thorax 55F juergen MUELLER (pid 0815), Dr. Smith, 31.01.2024", known)
    'CT thorax'
    """
    cleaned = without(text, identifiers)
    for pattern in (_CONTACT, *((DATES,) if dates else ()), _TITLED, *((_AGE_OR_SEX,) if characteristics else ())):
        cleaned = pattern.sub(" ", cleaned)
    return text if cleaned == text else tidy(cleaned)


def without(text: str, identifiers: Identifiers) -> str:
    """Return a text without what is known to identify, each replaced by a space."""
    pattern = pattern_of(identifiers)
    cleaned = text if pattern is None else pattern.sub(" ", text)
    if not identifiers.dates:
        return cleaned
    return DATES.sub(lambda match: match[0] if identifiers.dates.isdisjoint(days_of(match[0])) else " ", cleaned)


def days_of(text: str) -> set[str]:
    """Return the days, as YYYYMMDD, that a text may mean: in European or American order, month by name.

    Examples
    --------
    >>> sorted(days_of("05/03/2024")), days_of("3 May 2024"), days_of("2024-05-03")
    (['20240305', '20240503'], {'20240503'}, {'20240503'})
    """
    digits = re.findall(r"\d+", text)
    if (named := re.search(r"[^\W\d_]{3,}", text)) and len(digits) >= 2:
        month = _MONTH_NUMBERS.get(named[0][:3].lower())
        numbers = [f"{int(day):02d}" for day in digits[:1]]
        return {f"{year}{month:02d}{day}" for day in numbers for year in _years(digits[-1])} if month else set()
    joined = "".join(digits)
    if re.match(r"(19|20)\d{2}", joined) and len(joined) >= 8 and len(digits[0]) >= 4:
        return {joined[:8]}
    if len(digits) >= 3:
        first, second = (f"{int(number):02d}" for number in digits[:2])
        return {f"{year}{m}{d}" for year in _years(digits[2]) for m, d in ((first, second), (second, first))}
    return set()


def _years(digits: str) -> tuple[str, ...]:
    return (digits,) if len(digits) == 4 else (f"19{digits}", f"20{digits}")


def tidy(text: str) -> str:
    """Remove the gaps and loose separators that a removal leaves."""
    text = re.sub(r"[(\[{<][\W_]*[)\]}>]", " ", text)
    text = re.sub(r"(?:\s*[,;:/-]\s*){2,}", ", ", text)
    return _GAPS.sub(" ", text).strip(_LOOSE_ENDS + "\r\n\t")


def pattern_of(identifiers: Identifiers) -> re.Pattern[str] | None:
    """Return the expression that finds names, numbers and places in texts; None where nothing is to be found."""
    return _pattern(identifiers.names, identifiers.ids, identifiers.places)


@lru_cache(1024)
def _pattern(names: frozenset[str], ids: frozenset[str], places: frozenset[str]) -> re.Pattern[str] | None:
    choices = {choice for name in names for choice in _name_patterns(name)}
    choices |= {_id_pattern(text) for text in ids if telling_id(text)}
    choices |= {_place_pattern(text) for text in places if len(text) >= SHORTEST_PLACE}
    if not choices:
        return None
    return re.compile("|".join(sorted(choices, key=lambda choice: (-len(choice), choice))), re.IGNORECASE)


def _name_patterns(name: str) -> Iterable[str]:
    """Each telling word by itself, and all words together in any order."""
    for words in words_of(name):
        for word in telling_words(words):
            yield _bounded(spelled(word), word)
        if 1 < len(words) <= _MOST_PERMUTED and len("".join(words)) >= SHORTEST_ID - 1:
            for order in permutations(words):
                yield _bounded(_SEPARATOR.join(map(spelled, order)), "".join(words))


def _bounded(pattern: str, word: str) -> str:
    """A word counts where no letter touches it; scripts without spaces between words know no such bounds."""
    if any(ord(character) > 0x2E7F for character in word):
        return pattern
    return f"{_NO_LETTER_BEFORE}(?:{pattern}){_NO_LETTER_AFTER}"


def _id_pattern(text: str) -> str:
    parts = [part for part in re.split(r"[\W_]+", text) if part]
    pattern = _SEPARATOR.join(_split_digits(part) for part in parts)
    if text.isdigit():
        return f"(?<!\\d){pattern}(?!\\d)"
    return pattern if sum(map(len, parts)) >= 8 else f"{_NO_ALNUM_BEFORE}(?:{pattern}){_NO_ALNUM_AFTER}"


def _split_digits(part: str) -> str:
    """Letters and digits may be written apart: A1234 as A 1234."""
    runs = re.findall(r"\d+|[^\d]+", part)
    return _SEPARATOR.join(map(re.escape, runs))


def _place_pattern(text: str) -> str:
    words = [word for word in re.split(r"[\W_]+", text) if word]
    return f"{_NO_ALNUM_BEFORE}(?:{_SEPARATOR.join(map(spelled, words))}){_NO_ALNUM_AFTER}" if words else r"(?!)"


@lru_cache(4096)
def spelled(word: str) -> str:
    """Return an expression for a word with or without marks on its letters.

    Examples
    --------
    >>> all(re.fullmatch(spelled("Müller"), other, re.IGNORECASE) for other in ("MULLER", "mueller", "Müller"))
    True
    >>> bool(re.fullmatch(spelled("Gross"), "groß", re.IGNORECASE))
    True
    """
    lowered, pattern, at = word.lower(), "", 0
    while at < len(lowered):
        pair, letter = lowered[at : at + 2], lowered[at]
        base = _BASES.get(letter)
        if pair in _DIGRAPHS:
            pattern += f"(?:{''.join(_letter(part) for part in pair)}|{_DIGRAPHS[pair]}|{pair[0]})"
            at += 2
            continue
        if letter in _EXPANDED:
            plain = _letter(base) if base else re.escape(letter)
            pattern += f"(?:{_EXPANDED[letter]}|{letter}|{plain})"
        else:
            pattern += _letter(base) if base else re.escape(letter)
        at += 1
    return pattern


def _letter(base: str) -> str:
    forms = _MARKS.get(base)
    return f"[{forms}]" if forms else re.escape(base)
