"""What requests do to presentation LUTs, and which one another request refers to (PS3.4 H.4.9)."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest
from dicomkit.dimse.print_classes import PRESENTATION_LUT
from dicomkit.dimse.provider import Refused
from dicomkit.errors import DicomError
from dicomkit.pixels.lookup import parse_table
from dicomkit.serve.film_hierarchy import Hierarchy, PresentationLut
from dicomkit.serve.printing_attributes import reference_in
from dicomkit.serve.printing_rules import (
    DUPLICATE,
    INVALID_VALUE,
    MISSING,
    NO_RESOURCES,
    NO_SUCH_INSTANCE,
    Outcome,
    Rules,
)
from dicomkit.values.uid import new_uid


def create_lut(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Remember a presentation LUT."""
    uid = request.sop_instance_uid or new_uid()
    if uid in hierarchy.luts:
        raise Refused("there is such a presentation LUT already", status=DUPLICATE)
    if len(hierarchy.luts) >= rules.limits.tables:
        raise Refused(f"more than {rules.limits.tables} presentation LUTs", status=NO_RESOURCES)
    lut = _presentation_lut(request.data or DataSet())
    luts = MappingProxyType({**hierarchy.luts, uid: lut})
    return Outcome(replace(hierarchy, luts=luts), NormalizedAnswer(sop_instance_uid=uid))


def _presentation_lut(data: DataSet) -> PresentationLut:
    shape, items = data.get("PresentationLUTShape"), data.all("PresentationLUTSequence")
    if bool(shape) == bool(items):
        raise Refused("a presentation LUT has either a shape or a table", status=INVALID_VALUE if shape else MISSING)
    if shape:
        if shape not in ("IDENTITY", "LIN OD"):
            raise Refused(f"no presentation LUT shape {str(shape)[:20]}", status=INVALID_VALUE)
        return PresentationLut(str(shape))
    try:
        table = parse_table(items[0], signed_input=False)
    except DicomError as error:
        raise Refused(error.message, status=INVALID_VALUE) from error
    if len(table.entries) not in (256, 4096) or table.first != 0 or not 10 <= table.bits <= 16:
        text = f"a table of {len(table.entries)} entries of {table.bits} bits from {table.first} on"
        raise Refused(text, status=INVALID_VALUE)
    return PresentationLut("", table)


def delete_lut(hierarchy: Hierarchy, request: NormalizedRequest, rules: Rules) -> Outcome:
    """Forget a presentation LUT."""
    if request.sop_instance_uid not in hierarchy.luts:
        raise Refused("there is no such presentation LUT", status=NO_SUCH_INSTANCE)
    luts = {uid: lut for uid, lut in hierarchy.luts.items() if uid != request.sop_instance_uid}
    return Outcome(replace(hierarchy, luts=MappingProxyType(luts)), NormalizedAnswer())


def referenced_lut(data: DataSet, hierarchy: Hierarchy) -> PresentationLut | None:
    """Return the presentation LUT that something is to be printed with; None where it refers to none."""
    if not data.all("ReferencedPresentationLUTSequence"):
        return None
    uid = reference_in(data, "ReferencedPresentationLUTSequence", PRESENTATION_LUT)
    if uid not in hierarchy.luts:
        raise Refused("there is no such presentation LUT", status=INVALID_VALUE)
    return hierarchy.luts[uid]
