"""A multipart/related message as a stream of bytes (RFC 2387, PS3.18 8.6.1.2)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dicomkit.errors import ValueFormatError
from dicomkit.web.media_types import MediaType
from dicomkit.web.multipart import Headers

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class NewPart(NamedTuple):
    """A part to send.

    Attributes
    ----------
    media_type
        What it is.
    body
        Its bytes, or pieces of them.
    location
        Which resource it is (Content-Location), such as the BulkDataURI that metadata names.
    headers
        Further headers.
    """

    media_type: MediaType | str
    body: bytes | Iterable[bytes]
    location: str | None = None
    headers: Headers = ()


def multipart_related(
    parts: Iterable[NewPart], root: MediaType | str, *, boundary: str | None = None
) -> tuple[MediaType, Iterator[bytes]]:
    """Make a message of parts, which are taken one after the other as it is sent.

    Parameters
    ----------
    root
        The media type of the first part, and as a rule of all; its transfer syntax is named in the message's own.
    boundary
        Made at random when not given, so that no part can hold it.

    Returns
    -------
    MediaType
        Of the message, for Content-Type.
    Iterator
        Its bytes.

    Raises
    ------
    ValueFormatError
        When the boundary breaks the rules of RFC 2046, or a header holds a line end.

    Examples
    --------
    >>> content_type, chunks = multipart_related([NewPart("text/plain", b"hello")], "text/plain", boundary="b")
    >>> str(content_type)
    'multipart/related; type="text/plain"; boundary=b'
    >>> b"".join(chunks)
    b'--b\\r\\nContent-Type: text/plain\\r\\nContent-Length: 5\\r\\n\\r\\nhello\\r\\n--b--\\r\\n'
    """
    boundary = boundary or uuid.uuid4().hex
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueFormatError(f"{boundary!r} can't be a boundary (RFC 2046 5.1.1)")
    root = root if isinstance(root, MediaType) else MediaType.parse(root)
    message = MediaType.of("multipart/related", type=root.essence)
    if syntax := root["transfer-syntax"]:
        message = message.with_parameters(transfer_syntax=syntax)
    return message.with_parameters(boundary=boundary), _message(parts, boundary.encode("ascii"))


def _message(parts: Iterable[NewPart], boundary: bytes) -> Iterator[bytes]:
    for part in parts:
        body = (part.body,) if isinstance(part.body, bytes) else part.body
        yield b"--" + boundary + b"\r\n" + _headers(part)
        yield from body
        yield b"\r\n"
    yield b"--" + boundary + b"--\r\n"


def _headers(part: NewPart) -> bytes:
    headers: list[tuple[str, str]] = [("Content-Type", str(part.media_type))]
    if part.location is not None:
        headers.append(("Content-Location", part.location))
    if isinstance(part.body, bytes):
        headers.append(("Content-Length", str(len(part.body))))
    for name, value in (*headers, *part.headers):
        if not _HEADER_NAME.fullmatch(name) or _CONTROLS.search(value):
            raise ValueFormatError(f"{name}: {value!r} can't be a header of a part")
    lines = [f"{name}: {value}\r\n" for name, value in (*headers, *part.headers)]
    return "".join((*lines, "\r\n")).encode("utf-8", "replace")
