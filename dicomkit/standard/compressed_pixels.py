"""Which pixels a compression holds: the combinations of attributes that PS3.5 8.2 lists for each transfer syntax."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from dicomkit.standard.tables import table_columns


class CompressedPixels(NamedTuple):
    """One combination.

    Parameters
    ----------
    section : str
        Of PS3.5.
    photometric_interpretation : str
    samples_per_pixel : int
    planar_configuration : frozenset of int
        Empty where it is absent.
    pixel_representation, bits_allocated, bits_stored : frozenset of int
    """

    section: str
    photometric_interpretation: str
    samples_per_pixel: int
    planar_configuration: frozenset[int]
    pixel_representation: frozenset[int]
    bits_allocated: frozenset[int]
    bits_stored: frozenset[int]


def compressed_pixels(transfer_syntax: str) -> tuple[CompressedPixels, ...]:
    """List the combinations of a transfer syntax; none for one without compression.

    Examples
    --------
    >>> [one.photometric_interpretation for one in compressed_pixels("1.2.840.10008.1.2.4.50")]
    ['MONOCHROME1', 'MONOCHROME2', 'YBR_FULL_422', 'RGB']
    """
    return _by_syntax().get(transfer_syntax, ())


@cache
def _by_syntax() -> Mapping[str, tuple[CompressedPixels, ...]]:
    """All combinations by transfer syntax."""
    found: dict[str, list[CompressedPixels]] = {}
    columns = table_columns("compressed_pixels.tsv", 8)
    for uid, section, photometric, samples, *numbers in zip(*columns, strict=True):
        row = CompressedPixels(section, photometric, int(samples), *map(_numbers, numbers))
        found.setdefault(uid, []).append(row)
    return MappingProxyType({uid: tuple(rows) for uid, rows in found.items()})


def _numbers(text: str) -> frozenset[int]:
    """Read "8,16" and "1-16"."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
