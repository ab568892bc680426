"""The card of an instance: the attributes by which it is found, small enough to be kept for each one."""

from __future__ import annotations

import struct
from functools import cache
from typing import NamedTuple

from dicomkit.archive.errors import MismatchError, NotUnderstoodError
from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import to_word, vr_word
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.standard.attributes import tag_of
from dicomkit.standard.query_keys import LEVELS, query_keys
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from dicomkit.values.vr import VRS

_MORE = (
    *("SpecificCharacterSet", "SeriesDescription", "SeriesDate", "SeriesTime", "BodyPartExamined", "Laterality"),
    *("InstitutionName", "Manufacturer", "StationName", "ProtocolName", "OperatorsName", "PerformingPhysicianName"),
    *("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "RequestAttributesSequence"),
    *("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime", "InstanceCreationDate", "ImageType"),
    *("NumberOfFrames", "Rows", "Columns", "BitsAllocated", "ContentLabel", "ConceptNameCodeSequence"),
    *("TimezoneOffsetFromUTC", "FrameOfReferenceUID", "SeriesInstanceUID", "StudyInstanceUID"),
)


_header = struct.Struct("<IHH").unpack_from
_long_length = struct.Struct("<I").unpack_from
_SHORT_VRS = frozenset(vr_word(name) for name, vr in VRS.items() if not vr.long_form and len(name) == 2)
_LONG_VRS = frozenset(vr_word(name) for name, vr in VRS.items() if vr.long_form and name != "UN")
_PIXELS = 0x7FE0


class Card(NamedTuple):
    """What an archive knows of an instance without looking at it."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str
    modality: str
    attributes: bytes

    def to_dataset(self) -> DataSet:
        """Read the attributes."""
        return read(self.attributes, transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN)


@cache
def card_keywords() -> tuple[str, ...]:
    """List the keywords of what a card holds."""
    keys = (key.keyword for level in LEVELS for key in query_keys(level))
    return tuple(keyword for keyword in dict.fromkeys((*keys, *_MORE)) if tag_of(keyword) is not None)


def make_card(
    ds: DataSet,
    *,
    sop_class_uid: str | None = None,
    sop_instance_uid: str | None = None,
    attributes: bytes | None = None,
) -> Card:
    """Make the card of a data set.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid
        What was announced, where something was.
    attributes
        What `sliced` made of its bytes, where there is such a thing.

    Raises
    ------
    MismatchError
        When the data set says something else.
    NotUnderstoodError
        When it has no study, series or SOP instance UID.
    """
    uids = {}
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        value = str(ds.get(keyword) or "")
        if not value:
            raise NotUnderstoodError(f"the data set has no {keyword}", tag=tag_of(keyword))
        uids[keyword] = value
    for announced, keyword in ((sop_class_uid, "SOPClassUID"), (sop_instance_uid, "SOPInstanceUID")):
        if announced is not None and announced != uids[keyword]:
            raise MismatchError(f"{keyword} of the data set isn't the one announced", tag=tag_of(keyword))
    return Card(
        uids["SOPClassUID"],
        uids["SOPInstanceUID"],
        uids["SeriesInstanceUID"],
        uids["StudyInstanceUID"],
        str(ds.get("PatientID") or ""),
        str(ds.get("Modality") or ""),
        _attributes(ds) if attributes is None else attributes,
    )


@cache
def _card_tags() -> frozenset[int]:
    return frozenset(tag_of(keyword) or 0 for keyword in card_keywords())


def is_plain(transfer_syntax_uid: str) -> bool:
    """Tell whether data sets of a transfer syntax have their elements in Explicit VR Little Endian.

    Examples
    --------
    >>> is_plain("1.2.840.10008.1.2.4.90"), is_plain("1.2.840.10008.1.2")
    (True, False)
    """
    syntax = TransferSyntax.of(transfer_syntax_uid)
    return not (syntax.implicit_vr or syntax.big_endian or syntax.deflated)


def sliced(encoded: bytes, *, whole: bool = True) -> bytes | None:
    """Take the attributes of a card out of a data set in Explicit VR Little Endian; None where it isn't plain enough.

    Parameters
    ----------
    whole
        Whether it is the whole data set; otherwise it has to reach to the pixels.

    Examples
    --------
    >>> ds = DataSet(PatientID="A1", RescaleSlope=1)
    >>> sliced(to_bytes(ds)) == to_bytes(ds.drop("RescaleSlope"))
    True
    """
    words, parts, position, end = _card_words(), [], 0, len(encoded)
    try:
        while position < end:
            word, vr, length = _header(encoded, position)
            start = position
            if vr in _SHORT_VRS:
                position += 8 + length
            elif word & 0xFFFF >= _PIXELS:
                whole = True
                break
            elif vr in _LONG_VRS:
                (length,) = _long_length(encoded, position + 8)
                position += 12 + length
            else:
                return None
            if length & 1 or position > end:  # an undefined length, too
                return None
            if word in words:
                parts.append(encoded[start:position])
    except struct.error:
        return None
    return b"".join(parts) if whole else None


@cache
def _card_words() -> frozenset[int]:
    return frozenset(map(to_word, _card_tags()))


def _attributes(ds: DataSet) -> bytes:
    """Encode what is on the card: as it was read, unless it can't be written so; then without what can't."""
    kept = ds.drop(*[tag for tag in ds if tag not in _card_tags()])
    try:
        return to_bytes(kept, EXPLICIT_VR_LITTLE_ENDIAN)
    except DicomError:
        bad = [element.tag for element in kept.elements() if not _can_be_written(element)]
        return to_bytes(kept.drop(*bad), EXPLICIT_VR_LITTLE_ENDIAN)


def _can_be_written(element: Element) -> bool:
    try:
        to_bytes(DataSet([element]), EXPLICIT_VR_LITTLE_ENDIAN)
    except DicomError:
        return False
    return True
