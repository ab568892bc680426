"""A query as a frozen value: a level, keys with what they have to match, and what is to be returned (PS3.4 C.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, TypeAlias

from dicomkit.display.html import Markup, card
from dicomkit.errors import QueryError, ValueFormatError
from dicomkit.standard.attributes import attribute, tag_of, vr_of
from dicomkit.standard.query_keys import LEVELS, UNIQUE_KEYS, query_key
from dicomkit.values.date_times import DateTime
from dicomkit.values.dates import Date
from dicomkit.values.tag import Tag
from dicomkit.values.temporal_range import TemporalRange
from dicomkit.values.times import Time

Key: TypeAlias = "str | tuple[str, ...] | Keys"
"""What an attribute has to match: a text (empty for anything), one of several, or keys of an item of a sequence."""
WILDCARD_VRS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
TEMPORAL_VRS = ("DA", "TM", "DT")
_LEVEL_NAMES = {"INSTANCE": "IMAGE", "IMAGES": "IMAGE", "INSTANCES": "IMAGE", "STUDIES": "STUDY", "PATIENTS": "PATIENT"}
_NO_KEYS = ("QueryRetrieveLevel", "SpecificCharacterSet")


class Keys(tuple[tuple[str, "Key"], ...]):
    """The keys of one level of nesting, as pairs of keyword and what it has to match, in the order of the tags."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for.

    Attributes
    ----------
    level
        ``"PATIENT"``, ``"STUDY"``, ``"SERIES"`` or ``"IMAGE"``; None where the information model has no levels.
    keys
        What has to match.
    return_keys
        Keywords of what is to be returned beside the keys; None for what is usual on the level.
    """

    level: str | None
    keys: Keys
    return_keys: tuple[str, ...] | None = None

    def get(self, keyword: str) -> Key | None:
        """Return what an attribute has to match; None where it is no key."""
        return dict(self.keys).get(keyword)

    def __repr__(self) -> str:
        return f"query({', '.join(self._words())})"

    def _words(self) -> list[str]:
        words = [repr(self.level)] + [f"{keyword}={_plain(key)!r}" for keyword, key in self.keys]
        return words if self.return_keys is None else [*words, f"return_keys={list(self.return_keys)!r}"]

    def _repr_html_(self) -> Markup:
        pairs = [(keyword, repr(_plain(key)) if key else "anything") for keyword, key in self.keys]
        return card(
            f"Query for {self.level or 'items'}", [*pairs, ("returns", ", ".join(self.return_keys or ["the usual"]))]
        )


def query(level: str | None, *, return_keys: Iterable[str] | None = None, **keys: Any) -> Query:
    """Make a query.

    Parameters
    ----------
    level
        ``"patient"``, ``"study"``, ``"series"``, or ``"image"`` (or ``"instance"``); None for a worklist.
    return_keys
        Keywords of what is to be returned beside the keys; by default what is usual on the level.
    keys
        By keyword. A text, with ``*`` and ``?`` where the VR allows; a range of dates, times or moments as ``"a-b"``, or
        as a pair of values one of which may be None; a list of UIDs, or of other values any of which may match; a
        mapping for a sequence; None or ``""`` for anything.

    Raises
    ------
    QueryError
        When there is no such attribute or level, or the attribute can't be asked for so.

    Examples
    --------
    >>> query("study", PatientName="DOE*", StudyDate=("20240101", None), ModalitiesInStudy=["CT", "MR"])
    query('STUDY', StudyDate='20240101-', ModalitiesInStudy=['CT', 'MR'], PatientName='DOE*')
    """
    name = None if level is None else level_name(level)
    returned = None if return_keys is None else tuple(_known(keyword) for keyword in return_keys)
    found = make_keys(keys)
    for keyword in (*(keyword for keyword, _ in found), *(returned or ())):
        _check_level(name, keyword)
    return Query(name, found, returned)


def level_name(level: str) -> str:
    """Return the level as the standard writes it.

    Raises
    ------
    QueryError
        When there is no such level.

    Examples
    --------
    >>> level_name("instance")
    'IMAGE'
    """
    name = level.strip().upper()
    name = _LEVEL_NAMES.get(name, name)
    if name not in LEVELS:
        raise QueryError(f"{level!r} is no level of a query", hint=f"it is one of {', '.join(LEVELS).lower()}")
    return name


def make_keys(keys: Mapping[str, Any]) -> Keys:
    """Check keys, and bring them into their one form."""
    pairs = [(_known(keyword), value) for keyword, value in keys.items()]
    pairs.sort(key=lambda pair: tag_of(pair[0]) or 0)
    return Keys((keyword, _key(keyword, value)) for keyword, value in pairs)


def _known(keyword: str) -> str:
    if tag_of(keyword) is None or keyword in _NO_KEYS:
        hint = "use the keyword of PS3.6, like StudyDate"
        raise QueryError(f"{keyword!r} is no attribute that can be asked for", hint=hint)
    return keyword


def _check_level(level: str | None, keyword: str) -> None:
    """Refuse a key below the level (PS3.4 C.4.1.1.3.1); counts and other summaries are on their own level."""
    entry = query_key(keyword)
    if level is not None and entry is not None and LEVELS.index(entry.level) > LEVELS.index(level):
        hint = f"ask on the level {entry.level.lower()}, or leave it out"
        raise QueryError(f"{keyword} is below the level {level.lower()}", tag=tag_of(keyword), hint=hint)


def _key(keyword: str, value: Any) -> Key:
    tag = tag_of(keyword)
    vr = (vr_of(tag) or "UN").split("|")[0] if tag is not None else "UN"
    if value is None or value == "":
        return ""
    if vr == "SQ":
        return _sequence(keyword, value)
    if isinstance(value, tuple) and len(value) == 2 and vr in TEMPORAL_VRS:
        value = "-".join("" if bound is None else _text(keyword, bound) for bound in value)
    if isinstance(value, (list, tuple, set, frozenset)) or hasattr(value, "tolist"):
        several = tuple(_single(keyword, vr, entry) for entry in value)
        return several[0] if len(several) == 1 else several
    return _single(keyword, vr, value)


def _sequence(keyword: str, value: Any) -> Key:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
        value = value[0]
    if isinstance(value, Keys):
        return value
    if not isinstance(value, Mapping):
        raise QueryError(f"{keyword} is a sequence", tag=tag_of(keyword), hint="give the keys of its item as a mapping")
    return make_keys({str(Tag.of(name).keyword): entry for name, entry in value.items()})


def _single(keyword: str, vr: str, value: Any) -> str:
    text = _text(keyword, value)
    where: dict[str, Any] = {"tag": tag_of(keyword)}
    if "\\" in text:
        raise QueryError(f"{keyword}={text!r} holds a backslash", hint="give several values as a list", **where)
    if vr in TEMPORAL_VRS:
        try:
            TemporalRange.of(text, vr)  # type: ignore[arg-type]
        except ValueFormatError as error:
            hint = f"write one value of {vr}, or a range as 'a-b', 'a-' or '-b', without wildcards"
            raise QueryError(f"{keyword}={text!r}: {error.message}", hint=hint, **where) from error
    elif vr == "UI" and not all(part.isdigit() for part in text.split(".")):
        raise QueryError(
            f"{keyword}={text!r} is no UID", hint="UIDs are asked for whole, or as a list of them", **where
        )
    elif vr not in WILDCARD_VRS and ("*" in text or "?" in text):
        hint = f"{vr} is asked for as a whole value"
        raise QueryError(f"{keyword}={text!r} has a wildcard", hint=hint, **where)
    return text


def _text(keyword: str, value: Any) -> str:
    """Write a value as DICOM does."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        tag = tag_of(keyword)
        return str(DateTime.of(value)) if tag is not None and vr_of(tag) == "DT" else str(Date.of(value.date()))
    if isinstance(value, date):
        return str(Date.of(value))
    if isinstance(value, time):
        return str(Time.of(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    entry = attribute(tag_of(keyword) or 0)
    raise QueryError(f"{keyword} can't be asked for as {value!r}", hint=f"its VR is {entry.vr if entry else 'unknown'}")


def _plain(key: Key) -> Any:
    """Return a key as a caller would write it."""
    if isinstance(key, Keys):
        return {keyword: _plain(value) for keyword, value in key}
    return list(key) if isinstance(key, tuple) else key


def unique_key(level: str) -> str:
    """Return the keyword of the unique key of a level."""
    return UNIQUE_KEYS[level]
