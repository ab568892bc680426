"""A query as the identifier of C-FIND, C-GET and C-MOVE, and back (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.query.query import Key, Keys, Query, level_name
from dicomkit.standard.query_keys import LEVELS, UNIQUE_KEYS, query_keys

_USUAL = {
    "PATIENT": ("PatientBirthDate", "PatientSex", "NumberOfPatientRelatedStudies"),
    "STUDY": (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ModalitiesInStudy", "StudyDescription"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    ),
    "SERIES": ("SeriesDescription", "BodyPartExamined", "NumberOfSeriesRelatedInstances"),
    "IMAGE": ("SOPClassUID",),
}
"""What is asked for beside the unique and required keys of a level, where nobody says what to return."""


def to_identifier(query: Query, *, returning: bool = True) -> DataSet:
    """Write a query as an identifier.

    Parameters
    ----------
    returning
        Whether to ask for the values of further attributes, which C-FIND does and C-GET and C-MOVE don't.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> identifier = to_identifier(query("series", StudyInstanceUID="1.2.3", return_keys=["Modality"]))
    >>> identifier.QueryRetrieveLevel, identifier.StudyInstanceUID, identifier.Modality
    ('SERIES', UID('1.2.3'), None)
    """
    elements: dict[str, Any] = dict.fromkeys(returned(query) if returning else ())
    elements |= {keyword: _value(key) for keyword, key in query.keys}
    if query.level is not None:
        elements["QueryRetrieveLevel"] = query.level
    if not _is_ascii(query.keys):
        elements["SpecificCharacterSet"] = "ISO_IR 192"
    return DataSet(elements)


def returned(query: Query) -> tuple[str, ...]:
    """List the keywords of what is to be returned, beside those that have to match.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> returned(query("image", SeriesInstanceUID="1.2"))
    ('InstanceNumber', 'SOPInstanceUID', 'SOPClassUID')
    """
    if query.level is None:
        return query.return_keys or ()
    above = [UNIQUE_KEYS[level] for level in LEVELS[1 : LEVELS.index(query.level) + 1]]
    if query.return_keys is not None:
        own = [UNIQUE_KEYS[query.level]] if query.level == "PATIENT" else above[-1:]
        return tuple(dict.fromkeys((*own, *query.return_keys)))
    needed = [key.keyword for key in query_keys(query.level) if key.type != "O"]
    return tuple(dict.fromkeys((*needed, *_USUAL[query.level])))


def from_identifier(identifier: DataSet) -> Query:
    """Read an identifier as a query; what has no value is what is to be returned.

    Real peers write keys that our own queries may not have: wildcards where they mean nothing, levels in lower case.
    They are taken as they are.

    Raises
    ------
    QueryError
        When its level is none.

    Examples
    --------
    >>> from_identifier(DataSet(QueryRetrieveLevel="STUDY", PatientName="DOE*", StudyDate=None))
    query('STUDY', PatientName='DOE*', return_keys=['StudyDate'])
    """
    level = identifier.get("QueryRetrieveLevel")
    keys, wanted = _keys(identifier)
    return Query(None if level is None else level_name(str(level)), keys, tuple(wanted))


def _keys(identifier: DataSet) -> tuple[Keys, list[str]]:
    pairs, wanted = [], []
    for element in identifier.elements():
        keyword = element.tag.keyword
        if not keyword or keyword in ("QueryRetrieveLevel", "SpecificCharacterSet") or element.tag.element == 0:
            continue
        key = _sequence_key(identifier.all(keyword)) if element.vr == "SQ" else _key(element)
        if key:
            pairs.append((keyword, key))
        else:
            wanted.append(keyword)
    return Keys(pairs), wanted


def _sequence_key(items: tuple[Any, ...]) -> Keys:
    """Return the keys of the item; those that have no value ask for the whole sequence."""
    return _keys(items[0])[0] if items else Keys()


def _key(element: Any) -> Key:
    value = element.value
    if value is None or isinstance(value, (bytes, bytearray)):
        return ""
    text = element.text
    values = tuple(part.strip() for part in text.split("\\")) if isinstance(text, str) else ()
    if not values:
        values = tuple(map(str, value)) if isinstance(value, tuple) else (str(value),)
    return values[0] if len(values) == 1 else values


def _value(key: Key) -> Any:
    if isinstance(key, Keys):
        return [DataSet({keyword: _value(entry) for keyword, entry in key})]
    return key or None


def _is_ascii(key: Key) -> bool:
    if isinstance(key, Keys):
        return all(_is_ascii(entry) for _, entry in key)
    return all(part.isascii() for part in ((key,) if isinstance(key, str) else key))
