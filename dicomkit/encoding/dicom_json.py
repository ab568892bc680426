"""DICOM JSON (PS3.18 Annex F), both ways: one data set, many, and arrays too long for memory."""

from __future__ import annotations

import codecs
import gc
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast, overload

from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.assemble import Resolver
from dicomkit.encoding.json_reader import JsonReader
from dicomkit.encoding.json_writer import BulkNames, JsonWriter
from dicomkit.encoding.text_values import shown
from dicomkit.errors import DicomError, ReadError, SourceError, ValueFormatError
from dicomkit.opening import open_source

CHUNK = 1 << 20
LIMIT = 1 << 28
"""How much text one instance of a stream may have, unless told otherwise."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NO_SPACE = re.compile(r"[^ \t\r\n]")
_LONGEST_TOKEN = 16


def to_json(ds: DataSet | Iterable[DataSet], *, bulk: BulkNames | None = None, indent: int | None = None) -> str:
    """Write a data set, or an array of several, as DICOM JSON (PS3.18 F.2).

    Numbers of DS and IS are written as numbers where these have the very same value, else as strings; File Meta
    Information and group lengths are left out.

    Parameters
    ----------
    bulk
        Called with the path and the Element of each value of bulk data: gives the BulkDataURI to write, or None to
        write the bytes into the text, which is what happens without it.
    indent
        How many spaces to indent by; None for the shortest text.

    Raises
    ------
    ValueFormatError
        When a value is not of the type that its VR asks for.

    Examples
    --------
    >>> print(to_json(DataSet(PatientName="DOE^JANE", SliceThickness="1.50", PixelData=bytes(2))))
    {"00100010":{"vr":"PN","Value":[{"Alphabetic":"DOE^JANE"}]},"00180050":{"vr":"DS","Value":[1.50]},"7FE00010":{"vr":"OW","InlineBinary":"AAA="}}
    >>> to_json(DataSet(PixelData=bytes(2)), bulk=lambda path, element: f"bulk/{path[-1]:08X}")
    '{"7FE00010":{"vr":"OW","BulkDataURI":"bulk/7FE00010"}}'
    """
    writer = JsonWriter(bulk)
    if isinstance(ds, DataSet):
        writer.data_set(ds)
    else:
        separator, many = "[", cast("Iterable[DataSet]", ds)
        for each in many:
            if not isinstance(each, DataSet):
                raise ValueFormatError(f"{shown(each)} is no DataSet")
            writer.parts.append(separator)
            writer.data_set(each)
            separator = ","
        writer.parts.append("]" if writer.parts else "[]")
    text = "".join(writer.parts)
    if indent is not None:
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=indent)
    return text


def to_json_model(ds: DataSet, *, bulk: BulkNames | None = None) -> dict[str, Any]:
    """Give the DICOM JSON Model object of a data set as dicts, lists, strings and numbers.

    Examples
    --------
    >>> to_json_model(DataSet(Rows=512))
    {'00280010': {'vr': 'US', 'Value': [512]}}
    """
    model: dict[str, Any] = json.loads(to_json(ds, bulk=bulk))
    return model


def json_chunks(datasets: Iterable[DataSet], *, bulk: BulkNames | None = None) -> Iterator[bytes]:
    """Write data sets as the UTF-8 of one array, instance by instance.

    Examples
    --------
    >>> list(json_chunks([DataSet(Rows=1), DataSet(Rows=2)]))
    [b'[{"00280010":{"vr":"US","Value":[1]}}', b',{"00280010":{"vr":"US","Value":[2]}}', b']']
    """
    separator = "["
    for number, ds in enumerate(datasets):
        try:
            yield (separator + to_json(ds, bulk=bulk)).encode()
        except UnicodeEncodeError as error:
            raise ValueFormatError(f"instance {number} holds {error.object[error.start]!r}, no character") from None
        separator = ","
    yield b"]" if separator == "," else b"[]"


@overload
def from_json(document: Mapping[str, Any], *, resolve: Resolver | None = None) -> DataSet: ...
@overload
def from_json(document: list[Any], *, resolve: Resolver | None = None) -> list[DataSet]: ...
@overload
def from_json(
    document: str | bytes | bytearray | memoryview | os.PathLike[str] | IO[Any], *, resolve: Resolver | None = None
) -> Any: ...
def from_json(document: Any, *, resolve: Resolver | None = None) -> DataSet | list[DataSet]:
    """Read DICOM JSON (PS3.18 F.2): an object as a DataSet, an array as a list of them.

    Numbers may be strings and strings of numbers numbers, whatever the VR asks for; what else was tolerated is in
    ``ds.repairs``.

    Parameters
    ----------
    document
        The text, its UTF-8, the path of a file (a `pathlib.Path`), an open file, or what ``json.loads`` makes of it.
    resolve
        Gives the bytes of a BulkDataURI. Bulk data is fetched when it is first read, other values at once. Without it
        they stay Bulk with a ``uri``, and raise SourceError when read.

    Raises
    ------
    ReadError
        When it is no DICOM JSON; names the offset in the text, or the tag and the items that lead to it.
    SourceError
        When the file can't be read.

    Examples
    --------
    >>> from_json('{"00280010": {"vr": "US", "Value": [512]}}').Rows
    512
    >>> ds = from_json({"7FE00010": {"vr": "OW", "BulkDataURI": "bulk/1"}}, resolve=lambda uri: bytes(2))
    >>> ds.PixelData, bytes(ds.PixelData)
    (<Bulk of bulk/1>, b'\\x00\\x00')
    """
    if isinstance(document, os.PathLike):
        with open_source(document) as opened:
            content = opened.read_at(0, opened.size)
        try:
            return cast("DataSet | list[DataSet]", from_json(content, resolve=resolve))
        except DicomError as error:
            error.path = error.path or os.fspath(document)
            raise
    if hasattr(document, "read"):
        document = document.read()
    with _gc_paused():
        return _data_sets(document, JsonReader(resolve))


def iter_json(
    stream: IO[bytes] | Iterable[bytes], *, resolve: Resolver | None = None, limit: int = LIMIT
) -> Iterator[DataSet]:
    """Read an array of any length instance by instance, in memory for one of them.

    Parameters
    ----------
    stream
        A binary file, or an iterable of chunks such as those of an HTTP response. An object instead of an array gives
        one DataSet, nothing at all none.
    resolve
        As for `from_json`.
    limit
        The most characters that one instance may have.

    Raises
    ------
    ReadError
        As `from_json`, or when an instance is larger than the limit; the instances before it have been given.

    Examples
    --------
    >>> [ds.Rows for ds in iter_json([b'[{"00280010":{"vr":"US","Val', b'ue":[1]}}]'])]
    [1]
    """
    reader = JsonReader(resolve)
    for number, model in enumerate(_models(_decoded(stream), limit)):
        yield _instance(reader, number, model)


def _data_sets(document: Any, reader: JsonReader) -> DataSet | list[DataSet]:
    model = _parsed(document) if isinstance(document, (str, bytes, bytearray, memoryview)) else document
    if isinstance(model, list):
        return [_instance(reader, number, each) for number, each in enumerate(model)]
    return reader.data_set(model)


def _instance(reader: JsonReader, number: int, model: Any) -> DataSet:
    try:
        return reader.data_set(model)
    except DicomError as error:
        error.message = f"instance {number}: {error.message}"
        raise


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Keep the garbage collector from going through thousands of objects, none of which is garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ReadError(f"the name {shown(twice)} is there twice in one object")
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _parsed(document: str | bytes | bytearray | memoryview) -> Any:
    """Parse a whole document."""
    try:
        if isinstance(document, str):
            text = document
            if not text.isascii():
                text.encode()
        else:
            text = str(document, "utf-8-sig")
        model = _DECODER.decode(text)
        if _SURROGATE.search(text):
            json.dumps(model, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        path = isinstance(document, str) and not any(map(document.__contains__, "{["))
        hint = "give the path of a file as a pathlib.Path" if path else None
        raise ReadError(f"this is no JSON: {error.msg}", offset=error.pos, hint=hint) from None
    except UnicodeError as error:
        raise ReadError(f"this is no UTF-8: {error}") from None
    except RecursionError:
        raise ReadError("this JSON is nested too deep") from None
    except ValueError as error:  # a number of thousands of digits
        raise ReadError(f"this is no JSON: {error}") from None
    return model


def _decoded(stream: IO[bytes] | Iterable[bytes]) -> Iterator[str]:
    """Decode a stream piece by piece."""
    read = getattr(stream, "read", None)
    chunks: Iterable[bytes] = iter(lambda: read(CHUNK), b"") if read is not None else stream
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for chunk in chunks:
            if not isinstance(chunk, (bytes, bytearray, memoryview)):
                raise SourceError(f"the stream gave {type(chunk).__name__}, not bytes", hint="open it in binary mode")
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ReadError(f"this is no UTF-8: {error}") from None


def _models(pieces: Iterator[str], limit: int) -> Iterator[Any]:
    """Parse the objects of a top-level array one by one, from text that comes in pieces."""
    pending: list[str] = []
    size = wanted = passed = at = 0
    expected, text, ended = "[{", "", False
    while not ended:
        piece = next(pieces, None)
        ended = piece is None
        pending.append(piece or "")
        size += len(piece or "")
        if size < wanted and not ended:
            continue
        passed += at
        text, at = text[at:] + "".join(pending), 0
        pending, size, wanted = [], 0, 0
        while (match := _NO_SPACE.search(text, at)) is not None:
            found, at = match[0], match.start()
            if found not in expected:
                raise ReadError(
                    f"{found!r} where one of {' '.join(expected) or 'nothing'} should be", offset=passed + at
                )
            if found == "{":
                try:
                    model, at = _DECODER.raw_decode(text, at)
                except json.JSONDecodeError as error:
                    if ended or not _cut(error, len(text)):
                        raise ReadError(f"this is no JSON: {error.msg}", offset=passed + error.pos) from None
                    if len(text) - at > limit:
                        raise ReadError(f"an instance of more than {limit} characters", offset=passed + at) from None
                    wanted = min(len(text) - at, limit)
                    break
                except RecursionError:
                    raise ReadError("this JSON is nested too deep", offset=passed + at) from None
                except ValueError as error:
                    raise ReadError(f"this is no JSON: {error}", offset=passed + at) from None
                yield model
                expected = "" if expected == "[{" else ",]"
            else:
                at += 1
                expected = {"[": "{]", ",": "{", "]": ""}[found]
        else:
            at = len(text)
    if expected and expected != "[{":
        raise ReadError("the JSON ends too early", offset=passed + len(text))


def _cut(error: json.JSONDecodeError, size: int) -> bool:
    """Whether an error may be due to the end of what has come so far."""
    return error.msg.startswith("Unterminated string") or error.pos >= size - _LONGEST_TOKEN
