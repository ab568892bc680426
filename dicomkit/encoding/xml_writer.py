"""From a DataSet to the text of its Native DICOM Model (PS3.19 A.1)."""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.encoding.assemble import BULK_VRS, URN_UUID
from dicomkit.encoding.fields import TEXT_VRS, fields
from dicomkit.encoding.json_writer import BulkNames
from dicomkit.encoding.text_values import NAME_COMPONENTS, NAME_GROUPS, shown
from dicomkit.encoding.value_field import value_field
from dicomkit.errors import ValueFormatError
from dicomkit.sources import Bulk
from dicomkit.standard.attributes import keyword_of
from dicomkit.values.charset import Charset
from dicomkit.values.encode import encode_value
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS

Steps: TypeAlias = "tuple[int, ...]"

_PADDING = " \0"
_LINE = 3 << 18
_SPECIAL = re.compile('[&<>"\r\n\t]')
_REFERENCES = MappingProxyType(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
)
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no document of XML 1.0 can hold."""


def xml_pieces(ds: DataSet, bulk: BulkNames | None, path: Steps = (), charset: Any = None) -> Iterator[str]:
    """Yield the text of each attribute of a data set, bulk data in pieces.

    Parameters
    ----------
    charset
        Specific Character Set of the data set around an item.

    Raises
    ------
    ValueFormatError
        When a value is not of the type that its VR asks for; names the tag.
    """
    charset = ds.get(0x00080005) or charset
    for tag, vr, value in fields(ds):
        yield _head(tag, vr, _creator(ds, tag) if tag & 0x10000 else None)
        if vr == "SQ":
            for number, item in enumerate(value or ()):
                yield f'<Item number="{number + 1}">'
                inner = item if isinstance(item, DataSet) else DataSet(item)
                yield from xml_pieces(inner, bulk, (*path, tag, number), charset)
                yield "</Item>"
        elif vr in BULK_VRS or isinstance(value, Bulk):
            yield from _bulk(tag, vr, value, bulk, path)
        elif value is not None:
            try:
                yield (
                    _inline_text(charset, vr, value)
                    if vr in TEXT_VRS and _NO_XML.search(value)
                    else _WRITERS[vr](value)
                )
            except ValueFormatError as error:
                raise ValueFormatError(error.message, tag=tag, hint=error.hint) from None
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                raise ValueFormatError(f"{shown(value)} is no value of VR {vr}", tag=tag) from error
        yield "</DicomAttribute>"


def _creator(ds: DataSet, tag: int) -> str | None:
    """The private creator to write; None for one itself, or where it is not known."""
    if tag & 0xFFFF <= 0xFF:
        return None
    creator = ds.private_creator(tag)
    return creator if creator and not _NO_XML.search(creator) else None


@lru_cache(1 << 13)
def _head(tag: int, vr: str, creator: str | None) -> str:
    """The start of an attribute: a private one is told by its creator, not by its block (PS3.19 Table A.1.5-2)."""
    known = keyword_of(tag)
    keyword = f' keyword="{known}"' if known else ""
    if creator is None:
        return f'<DicomAttribute tag="{int(tag):08X}" vr="{vr}"{keyword}>'
    return f'<DicomAttribute tag="{tag & 0xFFFF00FF:08X}" vr="{vr}" privateCreator="{escaped(creator)}">'


def escaped(text: str) -> str:
    """Write text so that any parser gives it back, white space included.

    Examples
    --------
    >>> escaped("a < b\\r\\n")
    'a &lt; b&#13;&#10;'
    """
    return _SPECIAL.sub(lambda match: _REFERENCES[match[0]], text) if _SPECIAL.search(text) else text


def _bulk(tag: int, vr: str, value: Any, bulk: BulkNames | None, path: Steps) -> Iterator[str]:
    if value is None:
        return
    if not isinstance(value, (bytes, Bulk, Fragments)):
        raise ValueFormatError(f"{shown(value)} is no value of VR {vr}", tag=tag, hint="give bytes")
    uri = bulk((*path, tag), Element(Tag(tag), vr, value)) if bulk is not None else None
    if uri is None and isinstance(value, Bulk):
        uri = value.uri
    if uri is not None:
        if not isinstance(uri, str):
            raise ValueFormatError(f"bulk= gave {shown(uri)}, where a URI is a text", tag=tag)
        known = uri.startswith(URN_UUID)
        yield f'<BulkData {"uuid" if known else "uri"}="{escaped(uri.removeprefix(URN_UUID) if known else uri)}"/>'
        return
    yield "<InlineBinary>"
    pending = b""
    for chunk in value_field(value):
        pending += chunk
        if len(pending) >= _LINE:
            whole = len(pending) - len(pending) % 3
            yield b2a_base64(pending[:whole], newline=False).decode("ascii")
            pending = pending[whole:]
    yield b2a_base64(pending, newline=False).decode("ascii") + "</InlineBinary>"


def _inline_text(charset: Any, vr: str, text: str) -> str:
    """Text with control characters that XML can't hold, as the bytes of its value field."""
    values = tuple(text.split("\\")) if VRS[vr].multi else text
    raw = encode_value(vr, values, charset=Charset.of(charset), strict=False)
    return f"<InlineBinary>{b2a_base64(raw, newline=False).decode('ascii')}</InlineBinary>"


def _values(texts: Iterable[str]) -> str:
    return "".join([f'<Value number="{number}">{text}</Value>' for number, text in enumerate(texts, 1)])


def _texts(strip: Callable[[str, str], str], *, multi: bool) -> Callable[[str], str]:
    def write(value: str) -> str:
        texts = [strip(text, _PADDING) for text in (value.split("\\") if multi else (value,))]
        return _values(map(escaped, texts)) if any(texts) else ""

    return write


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _integers(value: Any) -> str:
    return _values(map(int.__repr__, _several(value)))


def _floats(value: Any) -> str:
    return _values([_FLOATS.get(text, text) for text in map(float.__repr__, _several(value))])


_FLOATS = MappingProxyType({"nan": "NaN", "inf": "INF", "-inf": "-INF"})


def _tags(value: Any) -> str:
    return _values([f"{tag:08X}" for tag in map(int, _several(value))])


def _names(value: str) -> str:
    names = [name.rstrip(_PADDING) for name in value.split("\\")]
    if not any(names):
        return ""
    return "".join([f'<PersonName number="{n}">{_name(name)}</PersonName>' for n, name in enumerate(names, 1)])


def _name(name: str) -> str:
    """The groups of a name; one that is empty is left out, but for the last, which tells how many the text has."""
    groups = name.split("=", 2) if name else []
    parts = []
    for kind, group in zip(NAME_GROUPS, groups, strict=False):
        if group or kind == NAME_GROUPS[len(groups) - 1]:
            components = group.split("^", 4)
            last = len(components) - 1
            inner = "".join(
                f"<{tag}>{escaped(component)}</{tag}>"
                for place, (tag, component) in enumerate(zip(NAME_COMPONENTS, components, strict=False))
                if component or (place == last and group)
            )
            parts.append(f"<{kind}>{inner}</{kind}>")
    return "".join(parts)


_WRITERS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {vr: _texts(str.strip, multi=True) for vr in ("AE", "CS", "DS", "IS", "LO", "SH", "UI")}
    | {vr: _texts(str.rstrip, multi=True) for vr in ("AS", "DA", "DT", "TM", "UC")}
    | {vr: _texts(str.rstrip, multi=False) for vr in ("LT", "ST", "UR", "UT")}
    | dict.fromkeys(("SL", "SS", "UL", "US", "SV", "UV"), _integers)
    | {"PN": _names, "AT": _tags, "FL": _floats, "FD": _floats}
)
