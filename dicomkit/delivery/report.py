"""What became of a delivery: each instance, who has it or why nobody has, as a value and a table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dicomkit.dimse.listed import Listed
from dicomkit.display.columns import filled_columns
from dicomkit.display.html import table
from dicomkit.display.text import table_text
from dicomkit.errors import DicomError
from dicomkit.net.printable import printable
from dicomkit.standard.uids import uid_entry

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "source",
    "SOPClassUID",
    "SOPInstanceUID",
    "outcome",
    "reason",
    "peer",
    "attempts",
    "transfer_syntax",
    "size",
    "seconds",
)
_SHOWN_COLUMNS = ("outcome", "reason", "file", "class", "SOPInstanceUID", "peer", "attempts", "bytes")
_SHOWN, _SHOWN_AS_TEXT = 100, 20


class Delivery(NamedTuple):
    """What became of one instance.

    Attributes
    ----------
    source
        Its file.
    sop_class_uid, sop_instance_uid
        What it is.
    kind
        ``"delivered"``; ``"dead"``: given up; ``"waiting"``: in the queue still; ``"cleared"``: somebody took it out;
        ``"refused"``: it can't be read, and was never in the queue.
    reason
        Why it isn't delivered; empty where it is.
    peer
        Who has it.
    attempts
        How often it was tried.
    transfer_syntax
        In which it was sent, by name.
    size, seconds
        The bytes that were sent, and how long that took.
    """

    source: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    kind: str = "refused"
    reason: str = ""
    peer: str = ""
    attempts: int = 0
    transfer_syntax: str = ""
    size: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DeliveryReport(Listed[Delivery]):
    """What became of each instance of a delivery, and what ended it early if something did.

    Examples
    --------
    >>> report = DeliveryReport((Delivery("a.dcm", kind="delivered", peer="PACS@pacs:104", attempts=1, size=9),), 0.5)
    >>> report.is_complete, len(report.delivered)
    (True, 1)
    >>> report
    <DeliveryReport: 1 of 1 delivered, 0.0 MB in 0.50 s>
    outcome    file   peer           attempts  bytes
    ---------  -----  -------------  --------  -----
    delivered  a.dcm  PACS@pacs:104         1      9
    """

    deliveries: tuple[Delivery, ...]
    seconds: float
    ended_by: DicomError | None = None

    @property
    def _listed(self) -> tuple[Delivery, ...]:
        return self.deliveries

    def of(self, *kinds: str) -> tuple[Delivery, ...]:
        """Return those of some kinds: ``"delivered"``, ``"dead"``, ``"waiting"``, ``"cleared"``, ``"refused"``."""
        return tuple(delivery for delivery in self.deliveries if delivery.kind in kinds)

    @property
    def delivered(self) -> tuple[Delivery, ...]:
        """Those that a peer has."""
        return self.of("delivered")

    @property
    def is_complete(self) -> bool:
        """Whether all are delivered."""
        return len(self.delivered) == len(self)

    @property
    def size(self) -> int:
        """The bytes of what is delivered."""
        return sum(delivery.size for delivery in self.delivered)

    def raise_for_failures(self) -> None:
        """Raise an error where not all are delivered.

        Raises
        ------
        DicomError
            Which says how many aren't, and why the first isn't.
        """
        if not self.is_complete:
            first = next(delivery for delivery in self.deliveries if delivery.kind != "delivered")
            why = first.reason or str(self.ended_by or first.kind)
            raise DicomError(f"{len(self) - len(self.delivered)} of {len(self)} instances are not delivered: {why}")

    def to_table(self) -> pd.DataFrame:
        """Return one row for each instance."""
        import pandas as pd

        return pd.DataFrame(list(self.deliveries), columns=list(COLUMNS))

    def __repr__(self) -> str:
        return f"<DeliveryReport: {self._summary}>\n" + table_text(*self._cells(), max_rows=_SHOWN_AS_TEXT)

    def _repr_html_(self) -> str:
        return table(*self._cells(), caption=self._summary, max_rows=_SHOWN)

    @property
    def _summary(self) -> str:
        counts = [f"{len(self.delivered)} of {len(self)} delivered"]
        counts += [
            f"{len(self.of(kind))} {kind}" for kind in ("waiting", "dead", "cleared", "refused") if self.of(kind)
        ]
        ended = f"; ended by: {printable(self.ended_by, 200)}" if self.ended_by is not None else ""
        return f"{', '.join(counts)}, {self.size / 1e6:.1f} MB in {self.seconds:.2f} s{ended}"

    def _cells(self) -> tuple[list[str], list[list[object]]]:
        """The columns that hold anything, and the rows, what isn't delivered before the rest."""
        rows: list[list[object]] = [
            [
                one.kind,
                printable(one.reason, 200),
                os.path.basename(one.source),
                _class_name(one.sop_class_uid),
                one.sop_instance_uid,
                one.peer,
                one.attempts,
                one.size,
            ]
            for one in sorted(self.deliveries, key=lambda delivery: delivery.kind == "delivered")
        ]
        return filled_columns(_SHOWN_COLUMNS, rows)


def _class_name(uid: str) -> str:
    entry = uid_entry(uid)
    return entry.name if entry else printable(uid)
