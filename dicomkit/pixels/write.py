"""Writing a data set as a file in any transfer syntax: its pixels are transcoded where that wants another form."""

from __future__ import annotations

import os
from typing import IO

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import UnsupportedError, ValueFormatError
from dicomkit.files.write import write_file
from dicomkit.pixels.target import JPIP
from dicomkit.pixels.transcode import transcode
from dicomkit.values.fragments import Fragments
from dicomkit.values.transfer_syntax import TransferSyntax


def write(
    ds: DataSet,
    where: str | os.PathLike[str] | IO[bytes],
    *,
    transfer_syntax: str | TransferSyntax | None = None,
    quality: float | None = None,
    near: int | None = None,
    ratio: float | None = None,
    lossy: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    durable: bool = False,
    anonymous: bool = False,
    source_ae: str | None = None,
) -> DataSet:
    """Write a data set as a DICOM file (PS3.10), in its own transfer syntax or in another one.

    What nobody touched is written as the very bytes that were read. A crash leaves the old file or the new one.

    Parameters
    ----------
    ds : DataSet
    where
        A path, or a binary file object.
    transfer_syntax
        UID or keyword; the data set's own when not given.
    quality, near, ratio, lossy, workers
        What may be lost, and how many threads encode; as for `dicomkit.transcode`.
    overwrite, durable, anonymous, source_ae
        As for `dicomkit.files.write.write_file`: whether the file may be the one that the data set was read from,
        whether to wait until it is on the disk, whether SOP Class and SOP Instance UID may be missing, and the
        Application Entity Title to name.

    Returns
    -------
    DataSet
        What was written: the one given, or the transcoded one, which has another SOP Instance UID if it lost something.

    Raises
    ------
    SourceError
        When the file can't be written, or is the source and ``overwrite`` is not set; the old file is intact.
    ValueFormatError
        When a value can't be encoded, or ``ds`` is no DataSet.
    PixelError, UnsupportedError
        When the pixels can't be transcoded, something would be lost unasked, or nobody knows how to encode in that
        transfer syntax.

    Examples
    --------
    >>> import io
    >>> import dicomkit as dk
    >>> ds = dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="2.25.1")
    >>> file = io.BytesIO()
    >>> written = write(ds, file, transfer_syntax="ImplicitVRLittleEndian")
    >>> dk.read(file.getvalue()).transfer_syntax.name
    'Implicit VR Little Endian'
    """
    if not isinstance(ds, DataSet):
        raise ValueFormatError(f"a {type(ds).__name__} is no DataSet", hint="what to write comes first, then where")
    syntax = ds.transfer_syntax if transfer_syntax is None else TransferSyntax.of(transfer_syntax)
    if syntax.encapsulated is None and syntax.uid != ds.transfer_syntax.uid:
        raise UnsupportedError(f"{syntax.uid} is no transfer syntax of PS3.6: how it encodes is not known")
    loss = lossy or quality is not None or ratio is not None or bool(near)
    changed = ds
    if loss or _wants_other_pixels(ds, syntax):
        changed = transcode(ds, syntax, quality=quality, near=near, ratio=ratio, lossy=lossy, workers=workers)
    return write_file(
        changed,
        where,
        transfer_syntax=syntax,
        overwrite=overwrite,
        durable=durable,
        anonymous=anonymous,
        source_ae=source_ae,
    )


def _wants_other_pixels(ds: DataSet, syntax: TransferSyntax) -> bool:
    """Whether pixels have to change: to or from a compression, or out of big-endian cells of a private syntax."""
    old = ds.transfer_syntax
    if syntax.uid == old.uid or syntax.encapsulated is None:
        return False
    if syntax.uid in JPIP or old.uid in JPIP:
        return True
    value = ds.get("PixelData")
    if isinstance(value, Fragments) or (value is not None and syntax.encapsulated):
        return True
    return old.big_endian_pixels != old.big_endian
