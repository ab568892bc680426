"""What is reported of a unified procedure step, or of who manages it (PS3.4 CC.2.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dicomkit.dataset.dataset import DataSet
from dicomkit.display.html import Markup, card
from dicomkit.standard.procedure_steps import event_name

_PROGRESS = "ProcedureStepProgressInformationSequence"
_REASON = "ProcedureStepDiscontinuationReasonCodeSequence"


@dataclass(frozen=True, slots=True)
class StepEvent:
    """An event.

    Parameters
    ----------
    number
        1 for a report of the state, 2 for a request to cancel, 3 for progress, 4 for a change of who manages the steps,
        5 for an assignment.
    uid
        Of the step; the well-known UID of all where it is about their manager.
    data
        What the event says.
    receivers
        The AE titles of whom it is for; empty where it was received.

    Examples
    --------
    >>> StepEvent(1, "2.25.1", DataSet(ProcedureStepState="COMPLETED", InputReadinessState="READY"))
    <StepEvent 2.25.1: state report, COMPLETED, READY>
    """

    number: int
    uid: str
    data: DataSet = field(default_factory=DataSet)
    receivers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the standard calls this type, without the "UPS"."""
        return event_name(self.number).removeprefix("UPS ").lower().replace("scp", "SCP") or f"event {self.number}"

    @property
    def state(self) -> str | None:
        """The state of the step, where it is reported."""
        return _text(self.data.get("ProcedureStepState"))

    @property
    def readiness(self) -> str | None:
        """Whether the input of the step is there: ``"READY"``, ``"UNREADY"`` or ``"INCOMPLETE"``, where reported."""
        return _text(self.data.get("InputReadinessState"))

    @property
    def progress(self) -> float | None:
        """How far the step is, from 0 to 100, where it is reported as a number."""
        value = self.data.get((_PROGRESS, 0, "ProcedureStepProgress"))
        return float(value) if isinstance(value, (int, float)) else None

    @property
    def description(self) -> str | None:
        """How far the step is, in words."""
        return _text(self.data.get((_PROGRESS, 0, "ProcedureStepProgressDescription")))

    @property
    def reason(self) -> str | None:
        """Why it was, or is to be, cancelled: a text, or the meaning of a code."""
        return _text(self.data.get("ReasonForCancellation") or self.data.get((_REASON, 0, "CodeMeaning")))

    @property
    def requesting_ae(self) -> str | None:
        """Who asks to cancel."""
        return _text(self.data.get("RequestingAE"))

    def _words(self) -> list[str]:
        progress = None if self.progress is None else f"{self.progress:g} %"
        said = [self.state, self.readiness, progress, self.description, self.requesting_ae, self.reason]
        said += [_text(self.data.get("SCPStatus"))]
        return [self.name, *(word for word in said if word)]

    def __repr__(self) -> str:
        return f"<StepEvent {self.uid}: {', '.join(self._words())}>"

    def _repr_html_(self) -> Markup:
        pairs: list[tuple[str, object]] = [("step", self.uid)]
        pairs += [(element.name, element.text or element.value) for element in self.data.elements()]
        return card(self.name, pairs)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
