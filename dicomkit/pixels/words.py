"""Values of words, such as look-up tables and overlays, in little-endian order, whatever the file has (PS3.5 7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet


def words(ds: DataSet, key: str | int) -> NDArray[np.uint8]:
    """Read a value of bytes: as it is stored, but OW of a big-endian file in little-endian order.

    Parameters
    ----------
    ds : DataSet
    key : str or int
        Keyword or tag of an element that is there.

    Returns
    -------
    ndarray of uint8

    Examples
    --------
    >>> import dicomkit as dk
    >>> words(dk.DataSet(RedPaletteColorLookupTableData=b"\\1\\0"), "RedPaletteColorLookupTableData").tolist()
    [1, 0]
    """
    element = ds.element(key)
    octets = np.frombuffer(bytes(element.value or b""), np.uint8)
    if element.origin is None or not element.origin.big_endian or element.vr != "OW":
        return octets
    return octets[: len(octets) & ~1].view(np.uint16).byteswap().view(np.uint8)
