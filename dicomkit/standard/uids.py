"""The UID registry: what PS3.6 annex A says of a UID, a keyword or a name."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from dicomkit.standard.tables import table_columns


class Uid(NamedTuple):
    """One line of the registry of UIDs (PS3.6 annex A).

    Parameters
    ----------
    uid, name : str
        The UID and its name; a few retired ones have lost their name.
    keyword : str
        Empty for context groups, and for a few that have none.
    type : str
        Such as ``"SOP Class"``, ``"Transfer Syntax"``, ``"Context Group UID"``; :func:`uid_types` lists them.
    retired : bool
        Whether the standard has retired it.
    note : str
        The number of a context group (``"CID 29"``), the origin of a frame of reference, what a transfer syntax is the
        default for; else empty.
    """

    uid: str
    name: str
    keyword: str
    type: str
    retired: bool
    note: str


def uid_entry(uid: str) -> Uid | None:
    """Look up a UID; None where the standard does not register it.

    Examples
    --------
    >>> uid_entry("1.2.840.10008.5.1.4.1.1.2").name
    'CT Image Storage'
    >>> uid_entry("1.2.3") is None
    True
    """
    return _entries().get(uid)


def uid_of(keyword: str) -> str | None:
    """Look up the UID of a keyword.

    Examples
    --------
    >>> uid_of("ExplicitVRLittleEndian"), uid_of("CTImage")
    ('1.2.840.10008.1.2.1', None)
    """
    return _by_keyword().get(keyword)


def uid_named(name: str) -> Uid | None:
    """Look up a UID by its name, upper or lower case.

    Examples
    --------
    >>> uid_named("ct image storage").uid
    '1.2.840.10008.5.1.4.1.1.2'
    """
    return _by_name().get(name.casefold())


def uids_of_type(type: str) -> tuple[Uid, ...]:
    """List the UIDs of one type, in the order of PS3.6.

    Examples
    --------
    >>> [entry.keyword for entry in uids_of_type("Transfer Syntax")][:2]
    ['ImplicitVRLittleEndian', 'ExplicitVRLittleEndian']
    """
    return tuple(entry for entry in _entries().values() if entry.type == type)


def uid_types() -> tuple[str, ...]:
    """List the types of UIDs, in the order of their first use.

    Examples
    --------
    >>> uid_types()[:3]
    ('SOP Class', 'Transfer Syntax', 'Well-known Frame of Reference')
    """
    return tuple(dict.fromkeys(entry.type for entry in _entries().values()))


@cache
def _entries() -> dict[str, Uid]:
    """Every entry by its UID."""
    return {
        uid: Uid(uid, name, keyword, type, retired == "Y", note)
        for uid, name, keyword, note, type, retired in zip(*table_columns("uids.tsv", 6), strict=True)
    }


@cache
def _by_keyword() -> dict[str, str]:
    """The UID of every keyword."""
    return {entry.keyword: entry.uid for entry in _entries().values() if entry.keyword}


@cache
def _by_name() -> dict[str, Uid]:
    """Every entry by its name in lower case."""
    return {entry.name.casefold(): entry for entry in _entries().values() if entry.name}
