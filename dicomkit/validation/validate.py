"""The verb: everything that is wrong with an object, as findings."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.errors import ValueFormatError
from dicomkit.standard.attributes import attribute
from dicomkit.standard.modules import iod_of
from dicomkit.standard.uids import uid_of
from dicomkit.validation.element_values import check_element, check_elements
from dicomkit.validation.encoding import check_encoding
from dicomkit.validation.findings import Finding, Findings, collected
from dicomkit.validation.identity import check_identity, sop_class_of
from dicomkit.validation.pixels import check_pixels
from dicomkit.validation.requirements import Requirements
from dicomkit.values.tag import Tag
from dicomkit.values.uid import UID

Level: TypeAlias = Literal["minimal", "standard", "strict"]

# Whose values decide whether an object can be used at all.
_VITAL = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)


def validate(
    ds: DataSet,
    level: Level = "standard",
    *,
    required: Collection[Any] = (),
    sop_classes: Collection[str] | None = None,
) -> Findings:
    """List what is wrong with an object: its values (PS3.5, PS3.6), its IOD (PS3.3), its file (PS3.10).

    Parameters
    ----------
    level
        ``"minimal"``: what makes an object unusable: its identity, its encoding, the attributes that describe its
        pixels. ``"standard"``: also every value, and what its IOD requires: modules, types, conditions, enumerated
        values, functional groups. ``"strict"``: also notes: defined terms, retired attributes, attributes that the
        IOD does not have, and how many conditions could not be looked at.
    required
        Tags, keywords or paths that must have a value besides.
    sop_classes
        The SOP classes that are allowed, by UID or by keyword of PS3.6; None allows all.

    Returns
    -------
    Findings
        Errors first; empty when nothing was found. Never an exception for what is in the object.

    Raises
    ------
    ValueFormatError
        When ``ds`` is no DataSet; when ``level``, a key of ``required`` or a name of ``sop_classes`` is not understood.
    SourceError
        When the file that the object was read from is gone or has changed.

    Notes
    -----
    The rules by which findings are sorted: ``value``, ``vm``, ``length``, ``padding``, ``character set``, ``vr``,
    ``unknown``, ``private``, ``retired``, ``place``, ``nesting``, ``items`` (elements); ``missing``, ``empty``,
    ``not allowed``, ``enumerated``, ``defined term``, ``functional group``, ``not in IOD``, ``unchecked`` (the IOD);
    ``uid``, ``sop class``, ``meta``, ``required`` (identity); ``encoding``, ``transfer syntax``; ``pixel attributes``,
    ``pixel data``, ``compression``, ``agreement``.

    Modules that an IOD makes optional count as present when an attribute is there that only they have. Of the
    conditions of PS3.3 those are looked at that say something about other attributes; the others are counted.

    Examples
    --------
    >>> import dicomkit as dk
    >>> found = validate(dk.DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", PatientSex="X"))
    >>> [one.message for one in found.of("error", "enumerated")]
    ["the value is 'X', none of the Enumerated Values M, F, O"]
    """
    if not isinstance(ds, DataSet):
        raise ValueFormatError(f"a {type(ds).__name__} is no DataSet", hint="dicomkit.read(path) gives one")
    if level not in ("minimal", "standard", "strict"):
        raise ValueFormatError(f"{level!r} is no level", hint="give 'minimal', 'standard' or 'strict'")
    for name in sop_classes or ():
        if uid_of(name) is None and not UID(name).is_valid:
            raise ValueFormatError(f"{name!r} is no SOP class", hint="give UIDs or keywords such as 'CTImageStorage'")
    return collected(_findings(ds, level, required, sop_classes))


def _findings(
    ds: DataSet, level: Level, required: Collection[Any], sop_classes: Collection[str] | None
) -> Iterator[Finding]:
    strict = level == "strict"
    yield from check_encoding(ds)
    yield from check_identity(ds, sop_classes, strict=strict)
    yield from check_pixels(ds)
    for key in required:
        path = key if isinstance(key, tuple) else (key,)
        if ds.get(key) in (None, ()):
            last = path[-1] if len(path) % 2 else path[-2]
            steps = tuple(Tag.of(step).keyword or step if number % 2 == 0 else step for number, step in enumerate(path))
            yield Finding(steps, "required", "error", "missing or empty, and asked for", Tag.of(last))
    if level == "minimal":
        for keyword in _VITAL:
            if keyword in ds:
                element = ds.element(keyword)
                yield from check_element(element, attribute(element.tag), (keyword,))
        return
    yield from check_elements(ds, strict=strict)
    sop_class = sop_class_of(ds)
    iod = iod_of(sop_class)
    if iod is None:
        if sop_class:
            yield Finding((), "sop class", "note", f"no table of its IOD: {sop_class}", Tag.of("SOPClassUID"))
        return
    if strict and iod.normalized:
        yield Finding((), "edition", "note", f"held against the {iod.name} IOD of {iod.edition}", Tag.of("SOPClassUID"))
    requirements = Requirements(iod, strict)
    yield from requirements.check(ds)
    if strict and requirements.unchecked:
        count = requirements.unchecked.total()
        message = f"{count} condition{'s' if count > 1 else ''} that the tables don't express: not looked at"
        yield Finding((), "unchecked", "note", message)
