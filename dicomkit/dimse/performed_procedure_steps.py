"""What is performed: a step begins, changes and ends, as the modality tells it (PS3.4 F.7, F.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.instance_references import performed_series, series_without_instances
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import Reply, request
from dicomkit.dimse.pool import Target, using
from dicomkit.dimse.steps import Offload, Operation
from dicomkit.display.html import Markup, card
from dicomkit.errors import ValueFormatError
from dicomkit.net.events import OnEvent
from dicomkit.objects.performed_step import (
    COMPLETED,
    DISCONTINUED,
    PERFORMED_STEP,
    changed_step,
    check_changes,
    created_step,
    state_of,
)
from dicomkit.objects.performed_step_lists import ending, mpps_from_item
from dicomkit.standard.statuses import Status
from dicomkit.values.uid import new_uid

RETRIEVE_PERFORMED_STEP = "1.2.840.10008.3.1.2.3.4"
_STEP_ATTRIBUTES = "ScheduledStepAttributesSequence"


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """A performed procedure step as its user knows it.

    Attributes
    ----------
    sop_instance_uid
        Who it is.
    attributes
        What the provider was told so far, or has told.
    status
        How the provider answered last: success, or a warning; None where it wasn't asked.

    Examples
    --------
    >>> step = PerformedStep("2.25.7", DataSet(PerformedProcedureStepStatus="IN PROGRESS"))
    >>> str(step), step.state
    ('2.25.7', 'IN PROGRESS')
    """

    sop_instance_uid: str
    attributes: DataSet = field(repr=False)
    status: Status | None = field(default=None, compare=False)

    @property
    def state(self) -> str:
        """IN PROGRESS, COMPLETED or DISCONTINUED."""
        return state_of(self.attributes)

    def __str__(self) -> str:
        return self.sop_instance_uid

    def _repr_html_(self) -> Markup:
        told = ((keyword, self.attributes.get(keyword)) for keyword in _SHOWN)
        pairs = [(keyword, str(value)) for keyword, value in told if value is not None]
        return card("Performed procedure step", [("SOPInstanceUID", self.sop_instance_uid), *pairs])


_SHOWN = (
    *("PerformedProcedureStepStatus", "PatientName", "PatientID", "Modality", "PerformedStationAETitle"),
    *("PerformedProcedureStepID", "PerformedProcedureStepDescription"),
)
StepLike: TypeAlias = "PerformedStep | str"
"""A step that an earlier operation gave, or its UID alone."""


def mpps_create(
    peer: Target,
    begins: DataSet | Sequence[DataSet],
    *,
    sop_instance_uid: str | None = None,
    strict: bool = True,
    on_event: OnEvent | None = None,
    **options: Any,
) -> Operation:
    """Tell a peer that a step has begun (N-CREATE).

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    begins
        The item of a worklist that it performs, or several; or its attribute list (`mpps_from_item`).
    sop_instance_uid
        By default a new one.
    strict
        Whether an attribute list that PS3.4 Table F.7.2-1 doesn't allow is sent to nobody.
    on_event
        What is told of every event.
    options
        Of `mpps_from_item`, for an item: ``station``, ``start``, ``step_id``; and attributes by keyword.

    Returns
    -------
    PerformedStep
        For `mpps_set`, `mpps_complete` and `mpps_discontinue`.

    Raises
    ------
    PerformedStepError
        When an attribute is missing, has no value, or one that isn't allowed.
    StatusError
        When the peer answers with a failure.
    NetworkError
        When there is no association, or it ended early.
    """
    if isinstance(begins, DataSet) and ("PerformedProcedureStepStatus" in begins or _STEP_ATTRIBUTES in begins):
        attributes = begins.assign(**options)
    else:
        attributes = mpps_from_item(begins, **options)
    created_step(attributes, strict=strict)
    uid = sop_instance_uid or new_uid()
    reply: Reply = yield from _asking(peer, "N-CREATE", PERFORMED_STEP, uid, attributes, on_event=on_event)
    return PerformedStep(reply.sop_instance_uid or uid, attributes, reply.status)


def mpps_set(
    peer: Target,
    step: StepLike,
    changes: DataSet | Mapping[str, Any],
    *,
    strict: bool = True,
    on_event: OnEvent | None = None,
) -> Operation:
    """Tell a peer what has changed of a step (N-SET).

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    step
        What an earlier operation gave: it is checked first that the step may change so. Of a UID alone only that is
        checked that holds for every step.
    changes
        By keyword; a sequence replaces the one that was there.
    strict
        Whether changes that PS3.4 Table F.7.2-1 doesn't allow are sent to nobody.
    on_event
        What is told of every event.

    Returns
    -------
    PerformedStep

    Raises
    ------
    ValueFormatError
        When there are no changes.
    PerformedStepError
        When the step has ended, or can't change so.
    StatusError
        When the peer answers with a failure.
    NetworkError
        When there is no association, or it ended early.
    """
    modified = _in_charset(step, changes if isinstance(changes, DataSet) else DataSet(changes))
    if not modified:
        raise ValueFormatError("there is nothing to change", hint="give attributes by keyword")
    if isinstance(step, PerformedStep):
        changed = changed_step(step.attributes, modified, strict=strict)
    else:
        check_changes(modified, strict=strict)
        changed = modified
    reply: Reply = yield from _asking(peer, "N-SET", PERFORMED_STEP, str(step), modified, on_event=on_event)
    return PerformedStep(str(step), changed, reply.status)


def mpps_complete(
    peer: Target,
    step: StepLike,
    instances: Any = (),
    *,
    series: Sequence[DataSet] | None = None,
    end: datetime | None = None,
    protocol_name: str | None = None,
    retrieve_aet: str = "",
    strict: bool = True,
    on_event: OnEvent | None = None,
    **attributes: Any,
) -> Operation:
    """Tell a peer that a step is completed, and what was made.

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    step
        What an earlier operation gave, or its UID.
    instances
        What was made: paths, folders, DataSets, a table of `scan`.
    series
        The items of the Performed Series Sequence, in place of instances; a step that made nothing has one all the
        same, without references.
    end
        When it ended; by default now.
    protocol_name, retrieve_aet
        Of the series, as for `performed_series`.
    strict
        Whether an end that PS3.4 Table F.7.2-1 doesn't allow is sent to nobody.
    on_event
        What is told of every event.
    attributes
        Others by keyword.

    Returns
    -------
    PerformedStep

    Raises
    ------
    ValueFormatError
        When there is no series.
    PerformedStepError
        When the step has ended, or can't end so.
    StatusError
        When the peer answers with a failure.
    NetworkError
        When there is no association, or it ended early.
    """
    made = yield from _series(series, instances, protocol_name, retrieve_aet)
    return (
        yield from mpps_set(
            peer, step, ending(COMPLETED, made, end=end, **attributes), strict=strict, on_event=on_event
        )
    )


def mpps_discontinue(
    peer: Target,
    step: StepLike,
    instances: Any = (),
    *,
    reason: Any = None,
    series: Sequence[DataSet] | None = None,
    end: datetime | None = None,
    protocol_name: str | None = None,
    retrieve_aet: str = "",
    strict: bool = True,
    on_event: OnEvent | None = None,
    **attributes: Any,
) -> Operation:
    """Tell a peer that a step was given up, why, and what was made of it.

    Parameters
    ----------
    reason
        Why: the value of a code of CID 9301, such as ``"110513"`` (discontinued for unspecified reason), or any code as
        ``(value, scheme, meaning)``.

    Where nothing was made the step has one series without instances.
    The other parameters, results and errors are those of `mpps_complete`.
    """
    made = yield from _series(series, instances, protocol_name, retrieve_aet)
    if series is None and not made:
        made = [series_without_instances(protocol_name or _described(step))]
    changes = ending(DISCONTINUED, made, end=end, reason=reason, **attributes)
    return (yield from mpps_set(peer, step, changes, strict=strict, on_event=on_event))


def mpps_get(
    peer: Target, step: StepLike, attributes: Sequence[str] = (), *, on_event: OnEvent | None = None
) -> Operation:
    """Ask a peer what it knows of a step (N-GET of the Modality Performed Procedure Step Retrieve SOP Class).

    Parameters
    ----------
    peer
        A Peer, or a pool of associations with one (`connect`).
    step
        What an earlier operation gave, or its UID.
    attributes
        Keywords of what is asked for; none ask for all.
    on_event
        What is told of every event.

    Returns
    -------
    PerformedStep

    Raises
    ------
    StatusError
        When the peer answers with a failure.
    NetworkError
        When there is no association, or it ended early.
    """
    reply: Reply = yield from _asking(
        peer, "N-GET", RETRIEVE_PERFORMED_STEP, str(step), attributes=attributes, on_event=on_event
    )
    return PerformedStep(str(step), reply.data or DataSet(), reply.status)


def _asking(
    peer: Target,
    operation: str,
    sop_class_uid: str,
    uid: str,
    data: DataSet | None = None,
    *,
    attributes: Sequence[str] = (),
    on_event: OnEvent | None = None,
) -> Operation:
    def body(association: Association) -> Operation:
        return (
            yield from request(association, operation, sop_class_uid, uid, data, attributes=attributes, service="MPPS")
        )

    proposal = Proposal.of((sop_class_uid, NATIVE))
    return (yield from using(peer, proposal, body, on_event, repeatable=operation == "N-GET"))


def _series(
    series: Sequence[DataSet] | None, instances: Any, protocol_name: str | None, retrieve_aet: str
) -> Operation:
    """Read what was made, beside the wire."""
    if series is not None:
        return list(series)
    return (yield Offload(partial(performed_series, instances, protocol_name=protocol_name, retrieve_aet=retrieve_aet)))


def _described(step: StepLike) -> str:
    """Say what was to be done, as the name of a protocol."""
    known = step.attributes if isinstance(step, PerformedStep) else DataSet()
    return str(known.get("PerformedProcedureStepDescription") or "unknown")


def _in_charset(step: StepLike, changes: DataSet) -> DataSet:
    """Have the changes in the character set of the step (F.7.2.2.1); UTF-8 where that is unknown and needed."""
    if "SpecificCharacterSet" in changes or all(
        element.vr == "SQ" or element.text.isascii() for _, element in changes.walk()
    ):
        return changes
    known = step.attributes.get("SpecificCharacterSet") if isinstance(step, PerformedStep) else None
    return changes.assign(SpecificCharacterSet=known or "ISO_IR 192")
