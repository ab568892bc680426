"""The procedure steps that a search found: a sequence of data sets, a table, and steps to look at."""

from __future__ import annotations

from dicomkit.dimse.results import Matches
from dicomkit.objects.procedure_step import ProcedureStep, parse_procedure_step


class StepMatches(Matches):
    """The steps that match.

    Examples
    --------
    >>> from dicomkit.objects.procedure_step import make_procedure_step
    >>> StepMatches(iter([make_procedure_step("Report", priority="HIGH")])).steps
    (<ProcedureStep 'Report': SCHEDULED, HIGH>,)
    """

    _first = (
        *("ProcedureStepLabel", "ProcedureStepState", "ScheduledProcedureStepPriority", "PatientName", "PatientID"),
        *("ScheduledProcedureStepStartDateTime", "ScheduledWorkitemCodeSequence", "ScheduledStationNameCodeSequence"),
        *("InputReadinessState", "WorklistLabel"),
    )

    @property
    def steps(self) -> tuple[ProcedureStep, ...]:
        """Each as a value to look at."""
        return tuple(parse_procedure_step(match) for match in self._all())
