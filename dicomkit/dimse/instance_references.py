"""Instances as those references that notifications make to them: by study and series, with what a series tells."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.instances import instances_of
from dicomkit.dimse.outgoing import Outgoing
from dicomkit.errors import ValueFormatError
from dicomkit.files.read import read
from dicomkit.standard.modules import iod_of
from dicomkit.values.uid import new_uid

_WANTED = (
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("SeriesDescription", "ProtocolName", "PerformingPhysicianName", "OperatorsName", "RetrieveAETitle"),
)
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")


def headers(instances: Any) -> Iterator[DataSet]:
    """Give of each instance what a reference needs.

    Parameters
    ----------
    instances
        A path, folder, DataSet, table of `scan`, instance of an archive, or many of them.

    Raises
    ------
    ValueFormatError
        When one has no UID of its study, series, class or its own.

    Examples
    --------
    >>> from dicomkit.samples import ct_series
    >>> [found.Modality for found in headers(ct_series(2, 8))]
    ['CT', 'CT']
    """
    sources, _ = instances_of(instances)
    for source in sources:
        found = _header(source)
        missing = [keyword for keyword in _UIDS if not found.get(keyword)]
        if missing:
            raise ValueFormatError(f"an instance has no {', '.join(missing)}", path=found.path)
        yield found


def by_series(found: Iterable[DataSet]) -> dict[tuple[str, str], list[DataSet]]:
    """Group instances by the UIDs of study and series, in the order in which they come; none counts twice.

    Examples
    --------
    >>> from dicomkit.samples import ct_series
    >>> [len(group) for group in by_series(headers(ct_series(2, 8) * 2)).values()]
    [2]
    """
    groups: dict[tuple[str, str], dict[str, DataSet]] = {}
    for ds in found:
        series = groups.setdefault((str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)), {})
        series.setdefault(str(ds.SOPInstanceUID), ds)
    return {uids: list(series.values()) for uids, series in groups.items()}


def performed_series(instances: Any, *, protocol_name: str | None = None, retrieve_aet: str = "") -> list[DataSet]:
    """Make the items of the Performed Series Sequence (PS3.4 F.7.2.2.2): which series were made, of which instances.

    Parameters
    ----------
    instances
        As for `headers`.
    protocol_name
        Of all series; by default what the instances say: their ProtocolName, or else the description or the modality of
        the series, since the item needs one.
    retrieve_aet
        Where they can be got; by default what they say themselves.

    Returns
    -------
    list of DataSet
        One for each series.

    Raises
    ------
    ValueFormatError
        When an instance lacks a UID.

    Examples
    --------
    >>> from dicomkit.samples import ct_series
    >>> [item] = performed_series(ct_series(3, 8), protocol_name="Thorax")
    >>> item.ProtocolName, len(item.ReferencedImageSequence), item.ReferencedNonImageCompositeSOPInstanceSequence
    ('Thorax', 3, ())
    """
    groups = by_series(headers(instances))
    return [_performed(uid, group, protocol_name, retrieve_aet) for (_, uid), group in groups.items()]


def series_without_instances(protocol_name: str = "unknown", **attributes: Any) -> DataSet:
    """Make the item of a series of which nothing was made; every performed step has one (PS3.4 F.7.2.2.2).

    Examples
    --------
    >>> series_without_instances("Thorax").ReferencedImageSequence
    ()
    """
    made: dict[str, Any] = {
        **dict.fromkeys(("PerformingPhysicianName", "OperatorsName", "SeriesDescription", "RetrieveAETitle")),
        "ProtocolName": protocol_name,
        "SeriesInstanceUID": new_uid(),
        "ReferencedImageSequence": (),
        "ReferencedNonImageCompositeSOPInstanceSequence": (),
    }
    return DataSet(made | attributes)


def _performed(series_uid: str, group: Sequence[DataSet], protocol_name: str | None, retrieve_aet: str) -> DataSet:
    first = group[0]
    protocol = protocol_name or next(
        (first[word] for word in ("ProtocolName", "SeriesDescription", "Modality") if first.get(word)), "unknown"
    )
    return series_without_instances(
        protocol,
        SeriesInstanceUID=series_uid,
        PerformingPhysicianName=first.get("PerformingPhysicianName"),
        OperatorsName=first.get("OperatorsName"),
        SeriesDescription=first.get("SeriesDescription"),
        RetrieveAETitle=retrieve_aet or first.get("RetrieveAETitle"),
        ReferencedImageSequence=[reference(ds) for ds in group if _is_image(str(ds.SOPClassUID))],
        ReferencedNonImageCompositeSOPInstanceSequence=[
            reference(ds) for ds in group if not _is_image(str(ds.SOPClassUID))
        ],
    )


def reference(ds: DataSet, **elements: Any) -> DataSet:
    """Make the item that refers to an instance, with further elements.

    Examples
    --------
    >>> reference(DataSet(SOPClassUID="1.2", SOPInstanceUID="1.2.3")).ReferencedSOPInstanceUID
    UID('1.2.3')
    """
    return DataSet(
        ReferencedSOPClassUID=str(ds.SOPClassUID), ReferencedSOPInstanceUID=str(ds.SOPInstanceUID), **elements
    )


def _header(source: Any) -> DataSet:
    if isinstance(source, Outgoing):
        return source.to_dataset()
    if isinstance(source, DataSet):
        return source
    if isinstance(source, (str, bytes, os.PathLike)) or (hasattr(source, "read") and hasattr(source, "seek")):
        return read(source, only=_WANTED)
    if hasattr(source, "sop_instance_uid") and hasattr(source, "read"):  # an instance in an archive
        found: DataSet = source.read()
        return found
    raise ValueFormatError(f"{source!r} is no instance", hint="give paths, DataSets or a table of dk.scan")


@cache
def _is_image(sop_class_uid: str) -> bool:
    iod = iod_of(sop_class_uid)
    return iod is not None and any("image-pixel" in use.module for use in iod.modules)
