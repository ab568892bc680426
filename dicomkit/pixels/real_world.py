"""Real world values: what stored values mean in a unit, linearly or by a table (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicomkit.dataset.functional_groups import PER_FRAME, SHARED
from dicomkit.errors import MissingElementError, PixelError, ValueFormatError
from dicomkit.pixels.frames import frame as decode_frame
from dicomkit.pixels.padding import padding_of

if TYPE_CHECKING:
    from dicomkit.dataset.dataset import DataSet

_SEQUENCE = "RealWorldValueMappingSequence"


class CodedConcept(NamedTuple):
    """A code, its scheme and its meaning, e.g. ``("mm2/s", "UCUM", "square millimetre per second")``."""

    value: str
    scheme: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class RealWorldMapping:
    """One way to read stored values as quantities: ``value = stored * slope + intercept``, or a table.

    Parameters
    ----------
    first, last : float
        The stored values that have a real world value, both included.
    slope, intercept : float
        None of importance with a table.
    table : ndarray, optional
        Real world values of the stored values from ``first`` to ``last``, float64.
    units : CodedConcept, optional
        Measurement Units Code.
    label, explanation : str
        LUT Label and LUT Explanation.
    quantity : tuple of (CodedConcept, object)
        Quantity Definition: names of content items and their values.
    source : str
        Where the mapping stands.

    Examples
    --------
    >>> mapping = RealWorldMapping(0, 100, slope=0.5, units=CodedConcept("mm2/s", "UCUM"))
    >>> mapping(np.array([2, 101], np.uint8)).tolist()
    [1.0, nan]
    """

    first: float
    last: float
    slope: float = 1.0
    intercept: float = 0.0
    table: NDArray[np.float64] | None = field(default=None, compare=False)
    units: CodedConcept | None = None
    label: str = ""
    explanation: str = ""
    quantity: tuple[tuple[CodedConcept, object], ...] = ()
    source: str = ""

    def __call__(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Map stored values to float64; those outside first and last have no real world value: NaN."""
        stored = np.asarray(stored)
        values: NDArray[np.float64]
        if self.table is None:
            values = np.multiply(stored, self.slope, dtype=np.float64)
            values += self.intercept
        else:
            places = np.clip(stored.astype(np.float64), self.first, self.last) - self.first
            values = self.table.take(np.nan_to_num(places).astype(np.intp))
        if stored.size and not (stored.min() >= self.first and stored.max() <= self.last):
            values[~((stored >= self.first) & (stored <= self.last))] = np.nan
        return values


def real_world_mappings(ds: DataSet, frame: int = 0, *, mapping: DataSet | None = None) -> tuple[RealWorldMapping, ...]:
    """List the real world value mappings of a frame.

    The frame's functional group wins over the shared one, and that over the top level.

    Parameters
    ----------
    ds : DataSet
        An image.
    frame : int
        From 0.
    mapping : DataSet, optional
        A Real World Value Mapping object whose mappings for this image are taken instead.

    Returns
    -------
    tuple of RealWorldMapping
        Empty where there is none.

    Raises
    ------
    PixelError
        If a mapping makes no sense.

    Examples
    --------
    >>> import dicomkit as dk
    >>> unit = {"CodeValue": "Bq/ml", "CodingSchemeDesignator": "UCUM", "CodeMeaning": "Becquerels/milliliter"}
    >>> item = {"RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 4095, "LUTLabel": "ACTIVITY",
    ...         "RealWorldValueSlope": 2.5, "RealWorldValueIntercept": 0, "MeasurementUnitsCodeSequence": [unit]}
    >>> real_world_mappings(dk.DataSet(RealWorldValueMappingSequence=[item]))[0].units.value
    'Bq/ml'
    """
    if mapping is not None:
        items, source = _of_object(ds, mapping), "Real World Value Mapping object"
    else:
        items, source = _of_image(ds, frame)
    return tuple(_parse(ds, item, source) for item in items)


def real_world_values(
    ds: DataSet, frame: int = 0, *, which: int | str = 0, mapping: DataSet | None = None
) -> NDArray[np.float64]:
    """Decode a frame and map it to real world values.

    Parameters
    ----------
    ds : DataSet
        An image.
    frame : int
        From 0.
    which : int or str
        The mapping: its number, its LUT Label or Explanation, or the code value of its units.
    mapping : DataSet, optional
        A Real World Value Mapping object, instead of what the image says itself.

    Returns
    -------
    ndarray of float64
        ``(rows, columns)``; padding and stored values that are not mapped are NaN.

    Raises
    ------
    PixelError
        If the frame can't be decoded, or a mapping makes no sense.
    ValueFormatError
        If there is no such mapping; the message lists those that there are.

    Examples
    --------
    >>> import dicomkit as dk
    >>> item = {"RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 200, "LUTLabel": "T2",
    ...         "RealWorldValueSlope": 0.5, "RealWorldValueIntercept": 0}
    >>> ds = dk.DataSet(Rows=1, Columns=2, BitsAllocated=8, PixelData=b"\\x08\\xff",
    ...                 RealWorldValueMappingSequence=[item])
    >>> real_world_values(ds, which="T2").tolist()
    [[4.0, nan]]
    """
    chosen = _pick(real_world_mappings(ds, frame, mapping=mapping), which)
    stored = decode_frame(ds, frame)
    values = chosen(stored)
    padding = padding_of(ds)
    if padding is not None:
        values[padding.mask(stored)] = np.nan
    return values


def _of_image(ds: DataSet, frame: int) -> tuple[tuple[DataSet, ...], str]:
    """The mappings of a frame, and where they stand."""
    per_frame, shared = ds.all(PER_FRAME), ds.all(SHARED)
    places = (
        (per_frame[frame : frame + 1], "functional group of the frame"),
        (shared[:1], "shared functional group"),
        ((ds,), "data set"),
    )
    for holders, source in places:
        items = tuple(item for holder in holders for item in holder.all(_SEQUENCE))
        if items:
            return items, source
    return (), ""


def _of_object(ds: DataSet, mapping: DataSet) -> tuple[DataSet, ...]:
    """The mappings that an object has for an image."""
    uid = ds.get("SOPInstanceUID")
    found: list[DataSet] = []
    for group in mapping.all("ReferencedImageRealWorldValueMappingSequence"):
        referenced = [*group.all("ReferencedSOPSequence"), *group.all("ReferencedImageSequence")]
        if any(item.get("ReferencedSOPInstanceUID") == uid for item in referenced) or not referenced:
            found.extend(group.all(_SEQUENCE))
    return tuple(found)


def _parse(ds: DataSet, item: DataSet, source: str) -> RealWorldMapping:
    """Read one item of a Real World Value Mapping Sequence."""
    floating = "FloatPixelData" in ds or "DoubleFloatPixelData" in ds
    ends = [item.get(f"DoubleFloatRealWorldValue{end}ValueMapped") for end in ("First", "Last")]
    if not all(isinstance(end, float) for end in ends):  # for floating point pixels whole limits say nothing
        ends = [-np.inf, np.inf] if floating else [_whole(ds, item, end) for end in ("First", "Last")]
    first, last = (float(end) for end in ends)
    data = item.all("RealWorldValueLUTData")
    table = np.array(data, np.float64) if data else None
    if table is not None and not len(table) == last - first + 1:
        raise PixelError(f"RealWorldValueLUTData has {len(table)} entries for the values {first:g} to {last:g}")
    slope, intercept = item.get("RealWorldValueSlope"), item.get("RealWorldValueIntercept")
    if table is None and not (isinstance(slope, (int, float)) and isinstance(intercept, (int, float))):
        raise PixelError("a real world value mapping has neither slope and intercept nor a table")
    units = item.all("MeasurementUnitsCodeSequence")
    return RealWorldMapping(
        first,
        last,
        1.0 if table is not None else float(slope),
        0.0 if table is not None else float(intercept),
        table,
        _code(units[0]) if units else None,
        str(item.get("LUTLabel") or ""),
        str(item.get("LUTExplanation") or ""),
        tuple(_quantity(content) for content in item.all("QuantityDefinitionSequence")),
        source,
    )


def _whole(ds: DataSet, item: DataSet, end: str) -> int:
    """A limit in the sign of the stored values, whatever its VR says."""
    keyword = f"RealWorldValue{end}ValueMapped"
    value = item.get(keyword)
    if not isinstance(value, int):
        raise MissingElementError(f"a real world value mapping has no {keyword}")
    value &= 0xFFFF
    return value - 0x10000 if ds.get("PixelRepresentation") == 1 and value > 0x7FFF else value


def _code(item: DataSet) -> CodedConcept:
    """A code sequence item; long codes and URNs have attributes of their own (PS3.3 8.8)."""
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or ""
    return CodedConcept(str(value), str(item.get("CodingSchemeDesignator") or ""), str(item.get("CodeMeaning") or ""))


def _quantity(item: DataSet) -> tuple[CodedConcept, object]:
    """A content item of a quantity definition: its name, and its value as a code, number or text."""
    names = item.all("ConceptNameCodeSequence")
    codes = item.all("ConceptCodeSequence")
    value = _code(codes[0]) if codes else item.get("TextValue", item.get("NumericValue"))
    return (_code(names[0]) if names else CodedConcept("", "")), value


def _pick(mappings: tuple[RealWorldMapping, ...], which: int | str) -> RealWorldMapping:
    """The mapping of a number or a name."""
    if isinstance(which, int) and -len(mappings) <= which < len(mappings):
        return mappings[which]
    for mapping in mappings:
        unit = mapping.units.value if mapping.units else ""
        if isinstance(which, str) and which in (mapping.label, mapping.explanation, unit):
            return mapping
    names = ", ".join(f"{m.label or m.explanation!r} [{m.units.value if m.units else '?'}]" for m in mappings)
    raise ValueFormatError(f"which={which!r}: the image has {len(mappings)} real world value mappings ({names})")
