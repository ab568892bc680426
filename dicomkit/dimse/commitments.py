"""What a storage commitment says: what is asked for, what a peer commits to keep, and why not the rest (PS3.4 J)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse.instances import instances_of
from dicomkit.dimse.outgoing import outgoing
from dicomkit.dimse.store_report import Outcome, StoreReport
from dicomkit.display.html import table
from dicomkit.display.text import table_text
from dicomkit.errors import DicomError
from dicomkit.standard.statuses import Status, status
from dicomkit.standard.uids import uid_entry

if TYPE_CHECKING:
    import pandas as pd

SERVICE = "Storage Commitment"
NO_REASON = 0x0110
_COLUMNS = ("SOPClassUID", "SOPInstanceUID", "state", "reason")
_SHOWN = 100
_SHOWN_AS_TEXT = 20


class Reference(NamedTuple):
    """An instance, by its class and its UID."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Commitment:
    """What came of a request for storage commitment (PS3.4 J.3).

    Attributes
    ----------
    transaction_uid
        Of the request that was answered last.
    requested
        The instances that it was asked for.
    committed
        Those that the peer keeps.
    failed
        Those that it doesn't, each with the reason.
    retrieve_aet
        Where the peer says that they can be retrieved from; empty where it doesn't.
    received
        When the report came, in seconds since 1970; None while none did.

    Examples
    --------
    >>> ct = Reference("1.2.840.10008.5.1.4.1.1.2", "1.2.3")
    >>> Commitment("2.25.1", (ct,), (), ((ct, status(0x0112, "Storage Commitment")),), received=0.0)
    <Commitment failed: 0 of 1 committed, 1 failed>
    state   reason                                   class             instance
    ------  ---------------------------------------  ----------------  --------
    failed  0x0112 Failure: No such object instance  CT Image Storage  1.2.3
    """

    transaction_uid: str
    requested: tuple[Reference, ...]
    committed: tuple[Reference, ...] = ()
    failed: tuple[tuple[Reference, Status], ...] = ()
    retrieve_aet: str = field(default="", kw_only=True)
    received: float | None = field(default=None, kw_only=True)

    @property
    def pending(self) -> tuple[Reference, ...]:
        """Those of which nothing is known."""
        known = {*self.committed, *(reference for reference, _ in self.failed)}
        return tuple(reference for reference in self.requested if reference not in known)

    @property
    def state(self) -> str:
        """One word or two: pending, committed, partly failed or failed."""
        if self.pending:
            return "pending"
        if not self.failed:
            return "committed"
        return "partly failed" if self.committed else "failed"

    @property
    def is_committed(self) -> bool:
        """Whether the peer keeps all that was asked for, so that it may be deleted here."""
        return self.state == "committed"

    def raise_for_failures(self) -> None:
        """Raise an error unless all are committed.

        Raises
        ------
        DicomError
            Which says how many aren't, and why the first isn't.
        """
        if self.is_committed:
            return
        why = str(self.failed[0][1]) if self.failed else "no report of it has come"
        missing = len(self.requested) - len(self.committed)
        raise DicomError(f"{missing} of {len(self.requested)} instances are not committed: {why}")

    def to_table(self) -> pd.DataFrame:
        """Return one row for each instance."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=list(_COLUMNS))

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """What isn't committed comes first."""
        failed = [(*reference, "failed", str(reason)) for reference, reason in self.failed]
        pending = [(*reference, "pending", "") for reference in self.pending]
        return failed + pending + [(*reference, "committed", "") for reference in self.committed]

    def _cells(self) -> tuple[list[str], list[list[object]]]:
        rows: list[list[object]] = [[state, why, _name(uid), instance] for uid, instance, state, why in self._rows()]
        return ["state", "reason", "class", "instance"], rows

    @property
    def _summary(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"Commitment {self.state}: {len(self.committed)} of {len(self.requested)} committed{failed}"

    def __repr__(self) -> str:
        return f"<{self._summary}>\n" + table_text(*self._cells(), max_rows=_SHOWN_AS_TEXT)

    def _repr_html_(self) -> str:
        return table(*self._cells(), caption=self._summary, max_rows=_SHOWN)


def references(instances: Any) -> tuple[Reference, ...]:
    """Return what instances are, each once: files, folders, DataSets, a table of files, a StoreReport, or References.

    Of a StoreReport only what is stored counts.

    Raises
    ------
    DicomError
        When one can't be read, or is no instance.

    Examples
    --------
    >>> references(DataSet(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID="1.2.3"))
    (Reference(sop_class_uid='1.2.840.10008.5.1.4.1.1.2', sop_instance_uid='1.2.3'),)
    """
    if isinstance(instances, StoreReport):
        instances = instances.stored
    sources, _ = instances_of(instances, one=(Reference, Outcome))
    return tuple(dict.fromkeys(map(_reference, sources)))


def _reference(source: Any) -> Reference:
    if isinstance(source, Reference):
        return source
    found = source if isinstance(source, Outcome) else outgoing(source)
    return Reference(found.sop_class_uid, found.sop_instance_uid)


def make_request(transaction_uid: str, instances: Iterable[Reference]) -> DataSet:
    """Make the information of the action that asks for commitment (PS3.4 J.3.2.1.1)."""
    return DataSet(TransactionUID=transaction_uid, ReferencedSOPSequence=_items(instances))


def make_report(commitment: Commitment) -> tuple[int, DataSet]:
    """Make the type and the information of the event that tells what came of a request (PS3.4 J.3.3.1.1).

    Examples
    --------
    >>> number, report = make_report(Commitment("2.25.1", (), (Reference("1.2", "1.2.3"),)))
    >>> number, str(report.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    (1, '1.2.3')
    """
    told: dict[str, Any] = {"TransactionUID": commitment.transaction_uid}
    if commitment.retrieve_aet:
        told["RetrieveAETitle"] = commitment.retrieve_aet
    if commitment.committed or not commitment.failed:
        told["ReferencedSOPSequence"] = _items(commitment.committed)
    if commitment.failed:
        reasons = [reason.code for _, reason in commitment.failed]
        items = _items(reference for reference, _ in commitment.failed)
        told["FailedSOPSequence"] = [item.assign(FailureReason=code) for item, code in zip(items, reasons, strict=True)]
    return (2 if commitment.failed else 1), DataSet(told)


def read_report(report: DataSet, requested: Sequence[Reference] | None, received: float) -> Commitment:
    """Read what an event tells; what it tells of instances that weren't asked for is left out.

    Parameters
    ----------
    report
        The information of the event.
    requested
        What was asked for, None where that isn't known here.
    received
        When it came, in seconds since 1970.
    """
    committed = tuple(dict.fromkeys(map(_referenced, report.all("ReferencedSOPSequence"))))
    failed = {
        _referenced(item): status(_reason(item.get("FailureReason")), SERVICE)
        for item in report.all("FailedSOPSequence")
    }
    if requested is not None:
        asked = set(requested)
        committed = tuple(reference for reference in committed if reference in asked)
        failed = {reference: reason for reference, reason in failed.items() if reference in asked}
    committed = tuple(reference for reference in committed if reference not in failed)
    everything = tuple(requested) if requested is not None else (*committed, *failed)
    return Commitment(
        str(report.get("TransactionUID") or ""),
        everything,
        committed,
        tuple(failed.items()),
        retrieve_aet=str(report.get("RetrieveAETitle") or ""),
        received=received,
    )


def read_request(request: DataSet) -> tuple[str, tuple[Reference, ...]]:
    """Read what a peer asks for: the UID of the transaction and the instances, each once."""
    items = request.all("ReferencedSOPSequence")
    return str(request.get("TransactionUID") or ""), tuple(dict.fromkeys(map(_referenced, items)))


def _items(instances: Iterable[Reference]) -> list[DataSet]:
    return [DataSet(ReferencedSOPClassUID=uid, ReferencedSOPInstanceUID=instance) for uid, instance in instances]


def _referenced(item: DataSet) -> Reference:
    return Reference(str(item.get("ReferencedSOPClassUID") or ""), str(item.get("ReferencedSOPInstanceUID") or ""))


def _reason(value: Any) -> int:
    """Return why an instance isn't kept; where that can't be read, that no reason is known."""
    return value if isinstance(value, int) and value else NO_REASON


def _name(uid: str) -> str:
    entry = uid_entry(uid)
    return entry.name if entry else uid
