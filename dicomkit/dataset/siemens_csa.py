"""The headers that Siemens hides in private elements: CSA (both versions), and the protocol between ASCCONV marks."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import DicomError, MissingElementError, ReadError, TruncatedError

_CREATORS = ("SIEMENS CSA HEADER", "SIEMENS CSA NON-IMAGE")
_PARTS = {"image": 0x10, "series": 0x20}
_PROTOCOLS = ("MrPhoenixProtocol", "MrProtocol")
_NUMBERS = {"IS": int, "SL": int, "SS": int, "UL": int, "US": int, "DS": float, "FD": float, "FL": float}
_ENTRY, _ITEM = struct.Struct("<64si4siii"), struct.Struct("<4i")
_BEGIN, _END = "### ASCCONV BEGIN", "### ASCCONV END ###"
_INTEGER = re.compile(r"[+-]?(0[xX][0-9a-fA-F]{1,64}|[0-9]{1,64})")


@dataclass(frozen=True, slots=True, repr=False)
class CsaHeader(Mapping[str, Any]):
    """A CSA header as a mapping from names to values: None for an entry without one, a scalar, or a tuple of several.

    Attributes
    ----------
    version
        2 for the form that starts with ``SV10``, 1 for the older one.
    entries
        The values by name, in the order of the header.
    vrs
        What the header calls the VR of each.
    """

    version: int
    entries: Mapping[str, Any] = field(default_factory=dict)
    vrs: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        if name not in self.entries:
            raise MissingElementError(f"the CSA header has no {name!r}")
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __reduce__(self) -> tuple[Any, ...]:
        return CsaHeader, (self.version, dict(self.entries), dict(self.vrs))

    def __repr__(self) -> str:
        filled = sum(value is not None for value in self.entries.values())
        return f"CsaHeader(version {self.version}, {len(self)} entries, {filled} with values)"


def siemens_csa(ds: DataSet) -> dict[str, CsaHeader]:
    """Read the CSA headers of a Siemens image: ``"image"`` (0029,xx10) and ``"series"`` (0029,xx20).

    Parameters
    ----------
    ds
        An image of a Siemens scanner.

    Returns
    -------
    dict
        The headers that it has; each maps names of entries to their values.

    Raises
    ------
    ReadError
        When one is damaged; names the tag and the offset in its value.

    Examples
    --------
    >>> siemens_csa(DataSet(Manufacturer="SIEMENS"))
    {}
    """
    found = {}
    for creator in _CREATORS:
        elements = ds.private(creator, 0x0029)
        for part, last in _PARTS.items():
            element = elements.get(last)
            if part in found or element is None or not (raw := element.raw or element.value):
                continue
            try:
                found[part] = parse_csa(bytes(raw))
            except DicomError as error:
                error.tag, error.path = element.tag, ds.path
                raise
    return found


def siemens_protocol(ds: DataSet) -> Mapping[str, int | float | str]:
    """Read the measurement protocol (ASCCONV) of a Siemens image, from its series header.

    Parameters
    ----------
    ds
        An image of a Siemens MR scanner.

    Returns
    -------
    Mapping
        Settings by their names, such as ``"sSliceArray.lSize"``.

    Raises
    ------
    MissingElementError
        When there is none.

    Examples
    --------
    >>> siemens_protocol(DataSet(Manufacturer="SIEMENS"))
    Traceback (most recent call last):
    dicomkit.errors.MissingElementError: the data set has no Siemens protocol; look at siemens_csa(ds)
    """
    series: Mapping[str, Any] = siemens_csa(ds).get("series", {})
    for name in _PROTOCOLS:
        text = series.get(name)
        if isinstance(text, str) and _BEGIN in text:
            return parse_ascconv(text)
    raise MissingElementError("the data set has no Siemens protocol", path=ds.path, hint="look at siemens_csa(ds)")


def parse_csa(data: bytes) -> CsaHeader:
    """Read the bytes of a CSA header, of either version.

    Raises
    ------
    ReadError
        When they are something else, or end too early; names the offset.

    Examples
    --------
    >>> entry = b"Angle".ljust(64, b"\\0") + struct.pack("<i4siii", 1, b"FD", 4, 1, 77)
    >>> item = struct.pack("<4i", 3, 3, 77, 3) + b"1.5\\0"
    >>> parse_csa(b"SV10\\4\\3\\2\\1" + struct.pack("<2I", 1, 77) + entry + item)["Angle"]
    1.5
    """
    version = 2 if data[:4] == b"SV10" else 1
    at = 8 if version == 2 else 0
    if len(data) < at + 8:
        raise TruncatedError(f"{len(data)} bytes are no CSA header", offset=0)
    (count,) = struct.unpack_from("<I", data, at)
    at += 8
    if count * _ENTRY.size > len(data) - at:
        raise ReadError(f"no CSA header: it announces {count} entries in {len(data)} bytes", offset=at - 8)
    entries: dict[str, Any] = {}
    vrs: dict[str, str] = {}
    ground = None
    for _ in range(count):
        if at + _ENTRY.size > len(data):
            raise TruncatedError("the CSA header ends within an entry", offset=at)
        raw_name, vm, raw_vr, _type, items, _mark = _ENTRY.unpack_from(data, at)
        name, vr = _text(raw_name), _text(raw_vr)
        at += _ENTRY.size
        if not 0 <= items <= (len(data) - at) // _ITEM.size:
            raise ReadError(f"the entry {name!r} announces {items} items, more than there are bytes", offset=at)
        ground = items if ground is None else ground
        texts: list[str] = []
        for _ in range(items):
            if at + _ITEM.size > len(data):
                raise TruncatedError(f"the CSA header ends within {name!r}", offset=at)
            first, second, _, _ = _ITEM.unpack_from(data, at)
            at += _ITEM.size
            # The older form adds to each length the number of items of the first entry.
            length = second if version == 2 else first - ground
            if version == 1 and not 0 <= length <= len(data) - at:
                break  # as old headers end an entry
            if not 0 <= length <= len(data) - at:
                raise TruncatedError(f"a value of {name!r} of {length} bytes runs past the end", offset=at)
            texts.append(_text(data[at : at + length]))
            at += (length + 3) // 4 * 4
        entries[name] = _value(texts[:vm] if vm > 0 else texts, vr)
        vrs[name] = vr
    return CsaHeader(version, MappingProxyType(entries), MappingProxyType(vrs))


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("latin-1")


def _value(texts: list[str], vr: str) -> Any:
    kind = _NUMBERS.get(vr)
    values: list[Any] = [text if kind is None else _number(text.strip(), kind) for text in texts]
    while values and values[-1] in ("", None):
        values.pop()
    return None if not values else values[0] if len(values) == 1 else tuple(values)


def _number(text: str, kind: type[int] | type[float]) -> int | float | str | None:
    """A number where the text is one."""
    try:
        return kind(text[:400]) if text else None
    except ValueError:
        return text


def parse_ascconv(text: str) -> Mapping[str, int | float | str]:
    """Read the assignments between the marks ``### ASCCONV BEGIN ###`` and ``### ASCCONV END ###``.

    Returns
    -------
    Mapping
        Values by their whole name, such as ``"sSliceArray.asSlice[0].dThickness"``; numbers (also hexadecimal) as
        numbers, texts without their quotation marks.

    Raises
    ------
    ReadError
        When there are no such marks, or a line between them is no assignment.

    Examples
    --------
    >>> dict(parse_ascconv('### ASCCONV BEGIN ###\\nulVersion = 0x10\\ntName = ""a b""\\n### ASCCONV END ###'))
    {'ulVersion': 16, 'tName': 'a b'}
    """
    begin = text.find(_BEGIN)
    start = text.find("\n", begin) + 1
    end = text.find(_END, start)
    if begin < 0 or start == 0 or end < 0:
        raise ReadError("there is no protocol between ASCCONV marks")
    found: dict[str, int | float | str] = {}
    for number, line in enumerate(text[start:end].splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise ReadError(f"line {number} of the protocol is no assignment: {line.strip()[:60]!r}")
        found[name.strip()] = _assigned(value)
    return MappingProxyType(found)


def _assigned(text: str) -> int | float | str:
    text = text.strip()
    if text.startswith('"'):
        quotes = '""' if text.startswith('""') else '"'
        return text[len(quotes) :].rpartition(quotes)[0] if text.count(quotes) > 1 else text.strip('"')
    text = text.partition("#")[0].strip()
    if _INTEGER.fullmatch(text):
        return int(text, 16 if "x" in text.lower() else 10)
    number = _number(text, float)
    return "" if number is None else number
