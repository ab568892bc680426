"""What became of instances that were to be sent: an outcome for each, and a report of all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dicomkit.dimse.listed import Listed
from dicomkit.display.columns import filled_columns
from dicomkit.display.html import table
from dicomkit.display.text import table_text
from dicomkit.errors import DicomError
from dicomkit.net.errors import ContextNotAcceptedError, NetworkError, StatusError
from dicomkit.net.printable import printable
from dicomkit.net.retry import RetryHistory
from dicomkit.standard.statuses import Status
from dicomkit.standard.uids import uid_entry
from dicomkit.values.transfer_syntax import TransferSyntax

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("source", "SOPClassUID", "SOPInstanceUID", "transfer_syntax", "outcome", "reason", "bytes", "seconds")
_SHOWN_COLUMNS = (
    "outcome",
    "reason",
    "file",
    "SOP class",
    "SOP instance",
    "transfer syntax",
    "bytes",
    "ms",
    "attempts",
)
_SHOWN, _SHOWN_AS_TEXT = 20, 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one instance.

    Attributes
    ----------
    source
        The path, where it came from a file.
    transfer_syntax_uid
        In which it was sent.
    converted
        Whether that was another one than its own.
    status
        What the peer answered; None where it didn't.
    error
        Why it wasn't sent, or not answered.
    size, seconds
        How many bytes its data set had, and how long it took until the answer.
    history
        The attempts that failed before the last one, where the peer has a policy to try again.
    """

    source: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    transfer_syntax_uid: str = ""
    converted: bool = False
    status: Status | None = None
    error: DicomError | None = None
    size: int = 0
    seconds: float = 0.0
    history: RetryHistory = field(default_factory=RetryHistory, repr=False)

    @property
    def attempts(self) -> int:
        """How often it was tried; 0 where nobody came to it."""
        return len(self.history) + (self.status is not None or self.error is not None)

    @property
    def level(self) -> Literal["", "association", "instance"]:
        """What failed: the association, whatever it was to carry, or the instance itself; empty where nothing did."""
        if self.is_stored or not self.attempts:
            return ""
        of_instance = not isinstance(self.error, NetworkError) or isinstance(
            self.error, ContextNotAcceptedError | StatusError
        )
        return "instance" if of_instance else "association"

    @property
    def is_stored(self) -> bool:
        """Whether the peer has it: its answer was success or a warning."""
        return self.status is not None and self.status.category in ("Success", "Warning")

    @property
    def reason(self) -> str:
        """Why it isn't stored, or what the warning is about; empty on plain success."""
        if self.error is not None:
            return str(self.error)
        if self.status is None or self.status.category == "Success":
            return ""
        return f"0x{self.status.code:04X} {self.status.meaning}"

    @property
    def kind(self) -> str:
        """One word: stored, warning, failed or not sent."""
        if self.is_stored:
            return "warning" if self.status is not None and self.status.category == "Warning" else "stored"
        return "failed" if self.status is not None else "not sent"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far sending is.

    Attributes
    ----------
    outcome
        Of the instance that was done last.
    done, total, failed
        Counts of instances; the total is None where more may come.
    size
        The bytes that were sent.
    seconds
        Since the beginning.
    """

    outcome: Outcome
    done: int
    total: int | None
    failed: int
    size: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.size / self.seconds if self.seconds else 0.0

    @property
    def remaining(self) -> int | None:
        """How many instances are still to be done."""
        return None if self.total is None else self.total - self.done

    @property
    def eta(self) -> float | None:
        """The seconds that the rest will take, if it goes on like this."""
        return None if self.remaining is None else self.seconds / self.done * self.remaining


@dataclass(frozen=True, slots=True)
class StoreReport(Listed[Outcome]):
    """The outcomes in the order of the instances, the totals, and what ended it early if something did."""

    outcomes: tuple[Outcome, ...]
    seconds: float
    ended_by: DicomError | None = None

    @property
    def _listed(self) -> tuple[Outcome, ...]:
        return self.outcomes

    @property
    def stored(self) -> tuple[Outcome, ...]:
        """Those that the peer has."""
        return tuple(outcome for outcome in self.outcomes if outcome.is_stored)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Those that it has not."""
        return tuple(outcome for outcome in self.outcomes if not outcome.is_stored)

    @property
    def size(self) -> int:
        """The bytes of the data sets that are stored."""
        return sum(outcome.size for outcome in self.stored)

    def raise_for_failures(self) -> None:
        """Raise the error of the first instance that isn't stored; nothing happens where all are.

        Raises
        ------
        DicomError
            Which says how many there are.
        """
        if self.failed:
            first = self.failed[0]
            raise DicomError(
                f"{len(self.failed)} of {len(self)} instances are not stored: {first.reason}"
            ) from first.error

    def to_table(self) -> pd.DataFrame:
        """Return one row for each instance; there is a column of attempts where one had several."""
        import pandas as pd

        table = pd.DataFrame(_rows(self.outcomes), columns=list(_COLUMNS))
        return table.assign(attempts=[outcome.attempts for outcome in self.outcomes]) if self._was_retried else table

    def __repr__(self) -> str:
        return f"<StoreReport: {self._summary}>\n" + table_text(*self._cells(), max_rows=_SHOWN_AS_TEXT)

    def _repr_html_(self) -> str:
        return table(*self._cells(), caption=self._summary, max_rows=_SHOWN)

    def _cells(self) -> tuple[list[str], list[list[object]]]:
        """The columns that hold anything, and the rows, what failed before the rest."""
        retried = self._was_retried
        order = sorted(self.outcomes, key=lambda outcome: (outcome.is_stored, outcome.kind == "stored"))
        rows = [
            [
                outcome.kind,
                printable(outcome.reason, 200),
                os.path.basename(outcome.source),
                _class_name(outcome.sop_class_uid),
                outcome.sop_instance_uid,
                _syntax_name(outcome.transfer_syntax_uid) + (" (converted)" if outcome.converted else ""),
                outcome.size,
                round(outcome.seconds * 1e3, 1),
                outcome.attempts if retried else 0,
            ]
            for outcome in order
        ]
        return filled_columns(_SHOWN_COLUMNS, rows)

    @property
    def _was_retried(self) -> bool:
        return any(outcome.attempts > 1 for outcome in self.outcomes)

    @property
    def _summary(self) -> str:
        rate = self.size / self.seconds / 1e6 if self.seconds else 0.0
        size = f"{self.size / 1e6:.1f} MB in {self.seconds:.2f} s, {rate:.1f} MB/s"
        return f"{len(self.stored)} of {len(self)} stored, {size}"


def _syntax_name(uid: str) -> str:
    return TransferSyntax.of(uid).name if uid else ""


def _class_name(uid: str) -> str:
    entry = uid_entry(uid)
    return entry.name if entry else printable(uid)


def _rows(outcomes: Iterable[Outcome]) -> list[list[object]]:
    return [
        [
            outcome.source,
            outcome.sop_class_uid,
            outcome.sop_instance_uid,
            _syntax_name(outcome.transfer_syntax_uid),
            outcome.kind,
            printable(outcome.reason, 200),
            outcome.size,
            round(outcome.seconds, 4),
        ]
        for outcome in outcomes
    ]
