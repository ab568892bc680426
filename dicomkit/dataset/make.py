"""New objects: from a SOP class, as another instance of the same, or derived from one that is there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dataset.element import Element
from dicomkit.errors import MissingElementError, ValueFormatError
from dicomkit.standard.attributes import attribute
from dicomkit.standard.modules import iod_of, module
from dicomkit.standard.uids import uid_entry, uid_of
from dicomkit.values.rules import vm_allows
from dicomkit.values.uid import new_uid

_SOURCE = {
    "CodeValue": "121322",
    "CodingSchemeDesignator": "DCM",
    "CodeMeaning": "Source image for image processing operation",
}
_NOT_COPIED = ("DigitalSignaturesSequence", "MACParametersSequence", "InstanceCreatorUID", "OriginalAttributesSequence")


def make_dataset(sop_class: str, **elements: Any) -> DataSet:
    """Make a data set of a SOP class, with what every instance of it has.

    SOP Instance, Study Instance and Series Instance UIDs are new ones, the character set is UTF-8, and the attributes
    of Type 2 of the mandatory modules (PS3.3) are there without a value. Those of Type 1 are left to be assigned:
    `dicomkit.validate` names what is missing.

    Parameters
    ----------
    sop_class
        UID or keyword, such as ``"CTImageStorage"``.
    elements
        Values by keyword; they are checked against the rules of their VR, and their number against PS3.6.

    Raises
    ------
    ValueFormatError
        If it is no SOP class with an IOD in PS3.3, a value breaks the rules of its VR, or there are too many or too
        few of them.

    Examples
    --------
    >>> ds = make_dataset("CTImageStorage", PatientID="1", Modality="CT")
    >>> ds.SOPClassUID.name, ds.PatientID, ds.PatientName, ds.SOPInstanceUID.is_valid
    ('CT Image Storage', '1', None, True)
    """
    uid = uid_of(sop_class) or sop_class
    iod = iod_of(uid)
    if iod is None:
        known = uid_entry(uid)
        what = known.name if known else repr(sop_class)
        raise ValueFormatError(f"{what} is no storage SOP class of PS3.3", hint="such as 'CTImageStorage'")
    modules = [module(use.module) for use in iod.modules if use.usage == "M"]
    attributes = [attribute for found in modules if found for attribute in found.attributes]
    empty = [Element.of(attribute.tag, None) for attribute in attributes if attribute.type == "2"]
    identity = {keyword: new_uid() for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")}
    made = DataSet(empty).assign(identity, SOPClassUID=uid, SpecificCharacterSet="ISO_IR 192")
    return made.assign(_checked(elements))


def new_instance(ds: DataSet, **elements: Any) -> DataSet:
    """Make another instance of the same: a new SOP Instance UID, created now (PS3.3 C.12.1).

    Digital signatures are left out, which hold for the old instance only.

    Parameters
    ----------
    elements
        Values to set besides, by keyword.

    Examples
    --------
    >>> old = DataSet(SOPInstanceUID="2.25.1", PatientID="1")
    >>> new = new_instance(old, InstanceNumber=2)
    >>> new.SOPInstanceUID == old.SOPInstanceUID, new.PatientID, new.InstanceNumber
    (False, '1', 2)
    """
    now = datetime.now()
    changed = ds.drop(*(keyword for keyword in _NOT_COPIED if keyword in ds)).assign(
        SOPInstanceUID=new_uid(), InstanceCreationDate=f"{now:%Y%m%d}", InstanceCreationTime=f"{now:%H%M%S}"
    )
    return changed.assign(_checked(elements))


def derive(
    ds: DataSet,
    *,
    description: str,
    sources: Iterable[DataSet] = (),
    new_series: bool = True,
    **elements: Any,
) -> DataSet:
    """Make an instance that was derived from another one, and refers to it (PS3.3 C.7.6.1.1.3, C.12.4).

    An image gets DERIVED in its Image Type and a Source Image Sequence; another object a Referenced Instance Sequence.
    All that is derived with one description from one series makes one new series.

    Parameters
    ----------
    description
        What was done: Derivation Description.
    sources
        What it was derived from; ``ds`` when not given.
    new_series
        Whether it is in a new series of the same study; else it stays in its own.
    elements
        Values to set besides, by keyword.

    Raises
    ------
    MissingElementError
        When a source has no SOP Class UID or SOP Instance UID to refer to.

    Examples
    --------
    >>> old = DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID="2.25.1", SeriesInstanceUID="2.25.2",
    ...               ImageType=("ORIGINAL", "PRIMARY"), Rows=2)
    >>> new = derive(old, description="smoothed")
    >>> new.ImageType, new["SourceImageSequence", 0, "ReferencedSOPInstanceUID"]
    (('DERIVED', 'SECONDARY'), UID('2.25.1'))
    """
    changes: dict[str, Any] = {"DerivationDescription": description}
    references = [_reference(source) for source in (tuple(sources) or (ds,))]
    if "Rows" in ds:
        pet = ds.get("SOPClassUID") == uid_of("PositronEmissionTomographyImageStorage")
        second = "PRIMARY" if pet else "SECONDARY"
        changes |= {"ImageType": ("DERIVED", second, *ds.all("ImageType")[2:]), "SourceImageSequence": references}
    else:
        changes["ReferencedInstanceSequence"] = references
    if new_series:
        series = str(ds.get("SeriesInstanceUID") or "")
        changes["SeriesInstanceUID"] = new_uid(seed=["derived", series, description]) if series else new_uid()
        changes["SeriesDescription"] = f"{ds.get('SeriesDescription') or ''} {description}".strip()[:64]
        number = ds.get("SeriesNumber")
        changes["SeriesNumber"] = number + 1000 if isinstance(number, int) else None
    return new_instance(ds.assign(changes), **elements)


def _checked(elements: dict[str, Any]) -> DataSet:
    """Values by keyword as a data set, with as many values as PS3.6 allows, those of items included."""
    made = DataSet(elements)
    for path, element in made.walk():
        known = attribute(element.tag)
        if known is not None and element.vr != "SQ" and not vm_allows(known.vm, element.vm):
            place = ".".join(map(str, path))
            raise ValueFormatError(f"{place} has {element.vm} values, where PS3.6 allows {known.vm}", tag=element.tag)
    return made


def _reference(ds: DataSet) -> DataSet:
    """A reference to an instance, and what it was used for."""
    if missing := [keyword for keyword in ("SOPClassUID", "SOPInstanceUID") if not ds.get(keyword)]:
        raise MissingElementError(f"the source has no {' and no '.join(missing)}", hint="what is derived refers to it")
    return DataSet(
        ReferencedSOPClassUID=ds["SOPClassUID"],
        ReferencedSOPInstanceUID=ds["SOPInstanceUID"],
        PurposeOfReferenceCodeSequence=[DataSet(_SOURCE)],
    )
