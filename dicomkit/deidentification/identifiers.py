"""What in a data set identifies somebody: names, numbers, places, dates and UIDs that the profile removes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dicomkit.deidentification.rules import Rules
from dicomkit.standard.attributes import attribute, vr_table
from dicomkit.standard.confidentiality import protected_attributes
from dicomkit.standard.uids import uid_entry
from dicomkit.values.dates import Date
from dicomkit.values.person_name import PersonName

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

SHORTEST_WORD = 3
SHORTEST_ID = 4
SHORTEST_PLACE = 5
_FRAMES = 0x52009230  # Per-Frame Functional Groups Sequence: long, and says nothing about persons

# Words that stand in names of persons or places without telling who or where.
_NO_NAMES = frozenset(
    "ANON ANONYMOUS ANONYMIZED ANONYMISED DEIDENTIFIED DUMMY NAMELESS NONAME NONE PATIENT PHANTOM PSEUDONYM REMOVED"
    " TEST UNKNOWN UNNAMED DOCTOR PROF HERR FRAU MISS MRS AND THE VON VAN DEN DER DEL DOS LAS LOS BIN IBN JUN SEN"
    " PHD".split()
)
_ID = re.compile(r"\b(IDs?|Numbers?|Identifier|Identification|Locator|Serial)\b")
_PLACE = re.compile(
    r"\b(Institution|Institutional|Address|Organization|Location|Residence|Station|Site|Sponsor|Center|Committee"
    r"|Telephone|Telecom|Phone|Machine|Owner|Issuer|AE|Service)\b"
)
_YEAR = re.compile(r"(19|20)\d\d")
_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What identifies, as sets of texts.

    Attributes
    ----------
    names
        Values of PN, as written.
    ids, places
        Patient IDs, accession numbers, serial numbers ...; institutions, addresses, stations ...
    dates
        Of eight digits.
    uids

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.deidentification.profile import BASIC_PROFILE
    >>> ds = dk.DataSet(PatientName="Doe^Jane", PatientID="PID-0815", StudyDate="20240131")
    >>> found = Identifiers.of(ds, Rules.of(BASIC_PROFILE))
    >>> sorted(found.names), sorted(found.ids), sorted(found.dates)
    (['Doe^Jane'], ['PID-0815'], ['20240131'])
    """

    names: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()
    uids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, ds: DataSet, rules: Rules, *, spoken: bool = False) -> Identifiers:
        """Collect what a profile removes from a data set, nested items included.

        Parameters
        ----------
        spoken
            Only names, numbers, places and dates that no option keeps, and of nested ones only those in sequences that
            the profile mentions.
        """
        found: dict[str, set[str]] = {entry.name: set() for entry in fields(cls)}
        options = rules.options
        kinds = _spoken_kinds(options) if spoken else _kinds(options)
        _collect(ds, kinds, _speaking_sequences() if spoken else None, found)
        return cls(**{kind: frozenset(texts) for kind, texts in found.items()})

    def __or__(self, other: Identifiers) -> Identifiers:
        return Identifiers(
            self.names | other.names,
            self.ids | other.ids,
            self.places | other.places,
            self.dates | other.dates,
            self.uids | other.uids,
        )

    @property
    def spoken(self) -> Identifiers:
        """Those that people put into texts: names, numbers, places, and birth dates, but no UIDs."""
        return Identifiers(self.names, self.ids, self.places, self.dates)

    @property
    def tokens(self) -> tuple[bytes, ...]:
        """Lower-case words without separators, to look for in bytes that went through `squash`."""
        return _tokens(self.names, self.ids, self.places, self.dates)


def kind_of(tag: int, rules: Rules) -> str | None:
    """Tell as what kind of identifier the values of an attribute count; None for those that identify nobody."""
    return _kinds(rules.options).get(tag)


def identifiers_from(texts: Iterable[tuple[str, str]]) -> Identifiers:
    """Make Identifiers of pairs of kind and text; several values are separated by backslashes.

    Examples
    --------
    >>> sorted(identifiers_from([("names", "Doe^Jane\\\\Roe^Jane"), ("ids", "PID-0815")]).names)
    ['Doe^Jane', 'Roe^Jane']
    """
    found: dict[str, set[str]] = {entry.name: set() for entry in fields(Identifiers)}
    for kind, text in texts:
        for value in text.split("\\"):
            _add(kind, value, found)
    return Identifiers(**{kind: frozenset(values) for kind, values in found.items()})


def words_of(name: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each group of a person name: family, given and middle name.

    Examples
    --------
    >>> list(words_of("Yamada^Tarou=山田^太郎")), list(words_of("de la Cruz^Ana-Maria^^Dr."))
    ([('Yamada', 'Tarou'), ('山田', '太郎')], [('de', 'la', 'Cruz', 'Ana', 'Maria')])
    """
    for group in PersonName(name).groups:
        words = (word for part in group[:3] for word in _SEPARATORS.split(part))
        if kept := tuple(word for word in words if word):
            yield kept


def telling_words(words: Iterable[str]) -> Iterator[str]:
    """Yield the words that can be looked for by themselves: long enough, and no mere title."""
    for word in words:
        wide = not word.isascii() and any(ord(character) > 0x2E7F for character in word)
        if len(word) >= (2 if wide else SHORTEST_WORD) and word.upper() not in _NO_NAMES and not word.isdigit():
            yield word


def telling_id(text: str) -> bool:
    """Whether an ID can be told from any other number: four characters or more, and no year."""
    plain = _SEPARATORS.sub("", text)
    return len(plain) >= SHORTEST_ID and not _YEAR.fullmatch(plain) and len(set(plain)) > 1


_LOWER = bytes(range(256)).lower()
_SQUASHED = bytes(range(0x30)) + b":;<=>?@[\\]^_`{|}~\x7f"


def squash(data: bytes) -> bytes:
    """Leave letters, digits and bytes above 7F, in lower case: so that neither case, separators nor UTF-16 matter.

    Examples
    --------
    >>> squash(b"DOE^Jane, J_ane"), squash("Doe".encode("utf-16-le"))
    (b'doejanejane', b'doe')
    """
    return data.translate(_LOWER, _SQUASHED)


@lru_cache(1024)
def _tokens(
    names: frozenset[str], ids: frozenset[str], places: frozenset[str], dates: frozenset[str]
) -> tuple[bytes, ...]:
    texts = {word for name in names for words in words_of(name) for word in (*telling_words(words), "".join(words))}
    texts |= {text for text in ids if telling_id(text)}
    texts |= {text for text in places if len(text) >= SHORTEST_PLACE}
    for day in dates:
        year, month, day_of_month = day[:4], day[4:6], day[6:]
        texts |= {day, f"{day_of_month}{month}{year}", f"{month}{day_of_month}{year}"}
    encoded = {
        squash(written.encode(codec, "ignore"))
        for text in texts
        for written in (text, text.lower())
        for codec in ("utf-8", "latin-1")
    }
    return tuple(sorted(token for token in encoded if len(token) >= SHORTEST_WORD))


@cache
def _kinds(options: frozenset[str]) -> Mapping[int, str]:
    """The kind of identifier of each attribute that the options don't keep."""
    kinds: dict[int, str] = {tag: "names" for tag, vr in vr_table().items() if vr == "PN"}
    for tag, row in protected_attributes().items():
        said = {action for option, action in row.options.items() if option in options}
        known = attribute(tag)
        if said == {"K"} or known is None:
            kinds.pop(tag, None)
            continue
        if (known.vr in ("DA", "DT") and not said) or known.vr in ("DA", "DT"):
            kinds[tag] = "dates"
        elif known.vr == "UI":
            kinds[tag] = "uids"
        elif known.vr in ("LO", "SH", "ST", "UC", "UT", "AE", "CS") and "clean_descriptors" not in row.options:
            name = row.name
            if _ID.search(name) and not name.startswith("Issuer"):
                kinds[tag] = "ids"
            elif _PLACE.search(name):
                kinds[tag] = "places"
    return MappingProxyType(kinds)


@cache
def _spoken_kinds(options: frozenset[str]) -> Mapping[int, str]:
    never_kept = {tag for tag, row in protected_attributes().items() if not row.options}
    kinds = _kinds(options).items()
    return MappingProxyType(
        {tag: kind for tag, kind in kinds if kind != "uids" and (kind != "dates" or tag in never_kept)}
    )


@cache
def _speaking_sequences() -> frozenset[int]:
    """The sequences that the profile mentions, without those that hold nothing but references."""
    rows = protected_attributes().items()
    return frozenset(tag for tag, row in rows if not re.match(r"Referenced|Source Image", row.name))


def _collect(
    ds: DataSet, kinds: Mapping[int, str], mentioned: frozenset[int] | None, found: dict[str, set[str]]
) -> None:
    """Collect from a data set, and from the items of sequences: of all, or of those mentioned."""
    tags = frozenset(ds)
    for tag in tags & kinds.keys():
        for value in ds.all(tag):
            _add(kinds[tag], value, found)
    vrs = vr_table()
    for tag in tags & mentioned if mentioned is not None else tags - kinds.keys():
        if vrs.get(tag) == "SQ" and tag != _FRAMES:
            for item in ds.all(tag):
                if hasattr(item, "elements"):
                    _collect(item, kinds, mentioned, found)


def _add(kind: str, value: Any, found: dict[str, set[str]]) -> None:
    if not isinstance(value, str) or not (text := value.strip(" \0")):
        return
    if kind == "dates":
        digits = text[:8]
        if len(digits) == 8 and Date(digits).is_valid:
            found[kind].add(digits)
    elif kind == "uids":
        if uid_entry(text) is None:
            found[kind].add(text)
    elif kind == "places":
        found[kind].update(line.strip() for line in re.split(r"[\r\n,;]+", text) if len(line.strip()) >= SHORTEST_PLACE)
    else:
        found[kind].add(str(text))
