"""Native DICOM Model XML (PS3.19 A.1), both ways."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import IO, NoReturn
from xml.parsers import expat

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.assemble import Resolver
from dicomkit.encoding.json_writer import BulkNames
from dicomkit.encoding.xml_reader import XmlReader
from dicomkit.encoding.xml_writer import xml_pieces
from dicomkit.errors import DicomError, ReadError, SourceError, ValueFormatError
from dicomkit.opening import open_source

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
LIMIT = 1 << 30
"""How many bytes a document may have, unless told otherwise."""
_CHUNK = 1 << 16
_LONGEST_TAG = 1 << 20
"""Of a tag, comment or instruction, which a parser goes through from its start again with each chunk."""
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def to_xml(ds: DataSet, *, bulk: BulkNames | None = None) -> bytes:
    """Write a data set as a Native DICOM Model document in UTF-8 (PS3.19 A.1.5).

    File Meta Information and group lengths are left out. Texts with control characters, which XML can't hold, are
    written as InlineBinary.

    Parameters
    ----------
    bulk
        Called with the path and the Element of each value of bulk data: gives the URI to write, or None to write the
        bytes into the document, which is what happens without it.

    Raises
    ------
    ValueFormatError
        When a value is not of the type that its VR asks for.

    Examples
    --------
    >>> print(to_xml(DataSet(Modality="CT")).decode())  # doctest: +NORMALIZE_WHITESPACE
    <?xml version="1.0" encoding="UTF-8"?>
    <NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve"><DicomAttribute
    tag="00080060" vr="CS" keyword="Modality"><Value number="1">CT</Value></DicomAttribute></NativeDicomModel>
    """
    return b"".join(xml_chunks(ds, bulk=bulk))


def xml_chunks(ds: DataSet, *, bulk: BulkNames | None = None) -> Iterator[bytes]:
    """Write a data set as XML piece by piece, so that large values never have to be in memory as a whole."""
    if not isinstance(ds, DataSet):
        hint = "of several make one message: dicomkit.web.metadata.metadata_message"
        raise ValueFormatError(f"a document holds one DataSet, not a {type(ds).__name__}", hint=hint)
    pending = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">',
    ]
    size = 0
    for piece in xml_pieces(ds, bulk):
        pending.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield _encoded(pending)
            pending, size = [], 0
    yield _encoded([*pending, "</NativeDicomModel>"])


def _encoded(pieces: list[str]) -> bytes:
    try:
        return "".join(pieces).encode()
    except UnicodeEncodeError as error:
        raise ValueFormatError(f"{error.object[error.start]!r} is no character") from None


def from_xml(
    document: str | bytes | os.PathLike[str] | IO[bytes] | Iterable[bytes],
    *,
    resolve: Resolver | None = None,
    limit: int = LIMIT,
) -> DataSet:
    """Read a Native DICOM Model document (PS3.19 A.1.5), with or without its namespace.

    Private attributes get the block of their creator, which is reserved where the document doesn't; a missing VR is
    taken from the dictionary.

    Parameters
    ----------
    document
        The text, its bytes, the path of a file (a `pathlib.Path`), a binary file, or chunks of bytes, which are parsed
        as they come.
    resolve
        Gives the bytes of a BulkDataURI (``urn:uuid:...`` where the document names a UUID), as for `from_json`.
    limit
        The most bytes that the document may have.

    Raises
    ------
    ReadError
        When it is no such document, has a document type declaration (and with it entities), is too deep or too large;
        names the offset, or the tag and the items that lead to it.
    SourceError
        When the file can't be read.

    Examples
    --------
    >>> from_xml('<NativeDicomModel><DicomAttribute tag="00280010" vr="US"><Value number="1">512</Value>'
    ...          '</DicomAttribute></NativeDicomModel>').Rows
    512
    """
    if isinstance(document, os.PathLike):
        with open_source(document) as opened:
            chunks = _pieces(opened.read_at, opened.size)
            try:
                return from_xml(chunks, resolve=resolve, limit=limit)
            except DicomError as error:
                error.path = error.path or os.fspath(document)
                raise
    reader = XmlReader(resolve)
    parser = expat.ParserCreate("UTF-8" if isinstance(document, str) else None, " ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse
    size = 0
    try:
        for chunk in _gathered(_chunks(document), limit):
            size += len(chunk)
            parser.Parse(chunk, False)
            at = max(parser.CurrentByteIndex, 0)
            if size - at > _LONGEST_TAG + len(chunk):
                raise ReadError(f"a tag of more than {_LONGEST_TAG} bytes", offset=at)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, str(error))
        path = isinstance(document, str) and "<" not in document
        hint = "give the path of a file as a pathlib.Path" if path else None
        raise ReadError(f"this is no XML: {reason}", offset=max(parser.ErrorByteIndex, 0), hint=hint) from None
    except (LookupError, ValueError) as error:  # an encoding that Python lacks or that XML may not have
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"this XML is in no known encoding: {error}") from None
    return reader.result


def _gathered(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Put small chunks together, of which a parser would take each in vain where a tag is longer."""
    pending: list[bytes] = []
    waiting = size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise ReadError(f"an XML document of more than {limit} bytes", hint="give a larger limit=")
        pending.append(chunk)
        waiting += len(chunk)
        if waiting >= _CHUNK:
            yield b"".join(pending)
            pending, waiting = [], 0
    yield b"".join(pending)


def _chunks(document: str | bytes | IO[bytes] | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(document, str):
        try:
            document = document.encode()
        except UnicodeEncodeError as error:
            raise ReadError(f"this is no Unicode: {error}") from None
    if isinstance(document, (bytes, bytearray, memoryview)):
        view = memoryview(document)
        yield from _pieces(lambda start, size: bytes(view[start : start + size]), len(document))
        return
    read = getattr(document, "read", None)
    if read is None and not isinstance(document, Iterable):
        raise SourceError(f"can't read from {type(document).__name__}", hint="give text, bytes, a Path or a file")
    for chunk in iter(lambda: read(_CHUNK), b"") if read is not None else document:
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise SourceError(f"the document gave {type(chunk).__name__}, not bytes", hint="open it in binary mode")
        yield bytes(chunk)


def _pieces(read_at: Callable[[int, int], bytes], size: int) -> Iterator[bytes]:
    """Yield what there is from the beginning to a size, piece by piece."""
    for start in range(0, size, _CHUNK):
        yield read_at(start, _CHUNK)


def _refuse(*declaration: object) -> NoReturn:
    raise ReadError("a document type declaration, which Native DICOM Model has none of", hint="remove it")
