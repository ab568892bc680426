"""The procedure steps that a search found: a sequence of data sets, a table, and steps to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomkit.dimse.results import Matches, items_text
from dicomkit.objects.procedure_step import ProcedureStep, parse_procedure_step

if TYPE_CHECKING:
    import pandas as pd


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

    def to_table(self) -> pd.DataFrame:
        """Return one row for each step, with typed columns of what was asked for; codes by their meaning."""
        import pandas as pd

        table = super().to_table()
        for name in [name for name in table if str(name).endswith("Sequence")]:
            texts = [items_text(items) if isinstance(items, tuple) else None for items in table[name]]
            table[name] = pd.array(texts, dtype="string")
        return table
