"""From a DICOM JSON Model object (PS3.18 Annex F) that is parsed already to a DataSet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.nesting import MAX_DEPTH
from dicomkit.dataset.repairs import Repair
from dicomkit.encoding.assemble import (
    BULK_VRS,
    MOST_STEPS,
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
from dicomkit.encoding.text_values import MAKERS, NUMBER_VRS, shown
from dicomkit.errors import DicomError, ReadError
from dicomkit.values.charset import Charset
from dicomkit.values.tag import Tag
from dicomkit.values.vr import VRS

_CHARSET = "00080005"
_CONTENTS = ("Value", "InlineBinary", "BulkDataURI")
_BY_VALUES = frozenset((*MAKERS, "SQ"))
_KEY = re.compile("[0-9A-Fa-f]{8}")


class JsonReader:
    """Turns the objects of one document into data sets.

    Parameters
    ----------
    resolve
        Gives the bytes of a BulkDataURI.
    """

    __slots__ = ("_repairs", "_resolve")

    def __init__(self, resolve: Resolver | None = None) -> None:
        self._resolve = resolve
        self._repairs: list[Repair] = []

    def data_set(self, model: Any) -> DataSet:
        """Read one instance: a mapping from tags to attribute objects.

        Raises
        ------
        ReadError
            When it is no DICOM JSON Model object; names the tag and the items that lead to it.
        """
        self._repairs = []
        return new_data_set(self._elements(model, 0, None), self._repairs)

    def _elements(self, model: Any, level: int, outer: Any) -> Elements:
        """Read the attributes of one level; ``outer`` is the nearest model that says the character set."""
        if type(model) is not dict and not isinstance(model, Mapping):
            raise ReadError(f"a data set is an object in JSON, not {shown(model)}")
        if _CHARSET in model:
            outer = model
        elements: Elements = {}
        for key, entry in model.items():
            tag = _tag(key)
            try:
                vr = entry.get("vr") if type(entry) is dict and len(entry) == 2 else None
                if type(vr) is str and vr in _BY_VALUES and type(values := entry.get("Value")) is list and values:
                    raw = None
                    if vr == "SQ":
                        value = self._items(tag, values, level, outer)
                    elif vr in NUMBER_VRS:
                        value, raw = MAKERS[vr](values)
                    else:
                        value = MAKERS[vr](values)
                else:
                    vr, value, raw = self._other(tag, entry, level, outer)
            except DicomError as error:
                raise error if error.tag else ReadError(error.message, tag=tag, hint=error.hint) from error
            except (TypeError, ValueError, OverflowError) as error:
                raise ReadError(str(error), tag=tag) from error
            if tag in elements:
                raise ReadError("the element is there twice", tag=tag)
            if vr == "SS":
                value = unsigned_ends(tag, vr, value)
            if tag & 0xFFFF:
                elements[tag] = new_element(tag, vr, value, raw)
            else:
                self._repair(tag, "a group length in a JSON document", "left out")
        return elements

    def _items(self, tag: Tag, models: list[Any], level: int, outer: Any) -> tuple[DataSet, ...]:
        if level >= MAX_DEPTH:
            raise ReadError(f"sequences nested more than {MAX_DEPTH} deep", tag=tag)
        items = []
        for number, model in enumerate(models):
            try:
                items.append(new_item(self._elements(model, level + 1, outer)))
            except DicomError as error:
                if level < MOST_STEPS:
                    error.message = f"item {number} of {tag}: {error.message}"
                raise
        return tuple(items)

    def _other(self, tag: Tag, entry: Any, level: int, outer: Any) -> tuple[str, Any, bytes | None]:
        """Read what is not simply a VR and its values."""
        if not isinstance(entry, Mapping):
            raise ReadError(f"an attribute is an object in JSON, not {shown(entry)}", tag=tag)
        vr = self._vr(tag, entry)
        contents = {name: entry[name] for name in _CONTENTS if entry.get(name) not in (None, "", [])}
        if vr in BULK_VRS and "Value" in contents:
            contents = self._bulk_content(tag, vr, contents)
        if not contents:
            return vr, () if vr == "SQ" else None, None
        (name, content), *others = contents.items()
        if others:
            raise ReadError(f"both {name} and {others[0][0]}", tag=tag)
        if name == "Value":
            if not isinstance(content, list):
                raise ReadError(f"Value is an array, not {shown(content)}", tag=tag)
            if vr == "SQ":
                return vr, self._items(tag, content, level, outer), None
            made = MAKERS[vr](content)
            return (vr, *made) if vr in NUMBER_VRS else (vr, made, None)
        if vr == "SQ":
            raise ReadError(f"a sequence can't be in {name}", tag=tag)

        def charset() -> Charset:
            return Charset.of(_terms(outer))

        if name == "InlineBinary":
            return vr, inline_value(tag, vr, content, charset), None
        return vr, uri_value(vr, content, self._resolve, charset), None

    def _vr(self, tag: Tag, entry: Mapping[str, Any]) -> str:
        vr = entry.get("vr")
        if isinstance(vr, str) and vr in VRS:
            return vr
        problem = f"{shown(vr)} is no VR of PS3.5" if vr else "no VR"
        implied = implied_vr(tag, None, binary="InlineBinary" in entry or "BulkDataURI" in entry)
        if implied is None:
            raise ReadError(problem, tag=tag)
        self._repair(tag, problem, f"taken as {implied}")
        return implied

    def _bulk_content(self, tag: Tag, vr: str, contents: dict[str, Any]) -> dict[str, Any]:
        """Find the InlineBinary or BulkDataURI that some put into Value."""
        values = contents.pop("Value")
        if values == [None] or not isinstance(values, list):
            values = []
        elif len(values) == 1 and isinstance(values[0], Mapping) and not contents:
            self._repair(tag, "InlineBinary or BulkDataURI within Value", "taken as the whole value")
            return {name: values[0][name] for name in _CONTENTS[1:] if values[0].get(name)}
        if values:
            raise ReadError(f"{vr} is in InlineBinary or BulkDataURI, not in Value", tag=tag)
        return contents

    def _repair(self, tag: int, problem: str, assumed: str) -> None:
        self._repairs.append(Repair(Tag(tag), 0, problem, assumed))


def _terms(model: Any) -> list[str]:
    """The values of Specific Character Set in a model; none where it has none that make sense."""
    entry = model.get(_CHARSET) if isinstance(model, Mapping) else None
    values = entry.get("Value") if isinstance(entry, Mapping) else None
    return [value or "" for value in values if not value or isinstance(value, str)] if isinstance(values, list) else []


@lru_cache(1 << 13)
def _tag(key: object) -> Tag:
    """Read the name of an attribute object."""
    if isinstance(key, str) and _KEY.fullmatch(key):
        return Tag(int(key, 16))
    raise ReadError(f"{shown(key)} is no tag of eight hexadecimal digits")
