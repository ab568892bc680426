"""The markers of JPEG and JPEG-LS streams: what they hold, and whether they end (T.81 Annex B, T.87 Annex C)."""

from __future__ import annotations

import re
from typing import NamedTuple

from dicomkit.errors import PixelError

END_OF_IMAGE = b"\xff\xd9"

_EOI, _SOS, _APP0, JPEG_LS = 0xD9, 0xDA, 0xE0, 0xF7
PROGRESSIVE, LOSSLESS_PROCESS = 0xC2, 0xC3
_FRAMES = {0xC0, 0xC1, PROGRESSIVE, LOSSLESS_PROCESS, JPEG_LS}
_ALL_COEFFICIENTS = (1 << 64) - 1
_OTHER_FRAMES = {0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_ALONE = {0x01, *range(0xD0, 0xD8)}
# A marker that ends coded data: not a stuffed zero (JPEG) or zero bit (JPEG-LS), a restart, or fill.
_AFTER_JPEG = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_AFTER_JPEG_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")


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
    start = 0
    if not data.startswith(b"\xff\xd8\xff"):
        soi = re.match(rb"\xff*\xff\xd8\xff", data)
        if soi is None:
            raise PixelError(f"no JPEG stream: it begins with {data[:4].hex()}", offset=0)
        start = soi.end() - 3
    position = start + 2
    frame: tuple[int, int, int, int, tuple[tuple[int, int], ...]] | None = None
    scans: list[int] = []
    done: dict[int, int] = {}  # for each component of a progressive image, the coefficients that have their last bit
    end: int | None = None
    jfif = False
    while end is None:
        marker, after = _marker(data, position)
        if marker is None:  # the data ends between markers
            break
        if marker == _EOI:
            end = after
        elif marker in _ALONE:
            position = after
        else:
            behind = after + int.from_bytes(data[after : after + 2], "big")
            if behind < after + 2 or behind > len(data):
                raise PixelError("cut short: a JPEG header segment runs past the end", offset=after)
            if marker == _APP0:
                jfif = jfif or data.startswith(b"JFIF\0", after + 2, behind)
            elif marker in _FRAMES:
                frame = (marker, *_frame_header(data[after + 2 : behind], after))
            elif marker in _OTHER_FRAMES:
                raise PixelError(
                    f"JPEG process SOF{marker - 0xC0} (hierarchical or arithmetic) can't be decoded", offset=position
                )
            position = behind
            if marker == _SOS:
                body = data[after + 2 : behind]
                if frame is None or not body:
                    raise PixelError("a JPEG scan comes before the frame header", offset=position)
                scans.append(body[0])
                if frame[0] == PROGRESSIVE:
                    _add_scan(done, body)
                found = (_AFTER_JPEG_LS if frame[0] == JPEG_LS else _AFTER_JPEG).search(data, position)
                position = found.start() if found else len(data)
    if frame is None or not scans:
        raise PixelError("cut short: the JPEG stream ends before its image data", offset=len(data))
    marker_code, precision, rows, columns, sampling = frame
    if marker_code == PROGRESSIVE:
        complete = len(done) == len(sampling) and all(bits == _ALL_COEFFICIENTS for bits in done.values())
    else:
        complete = sum(scans) >= len(sampling)
    return JpegStream(start, marker_code, precision, rows, columns, jfif, sampling, tuple(scans), complete, end)


def _marker(data: bytes, position: int) -> tuple[int | None, int]:
    """The marker at a position, after fill bytes, and the offset behind it; None where only fill is left."""
    if position + 1 < len(data) and data[position] == 0xFF and 0 < data[position + 1] < 0xFF:
        return data[position + 1], position + 2
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
    rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    return body[0], rows, columns, tuple((body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15) for i in range(body[5]))
