"""A second look at what remains: names, numbers and places that the rules removed, but that stand elsewhere as well."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomkit.dataset.element import Element
from dicomkit.dataset.index import vr_word
from dicomkit.deidentification.changes import Path
from dicomkit.deidentification.dummies import dummy
from dicomkit.deidentification.identifiers import (
    SHORTEST_WORD,
    Identifiers,
    squash,
    telling_id,
    telling_words,
    words_of,
)
from dicomkit.deidentification.job import METHOD, Job
from dicomkit.deidentification.replacements import PSEUDONYMS
from dicomkit.deidentification.text import tidy, without
from dicomkit.encoding.writer import iter_bytes
from dicomkit.errors import ValueFormatError
from dicomkit.sources import Bulk
from dicomkit.standard.attributes import vr_table
from dicomkit.standard.uids import uid_entry
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag
from dicomkit.values.transfer_syntax import TransferSyntax

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet


class Parts(NamedTuple):
    """The encoded elements of a data set, and the elements with large values that they lack."""

    small: bytes
    large: tuple[Element, ...]


_TEXT = frozenset(("LO", "LT", "SH", "ST", "UC", "UT", "UR", "PN", "AE"))
_BLOB = frozenset(("OB", "UN"))
_KIND = 0xFFFF
_ASCII_OR_NOT = frozenset(map(vr_word, (*_TEXT, "CS")))
_NUMBERS = frozenset(map(vr_word, "AS AT DA DS DT FD FL IS SL SS SV TM UL US UV".split()))
_SAMPLE = 4096
_LONG_WORD = 6
_PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_REASON = "stood in an attribute that was removed"


def swept(ds: DataSet, original: DataSet, syntax: TransferSyntax, job: Job) -> tuple[DataSet, Parts]:
    """Return a data set in which nothing is left of what is known to identify, and its parts.

    Most data sets are told to be clean by one search through their bytes.
    """
    maybe = sorted(frozenset(original) - _small_tags())
    if not job.rules.keeps_private:
        maybe = [tag for tag in maybe if not tag & 0x10000]
    large = [tag for tag in maybe if _is_large(ds, tag)]
    parts = _parts(ds, large, syntax)
    tokens = job.identifiers.tokens if job.rules.profile.sweep else ()
    if not mentions(parts.small, tokens):
        return ds, parts
    cleaned = _swept(ds, job, (), ())
    return (ds, parts) if cleaned is ds else (cleaned, _parts(cleaned, large, syntax))


@cache
def _small_tags() -> frozenset[int]:
    """The attributes that the dictionary gives a VR without large values."""
    return frozenset(tag for tag, vr in vr_table().items() if vr[:1] not in ("O", "U", ""))


def _is_large(ds: DataSet, tag: Tag) -> bool:
    return tag in ds and (tag in _PIXELS or isinstance(ds[tag], (Bulk, Fragments)))


def _parts(ds: DataSet, large: list[Tag], syntax: TransferSyntax) -> Parts:
    """Encode a data set without its pixel data and other large values, which are returned as they are."""
    inflated = replace(syntax, deflated=False)
    return Parts(b"".join(iter_bytes(ds.drop(*large), inflated)), tuple(map(ds.element, large)))


def mentions(data: bytes, tokens: Iterable[bytes]) -> bool:
    """Whether one of some squashed words stands in bytes, in whatever case and with whatever separators."""
    squashed = squash(data)
    return any(token in squashed for token in tokens)


def _swept(ds: DataSet, job: Job, place: tuple[int, ...], path: Path) -> DataSet:
    edits = []
    tokens = job.identifiers.tokens
    for tag in ds:
        if not _may_tell(ds, tag, tokens) or _left_alone(ds, tag, job, place):
            continue
        element = ds.element(tag)
        if element.vr == "SQ":
            inside, step = (*place, int(tag)), (*path, tag.keyword or str(tag))
            items = tuple(_swept(item, job, inside, (*step, n)) for n, item in enumerate(element.value or ()))
            if any(new is not old for new, old in zip(items, element.value or (), strict=True)):
                edits.append(Element(tag, "SQ", items))
            continue
        value = _without(element, job)
        if value is not element.value:
            try:
                made = Element.of(tag, value, element.vr)
            except ValueFormatError:
                made = Element.of(tag, None, element.vr)
            if made.value is None and job.type_of(place, tag) in ("1", "1C"):
                made = Element.of(tag, dummy(element.vr), element.vr)
            edits.append(made)
            job.note(path, tag, "sweep", element.value, made.value, _REASON)
    return ds.assign(edits) if edits else ds


def _may_tell(ds: DataSet, tag: Tag, tokens: Iterable[bytes]) -> bool:
    """Whether an element has to be looked at: text in ASCII only where a word that is looked for stands in it."""
    record = None if tag in ds._overlay else ds._records.find(tag)
    if record is None:
        return True
    index = ds._records.index
    kind = index.kind(record) & _KIND
    if kind not in _ASCII_OR_NOT:
        return kind not in _NUMBERS
    raw = index.fetch(record)
    return not raw.isascii() or b"\x1b" in raw or mentions(raw, tokens)


def _left_alone(ds: DataSet, tag: Tag, job: Job, place: tuple[int, ...]) -> bool:
    """Pixels, what the user has decided about, pseudonyms, and creators of private blocks that are kept."""
    rules = job.rules
    if tag in _PIXELS or tag.is_private_creator or tag in PSEUDONYMS:
        return True
    if tag in rules.everywhere or (*place, tag) in rules.by_path:
        return True
    creator = ds.private_creator(tag) if tag.is_private and rules.private else None
    return creator is not None and rules.of_private(tag, creator, place) is not None


def _without(element: Element, job: Job) -> Any:
    """The value without what identifies; the very same value where there is nothing."""
    value, vr = element.value, element.vr
    if value is None or isinstance(value, (Bulk, Fragments)):
        return value
    if vr in _TEXT:
        return _each(value, lambda text: _without_text(text, job.identifiers))
    if vr == "CS":
        # Defined terms may be words of a name: numbers only, and no names.
        return _each(value, lambda text: _without_text(text, Identifiers(ids=job.identifiers.ids)))
    if vr == "UI" and not job.rules.profile.retain_uids:
        return _each(value, lambda uid: _without_id(uid, job))
    if vr in _BLOB:
        masked = masked_bytes(value, job.identifiers, SHORTEST_WORD if looks_like_text(value) else _LONG_WORD)
        return value if masked == value else masked
    return value


def _each(value: Any, change: Any) -> Any:
    """Change each text of a value; the very same value where none changes."""
    values = value if isinstance(value, tuple) else (value,)
    changed = tuple(change(part) if isinstance(part, str) and part != METHOD else part for part in values)
    if changed == values:
        return value
    kept = tuple(part or None for part in changed)
    return None if not any(kept) else kept if isinstance(value, tuple) else kept[0]


def _without_text(text: str, identifiers: Identifiers) -> str:
    cleaned = without(text, identifiers)
    return text if cleaned == text else tidy(cleaned)


def _without_id(uid: str, job: Job) -> str:
    """Another UID, where a number that identifies is one of its parts."""
    digits = {"".join(filter(str.isdigit, text)).lstrip("0") for text in job.identifiers.ids if telling_id(text)}
    parts = {part.lstrip("0") for part in uid.split(".")}
    return job.pseudonyms.uid(uid) if parts & {text for text in digits if len(text) > 4} and not uid_entry(uid) else uid


def looks_like_text(data: bytes) -> bool:
    """Whether bytes are text for the most part, in ASCII or UTF-16.

    Examples
    --------
    >>> looks_like_text(b'{"name": "x"}'), looks_like_text(bytes(range(99)))
    (True, False)
    """
    sample = data[:_SAMPLE].replace(b"\0", b"")
    printable = sum(byte >= 0x20 or byte in b"\r\n\t" for byte in sample)
    return bool(sample) and len(sample) * 2 >= min(len(data), _SAMPLE) and printable > 0.99 * len(sample)


def masked_bytes(data: bytes, identifiers: Identifiers, shortest: int = SHORTEST_WORD) -> bytes:
    """Overwrite what identifies by X, in ASCII, UTF-8, Latin-1 and UTF-16; lengths stay.

    Parameters
    ----------
    shortest
        Of how many bytes a word has to be; short ones turn up in numbers by chance.

    Examples
    --------
    >>> masked_bytes(b'{"name": "DOE^jane"}', Identifiers(names=frozenset(["Doe^Jane"])))
    b'{"name": "XXX^XXXX"}'
    """
    pattern = _byte_pattern(identifiers.names, identifiers.ids, shortest)
    return data if pattern is None else pattern.sub(lambda match: b"X" * len(match[0]), data)


@lru_cache(256)
def _byte_pattern(names: frozenset[str], ids: frozenset[str], shortest: int) -> re.Pattern[bytes] | None:
    words = {word for name in names for words in words_of(name) for word in telling_words(words)}
    words |= {text for text in ids if telling_id(text)}
    encoded = {
        written.encode(codec, "ignore")
        for word in words
        for written in (word, word.lower(), word.upper(), word.title())
        for codec in ("utf-8", "latin-1", "utf-16-le")
    }
    choices = sorted(
        (re.escape(form) for form in encoded if len(form) >= shortest), key=lambda form: (-len(form), form)
    )
    return re.compile(b"|".join(choices), re.IGNORECASE) if choices else None
