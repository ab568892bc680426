"""Reading: from a path, bytes, file object, zip member or URL to a DataSet."""

from __future__ import annotations

from collections.abc import Iterable

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.part10 import parse
from dicomkit.sources import Readable, open_source
from dicomkit.values.tag import Tag, TagLike


def read(
    source: Readable,
    *,
    stop_before: TagLike | None = None,
    only: Iterable[TagLike] | None = None,
    transfer_syntax: str | None = None,
) -> DataSet:
    """Read a DICOM file or bare data set (PS3.10, PS3.5), decoding nothing until it is asked for.

    Parameters
    ----------
    source
        A path, bytes, a binary file object, a zip member (``"archive.zip!/name"`` or ``zipfile.Path``), or a URL that
        fsspec can open (extra ``remote``).
    stop_before
        Leave out the elements from this tag on, and do not read them.
    only
        Keep these top-level elements; others are stepped over.
    transfer_syntax
        UID or keyword to believe instead of what the file says.

    Returns
    -------
    DataSet
        Large values stay in the source until they are asked for; ``ds.repairs`` lists what was tolerated.

    Raises
    ------
    SourceError
        When it can't be opened.
    ReadError
        When it is no DICOM, or can't be followed any further; names tag, offset and path.

    Examples
    --------
    >>> read(bytes.fromhex("080060004353020043540800700 04c4f0400 41434d45".replace(" ", ""))).Modality
    'CT'
    """
    stop = None if stop_before is None else Tag.of(stop_before)
    with open_source(source) as opened:
        ds = parse(opened, stop_before=stop, transfer_syntax=transfer_syntax)
    if only is not None:
        wanted = frozenset(map(Tag.of, only))
        ds = ds.drop(*(tag for tag in ds if tag not in wanted))
    return ds
