"""The same elements as a data set of another transfer syntax."""

from __future__ import annotations

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.index import Index
from dicomkit.dataset.records import Records
from dicomkit.encoding.part10 import parse
from dicomkit.encoding.writer import iter_bytes
from dicomkit.opening import open_source
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def with_transfer_syntax(ds: DataSet, transfer_syntax: str | TransferSyntax) -> DataSet:
    """Return a data set whose ``transfer_syntax`` is another one; its pixel data is left as it is.

    Where VRs and byte order are written alike, the new data set shares everything with the old. Else its elements are
    encoded anew, except the pixel data, which has to be little-endian or of single bytes then.

    Parameters
    ----------
    transfer_syntax
        UID or keyword.

    Returns
    -------
    DataSet

    Raises
    ------
    ValueFormatError
        If a value can't be encoded.

    Examples
    --------
    >>> ds = with_transfer_syntax(DataSet(Rows=2), "ImplicitVRLittleEndian")
    >>> ds.transfer_syntax.name, ds.Rows
    ('Implicit VR Little Endian', 2)
    """
    syntax, old = TransferSyntax.of(transfer_syntax), ds.transfer_syntax
    meta = ds.meta.assign(TransferSyntaxUID=syntax.uid) if "TransferSyntaxUID" in ds.meta else ds.meta
    if (syntax.implicit_vr, syntax.big_endian) != (old.implicit_vr, old.big_endian):
        pixels = [ds.element(keyword) for keyword in _PIXELS if keyword in ds]
        plain = syntax if not syntax.deflated else TransferSyntax.of(EXPLICIT_VR_LITTLE_ENDIAN)
        data = b"".join(iter_bytes(ds.drop(*_PIXELS), plain))
        with open_source(data) as opened:
            ds = parse(opened, transfer_syntax=plain.uid) if data else DataSet()
        ds = ds.assign(pixels)
    records = ds._records
    index = records.index
    index = Index(index.rows, index.source, index.windows, syntax, index.repairs, index.whole)
    moved = Records(index, records.start, records.stop, records.outer, records.flags, DataSet)
    return DataSet._of(moved, ds._overlay, {}, meta)
