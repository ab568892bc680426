"""From the Native DICOM Model (PS3.19 A.1), as an XML parser meets it, to a DataSet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.nesting import MAX_DEPTH
from dicomkit.dataset.repairs import Repair
from dicomkit.encoding.assemble import (
    BULK_VRS,
    MOST_STEPS,
    URN_UUID,
    Elements,
    Resolver,
    implied_vr,
    inline_value,
    new_data_set,
    new_element,
    new_item,
    unsigned_ends,
    uri_value,
)
from dicomkit.encoding.text_values import MAKERS, NAME_COMPONENTS, NAME_GROUPS, NUMBER_VRS, shown
from dicomkit.errors import DicomError, ReadError
from dicomkit.values.charset import Charset
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS

_ROOT = "NativeDicomModel"
_ATTRIBUTE = "DicomAttribute"
_WITHIN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "": frozenset((_ROOT,)),
        _ROOT: frozenset((_ATTRIBUTE,)),
        "Item": frozenset((_ATTRIBUTE,)),
        _ATTRIBUTE: frozenset(("Value", "Item", "PersonName", "BulkData", "InlineBinary")),
        "PersonName": frozenset(NAME_GROUPS),
        **dict.fromkeys(NAME_GROUPS, frozenset(NAME_COMPONENTS)),
    }
)
"""Which elements may stand in which."""
_TEXTS = frozenset(("Value", "InlineBinary", *NAME_COMPONENTS))
_SPACE = "http://www.w3.org/XML/1998/namespace space"
"""Unless it is ``preserve``, which PS3.19 asks for, white space around values belongs to the layout."""
_TAG = re.compile("[0-9A-Fa-f]{8}")
_NUMBER = re.compile("[1-9][0-9]{0,9}")


class _Attribute:
    """A DicomAttribute, while its content comes: values, names and items with their numbers, or bulk data."""

    __slots__ = ("contents", "creator", "kind", "numbers", "tag", "vr")

    def __init__(self, tag: Tag, vr: str | None, creator: str | None) -> None:
        self.tag = tag
        self.vr = vr
        self.creator = creator
        self.kind = ""
        self.contents: list[Any] = []
        self.numbers: list[int] = []


class XmlReader:
    """Takes what an XML parser meets, and gives the data set when the document has ended.

    Parameters
    ----------
    resolve
        Gives the bytes of a BulkDataURI.
    """

    def __init__(self, resolve: Resolver | None = None) -> None:
        self._resolve = resolve
        self._repairs: list[Repair] = []
        self._open = [""]
        self._preserve = True
        self._levels: list[list[_Attribute]] = []
        self._attributes: list[_Attribute] = []
        self._text: list[str] | None = None
        self._groups: dict[int, str] = {}
        self._components: dict[int, str] = {}
        self._result: DataSet | None = None

    @property
    def result(self) -> DataSet:
        """The data set."""
        if self._result is None:
            raise ReadError("the document ends too early")
        return self._result

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take a start tag."""
        name = name.rpartition(" ")[2]
        around = self._open[-1]
        if name not in _WITHIN.get(around, ()):
            raise self._error(f"<{name:.40}> {f'within <{around}>' if around else f'where <{_ROOT}> should be'}")
        self._open.append(name)
        if name in _TEXTS:
            self._text = []
        if name in (_ROOT, "Item"):
            if len(self._levels) > MAX_DEPTH:
                raise self._error(f"sequences nested more than {MAX_DEPTH} deep")
            if name == "Item":
                self._content(name, attributes)
            else:
                self._preserve = attributes.get(_SPACE) == "preserve"
            self._levels.append([])
        elif name == _ATTRIBUTE:
            self._attributes.append(self._attribute(attributes))
        elif around == _ATTRIBUTE:
            self._content(name, attributes)
            self._groups = {}
        elif name in NAME_GROUPS:
            self._components = {}

    def characters(self, text: str) -> None:
        """Take text between tags."""
        if self._text is not None:
            self._text.append(text)
        elif not text.isspace():
            raise self._error(f"text within <{self._open[-1]}>: {shown(text)}")

    def end(self, name: str) -> None:
        """Take an end tag."""
        name = self._open.pop()
        if name in NAME_COMPONENTS:
            self._components[NAME_COMPONENTS.index(name)] = self._taken()
        elif name in NAME_GROUPS:
            self._groups[NAME_GROUPS.index(name)] = _joined("^", self._components)
        elif name == "PersonName":
            self._attributes[-1].contents.append(_joined("=", self._groups))
        elif name in _TEXTS:
            self._attributes[-1].contents.append(self._taken())
        elif name == _ATTRIBUTE:
            self._levels[-1].append(self._attributes.pop())
        elif name == "Item":
            self._attributes[-1].contents.append(new_item(self._elements()))
        elif name == _ROOT:
            self._result = new_data_set(self._elements(), self._repairs)

    def _taken(self) -> str:
        text, self._text = "".join(self._text or ()), None
        return text if self._preserve else text.strip()

    def _attribute(self, attributes: Mapping[str, str]) -> _Attribute:
        written = attributes.get("tag", "")
        if not _TAG.fullmatch(written):
            raise self._error(f"{shown(written)} is no tag of eight hexadecimal digits")
        return _Attribute(Tag(int(written, 16)), attributes.get("vr"), attributes.get("privateCreator"))

    def _content(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin a value, name, item or piece of bulk data of the attribute."""
        attribute = self._attributes[-1]
        if attribute.kind and (attribute.kind != name or name in ("BulkData", "InlineBinary")):
            raise self._error(f"<{name}> after <{attribute.kind}>", attribute.tag)
        attribute.kind = name
        if name == "BulkData":
            uuid = attributes.get("uuid")
            attribute.contents.append(URN_UUID + uuid if uuid else attributes.get("uri"))
        elif name != "InlineBinary":
            number = attributes.get("number", str(len(attribute.numbers) + 1))
            if not _NUMBER.fullmatch(number):
                raise self._error(f"{shown(number)} is no number of a value or item", attribute.tag)
            attribute.numbers.append(int(number))

    def _elements(self) -> Elements:
        """Finish a level."""
        elements: Elements = {}
        for tag, attribute in _in_blocks(self._levels[-1]):
            if tag in elements:
                raise self._error("the attribute is there twice", tag)
            try:
                vr, value, raw = self._value(tag, attribute)
            except (TypeError, ValueError, OverflowError) as error:
                message = error.message if isinstance(error, DicomError) else str(error)
                raise self._error(message, tag) from error
            if tag & 0xFFFF:
                elements[tag] = new_element(tag, vr, unsigned_ends(tag, vr, value), raw)
            else:
                self._repairs.append(Repair(tag, 0, "a group length in an XML document", "left out"))
        self._levels.pop()
        return elements

    def _value(self, tag: Tag, attribute: _Attribute) -> tuple[str, Any, bytes | None]:
        kind, contents = attribute.kind, attribute.contents
        vr = attribute.vr if attribute.vr is not None and attribute.vr in VRS else self._implied(tag, attribute)
        if not contents:
            return vr, () if vr == "SQ" else None, None
        if kind == "BulkData" and vr != "SQ":
            return vr, uri_value(vr, contents[0], self._resolve, self._charset), None
        if kind == "InlineBinary" and vr != "SQ":
            return vr, inline_value(tag, vr, contents[0], self._charset), None
        if (kind == "Item") != (vr == "SQ") or (kind == "PersonName" and vr != "PN") or vr in BULK_VRS:
            raise ValueError(f"{vr} can't be in <{kind}>")
        numbers = attribute.numbers
        in_order = range(1, len(numbers) + 1)
        if numbers != [*in_order]:
            if sorted(numbers) != [*in_order]:
                raise ValueError(f"the {len(numbers)} times <{kind}> are not numbered from 1 on: {shown(numbers)}")
            contents = [content for _, content in sorted(zip(numbers, contents, strict=True), key=lambda pair: pair[0])]
        if vr == "SQ":
            return vr, tuple(contents), None
        if not any(contents):
            return vr, None, None
        made = MAKERS[vr](contents)
        return (vr, *made) if vr in NUMBER_VRS else (vr, made, None)

    def _implied(self, tag: Tag, attribute: _Attribute) -> str:
        """Find the VR, which is optional in the model."""
        binary = attribute.kind in ("BulkData", "InlineBinary")
        vr = "SQ" if attribute.kind == "Item" else implied_vr(tag, attribute.creator, binary=binary)
        if attribute.vr or vr is None:
            problem = f"{shown(attribute.vr)} is no VR of PS3.5" if attribute.vr else "no VR is known"
            if vr is None:
                raise ValueError(problem)
            self._repairs.append(Repair(tag, 0, problem, f"taken as {vr}"))
        return vr

    def _charset(self) -> Charset:
        """The character set of bytes: of this level, or of the nearest around it that says one."""
        for level in reversed(self._levels):
            for attribute in level:
                if attribute.tag == 0x00080005 and attribute.kind == "Value":
                    return Charset.of(attribute.contents)
        return Charset.of(None)

    def _error(self, message: str, tag: Tag | None = None) -> ReadError:
        """Make an error that names the items which lead to the place."""
        steps = [f"item {len(each.contents)} of {each.tag}: " for each in self._attributes if each.kind == "Item"]
        if tag is None and self._attributes:
            tag = self._attributes[-1].tag
        return ReadError("".join((*steps[:MOST_STEPS], message)), tag=tag)


def _joined(separator: str, parts: Mapping[int, str]) -> str:
    """Join parts by their position, up to the last that is there."""
    return separator.join([parts.get(position, "") for position in range(max(parts, default=-1) + 1)])


def _in_blocks(attributes: list[_Attribute]) -> Iterator[tuple[Tag, _Attribute]]:
    """Yield attributes with the tag that a data set gives them: private ones get their creator's block (PS3.5 7.8.1).

    A document tells the creator of an attribute, and may have the elements that reserve blocks or not.
    """
    reserved: dict[tuple[int, str], list[int]] = {}
    taken = {attribute.tag for attribute in attributes if attribute.creator is None}
    for attribute in attributes:
        tag = attribute.tag
        if attribute.creator is None and tag.is_private_creator and attribute.kind == "Value":
            reserved.setdefault((tag.group, attribute.contents[0].strip(" ")), []).append(tag.element)
    used = {tag >> 8 if tag & 0xFF00 else tag & 0xFFFF0000 >> 8 | tag & 0xFF for tag in taken}
    for attribute in attributes:
        tag, creator = attribute.tag, attribute.creator
        if creator is None or not tag.is_private:
            yield tag, attribute
            continue
        blocks = reserved.setdefault((tag.group, creator.strip(" ")), [])
        own = [block for block in blocks if block == tag >> 8 & 0xFF] or blocks
        places = [tag & 0xFFFF00FF | block << 8 for block in own]
        place = next((place for place in places if place not in taken), None)
        if place is None:
            first = tag.group << 8
            block = next((block for block in range(0x10, 0x100) if first | block not in used), None)
            if block is None:
                raise ReadError("no room for a private block", tag=tag)
            used.add(first | block)
            blocks.append(block)
            reservation = _Attribute(Tag(tag & 0xFFFF0000 | block), "LO", None)
            reservation.kind, reservation.contents, reservation.numbers = "Value", [creator], [1]
            yield reservation.tag, reservation
            place = tag & 0xFFFF00FF | block << 8
        taken.add(Tag(place))
        yield Tag(place), attribute
