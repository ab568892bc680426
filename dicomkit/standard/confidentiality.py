"""The confidentiality profile: what PS3.15 annex E does with each attribute, private element and SR concept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from dicomkit.standard.tables import table_columns

OPTIONS = (
    "retain_safe_private",
    "retain_uids",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_full_dates",
    "retain_modified_dates",
    "clean_descriptors",
    "clean_structured_content",
    "clean_graphics",
)
"""The options that have a column in table E.1-1, in its order."""
CONTENT_OPTIONS = OPTIONS[1:8]
"""The options that have a column in table E.3.4-1, in its order."""


class ProtectedAttribute(NamedTuple):
    """A row of table E.1-1 (PS3.15 E.1.1).

    Parameters
    ----------
    tag : str
        Eight characters; ``x`` stands for any hexadecimal digit.
    name : str
    action : str
        Of the basic profile: ``X`` remove, ``Z`` empty, ``D`` dummy, ``U`` replace a UID, or a choice by type such as
        ``X/Z/D``.
    options : Mapping
        What each option does instead: ``K`` keep or ``C`` clean; options that say nothing are left out.
    """

    tag: str
    name: str
    action: str
    options: Mapping[str, str]


class ProtectedConcept(NamedTuple):
    """A row of table E.3.4-1: a concept name of an SR content item (PS3.15 E.3.4)."""

    scheme: str
    value: str
    meaning: str
    value_type: str
    action: str
    options: Mapping[str, str]


class Method(NamedTuple):
    """A code of CID 7050, De-identification Method (PS3.16)."""

    scheme: str
    value: str
    meaning: str


def protected_attribute(tag: int) -> ProtectedAttribute | None:
    """Look up what the profile does with an attribute; None where it does nothing.

    Private attributes have no rows: all are removed, unless the option to retain the safe ones is taken.

    Examples
    --------
    >>> protected_attribute(0x00080020).action, dict(protected_attribute(0x00080020).options)
    ('Z', {'retain_full_dates': 'K', 'retain_modified_dates': 'C'})
    >>> protected_attribute(0x60023000).name, protected_attribute(0x50080005).action
    ('Overlay Data', 'X')
    >>> protected_attribute(0x00280010) is None
    True
    """
    return protected_attributes().get(tag) or _masked(tag)


@cache
def protected_attributes() -> Mapping[int, ProtectedAttribute]:
    """Give the rows whose tag is no mask, by tag.

    Examples
    --------
    >>> len(protected_attributes()), protected_attributes()[0x00100010].action
    (652, 'Z')
    """
    return MappingProxyType({int(row.tag, 16): row for row in _rows() if "x" not in row.tag})


@cache
def protected_concepts() -> tuple[ProtectedConcept, ...]:
    """Give the rows of table E.3.4-1.

    Examples
    --------
    >>> next(row for row in protected_concepts() if row.meaning == "Subject Name").action
    'D'
    """
    columns = table_columns("confidentiality_content.tsv", 5 + len(CONTENT_OPTIONS))
    return tuple(
        ProtectedConcept(scheme, value, meaning, value_type, action, _said(CONTENT_OPTIONS, cells))
        for scheme, value, meaning, value_type, action, *cells in zip(*columns, strict=True)
    )


def is_safe_private(creator: str, tag: int) -> bool:
    """Tell whether a private attribute is in the table of those known to be safe (PS3.15 table E.3.10-1).

    Examples
    --------
    >>> is_safe_private("ELSCINT1", 0x00E11021), is_safe_private("ELSCINT1", 0x00E11022)
    (True, False)
    """
    group, element = tag >> 16, tag & 0xFF
    return f"{group:04X}xx{element:02X}" in _safe_privates().get(creator.strip(), ())


def method(option: str) -> Method:
    """Look up the code of the basic profile (``"basic"``) or of an option (PS3.16 CID 7050).

    Examples
    --------
    >>> method("basic").value, method("clean_pixel_data").meaning
    ('113100', 'Clean Pixel Data Option')
    """
    return _methods()[option]


def is_method(scheme: object, value: object) -> bool:
    """Tell whether a code is one of CID 7050."""
    return any(known[:2] == (scheme, value) for known in _methods().values())


@cache
def _rows() -> tuple[ProtectedAttribute, ...]:
    columns = table_columns("confidentiality.tsv", 3 + len(OPTIONS))
    return tuple(
        ProtectedAttribute(tag, name, action, _said(OPTIONS, cells))
        for tag, name, action, *cells in zip(*columns, strict=True)
    )


def _said(options: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    return MappingProxyType({option: cell for option, cell in zip(options, cells, strict=True) if cell})


@cache
def _masks() -> tuple[tuple[int, int, ProtectedAttribute], ...]:
    """(bits that count, their value, row) of the rows whose tag is a mask."""
    return tuple(
        (
            int("".join("0" if digit == "x" else "F" for digit in row.tag), 16),
            int(row.tag.replace("x", "0"), 16),
            row,
        )
        for row in _rows()
        if "x" in row.tag
    )


def _masked(tag: int) -> ProtectedAttribute | None:
    if tag & 0x10000:  # 50xx and 60xx stand for even groups
        return None
    return next((row for bits, value, row in _masks() if tag & bits == value), None)


@cache
def _safe_privates() -> dict[str, frozenset[str]]:
    creators, tags, *_ = table_columns("safe_private.tsv", 5)
    found: dict[str, set[str]] = {}
    for creator, tag in zip(creators, tags, strict=True):
        found.setdefault(creator, set()).add(tag)
    return {creator: frozenset(masks) for creator, masks in found.items()}


_CODES = {
    "basic": "113100",
    "clean_pixel_data": "113101",
    "clean_recognizable_visual_features": "113102",
    "clean_graphics": "113103",
    "clean_structured_content": "113104",
    "clean_descriptors": "113105",
    "retain_full_dates": "113106",
    "retain_modified_dates": "113107",
    "retain_patient_characteristics": "113108",
    "retain_device_identity": "113109",
    "retain_uids": "113110",
    "retain_safe_private": "113111",
    "retain_institution_identity": "113112",
}


@cache
def _methods() -> dict[str, Method]:
    by_value = {row[1]: Method(*row) for row in zip(*table_columns("deidentification_methods.tsv", 3), strict=True)}
    return {option: by_value[value] for option, value in _CODES.items()}
