"""Arrays of pixels as data sets, and as descriptions for codecs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import dicomkit as dk
from dicomkit.pixels.description import PixelDescription


def grey(values: Any, **changes: Any) -> dk.DataSet:
    """A MONOCHROME2 image of integers, with no more than it needs."""
    array = np.array(values)
    data = array.tobytes()
    return dk.DataSet(
        {"Rows": array.shape[0], "Columns": array.shape[1], "BitsAllocated": array.itemsize * 8, "SamplesPerPixel": 1},
        PhotometricInterpretation="MONOCHROME2",
        PixelRepresentation=int(array.dtype.kind == "i"),
        PixelData=data + bytes(len(data) % 2),
    ).assign(changes)


def described(array: NDArray[Any], bits: int, transfer_syntax_uid: str) -> PixelDescription:
    """What a codec is told of a frame of MONOCHROME2 or RGB."""
    colour = array.ndim == 3
    return PixelDescription(
        rows=array.shape[0],
        columns=array.shape[1],
        samples_per_pixel=3 if colour else 1,
        photometric_interpretation="RGB" if colour else "MONOCHROME2",
        bits_allocated=array.itemsize * 8,
        bits_stored=bits,
        pixel_representation=int(array.dtype.kind == "i"),
        transfer_syntax_uid=transfer_syntax_uid,
    )


def secondary_capture(array: NDArray[Any], bits: int) -> dk.DataSet:
    """A frame of MONOCHROME2 or RGB as an instance that other programs read."""
    return grey(
        array,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7",
        SOPInstanceUID="2.25.5",
        StudyInstanceUID="2.25.6",
        SeriesInstanceUID="2.25.7",
        SamplesPerPixel=array.shape[2] if array.ndim == 3 else 1,
        PhotometricInterpretation="RGB" if array.ndim == 3 else "MONOCHROME2",
        PlanarConfiguration=0,
        BitsStored=bits,
        HighBit=bits - 1,
    )
