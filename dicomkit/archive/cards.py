"""The card of an instance: the attributes by which it is found, small enough to be kept for each one."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from dicomkit.archive.errors import MismatchError, NotUnderstoodError
from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.dataset.index import Index, to_word, vr_word
from dicomkit.encoding.regular import explicit_elements
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.sources import MemorySource
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


_HEADERS = {vr_word(name): 12 if vr.long_form else 8 for name, vr in VRS.items()}
"""How long the header of an element is, by the VR that it tells."""
_EXPLICIT = TransferSyntax.of(EXPLICIT_VR_LITTLE_ENDIAN)
_PIXELS, _ITEMS = 0x7FE0, 0xFFFE


class Card(NamedTuple):
    """What an archive knows of an instance without looking at it."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str
    modality: str
    attributes: bytes
    patient_name: str = ""
    study_date: str = ""
    accession_number: str = ""

    def to_dataset(self) -> DataSet:
        """Read the attributes."""
        return read_card(self.attributes)


def read_card(attributes: bytes) -> DataSet:
    """Read the attributes of a card."""
    return read(attributes, transfer_syntax=EXPLICIT_VR_LITTLE_ENDIAN)


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
        The bytes of what is on it, where they are known.

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
        str(ds.get("PatientName") or ""),
        str(ds.get("StudyDate") or ""),
        str(ds.get("AccessionNumber") or ""),
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


class Header(NamedTuple):
    """What comes before the pixels of an instance: its elements, and the bytes of those that are on its card."""

    ds: DataSet
    attributes: bytes


def plain_header(encoded: bytes | bytearray | memoryview, *, whole: bool = True) -> Header | None:
    """Take the header out of a data set in Explicit VR Little Endian; None where it isn't plain enough.

    Parameters
    ----------
    whole
        Whether it is the whole data set; otherwise it has to reach to the pixels.

    Examples
    --------
    >>> ds = DataSet(PatientID="A1", RescaleSlope=1)
    >>> header = plain_header(to_bytes(ds))
    >>> header.attributes == to_bytes(ds.drop("RescaleSlope")), header.ds == ds
    (True, True)
    """
    rows: list[int] = []
    open_sequences: list[list[int]] = []
    end, _, at = explicit_elements(encoded, 0, len(encoded), rows, open_sequences, stop_group=_PIXELS)
    at_pixels = at is not None and end < len(encoded) and _PIXELS <= at[0] & 0xFFFF < _ITEMS
    if open_sequences or not (at_pixels or (whole and end == len(encoded))):
        return None
    data = bytes(encoded[:end])
    index = Index(rows, MemorySource(data), ((0, data),), _EXPLICIT)
    ds, card_tags, parts, last = DataSet.of_index(index), _card_tags_by_word(), [], 0
    for word, record in ds._records.positions().items():
        if (tag := card_tags.get(word)) is not None:
            kind, length, offset = rows[4 * record + 1 : 4 * record + 4]
            header = _HEADERS.get(kind)
            if header is None or length & 1 or tag <= last:  # of undefined length, odd or out of order
                return None
            parts.append(data[offset - header : offset + length])
            last = tag
    return Header(ds, b"".join(parts))


@cache
def _card_tags_by_word() -> dict[int, int]:
    return {to_word(tag): tag for tag in _card_tags()}


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
