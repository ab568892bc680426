"""What is told of a match: the attributes that a query asks for, and no others (PS3.4 C.4.1.1.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.query.key import Key, Keys
from dicomkit.query.matching import matcher
from dicomkit.query.query import Query, returned


def response(query: Query, ds: DataSet, extra: Mapping[str, Any] | None = None) -> DataSet:
    """Take from a data set that matches what a query asks for.

    What isn't there is empty; of a sequence whose items are matched, those that do are told.

    Parameters
    ----------
    extra
        Values by keyword that win over those of the data set, such as numbers of instances; those that the query
        doesn't ask for are left out, except RetrieveAETitle and InstanceAvailability.

    Examples
    --------
    >>> from dicomkit.query.query import query
    >>> asked = query("study", PatientName="D*", return_keys=["StudyDescription", "NumberOfStudyRelatedSeries"])
    >>> found = response(asked, DataSet(PatientName="DOE", StudyInstanceUID="1.2"), {"NumberOfStudyRelatedSeries": 3})
    >>> found.QueryRetrieveLevel, found.PatientName, found.StudyDescription, found.NumberOfStudyRelatedSeries
    ('STUDY', PersonName('DOE'), None, 3)
    """
    given = dict(extra or {})
    elements = [] if query.level is None else [Element.of("QueryRetrieveLevel", query.level)]
    keys = dict(query.keys)
    always = [word for word in ("RetrieveAETitle", "InstanceAvailability") if word in given and word not in keys]
    about = [word for word in ("SpecificCharacterSet", "TimezoneOffsetFromUTC") if word in ds and word not in keys]
    for keyword in dict.fromkeys((*keys, *returned(query), *always, *about)):
        if keyword in given:
            elements.append(Element.of(keyword, given[keyword]))
        elif keyword in ds:
            elements.append(_asked_for(ds.element(keyword), keys.get(keyword, "")))
        else:
            elements.append(Element.of(keyword, None))
    return DataSet(elements)


def _asked_for(element: Element, key: Key) -> Element:
    if not isinstance(key, Keys) or element.vr != "SQ":
        return element
    is_match = matcher(Query(None, key))
    items = tuple(_item(item, key) for item in element.value or () if is_match(item))
    return Element(element.tag, "SQ", items)


def _item(item: DataSet, keys: Iterable[tuple[str, Key]]) -> DataSet:
    return DataSet(
        _asked_for(item.element(keyword), key) if keyword in item else Element.of(keyword, None)
        for keyword, key in keys
    )
