"""Metadata of many instances as one message, in JSON or XML, one instance at a time (PS3.18 8.7.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.assemble import Resolver
from dicomkit.encoding.dicom_json import iter_json, json_chunks
from dicomkit.encoding.dicom_xml import from_xml, xml_chunks
from dicomkit.encoding.json_writer import BulkNames
from dicomkit.errors import DicomError, ReadError, ValueFormatError
from dicomkit.web.dicom_media_types import JSON, XML
from dicomkit.web.media_types import MediaType
from dicomkit.web.multipart import DEFAULT_LIMITS, Limits
from dicomkit.web.multipart_writer import NewPart, multipart_related
from dicomkit.web.parts import Part, read_parts

_XML = frozenset((XML, "application/xml", "text/xml"))
_JSON = frozenset((JSON, "application/json", "text/json"))


def metadata_message(
    datasets: Iterable[DataSet],
    media_type: MediaType | str = JSON,
    *,
    bulk: BulkNames | None = None,
    boundary: str | None = None,
) -> tuple[MediaType, Iterator[bytes]]:
    """Write data sets as a message: one array of DICOM JSON, or a Native DICOM Model document for each in a part.

    They are taken one after the other as it is sent.

    Parameters
    ----------
    media_type
        ``application/dicom+json`` or ``application/dicom+xml``.
    bulk
        As for `dicomkit.to_json`: names a place for each value of bulk data.
    boundary
        Of the parts; made at random when not given.

    Returns
    -------
    MediaType
        Of the message, for Content-Type.
    Iterator
        Its bytes.

    Raises
    ------
    ValueFormatError
        For another media type, and when a value is not of the type that its VR asks for.

    Examples
    --------
    >>> content_type, chunks = metadata_message([DataSet(Rows=1), DataSet(Rows=2)], "application/dicom+xml")
    >>> content_type.essence, content_type["type"]
    ('multipart/related', 'application/dicom+xml')
    >>> [ds.Rows for ds in read_metadata(str(content_type), chunks)]
    [1, 2]
    """
    root = media_type if isinstance(media_type, MediaType) else MediaType.parse(media_type)
    if root.essence == JSON:
        return MediaType.of(JSON), json_chunks(datasets, bulk=bulk)
    if root.essence != XML:
        raise ValueFormatError(f"{root.essence} is none of the media types of metadata", hint=f"{JSON} or {XML}")
    return multipart_related((NewPart(XML, xml_chunks(ds, bulk=bulk)) for ds in datasets), XML, boundary=boundary)


def read_metadata(
    content_type: str,
    message: IO[bytes] | Iterable[bytes] | bytes,
    *,
    resolve: Resolver | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[DataSet]:
    """Read the data sets of a message one by one as it comes, in memory for one of them.

    Parameters
    ----------
    content_type
        Of the message: JSON, XML, or multipart/related of either.
    message
        A binary file, chunks of bytes such as those of an HTTP response, or all of it.
    resolve
        Gives the bytes of a BulkDataURI, as for `dicomkit.from_json`.
    limits
        What a multipart message may have at most.

    Raises
    ------
    ReadError
        When it is no such message; what came before was given.

    Examples
    --------
    >>> [ds.Rows for ds in read_metadata("application/dicom+json", b'[{"00280010":{"vr":"US","Value":[1]}}]')]
    [1]
    """
    kind = MediaType.parse(content_type)
    if kind.essence in _JSON:
        yield from iter_json((message,) if isinstance(message, bytes) else message, resolve=resolve)
    elif kind.essence in _XML:
        yield from_xml(message, resolve=resolve)
    elif kind.is_multipart:
        for number, part in enumerate(read_parts(content_type, message, limits=limits)):
            yield from _of_part(number, part, resolve)
    else:
        raise ReadError(f"{kind.essence} is none of the media types of metadata")


def _of_part(number: int, part: Part, resolve: Resolver | None) -> Iterator[DataSet]:
    essence = part.media_type.essence
    try:
        if essence in _JSON:
            yield from iter_json(part.chunks(), resolve=resolve)
        elif essence in _XML:
            yield from_xml(part.chunks(), resolve=resolve)
        else:
            raise ReadError(f"{essence} is none of the media types of metadata")
    except DicomError as error:
        error.message = f"part {number}: {error.message}"
        raise
