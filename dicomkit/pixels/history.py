"""What a data set says of its losses: method, ratio, derivation, source (PS3.3 C.7.6.1.1.5, C.7.6.1.1.3, C.12.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomkit.pixels.description import PixelDescription
from dicomkit.pixels.target import ALWAYS_LOSSY
from dicomkit.values.fragments import Fragments
from dicomkit.values.uid import new_uid as make_uid

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_LOSSY_COMPRESSION = {"CodeValue": "113040", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Lossy Compression"}
_PREDECESSOR = {"CodeValue": "121320", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Uncompressed predecessor"}
_LONGEST_DESCRIPTION = 1024


def known_loss(ds: DataSet, source: DataSet, description: PixelDescription) -> DataSet:
    """Keep in mind that pixels from a lossy encoding have lost something, where the source doesn't say so itself.

    Parameters
    ----------
    ds : DataSet
        What was made of the source.
    source : DataSet
    description : PixelDescription
        Of the new pixels.

    Returns
    -------
    DataSet

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(Rows=1)
    >>> known_loss(ds, ds, PixelDescription(1, 1)) is ds
    True
    """
    method = ALWAYS_LOSSY.get(source.transfer_syntax.uid)
    value = source.get("PixelData")
    if method is None or not isinstance(value, Fragments) or source.get("LossyImageCompression") == "01":
        return ds
    samples = description.rows * description.columns * description.samples_per_pixel
    size = samples * description.bits_allocated // 8 * description.number_of_frames
    return _with_loss(ds, method, size / max(1, len(value)))


def after_loss(ds: DataSet, source: DataSet, method: str, ratio: float, new_uid: str | None = None) -> DataSet:
    """Record a lossy compression: an image derived from the source, with a UID of its own.

    Parameters
    ----------
    ds : DataSet
        With the new pixels.
    source : DataSet
    method : str
        Defined term of Lossy Image Compression Method.
    ratio : float
    new_uid : str, optional
        SOP Instance UID.

    Returns
    -------
    DataSet

    Examples
    --------
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(SOPClassUID="1.2.3", SOPInstanceUID="2.25.1", ImageType=("ORIGINAL", "PRIMARY"))
    >>> lossy = after_loss(ds, ds, "ISO_10918_1", 12.5)
    >>> lossy.ImageType, lossy["SourceImageSequence", 0, "ReferencedSOPInstanceUID"], lossy.LossyImageCompressionRatio
    (('DERIVED', 'PRIMARY'), UID('2.25.1'), 12.5)
    """
    changes: dict[str, Any] = {"SOPInstanceUID": new_uid or make_uid()}
    image_type = ds.all("ImageType")
    if image_type:
        changes["ImageType"] = ("DERIVED", *image_type[1:])
    said = f"Lossy compression by {method}, ratio {ratio:.4g}"
    before = str(ds.get("DerivationDescription") or "")
    changes["DerivationDescription"] = f"{before}; {said}"[-_LONGEST_DESCRIPTION:] if before else said
    changes["DerivationCodeSequence"] = (*ds.all("DerivationCodeSequence"), _LOSSY_COMPRESSION)
    uids = source.get("SOPClassUID"), source.get("SOPInstanceUID")
    if all(uids):
        reference = {
            "ReferencedSOPClassUID": uids[0],
            "ReferencedSOPInstanceUID": uids[1],
            "PurposeOfReferenceCodeSequence": [_PREDECESSOR],
        }
        changes["SourceImageSequence"] = (*ds.all("SourceImageSequence"), reference)
    return _with_loss(ds.assign(changes), method, ratio)


def _with_loss(ds: DataSet, method: str, ratio: float) -> DataSet:
    """Append a method and a ratio to those that are there."""
    methods = ds.all("LossyImageCompressionMethod")
    ratios = ds.all("LossyImageCompressionRatio")
    return ds.assign(
        LossyImageCompression="01",
        LossyImageCompressionRatio=(*ratios, float(f"{ratio:.6g}")),
        LossyImageCompressionMethod=(*methods, method),
    )
