"""Being told which instances are available (PS3.4 Annex R)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.instance_availability import AVAILABILITIES, INSTANCE_AVAILABILITY
from dicomkit.dimse.normalized_provider import NormalizedAnswer, NormalizedRequest, Service, performing
from dicomkit.dimse.provider import Caller, Refused
from dicomkit.values.uid import new_uid

_MISSING, _MISSING_VALUE, _INVALID = 0x0120, 0x0121, 0x0106


class AvailableInstance(NamedTuple):
    """An instance that a notification names."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    availability: str
    retrieve_aet: str


class AvailabilityNotice(NamedTuple):
    """A notification.

    Attributes
    ----------
    sop_instance_uid
        Who it is.
    instances
        What it names.
    performed_steps
        The UIDs of the performed procedure steps that it names.
    caller
        Who told it.
    attributes
        All of it.
    """

    sop_instance_uid: str
    instances: tuple[AvailableInstance, ...]
    performed_steps: tuple[str, ...]
    caller: Caller
    attributes: DataSet


def instance_availability(on_notice: Callable[[AvailabilityNotice], object], *, strict: bool = True) -> Service:
    """Make the service that is told which instances are available, for `serve_dimse` and others.

    Parameters
    ----------
    on_notice
        Called with each `AvailabilityNotice` before it is answered; an error of its own is the answer.
    strict
        Whether a notification has to have all that PS3.4 Table R.3.2-1 asks for.

    Examples
    --------
    >>> import dicomkit as dk
    >>> from dicomkit.dimse.sync import notify_availability
    >>> seen = []
    >>> with dk.serve_dimse(None, port=0, services=[instance_availability(seen.append)]) as server:
    ...     told = notify_availability(server.peer(), dk.samples.ct_series(2, 8), retrieve_aet="ARCHIVE")
    >>> [instance.availability for instance in seen[0].instances]
    ['ONLINE', 'ONLINE']
    """

    def take(asked: NormalizedRequest) -> NormalizedAnswer:
        uid = asked.sop_instance_uid or new_uid()
        data = asked.data or DataSet()
        instances = read_notification(data, strict=strict)
        steps = data.all("ReferencedPerformedProcedureStepSequence")
        uids = tuple(str(step.get("ReferencedSOPInstanceUID") or "") for step in steps)
        on_notice(AvailabilityNotice(uid, instances, uids, asked.caller, data))
        return NormalizedAnswer(sop_instance_uid=uid)

    return Service.of({(INSTANCE_AVAILABILITY, "N-CREATE-RQ"): performing(take)})


def read_notification(data: DataSet, *, strict: bool = True) -> tuple[AvailableInstance, ...]:
    """List the instances that the attribute list of a notification names.

    Raises
    ------
    Refused
        When something is missing (0120), empty (0121), or no availability (0106).

    Examples
    --------
    >>> from dicomkit.dimse.instance_availability import notifications
    >>> from dicomkit.samples import ct_series
    >>> [made] = notifications(ct_series(2, 8), "OFFLINE", retrieve_aet="ARCHIVE").values()
    >>> {instance.availability for instance in read_notification(made)}
    {'OFFLINE'}
    """
    if strict:
        _needed(data, "ReferencedPerformedProcedureStepSequence", may_be_empty=True)
    study = _needed(data, "StudyInstanceUID")
    found = []
    for series in _needed(data, "ReferencedSeriesSequence"):
        uid = _needed(series, "SeriesInstanceUID")
        for item in _needed(series, "ReferencedSOPSequence"):
            told = [
                str(_needed(item, keyword) if strict or keyword in item else "")
                for keyword in (
                    *("ReferencedSOPClassUID", "ReferencedSOPInstanceUID", "InstanceAvailability"),
                    "RetrieveAETitle",
                )
            ]
            if told[2] not in AVAILABILITIES and strict:
                raise Refused(f"there is no availability {told[2]!r}", status=_INVALID)
            found.append(AvailableInstance(str(study), str(uid), *told))
    return tuple(found)


def _needed(data: DataSet, keyword: str, *, may_be_empty: bool = False) -> Any:
    if keyword not in data:
        raise Refused(f"missing: {keyword}", status=_MISSING)
    if data[keyword] in (None, "", ()) and not may_be_empty:
        raise Refused(f"without a value: {keyword}", status=_MISSING_VALUE)
    return data[keyword]
