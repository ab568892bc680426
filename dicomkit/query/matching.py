"""Whether a data set matches a query: single value, list, wildcard, range and sequence matching (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import ValueFormatError
from dicomkit.query.key import TEMPORAL_VRS, WILDCARD_VRS, Key, Keys
from dicomkit.query.query import Query
from dicomkit.standard.attributes import tag_of, vr_of
from dicomkit.values.temporal_range import TemporalRange

Test: TypeAlias = "Callable[[Any], bool]"
_ANY_OF_MODALITIES = {"ModalitiesInStudy": "Modality", "SOPClassesInStudy": "SOPClassUID"}


def matches(query: Query, ds: DataSet, *, fuzzy: bool = False) -> bool:
    """Tell whether a data set matches a query.

    Parameters
    ----------
    fuzzy
        Whether names match without regard to accents, order and punctuation of their parts.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> ds = DataSet(PatientName="DOE^JANE", StudyDate="20240229")
    >>> matches(query("study", PatientName="doe*", StudyDate="2024-"), ds)
    True
    """
    return matcher(query, fuzzy=fuzzy)(ds)


def matcher(query: Query, *, fuzzy: bool = False) -> Callable[[DataSet], bool]:
    """Make the test of a query once, for many data sets.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> is_ct = matcher(query("series", Modality=["CT", "PT"]))
    >>> [is_ct(DataSet(Modality=modality)) for modality in ("CT", "MR", None)]
    [True, False, False]
    """
    return _keys_test(query.keys, fuzzy)


def find_in(datasets: Iterable[DataSet], query: Query) -> Iterator[DataSet]:
    """Give those data sets that match a query.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> some = [DataSet(PatientID="A1"), DataSet(PatientID="B1")]
    >>> [ds.PatientID for ds in find_in(some, query("image", PatientID="B?"))]
    ['B1']
    """
    return filter(matcher(query), datasets)


def _keys_test(keys: Keys, fuzzy: bool) -> Callable[[DataSet], bool]:
    tests = [(keyword, _test(keyword, key, fuzzy)) for keyword, key in keys if key]

    def every(ds: DataSet) -> bool:
        for keyword, test in tests:
            values = ds.all(keyword)
            if not values and keyword in _ANY_OF_MODALITIES:
                values = ds.all(_ANY_OF_MODALITIES[keyword])
            if not any(test(value) for value in values if value is not None):
                return False
        return True

    return every


def _test(keyword: str, key: Key, fuzzy: bool) -> Test:
    """Make the test of one key: of a single value, or of an item."""
    if isinstance(key, Keys):
        of_item = _keys_test(key, fuzzy)
        return lambda item: isinstance(item, DataSet) and of_item(item)
    if isinstance(key, tuple):
        tests = [_test(keyword, str(entry), fuzzy) for entry in key]
        return lambda value: any(test(value) for test in tests)
    tag = tag_of(keyword)
    vr = (vr_of(tag) or "UN").split("|")[0] if tag is not None else "UN"
    if vr in TEMPORAL_VRS:
        return _temporal(vr, key)
    if vr == "PN":
        return _name(key, fuzzy)
    if vr in WILDCARD_VRS and ("*" in key or "?" in key):
        pattern = _pattern(key)
        return lambda value: pattern.fullmatch(str(value)) is not None
    if vr in ("DS", "IS", "US", "UL", "SS", "SL", "FL", "FD"):
        return _number(key)
    return lambda value: str(value) == key


def _temporal(vr: str, key: str) -> Test:
    try:
        bounds = TemporalRange.of(key, vr)  # type: ignore[arg-type]
    except ValueFormatError:  # of a peer that asks with what is no date: only the same text matches
        return lambda value: str(value) == key

    def within(value: Any) -> bool:
        try:
            return bounds.contains(str(value))
        except ValueFormatError:
            return False

    return within


def _number(key: str) -> Test:
    try:
        wanted = float(key)
    except ValueError:
        return lambda value: str(value) == key
    return lambda value: isinstance(value, (int, float)) and value == wanted


def _name(key: str, fuzzy: bool) -> Test:
    """Compare names without regard to case, group by group: a key without groups matches any of them (C.2.2.2.1)."""
    if fuzzy:
        wanted = _parts(key)
        return lambda value: any(wanted <= _parts(group) for group in str(value).split("="))
    patterns = [_pattern(_without_empty(group), re.IGNORECASE) if group else None for group in key.split("=")]

    def same(value: Any) -> bool:
        groups = str(value).split("=")
        if len(patterns) == 1:
            only = patterns[0]
            return only is None or any(only.fullmatch(_without_empty(group)) for group in groups)
        groups += [""] * (len(patterns) - len(groups))
        return all(
            pattern is None or pattern.fullmatch(_without_empty(group))
            for pattern, group in zip(patterns, groups, strict=False)
        )

    return same


def _without_empty(group: str) -> str:
    """Drop trailing delimiters and spaces, which mean nothing (PS3.5 6.2)."""
    return group.rstrip("^ ")


def _parts(name: str) -> frozenset[str]:
    """Return the words of a name without accents and case, and without a wildcard at their end."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    return frozenset(word for word in re.split(r"[\W_]+", plain.casefold()) if word)


def _pattern(key: str, flags: int = 0) -> re.Pattern[str]:
    """Turn * and ? into a regular expression; runs of * are one, so that it can't be slow."""
    key = re.sub(r"\*+", "*", key)
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in key)
    return re.compile("".join(parts), flags | re.DOTALL)
