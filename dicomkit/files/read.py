"""Reading: from a path, bytes, file object, zip member or URL to a DataSet."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import lru_cache

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.index import Index
from dicomkit.encoding.part10 import parse
from dicomkit.encoding.pick import Wanted, pick
from dicomkit.opening import Opened, OpenedFile, Readable, open_source
from dicomkit.values.tag import Tag, TagLike
from dicomkit.values.transfer_syntax import TransferSyntax


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
        Keep these top-level elements; others are stepped over, and no file meta information is kept.
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
    stop = _tag(stop_before) if isinstance(stop_before, str) else None if stop_before is None else Tag.of(stop_before)
    wanted = None if only is None else frozenset(map(Tag.of, only))
    with open_source(source) as opened:
        if wanted is not None and transfer_syntax is None:
            picked = _picked(opened, wanted)
            if picked is not None:
                return picked
        ds = parse(opened, stop_before=stop, transfer_syntax=transfer_syntax)
    return ds if wanted is None else ds.drop(*(tag for tag in ds if tag not in wanted))


_tag = lru_cache(64)(Tag.of)  # the quickest way, for "PixelData" above all
_CONTEXT = frozenset((0x00080005, 0x00280103))
"""What other elements may need to be understood: the character set, and the sign of pixels."""


def _picked(opened: Opened | OpenedFile, wanted: frozenset[Tag]) -> DataSet | None:
    """The quick way to a few elements; None where it can't be taken."""
    tags = wanted | _CONTEXT
    found = pick(opened.read_at, opened.size, Wanted.of(tags))
    if found is None:
        return None
    syntax = TransferSyntax.of(found.syntax.decode("latin-1"))
    index = Index(array("Q", found.rows), opened.source, tuple(found.windows), syntax)
    ds = DataSet.of_index(index)
    return ds if tags == wanted else ds.drop(*(_CONTEXT - wanted))
