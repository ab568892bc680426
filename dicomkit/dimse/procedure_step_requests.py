"""Requests about procedure steps: how a step is named, and under which SOP class one asks (PS3.4 CC.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.association import Association
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import Reply, accepted_context, request
from dicomkit.dimse.pool import Target, using
from dicomkit.dimse.steps import Operation
from dicomkit.errors import ValueFormatError
from dicomkit.net.events import OnEvent
from dicomkit.objects.procedure_step import ProcedureStep
from dicomkit.standard.procedure_steps import PUSH

CHANGE_STATE, REQUEST_CANCEL, SUBSCRIBE, UNSUBSCRIBE, SUSPEND = range(1, 6)
"""The types of action."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to perform a step.

    Parameters
    ----------
    uid
        Of the step.
    transaction_uid
        What was claimed with; worth keeping where a program may have to go on after a crash.
    """

    uid: str
    transaction_uid: str


Step: TypeAlias = "str | Claim | ProcedureStep | DataSet"


def uid_of(step: Step) -> str:
    """Return the UID of a step.

    Raises
    ------
    ValueFormatError
        When it has none.

    Examples
    --------
    >>> uid_of(Claim("2.25.1", "2.25.2")), uid_of(DataSet(SOPInstanceUID="2.25.1")), uid_of("2.25.1")
    ('2.25.1', '2.25.1', '2.25.1')
    """
    if isinstance(step, str):
        return str(step)
    found = step.get("SOPInstanceUID") if isinstance(step, DataSet) else step.uid
    if not found:
        raise ValueFormatError("the step has no UID", hint="give its SOP Instance UID")
    return str(found)


def ask(
    peer: Target,
    sop_classes: Sequence[str],
    operation: str,
    uid: str,
    data: DataSet | None = None,
    *,
    number: int | None = None,
    attributes: Sequence[Any] = (),
    repeatable: bool = True,
    on_event: OnEvent | None = None,
) -> Operation:
    """Ask for one thing, under the first of some abstract syntaxes that the peer accepts."""

    def body(association: Association) -> Operation:
        return ask_on(association, sop_classes, operation, uid, data, number=number, attributes=attributes)

    return using(peer, proposed(sop_classes), body, on_event, repeatable=repeatable)


def ask_on(
    association: Association,
    sop_classes: Sequence[str],
    operation: str,
    uid: str,
    data: DataSet | None = None,
    *,
    number: int | None = None,
    attributes: Sequence[Any] = (),
) -> Operation:
    """Ask for one thing over an association that is there."""
    context = accepted_context(association, *sop_classes) or association.context_for(sop_classes[0])
    reply: Reply = yield from request(
        association,
        operation,
        PUSH,
        uid,
        data,
        number=number,
        attributes=attributes,
        under=context.abstract_syntax,
        service="UPS",
    )
    return reply


def act(
    peer: Target,
    sop_classes: Sequence[str],
    number: int,
    step: Step,
    information: DataSet | None,
    on_event: OnEvent | None,
) -> Operation:
    """Ask for an action."""
    repeatable = number != CHANGE_STATE
    return ask(
        peer,
        sop_classes,
        "N-ACTION",
        uid_of(step),
        information,
        number=number,
        repeatable=repeatable,
        on_event=on_event,
    )


def proposed(sop_classes: Sequence[str]) -> Proposal:
    """Propose some SOP classes."""
    return Proposal.of(*((sop_class, NATIVE) for sop_class in sop_classes))
