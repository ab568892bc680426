"""Writing: from a DataSet to a file that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import IO

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import in_memory, part10_pieces
from dicomkit.errors import SourceError
from dicomkit.files.read import read
from dicomkit.replacement import replace_file
from dicomkit.values.transfer_syntax import TransferSyntax


def write_file(
    ds: DataSet,
    where: str | os.PathLike[str] | IO[bytes],
    *,
    transfer_syntax: str | TransferSyntax | None = None,
    overwrite: bool = False,
    durable: bool = False,
    anonymous: bool = False,
    source_ae: str | None = None,
) -> DataSet:
    """Write a data set as a DICOM file (PS3.10), without changing the form of its pixel data.

    What nobody touched is written as the very bytes that were read. A crash leaves the old file or the new one.

    Parameters
    ----------
    where
        A path, or a binary file object.
    transfer_syntax
        UID or keyword; the data set's own when not given.
    overwrite
        Whether the file may be the very one that the data set was read from.
    durable
        Whether to wait until the file is on the disk.
    anonymous
        Whether SOP Class UID and SOP Instance UID may be missing.
    source_ae
        Source Application Entity Title for the file meta information.

    Returns
    -------
    DataSet
        The one given; when it was read from this very file, a new one over what was written.

    Raises
    ------
    SourceError
        When the file can't be written, or is the source and ``overwrite`` is not set; the old file is intact.
    ValueFormatError
        When a value can't be encoded.
    UnsupportedError
        When the transfer syntax wants the other form of pixel data.
    """
    chunks = part10_pieces(ds, transfer_syntax, anonymous=anonymous, source_ae=source_ae)
    if not isinstance(where, (str, os.PathLike)):
        _write_to(where, in_memory(chunks))
        return ds
    path = os.fspath(where)
    onto_itself = ds.path is not None and _same_file(ds.path, path)
    if onto_itself and not overwrite:
        hint = "pass overwrite=True to replace it"
        raise SourceError("the data set was read from this very file, and takes values from it", path=path, hint=hint)
    replace_file(path, chunks, durable=durable, through_links=True)
    return read(path) if onto_itself else ds


def _write_to(file: IO[bytes], chunks: Iterable[bytes]) -> None:
    """Write chunks to a file object, also to one that takes fewer bytes than it is given."""
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                taken = file.write(rest)
                rest = rest[len(rest) if taken is None else taken :]
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"can't write to the file object: {error.strerror or error}") from error


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(other, one)  # the other one first, which often is not there
    except OSError:
        return False
