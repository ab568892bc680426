"""From a DataSet to the text of its DICOM JSON Model object (PS3.18 Annex F)."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import (
    BIG_ENDIAN,
    DICTIONARY_VR,
    IMPLICIT_CONTENT,
    ITEM,
    vr_word,
)
from dicomkit.encoding.assemble import BULK_VRS
from dicomkit.encoding.fields import FILE_META, TEXT_VRS, fields, of_element, of_record
from dicomkit.encoding.json_values import WRITERS
from dicomkit.encoding.text_values import shown
from dicomkit.encoding.value_field import value_field
from dicomkit.errors import ValueFormatError
from dicomkit.sources import Bulk
from dicomkit.values.charset import Charset
from dicomkit.values.decode import decoder_of
from dicomkit.values.fragments import Fragments
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS

BulkNames: TypeAlias = Callable[[tuple[int, ...], Element], "str | None"]
"""From the path and element of a bulk value to the BulkDataURI that is written for it; None to write it inline."""

Steps: TypeAlias = "tuple[int, ...]"

_CHARSET = 0x00080005
_NO_TAG = 1 << 32
_AFTER_META = 0x00030000
_NO_END = 1 << 64
_OTHER_ENCODING = BIG_ENDIAN | IMPLICIT_CONTENT
_SQ = vr_word("SQ")
_DELIMITERS = {"PN": "\\^=", "ST": "", "LT": "", "UT": ""}
_STRIPS = {
    **dict.fromkeys(("AE", "CS", "LO", "SH", "UI"), str.strip),
    **dict.fromkeys(("AS", "DA", "DT", "TM", "UC"), str.rstrip),
}
# What can be written with a look at nothing but the element itself, by the VR in its header: the VR, how padding goes
# from a single text that is written as it is, how to write everything else, for texts the delimiters of their character
# set (None where they have none), for numbers how to decode them.
_PLAIN = {
    vr_word(vr) | flag: (
        vr,
        _STRIPS.get(vr),
        write,
        _DELIMITERS.get(vr, "\\") if VRS[vr].charset else None,
        None if vr in TEXT_VRS else decoder_of(vr),
    )
    for vr, write in WRITERS.items()
    for flag in (0, DICTIONARY_VR)
}


class JsonWriter:
    """Adds the text of data sets to ``parts``.

    Parameters
    ----------
    bulk
        Names the bulk data that is not to be written inline.
    """

    __slots__ = ("_bulk", "parts")

    def __init__(self, bulk: BulkNames | None = None) -> None:
        self.parts: list[str] = []
        self._bulk = bulk

    def data_set(self, ds: DataSet, path: Steps = ()) -> None:
        """Add one object.

        Raises
        ------
        ValueFormatError
            When a value is not of the type that its VR asks for; names the tag.
        """
        start = len(self.parts)
        if not self._in_order_of_index(ds, path):
            del self.parts[start:]
            separator = "{"
            for tag, vr, value in fields(ds):
                self._attribute(separator, tag, vr, value, path)
                separator = ","
            self.parts.append("}" if separator == "," else "{}")

    def _in_order_of_index(self, ds: DataSet, path: Steps) -> bool:
        """Write from the flat index, with no object made for any element or item; False where its order won't do.

        ``end`` is where the item or sequence ends that the loop is in; those around it are in ``outer``, an item after
        each sequence, with what is to be known of them again: their end, the tag or item number that was last, the
        separator, and the character set.
        """
        records, overlay = ds._records, ds._overlay
        index = records.index
        rows, read, position, stop = index.rows, index.read, 4 * records.start, 4 * records.stop
        edits = sorted(overlay, reverse=True)
        next_edit = edits[-1] if edits else _NO_TAG
        charset = records.charset(ds)
        big_endian = records.big_endian
        outer: list[tuple[int, int, str, Any]] = []
        end, last, separator = _NO_END, -1, "{"
        append = self.parts.append
        first, window = index.windows[0] if index.windows else (0, b"")
        behind = first + len(window)
        while position < stop:
            word, kind, length, offset = rows[position : position + 4]
            while offset > end:
                append("]}" if len(outer) & 1 else "}" if separator == "," else "{}")
                end, last, separator, charset = outer.pop()
            if word == ITEM:
                if kind & _OTHER_ENCODING or not len(outer) & 1:
                    return False
                append(separator)
                outer.append((end, last + 1, ",", charset))
                end, last, separator = offset + length, -1, "{"
                position += 4
                continue
            tag = word >> 16 | (word & 0xFFFF) << 16
            if tag <= last:
                return False
            last = tag
            if tag >= next_edit and not outer:
                separator = self._edits(edits, tag, overlay, separator, path)
                next_edit = edits[-1] if edits else _NO_TAG
                if tag in overlay:
                    position = 4 * index.end(position >> 2)
                    continue
            position += 4
            if word <= 0xFFFF or (tag < _AFTER_META and tag >> 16 == FILE_META):
                continue
            if (plain := _PLAIN.get(kind)) is not None:
                vr, strip, write, delimiters, decode = plain
                if first <= offset and offset + length <= behind:
                    raw = window[offset - first : offset - first + length]
                else:
                    raw = read(offset, length)
                if decode is not None:
                    value = decode(raw, big_endian, charset)
                    append(f"{separator}{_head(tag, vr)}{'' if value is None else write(value)}}}")
                    separator = ","
                    continue
                if raw.isascii() and 0x1B not in raw and charset.ascii_safe:
                    text = raw.decode()
                else:
                    text = raw.decode("latin-1") if delimiters is None else charset.decode(raw, delimiters)
                if tag == _CHARSET and outer and length:
                    charset = Charset.of(text.strip(" \0"))
                if strip is not None and "\\" not in text and (text := strip(text, " \0")):
                    append(f'{separator}{_head(tag, vr)},"Value":[{quoted(text)}]}}')
                else:
                    append(f"{separator}{_head(tag, vr)}{write(text)}}}")
            elif (
                kind & 0xFFFF == _SQ
                and position < stop
                and rows[position] == ITEM
                and rows[position + 3] <= offset + length
            ):
                append(f'{separator}{_head(tag, "SQ")},"Value":[')
                outer.append((end, last, ",", charset))
                end, last, separator = offset + length, -1, ""
                continue
            else:
                steps = tuple([step for _, step, _, _ in outer])
                holder, record = ds[steps] if steps else ds, (position >> 2) - 1
                if holder._records.find(tag) != record:  # it is there again later on
                    return False
                vr, value = of_record(holder, holder._records, record, tag)
                self._attribute(separator, tag, vr, value, (*path, *steps))
                position = 4 * index.end(record)
            separator = ","
        while outer:
            append("]}" if len(outer) & 1 else "}" if separator == "," else "{}")
            _, _, separator, _ = outer.pop()
        separator = self._edits(edits, _NO_TAG, overlay, separator, path)
        append("}" if separator == "," else "{}")
        return True

    def _edits(
        self, tags: list[int], upto: int, overlay: Mapping[int, Element | None], separator: str, path: Steps
    ) -> str:
        """Write what was assigned of the tags up to one, the last of them first; return the separator to go on with."""
        while tags and tags[-1] <= upto:
            tag = tags.pop()
            element = overlay[tag]
            if element is not None and tag & 0xFFFF and tag >> 16 != FILE_META:
                self._attribute(separator, tag, element.vr, of_element(element), path)
                separator = ","
        return separator

    def _attribute(self, separator: str, tag: int, vr: str, value: Any, path: Steps) -> None:
        """Write an attribute object of any kind."""
        self.parts.append(f"{separator}{_head(tag, vr)}")
        if value is None:
            pass
        elif vr == "SQ":
            self._items(value, (*path, tag))
        elif vr in BULK_VRS or isinstance(value, Bulk):
            self.parts.append(self._bulk_value(tag, vr, value, path))
        else:
            try:
                self.parts.append(WRITERS[vr](value))
            except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
                raise ValueFormatError(f"{shown(value)} is no value of VR {vr}", tag=tag) from error
        self.parts.append("}")

    def _items(self, items: Iterable[Any], path: Steps) -> None:
        separator = ',"Value":['
        for number, item in enumerate(items):
            self.parts.append(separator)
            separator = ","
            self.data_set(item if isinstance(item, DataSet) else DataSet(item), (*path, number))
        if separator == ",":
            self.parts.append("]")

    def _bulk_value(self, tag: int, vr: str, value: Any, path: Steps) -> str:
        if not isinstance(value, (bytes, Bulk, Fragments)):
            raise ValueFormatError(f"{shown(value)} is no value of VR {vr}", tag=tag, hint="give bytes")
        uri = self._bulk((*path, tag), Element(Tag(tag), vr, value)) if self._bulk is not None else None
        if uri is None and isinstance(value, Bulk):
            uri = value.uri
        if uri is not None:
            if not isinstance(uri, str):
                raise ValueFormatError(f"bulk= gave {shown(uri)}, where a URI is a text", tag=tag)
            return f',"BulkDataURI":{quoted(uri)}'
        inline = b2a_base64(b"".join(value_field(value)), newline=False).decode("ascii")
        return f',"InlineBinary":"{inline}"' if inline else ""


@lru_cache(1 << 13)
def _head(tag: int, vr: str) -> str:
    """The start of an attribute object."""
    return f'"{int(tag):08X}":{{"vr":{quoted(vr)}'
