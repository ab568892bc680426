"""The markers of JPEG and JPEG-LS streams: what they hold, and whether they end (T.81 Annex B, T.87 Annex C)."""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

import numpy as np

from dicomkit.errors import PixelError

END_OF_IMAGE = b"\xff\xd9"

_EOI, _SOS, _APP0, JPEG_LS = 0xD9, 0xDA, 0xE0, 0xF7
PROGRESSIVE, LOSSLESS_PROCESS = 0xC2, 0xC3
_FRAMES = {0xC0, 0xC1, PROGRESSIVE, LOSSLESS_PROCESS, JPEG_LS}
_ALL_COEFFICIENTS = (1 << 64) - 1
_OTHER_FRAMES = {0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_ALONE = {0x01, *range(0xD0, 0xD8)}
_FRAME_HEADER = Struct(">BHHB").unpack_from
_LONGEST_KNOWN = 1 << 14
"""Bytes of a header beyond which it is not kept for the next frame."""
# A marker that ends coded data: not a stuffed zero (JPEG) or zero bit (JPEG-LS), a restart, or fill.
_AFTER_JPEG = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_AFTER_JPEG_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")

_FEW, _BLOCK = 1 << 15, 1 << 15
"""Bytes of coded data that a regular expression goes through at once, and those that NumPy does."""


class JpegStream(NamedTuple):
    """What the markers of a stream say.

    ``process`` is the low byte of the frame marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, 0xC3 lossless,
    0xF7 JPEG-LS. ``jfif``: the stream calls itself JFIF, so that three components are YCbCr. ``sampling`` holds
    (horizontal, vertical) factors by component. ``scans`` counts the components of each scan. ``end`` is the offset
    after the EOI marker, or None where there is none.
    """

    start: int
    process: int
    precision: int
    rows: int
    columns: int
    jfif: bool
    sampling: tuple[tuple[int, int], ...]
    scans: tuple[int, ...]
    complete: bool
    end: int | None

    @property
    def components(self) -> int:
        """Number of components."""
        return len(self.sampling)


def read_markers(data: bytes) -> JpegStream:
    """Walk the markers of a stream from SOI to EOI.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    JpegStream

    Raises
    ------
    PixelError
        If it doesn't begin as a stream does, a header is cut short, or nothing follows it.

    Examples
    --------
    >>> read_markers(b"not a JPEG")
    Traceback (most recent call last):
    ...
    dicomkit.errors.PixelError: no JPEG stream: it begins with 6e6f7420 [offset 0]
    """
    header = _header_of(data)
    jpeg_ls, progressive = header.process == JPEG_LS, header.process == PROGRESSIVE
    scans: list[int] = []
    done: dict[int, int] = {}  # for each component of a progressive image, the coefficients that have their last bit
    scan, position, end = header.scan, header.length, None
    while scan:
        scans.append(scan[0])
        if progressive:
            _add_scan(done, scan)
        position = _end_of_scan(data, position, jpeg_ls=jpeg_ls)
        scan = b""
        while not scan:
            marker, after = _marker(data, position)
            if marker is None:  # the data ends between markers
                break
            if marker == _EOI:
                end = after
                break
            position = after
            if marker not in _ALONE:
                position = _behind(data, after)
                _check_process(marker, after, first=False)
                scan = data[after + 2 : position] if marker == _SOS else b""
    components = len(header.sampling)
    if progressive:
        complete = len(done) == components and all(bits == _ALL_COEFFICIENTS for bits in done.values())
    else:
        complete = sum(scans) >= components
    return JpegStream(*header[:7], tuple(scans), complete, end)


class _Header(NamedTuple):
    """A stream up to its first scan: what the frame header says, the body of the scan header, and the length of all."""

    start: int
    process: int
    precision: int
    rows: int
    columns: int
    jfif: bool
    sampling: tuple[tuple[int, int], ...]
    scan: bytes
    length: int


def _header_of(data: bytes) -> _Header:
    """The header of a stream: that of another frame, where it begins with the same bytes as that."""
    at = data.find(b"\xff\xda", 0, _LONGEST_KNOWN)
    if at > 0:
        try:
            return _known_header(data[: at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")])
        except PixelError:  # it is broken, or those two bytes are within a segment
            pass
    return _read_header(data)


@lru_cache(maxsize=64)
def _known_header(data: bytes) -> _Header:
    """The header of a stream that was cut after its first scan header."""
    return _read_header(data)


def _read_header(data: bytes) -> _Header:
    """Walk the markers from SOI to the first scan."""
    start = 0
    if not data.startswith(b"\xff\xd8\xff"):
        soi = re.match(rb"\xff*\xff\xd8\xff", data)
        if soi is None:
            raise PixelError(f"no JPEG stream: it begins with {data[:4].hex()}", offset=0)
        start = soi.end() - 3
    frame: tuple[int, int, int, tuple[tuple[int, int], ...]] | None = None
    process, jfif, position = 0, False, start + 2
    while True:
        marker, after = _marker(data, position)
        if marker is None or marker == _EOI:
            raise PixelError("cut short: the JPEG stream ends before its image data", offset=len(data))
        position = after
        if marker in _ALONE:
            continue
        position = _behind(data, after)
        body = data[after + 2 : position]
        if marker == _APP0:
            jfif = jfif or body.startswith(b"JFIF\0")
        elif marker == _SOS:
            if frame is None or not body:
                raise PixelError("a JPEG scan comes before the frame header", offset=position)
            precision, rows, columns, sampling = frame
            return _Header(start, process, precision, rows, columns, jfif, sampling, body, position)
        elif _check_process(marker, after, first=frame is None):
            process, frame = marker, _frame_header(body, after)


def _behind(data: bytes, after: int) -> int:
    """The offset behind the segment whose length stands at an offset."""
    behind = after + int.from_bytes(data[after : after + 2], "big")
    if behind < after + 2 or behind > len(data):
        raise PixelError("cut short: a JPEG header segment runs past the end", offset=after)
    return behind


def _check_process(marker: int, after: int, *, first: bool) -> bool:
    """Whether a marker begins a frame header, of a process that can be decoded, and the only one."""
    if marker in _OTHER_FRAMES or (marker in _FRAMES and not first):
        raise PixelError(
            f"JPEG process SOF{marker - 0xC0} (hierarchical or arithmetic) can't be decoded", offset=after - 2
        )
    return marker in _FRAMES


def _end_of_scan(data: bytes, position: int, *, jpeg_ls: bool) -> int:
    """Where the marker stands that ends coded data, or the end of all; blocks that hold none are passed quickly."""
    least = 0x80 if jpeg_ls else 1
    while len(data) - position > _FEW:
        octets = np.frombuffer(data, np.uint8, min(_BLOCK, len(data) - position), position)
        markers = octets[:-1] == 0xFF
        markers &= octets[1:] >= least
        at = int(markers.argmax())
        if markers[at]:
            position += at
            break
        position += len(markers)
    found = (_AFTER_JPEG_LS if jpeg_ls else _AFTER_JPEG).search(data, position)
    return found.start() if found else len(data)


def _marker(data: bytes, position: int) -> tuple[int | None, int]:
    """The marker at a position, after fill bytes, and the offset behind it; None where only fill is left."""
    after = position
    while after < len(data) and data[after] == 0xFF:
        after += 1
    if after >= len(data):
        return None, after
    if after == position or data[after] == 0:
        if not data[position:].strip(b"\0"):
            return None, len(data)
        raise PixelError(f"no JPEG marker where one must be: {data[position : position + 4].hex()}", offset=position)
    return data[after], after + 1


def _add_scan(done: dict[int, int], body: bytes) -> None:
    """Note which coefficients a scan completes: those from Ss to Se, when Al is 0 (T.81 G.1.1.1)."""
    count = body[0]
    first, last, bits = (*body[1 + 2 * count : 4 + 2 * count], 0, 0, 15)[:3]
    for component in body[1 : 1 + 2 * count : 2]:
        coefficients = ((1 << (last + 1)) - (1 << first)) & _ALL_COEFFICIENTS if not bits & 15 and first <= last else 0
        done[component] = done.get(component, 0) | coefficients


def _frame_header(body: bytes, offset: int) -> tuple[int, int, int, tuple[tuple[int, int], ...]]:
    """Precision, rows, columns and sampling factors of a frame header."""
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise PixelError("the JPEG frame header is cut short", offset=offset)
    precision, rows, columns, components = _FRAME_HEADER(body)
    return precision, rows, columns, tuple([(both >> 4, both & 15) for both in body[7 : 7 + 3 * components : 3]])
