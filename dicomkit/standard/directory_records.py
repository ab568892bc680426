"""The kinds of directory records of a DICOMDIR (PS3.3 F.4 and F.5): their level, keys and the SOP classes they name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from dicomkit.standard.tables import table_columns


class RecordType(NamedTuple):
    """One kind of directory record.

    Attributes
    ----------
    name : str
        The value of Directory Record Type (0004,1430).
    level : int
        0 in the root directory entity, 1 below a patient, 2 below a study, 3 below a series.
    prefix : str
        Two letters for the names of files.
    keys : tuple of (str, str)
        Keyword and type ("1", "1C", "2", "3") of each key.
    sop_classes : tuple of str
        UIDs of what such a record refers to; empty for patient, study, series, and for images, which are all others.
    """

    name: str
    level: int
    prefix: str
    keys: tuple[tuple[str, str], ...]
    sop_classes: tuple[str, ...]


def record_type(name: str) -> RecordType | None:
    """Look up a kind of record by its name.

    Examples
    --------
    >>> record_type("SERIES").keys
    (('Modality', '1'), ('SeriesInstanceUID', '1'), ('SeriesNumber', '1'))
    """
    return _types().get(name)


def record_type_of(sop_class: str) -> RecordType:
    """Tell which kind of record refers to instances of a SOP class; an image where no other does.

    Examples
    --------
    >>> record_type_of("1.2.840.10008.5.1.4.1.1.481.2").name, record_type_of("1.2.840.10008.5.1.4.1.1.2").name
    ('RT DOSE', 'IMAGE')
    """
    return _by_sop_class().get(sop_class) or _types()["IMAGE"]


@cache
def _types() -> Mapping[str, RecordType]:
    found = {}
    for name, level, prefix, keys, sop_classes in zip(*table_columns("directory_records.tsv", 5), strict=True):
        pairs = tuple((keyword, kind) for keyword, _, kind in (key.partition(":") for key in keys.split()))
        found[name] = RecordType(name, int(level), prefix, pairs, tuple(sop_classes.split()))
    return MappingProxyType(found)


@cache
def _by_sop_class() -> Mapping[str, RecordType]:
    return MappingProxyType({uid: kind for kind in _types().values() for uid in kind.sop_classes})
