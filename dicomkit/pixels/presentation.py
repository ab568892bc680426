"""The last stage of the grey pipeline: Presentation LUT Shape, or a Presentation LUT (PS3.3 C.11.4, C.11.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dicomkit.pixels.lookup import LookupTable, parse_table

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet


@dataclass(frozen=True, slots=True)
class Presentation:
    """What becomes of values of interest: kept, inverted, or looked up in a table.

    Parameters
    ----------
    inverted : bool
        Whether the largest value is the darkest; never with a table, which has a direction of its own.
    table : LookupTable, optional
        Of P-values; its inputs cover the whole output of the stage before.
    source : str
        The attribute that decided it.

    Examples
    --------
    >>> Presentation(inverted=True)(np.array([0, 100], np.uint8)).tolist()
    [255, 155]
    """

    inverted: bool = False
    table: LookupTable | None = None
    source: str = ""

    def __call__(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Present 8-bit values of interest."""
        if self.table is None:
            return 255 - grey if self.inverted else grey
        return self.scaled(grey.astype(np.float64))

    def scaled(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Look up values of interest between 0 and 255 that were not rounded yet."""
        if self.table is None:
            grey = np.floor(values + 0.5).astype(np.uint8)
            return 255 - grey if self.inverted else grey
        last = len(self.table.entries) - 1
        return self.table.to_8_bits(self.table.first + np.floor(values * (last / 255) + 0.5).astype(np.int64))


PLAIN = Presentation()
"""What changes nothing."""


def presentation_of(ds: DataSet, photometric_interpretation: str | None = None) -> Presentation:
    """Find the presentation of an image.

    A Presentation LUT Sequence wins; else MONOCHROME1 and the shape INVERSE each say that the lowest value is white,
    and both together say no more than one of them.

    Parameters
    ----------
    ds : DataSet
    photometric_interpretation : str, optional
        What the decoded samples are, where it isn't what the data set says.

    Returns
    -------
    Presentation

    Raises
    ------
    PixelError
        If a Presentation LUT makes no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> presentation_of(dk.DataSet(PresentationLUTShape="INVERSE"))
    Presentation(inverted=True, table=None, source='PresentationLUTShape INVERSE')
    """
    tables = ds.all("PresentationLUTSequence")
    if tables:
        return Presentation(table=parse_table(tables[0], signed_input=False), source="PresentationLUTSequence")
    photometric = photometric_interpretation or ds.get("PhotometricInterpretation")
    shape = ds.get("PresentationLUTShape")
    causes = ["PresentationLUTShape INVERSE"] * (shape == "INVERSE")
    causes += ["PhotometricInterpretation MONOCHROME1"] * (photometric == "MONOCHROME1")
    source = ", ".join(causes) or (f"PresentationLUTShape {shape}" if shape else "")
    return Presentation(inverted=bool(causes), source=source)
