"""What became of films that were to be printed, and what a printer says of itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.listed import Listed
from dicomkit.display.columns import filled_columns
from dicomkit.display.html import card, table
from dicomkit.display.text import table_text
from dicomkit.errors import DicomError
from dicomkit.net.printable import printable
from dicomkit.standard.statuses import Status

if TYPE_CHECKING:
    import pandas as pd

StepName: TypeAlias = Literal["image", "film box", "annotation", "print", "presentation LUT", "deletion"]

_COLUMNS = ("film", "step", "position", "source", "frame", "outcome", "reason")
_SHOWN, _SHOWN_AS_TEXT = 50, 20


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """What a printer says of itself (PS3.4 H.4.6).

    Attributes
    ----------
    status, info
        ``"NORMAL"``, ``"WARNING"`` or ``"FAILURE"``, and why, in a term of PS3.3 C.13.9.1.
    name
        What the printer is called.
    attributes
        All that it answered.

    Examples
    --------
    >>> PrinterStatus.of(DataSet(PrinterStatus="WARNING", PrinterStatusInfo="SUPPLY LOW", PrinterName="FILM1"))
    <PrinterStatus FILM1: WARNING, SUPPLY LOW>
    """

    status: str
    info: str = ""
    name: str = ""
    attributes: DataSet = field(default_factory=DataSet, repr=False)

    @classmethod
    def of(cls, attributes: DataSet) -> PrinterStatus:
        """Read the attributes of a Printer SOP instance."""
        keywords = ("PrinterStatus", "PrinterStatusInfo", "PrinterName")
        status, info, name = (printable(str(attributes.get(keyword) or "")) for keyword in keywords)
        return cls(status, info, name, attributes)

    @property
    def can_print(self) -> bool:
        """Whether it works, perhaps with a warning."""
        return self.status in ("NORMAL", "WARNING")

    def __repr__(self) -> str:
        info = f", {self.info}" if self.info not in ("", "NORMAL") else ""
        return f"<PrinterStatus {self.name or 'printer'}: {self.status or 'unknown'}{info}>"

    def _repr_html_(self) -> str:
        pairs = [(tag.name or str(tag), printable(self.attributes.element(tag).text)) for tag in self.attributes]
        return str(card(f"{self.name or 'Printer'}: {self.status}", pairs))


@dataclass(frozen=True, slots=True)
class PrinterEvent:
    """What a printer reported while it was used.

    Attributes
    ----------
    about
        ``"printer"`` or ``"print job"``.
    name
        Of a printer ``"NORMAL"``, ``"WARNING"`` or ``"FAILURE"``, of a job ``"PENDING"``, ``"PRINTING"``, ``"DONE"`` or
        ``"FAILURE"``.
    info
        Why, in a term of PS3.3 C.13.9.1.
    sop_instance_uid
        Of the printer or the job.
    """

    about: Literal["printer", "print job"]
    name: str
    info: str = ""
    sop_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class PrintStep:
    """What became of one thing that a printer was asked.

    Attributes
    ----------
    film
        Which film, from 1; 0 for what is about all.
    step
        ``"image"``, ``"film box"``, ``"annotation"``, ``"print"``, ``"presentation LUT"`` or ``"deletion"``.
    position
        Of an image or annotation on its film, from 1; 0 for other steps.
    source, frame
        Where an image came from.
    status
        What the printer answered; None where it wasn't asked, or didn't answer.
    error
        Why it failed.
    """

    film: int
    step: StepName
    position: int = 0
    source: str = ""
    frame: int | None = None
    status: Status | None = None
    error: DicomError | None = None

    @property
    def outcome(self) -> str:
        """One word: done, warning or failed."""
        if self.error is not None or self.status is None:
            return "failed"
        return {"Success": "done", "Warning": "warning"}.get(self.status.category, "failed")

    @property
    def reason(self) -> str:
        """Why it failed, or what the warning is about; empty on plain success."""
        if self.error is not None:
            return str(self.error)
        if self.status is None or self.status.category == "Success":
            return ""
        return f"0x{self.status.code:04X} {self.status.meaning}"


@dataclass(frozen=True, slots=True)
class PrintReport(Listed[PrintStep]):
    """What became of each film and image, in the order in which the printer was asked.

    Attributes
    ----------
    steps
        One for each film box, image, annotation and print.
    is_colour
        Whether the films are in colour.
    printer
        What the printer said of itself before; None where it said nothing.
    events
        What it reported meanwhile.
    jobs
        The UIDs of its print jobs, where it tells them.
    ended_by
        What ended it early.
    """

    steps: tuple[PrintStep, ...]
    is_colour: bool = False
    printer: PrinterStatus | None = None
    events: tuple[PrinterEvent, ...] = ()
    jobs: tuple[str, ...] = ()
    ended_by: DicomError | None = None

    @property
    def _listed(self) -> tuple[PrintStep, ...]:
        return self.steps

    @property
    def films(self) -> int:
        """How many films the images were put on."""
        return max((step.film for step in self.steps), default=0)

    @property
    def printed(self) -> int:
        """How many films the printer accepted for printing."""
        done = {step.film for step in self.steps if step.step == "print" and step.outcome != "failed"}
        made = {step.film for step in self.steps if step.step == "film box" and step.outcome != "failed"}
        empty = made - {step.film for step in self.steps if step.step == "image" and step.outcome != "failed"}
        return len((made - empty) if 0 in done else done)

    @property
    def failed(self) -> tuple[PrintStep, ...]:
        """What failed."""
        return tuple(step for step in self.steps if step.outcome == "failed")

    @property
    def warnings(self) -> tuple[PrintStep, ...]:
        """What the printer did otherwise than it was asked."""
        return tuple(step for step in self.steps if step.outcome == "warning")

    def raise_for_failures(self) -> None:
        """Raise the first error; nothing happens where nothing failed.

        Raises
        ------
        DicomError
            Which says how much failed.
        """
        if self.ended_by is not None:
            raise DicomError(f"{self._summary}: {self.ended_by}") from self.ended_by
        if self.failed:
            first = self.failed[0]
            raise DicomError(f"{self._summary}: {first.step} failed, {first.reason}") from first.error

    def to_table(self) -> pd.DataFrame:
        """Return one row for each step."""
        import pandas as pd

        rows = [
            (
                step.film,
                step.step,
                step.position or None,
                step.source,
                step.frame,
                step.outcome,
                printable(step.reason, 200),
            )
            for step in self.steps
        ]
        made = pd.DataFrame(rows, columns=list(_COLUMNS))
        return made.astype({"film": "Int64", "position": "Int64", "frame": "Int64"})

    def __repr__(self) -> str:
        return f"<PrintReport: {self._summary}>\n" + table_text(*self._cells(), max_rows=_SHOWN_AS_TEXT)

    def _repr_html_(self) -> str:
        return str(table(*self._cells(), caption=self._summary, max_rows=_SHOWN))

    def _cells(self) -> tuple[list[str], list[list[object]]]:
        """The columns that hold anything, and the rows, what failed before the rest."""
        order = sorted(self.steps, key=lambda step: ("failed", "warning", "done").index(step.outcome))
        rows: list[list[object]] = [
            [
                step.outcome,
                printable(step.reason, 200),
                step.film or None,
                step.step,
                step.position or None,
                os.path.basename(step.source),
                step.frame or None,
            ]
            for step in order
        ]
        names = ["outcome", "reason", "film", "step", "position", "source", "frame"]
        return filled_columns(names, rows)

    @property
    def _summary(self) -> str:
        images = [step for step in self.steps if step.step == "image"]
        good = sum(step.outcome != "failed" for step in images)
        kind = "in colour" if self.is_colour else "in grey"
        early = ", ended early" if self.ended_by is not None else ""
        return f"{self.printed} of {self.films} films printed {kind}, {good} of {len(images)} images{early}"
