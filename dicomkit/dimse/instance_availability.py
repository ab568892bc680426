"""Instances are available: those who plan what to do with them are told (PS3.4 Annex R)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.instance_references import by_series, headers, reference
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import Reply, request
from dicomkit.dimse.performed_procedure_steps import StepLike
from dicomkit.dimse.pool import Target, using
from dicomkit.dimse.steps import Offload, Operation
from dicomkit.errors import ValueFormatError
from dicomkit.net.events import OnEvent
from dicomkit.objects.coded_entry import code_items
from dicomkit.objects.performed_step import PERFORMED_STEP
from dicomkit.standard.statuses import Status
from dicomkit.values.tag import Tag
from dicomkit.values.uid import new_uid

INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"
Availability: TypeAlias = Literal["ONLINE", "NEARLINE", "OFFLINE", "UNAVAILABLE"]
AVAILABILITIES: tuple[Availability, ...] = ("ONLINE", "NEARLINE", "OFFLINE", "UNAVAILABLE")


class Notified(NamedTuple):
    """What a peer was told.

    Attributes
    ----------
    sop_instance_uid
        Of the notification.
    study_instance_uid
        Of the study that it is about.
    instances
        How many instances it names.
    status
        How the peer answered.
    """

    sop_instance_uid: str
    study_instance_uid: str
    instances: int
    status: Status


def notify_availability(
    peer: Target,
    instances: Any,
    availability: Availability = "ONLINE",
    *,
    retrieve_aet: str,
    performed_step: StepLike | None = None,
    workitem: Any = (),
    on_event: OnEvent | None = None,
) -> Operation:
    """Tell a peer that instances can be had, or can't; each study in a notification of its own.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    instances
        Paths, folders, DataSets, a table of `scan`, or instances of an archive.
    availability
        ``"ONLINE"``, ``"NEARLINE"``, ``"OFFLINE"`` or ``"UNAVAILABLE"``.
    retrieve_aet
        AE title from which they can be got.
    performed_step
        The modality performed procedure step that made them.
    workitem
        Codes of the work that was performed, as ``(value, scheme, meaning)``.
    on_event
        What is told of every event.

    Returns
    -------
    list of Notified
        One for each study.

    Raises
    ------
    ValueFormatError
        When an instance lacks a UID, there are none, or there is no such availability.
    StatusError
        When the peer answers with a failure.
    NetworkError
        When there is no association, or it ended early.
    """
    make = partial(
        notifications,
        instances,
        availability,
        retrieve_aet=retrieve_aet,
        performed_step=None if performed_step is None else str(performed_step),
        workitem=workitem,
    )
    made: Mapping[str, DataSet] = yield Offload(make)
    pending = [(new_uid(), study, data) for study, data in made.items()]
    done: list[Notified] = []

    def body(association: Association) -> Operation:
        while pending:
            uid, study, data = pending[0]
            reply: Reply = yield from request(association, "N-CREATE", INSTANCE_AVAILABILITY, uid, data)
            done.append(Notified(uid, study, _count(data), reply.status))
            del pending[0]
        return done

    proposal = Proposal.of((INSTANCE_AVAILABILITY, NATIVE))
    return (yield from using(peer, proposal, body, on_event, repeatable=False))


def notifications(
    instances: Any,
    availability: Availability = "ONLINE",
    *,
    retrieve_aet: str,
    performed_step: str | None = None,
    workitem: Any = (),
) -> dict[str, DataSet]:
    """Make the attribute lists of notifications (PS3.4 Table R.3.2-1), by the UID of the study.

    The parameters are those of `notify_availability`.

    Examples
    --------
    >>> from dicomkit.samples import ct_series
    >>> [made] = notifications(ct_series(2, 8), retrieve_aet="ARCHIVE").values()
    >>> made["ReferencedSeriesSequence", 0, "ReferencedSOPSequence", 1, "InstanceAvailability"]
    'ONLINE'
    """
    if availability not in AVAILABILITIES:
        raise ValueFormatError(
            f"there is no availability {availability!r}",
            tag=Tag.of("InstanceAvailability"),
            hint=f"it is one of {', '.join(AVAILABILITIES)}",
        )
    if not retrieve_aet:
        raise ValueFormatError("there is no AE title to retrieve from", tag=Tag.of("RetrieveAETitle"))
    step = []
    if performed_step is not None:
        one = DataSet(SOPClassUID=PERFORMED_STEP, SOPInstanceUID=performed_step)
        step = [reference(one, PerformedWorkitemCodeSequence=code_items(workitem))]
    series: dict[str, list[DataSet]] = {}
    for (study, uid), group in by_series(headers(instances)).items():
        series.setdefault(study, []).append(_series(uid, group, availability, retrieve_aet))
    if not series:
        raise ValueFormatError("there are no instances to tell of")
    return {
        study: DataSet(
            ReferencedPerformedProcedureStepSequence=step, StudyInstanceUID=study, ReferencedSeriesSequence=items
        )
        for study, items in series.items()
    }


def _series(uid: str, group: Iterable[DataSet], availability: str, retrieve_aet: str) -> DataSet:
    items = [reference(ds, InstanceAvailability=availability, RetrieveAETitle=retrieve_aet) for ds in group]
    return DataSet(SeriesInstanceUID=uid, ReferencedSOPSequence=items)


def _count(data: DataSet) -> int:
    return sum(len(series.all("ReferencedSOPSequence")) for series in data.all("ReferencedSeriesSequence"))
