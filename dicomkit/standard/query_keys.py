"""Which attributes are keys of the query and retrieve information models, on which level (PS3.4 C.6)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from dicomkit.standard.tables import table_columns

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
UNIQUE_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "PATIENT": "PatientID",
        "STUDY": "StudyInstanceUID",
        "SERIES": "SeriesInstanceUID",
        "IMAGE": "SOPInstanceUID",
    }
)


class QueryKey(NamedTuple):
    """A key: its level, its keyword, and its type: U for unique, R for required, O for optional."""

    level: str
    keyword: str
    type: str


def query_key(keyword: str) -> QueryKey | None:
    """Look up a key.

    Examples
    --------
    >>> query_key("StudyDate"), query_key("Rows")
    (QueryKey(level='STUDY', keyword='StudyDate', type='R'), None)
    """
    return _keys().get(keyword)


def query_keys(level: str) -> tuple[QueryKey, ...]:
    """List the keys of a level, in the order of PS3.4.

    Examples
    --------
    >>> [key.keyword for key in query_keys("SERIES")]
    ['Modality', 'SeriesNumber', 'SeriesInstanceUID', 'NumberOfSeriesRelatedInstances']
    """
    return tuple(key for key in _keys().values() if key.level == level)


@cache
def _keys() -> Mapping[str, QueryKey]:
    rows = zip(*table_columns("query_keys.tsv", 3), strict=True)
    return MappingProxyType({keyword: QueryKey(level, keyword, type) for level, keyword, type in rows})
