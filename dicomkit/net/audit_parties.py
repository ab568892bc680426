"""Who took part in an association, what moved over it, and how that ended: what audit messages are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dicomkit.net.audit_contents import application, person, this_process
from dicomkit.net.audit_messages import (
    MAJOR_FAILURE,
    MINOR_FAILURE,
    SERIOUS_FAILURE,
    SUCCESS,
    ActiveParticipant,
    SopClassInstances,
)
from dicomkit.net.events import Event
from dicomkit.net.printable import printable
from dicomkit.standard.statuses import status

_OUT_OF_RESOURCES = 0xA7
_MOST_REASONS, _MOST_ACCESSIONS = 4, 64


@dataclass(frozen=True, slots=True)
class Parties:
    """The two sides of an association, as their titles and hosts tell them, and the person for whom it is."""

    is_user: bool
    local_ae: str = ""
    peer_ae: str = ""
    peer_host: str = ""
    user: str = ""

    def local(self, *roles: str, is_requestor: bool | None = None) -> ActiveParticipant:
        """Describe our side; it is the requestor where it asked for the association, and for no person."""
        asked = self.is_user and not self.user if is_requestor is None else is_requestor
        return this_process(self.local_ae, roles=roles, is_requestor=asked)

    def peer(self, *roles: str, is_requestor: bool | None = None) -> ActiveParticipant:
        """Describe the other side."""
        asked = not self.is_user and not self.user if is_requestor is None else is_requestor
        return application(self.peer_ae, self.peer_host, roles=roles, is_requestor=asked)

    def both(self, *, is_sent: bool, third: str = "") -> list[ActiveParticipant]:
        """Describe source and destination, and who else asked for it: a third application, or a person."""
        by_third = False if third else None
        sides = [
            self.local("source" if is_sent else "destination", is_requestor=by_third),
            self.peer("destination" if is_sent else "source", is_requestor=by_third),
        ]
        others = [application(third, is_requestor=True)] if third else [person(self.user)] if self.user else []
        return [*(sides if is_sent else reversed(sides)), *others]


@dataclass(slots=True)
class Transfer:
    """The instances of one study that moved one way over an association, and ended alike."""

    patient_name: str = ""
    accessions: dict[str, None] = field(default_factory=dict)
    sop_classes: dict[str, list[Any]] = field(default_factory=dict)
    reasons: dict[str, None] = field(default_factory=dict)
    time: float = 0.0

    def add(self, event: Event, most_instances: int) -> None:
        """Count an instance."""
        data, header = event.data, event.data.get("header")
        self.time = event.time
        self.patient_name = self.patient_name or getattr(header, "patient_name", "")
        number = getattr(header, "accession_number", "")
        if number and len(self.accessions) < _MOST_ACCESSIONS:
            self.accessions[number] = None
        counted = self.sop_classes.setdefault(str(data.get("sop_class_uid") or ""), [0, []])
        counted[0] += 1
        if len(counted[1]) < most_instances and data.get("sop_instance_uid"):
            counted[1].append(str(data["sop_instance_uid"]))
        if (reason := reason_of(data)) and len(self.reasons) < _MOST_REASONS:
            self.reasons[reason] = None

    def listed(self) -> list[SopClassInstances]:
        """List what was counted."""
        return [SopClassInstances(uid, count, tuple(uids)) for uid, (count, uids) in self.sop_classes.items()]


def outcome_of(data: Mapping[str, Any]) -> int:
    """Return the outcome indicator of a status; none is that of something that broke off."""
    code = data.get("status")
    if code is None:
        return SERIOUS_FAILURE
    category = status(int(code), "C-STORE").category
    if category in ("Success", "Pending", "Warning"):
        return SUCCESS
    if category == "Cancel":
        return MINOR_FAILURE
    return MAJOR_FAILURE if int(code) >> 8 == _OUT_OF_RESOURCES else SERIOUS_FAILURE


def reason_of(data: Mapping[str, Any]) -> str:
    """Say why something isn't plain success."""
    code, error = data.get("status"), data.get("error")
    words = [] if not code else [str(status(int(code), str(data.get("service", "C-STORE"))))]
    if code is None and not error:
        words.append("broken off")
    return printable(": ".join([*words, *([str(error)] if error else [])]), 256)


def host_of(peer: str) -> str:
    """Take the host out of ``AET@host:port``."""
    return peer.rpartition("@")[2].rpartition(":")[0].strip("[]")
