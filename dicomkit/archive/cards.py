"""The card of an instance: the attributes by which it is found, small enough to be kept for each one."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from dicomkit.archive.errors import MismatchError, NotUnderstoodError
from dicomkit.dataset.dataset import DataSet
from dicomkit.encoding.writer import to_bytes
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.standard.attributes import tag_of
from dicomkit.standard.query_keys import LEVELS, query_keys
from dicomkit.values.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN

_MORE = (
    *("SpecificCharacterSet", "SeriesDescription", "SeriesDate", "SeriesTime", "BodyPartExamined", "Laterality"),
    *("InstitutionName", "Manufacturer", "StationName", "ProtocolName", "OperatorsName", "PerformingPhysicianName"),
    *("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "RequestAttributesSequence"),
    *("AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime", "InstanceCreationDate", "ImageType"),
    *("NumberOfFrames", "Rows", "Columns", "BitsAllocated", "ContentLabel", "ConceptNameCodeSequence"),
    *("TimezoneOffsetFromUTC", "FrameOfReferenceUID", "SeriesInstanceUID", "StudyInstanceUID"),
)
_LARGEST = 4096
"""A value that is longer is not on the card: nobody finds an instance by it."""


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


def make_card(ds: DataSet, *, sop_class_uid: str | None = None, sop_instance_uid: str | None = None) -> Card:
    """Make the card of a data set.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid
        What was announced, where something was.

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
        _attributes(ds),
    )


def _attributes(ds: DataSet) -> bytes:
    keep = [ds.element(keyword) for keyword in card_keywords() if keyword in ds and (tag_of(keyword) or 0) < 0x7FE00000]
    try:
        return to_bytes(DataSet(keep), EXPLICIT_VR_LITTLE_ENDIAN)
    except DicomError:  # a value that can't be written again: it is left out
        kept = DataSet()
        for element in keep:
            try:
                to_bytes(DataSet([element]), EXPLICIT_VR_LITTLE_ENDIAN)
            except DicomError:
                continue
            kept = kept.assign([element])
        return to_bytes(kept, EXPLICIT_VR_LITTLE_ENDIAN)
