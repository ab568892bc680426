"""What the status of a DIMSE response means (PS3.7 annex C, and the services of PS3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from dicomkit.standard.tables import table_columns

StatusCategory: TypeAlias = Literal["Success", "Pending", "Cancel", "Warning", "Failure"]
Nature: TypeAlias = Literal["", "transient", "permanent", "configuration", "security"]


@dataclass(frozen=True, slots=True)
class Status:
    """A status and what it means.

    Parameters
    ----------
    code
        The value of Status (0000,0900).
    category
        ``"Success"``, ``"Pending"``, ``"Cancel"``, ``"Warning"`` or ``"Failure"``.
    meaning
        In the words of the standard, where it has some.
    service
        The service that gives it this meaning; empty where every one does.
    nature
        Of a failure: ``"transient"``, ``"permanent"``, ``"configuration"``, ``"security"``, or empty where that isn't
        evident.

    Examples
    --------
    >>> print(status(0xA700, "C-STORE"))
    0xA700 Failure: Refused: Out of Resources
    """

    code: int
    category: StatusCategory
    meaning: str
    service: str = ""
    nature: Nature = ""

    def __repr__(self) -> str:
        return f"<Status {self}>"

    def __str__(self) -> str:
        if self.meaning == self.category:
            return f"0x{self.code:04X} {self.category}"
        return f"0x{self.code:04X} {self.category}: {self.meaning}"


def status(code: int, service: str = "") -> Status:
    """Look up a status.

    What the service says of it comes first, then what every service does, then the range of the code. What is in no
    range is a failure, since it ends an operation and nobody knows how.

    Parameters
    ----------
    code
        The value of Status (0000,0900); or of Failure Reason (0008,1197), with the service ``"Storage Commitment"``.
    service
        An operation (``"C-MOVE"``), or one of a service class (``"UPS N-ACTION"``, see `services`), for which the
        operation stands in.

    Examples
    --------
    >>> status(0xC001, "C-STORE").meaning, status(0xC001).meaning
    ('Error: Cannot understand', 'not assigned by the standard')
    >>> status(0xB304, "UPS N-ACTION").category, status(0x0110, "UPS N-ACTION").meaning
    ('Warning', 'Processing Failure')
    """
    return _found(code & 0xFFFF, service)


def statuses(service: str = "") -> tuple[tuple[str, Status], ...]:
    """List what a service says of statuses: code, in which x stands for any digit, and status, with 0 for each x.

    Examples
    --------
    >>> [code for code, _ in statuses("C-STORE")]
    ['A7xx', 'A9xx', 'Cxxx', 'B000', 'B007', 'B006', '0000']
    """
    return _by_service().get(service, ())


def services() -> tuple[str, ...]:
    """List the services that have meanings of their own.

    Examples
    --------
    >>> services()[:3], "Storage Commitment" in services()
    (('C-STORE', 'C-FIND', 'C-MOVE'), True)
    """
    return tuple(name for name in _by_service() if name not in ("", "range"))


@cache
def _found(code: int, service: str) -> Status:
    text = f"{code:04X}"
    masks = (text, text[:2] + "xx", text[0] + "xxx")
    for name in (service, service.rpartition(" ")[2], ""):
        known = dict(statuses(name))
        for mask in masks:
            if mask in known:
                entry = known[mask]
                return Status(code, entry.category, entry.meaning, name, entry.nature)
    ranges = dict(statuses("range"))
    for mask in masks:
        if mask in ranges:
            return Status(code, ranges[mask].category, "not assigned by the standard")
    return Status(code, "Failure", "unknown status")


@cache
def _by_service() -> Mapping[str, tuple[tuple[str, Status], ...]]:
    found: dict[str, list[tuple[str, Status]]] = {}
    for service, code, category, nature, meaning in zip(*table_columns("statuses.tsv", 5), strict=True):
        kind: StatusCategory = next(name for name in get_args(StatusCategory) if name == category)
        certain: Nature = next(name for name in get_args(Nature) if name == nature)
        entry = Status(int(code.replace("x", "0"), 16), kind, meaning, service, certain)
        found.setdefault(service, []).append((code, entry))
    return MappingProxyType({service: tuple(entries) for service, entries in found.items()})
