"""From the events of transfers to audit messages: who took part is gathered by association, what moved by study."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from dicomkit.net.audit_contents import (
    alert_object,
    application,
    audit_message,
    patient_object,
    person,
    query_object,
    study_object,
    this_process,
)
from dicomkit.net.audit_messages import (
    MINOR_FAILURE,
    SERIOUS_FAILURE,
    SUCCESS,
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    SopClassInstances,
)
from dicomkit.net.audit_parties import Parties, Transfer, host_of, outcome_of, reason_of
from dicomkit.net.errors import AssociationRejectedError
from dicomkit.net.events import Event
from dicomkit.net.printable import printable
from dicomkit.standard.audit_messages import AuditCode

NODE_AUTHENTICATION, LOGIN = "110126", "110122"
BEGIN, TRANSFERRED, QUERY = "BeginTransferringDicomInstances", "DicomInstancesTransferred", "Query"
ALERT, AUTHENTICATION = "SecurityAlert", "UserAuthentication"
DELETED, ACCESSED = "DicomStudyDeleted", "DicomInstancesAccessed"
PROCEDURE, EXPORT = "ProcedureRecord", "Export"
_MOST_ENDED = 256
_PERFORMED = frozenset(("1.2.840.10008.3.1.2.3.3", "1.2.840.10008.3.1.2.3.4"))
_STEPS = _PERFORMED | {f"1.2.840.10008.5.1.4.34.6.{number}" for number in (1, 2, 3)}
_FILMS = frozenset(("1.2.840.10008.5.1.1.1", "1.2.840.10008.5.1.1.2"))
_ACTIONS = MappingProxyType({"N-CREATE": "C", "N-SET": "U", "N-ACTION": "U", "N-GET": "R"})


@dataclass(slots=True)
class _Association:
    """What is known of an association."""

    parties: Parties
    transfers: dict[tuple[str, str, int, bool, str], Transfer] = field(default_factory=dict)
    begun: set[tuple[str, str]] = field(default_factory=set)
    alerted: bool = False
    failing: bool = False


class AuditFold:
    """Gathers events, and gives the messages that they add up to.

    Parameters
    ----------
    source
        The system that notices.
    kinds
        The keywords of the messages that are wanted; others are not made.
    user
        For whom this process works, where it asks.
    most_instances
        How many instances of a SOP class are listed in a message.

    Examples
    --------
    >>> fold = AuditFold(AuditSource("sonic"), {"SecurityAlert"})
    >>> [message] = fold.feed(Event("connection failed", peer="PACS@10.0.0.7:104", data={"error": "refused"}))
    >>> message.kind, message.objects[0].id
    ('SecurityAlert', '10.0.0.7')
    """

    def __init__(
        self, source: AuditSource, kinds: Collection[str], *, user: str = "", most_instances: int = 256
    ) -> None:
        self.source, self.kinds, self.user, self.most_instances = source, frozenset(kinds), user, most_instances
        self._open: dict[tuple[str, str], _Association] = {}
        self._ended: dict[tuple[str, str], _Association] = {}

    def feed(self, event: Event) -> list[AuditMessage]:
        """Take an event, and give the messages that are complete by now."""
        take = _TAKES.get(event.name)
        return [] if take is None else list(take(self, event))

    def flush(self) -> list[AuditMessage]:
        """Give the messages of what moved over associations that haven't ended."""
        known = [*self._open.values(), *self._ended.values()]
        return [message for association in known for message in self._settled(association)]

    # ---- associations ----------------------------------------------------------------------------------------------

    def _begin(self, event: Event) -> Iterator[AuditMessage]:
        key = event.peer, event.association
        for known in (self._open.pop(key, None), self._ended.pop(key, None)):
            if known is not None:
                yield from self._settled(known)
        self._open[key] = _Association(self._parties(event))

    def _parties(self, event: Event) -> Parties:
        request, is_user = event.data.get("request"), event.name == "association requested"
        titles = str(getattr(request, "calling_ae", "")), str(getattr(request, "called_ae", ""))
        local, peer = titles if is_user else reversed(titles)
        identity = getattr(getattr(request, "user", None), "identity", None)
        user = getattr(identity, "name", None) or (self.user if is_user else "")
        return Parties(is_user, local, peer, host_of(event.peer), _cut(str(user)))

    def _association(self, event: Event) -> _Association:
        key = event.peer, event.association
        known = self._open.get(key) or self._ended.get(key)
        if known is None:
            local, peer = event.data.get("aets") or ("", event.peer.rpartition("@")[0])
            known = _Association(Parties("@" in event.peer or bool(local), local, peer, host_of(event.peer), self.user))
            self._open[key] = known
        return known

    def _granted(self, event: Event) -> Iterator[AuditMessage]:
        parties = self._association(event).parties
        if parties.user and not parties.is_user:
            yield from self._authentication(event, parties, SUCCESS)

    def _refused(self, event: Event) -> Iterator[AuditMessage]:
        known, answer = self._association(event), event.data.get("answer")
        result, origin, reason = (int(getattr(answer, name, 0)) for name in ("result", "source", "reason"))
        error = AssociationRejectedError(result, origin, reason)
        who = "we" if event.name == "association refused" else known.parties.peer_ae
        description = error.message.replace("the peer", who, 1)
        outcome = MINOR_FAILURE if error.category == "transient" else SERIOUS_FAILURE
        if known.parties.user and not known.parties.is_user:
            yield from self._authentication(event, known.parties, SERIOUS_FAILURE)
        yield from self._alert(event, known.parties, outcome, description)
        self._open.pop((event.peer, event.association), None)

    def _failed(self, event: Event) -> Iterator[AuditMessage]:
        """Raise an alert for an association that never was, or that broke."""
        key, data = (event.peer, event.association), event.data
        known = self._open.get(key) or self._ended.get(key)
        if known is None:
            local, peer = data.get("aets") or ("", "")
            known = _Association(Parties("aets" in data, local, peer, host_of(event.peer), self.user if local else ""))
        told = data.get("error") or data.get("received") or data.get("how") or event.name
        is_secure = data.get("cause") in ("security", "configuration")
        is_orderly = event.name == "association ended" and (not known.parties.is_user or told == "ReleaseRQ")
        if not known.alerted and not is_orderly:
            known.alerted = True
            text = f"{event.name}: {told}"
            yield from self._alert(event, known.parties, SERIOUS_FAILURE if is_secure else MINOR_FAILURE, text)
        if event.name == "association failed" or known.parties.is_user:
            yield from self._over(event)

    def _over(self, event: Event) -> Iterator[AuditMessage]:
        key = event.peer, event.association
        known = self._open.get(key)
        if known is None:
            return
        if known.parties.is_user:  # what was under way is still to be told
            self._ended[key] = self._open.pop(key)
            while len(self._ended) > _MOST_ENDED:
                yield from self._settled(self._ended.pop(next(iter(self._ended))))
        elif event.name != "association aborted" or known.failing:
            del self._open[key]
            yield from self._settled(known)

    def _faulty(self, event: Event) -> Iterator[AuditMessage]:
        self._association(event).failing = True
        return iter(())

    # ---- instances -------------------------------------------------------------------------------------------------

    def _instance(self, event: Event) -> Iterator[AuditMessage]:
        known, data = self._association(event), event.data
        header = data.get("header")
        study, patient = getattr(header, "study_instance_uid", ""), getattr(header, "patient_id", "")
        third = str((data.get("originator") or ("",))[0])
        is_sent = event.name in ("instance delivered", "instance undelivered")
        transfer = known.transfers.setdefault((study, patient, outcome_of(data), is_sent, third), Transfer())
        transfer.add(event, self.most_instances)
        if BEGIN in self.kinds and (study, patient) not in known.begun:
            known.begun.add((study, patient))
            about = [study_object(study), patient_object(patient, transfer.patient_name)]
            yield from self._made(BEGIN, event.time, known.parties.both(is_sent=is_sent, third=third), about)

    def _settle(self, event: Event) -> Iterator[AuditMessage]:
        key = event.peer, event.association
        known = self._ended.pop(key, None) or self._open.get(key)
        if known is not None:
            yield from self._settled(known)
            if not event.association:
                self._open.pop(key, None)

    def _settled(self, known: _Association) -> Iterator[AuditMessage]:
        """Give a message for each transfer, and forget them."""
        transfers, known.transfers = known.transfers, {}
        known.begun = set()
        for (study, patient, outcome, is_sent, third), transfer in transfers.items():
            about = [
                study_object(study, transfer.listed(), accessions=transfer.accessions),
                patient_object(patient, transfer.patient_name),
            ]
            who = known.parties.both(is_sent=is_sent, third=third)
            yield from self._made(TRANSFERRED, transfer.time, who, about, outcome, "; ".join(transfer.reasons), "R")

    def _retrieval(self, event: Event) -> Iterator[AuditMessage]:
        """Tell of a retrieval of which no instance passed here; of others their instances tell."""
        known, data = self._association(event), event.data
        if not data.get("told"):
            done = int(data.get("completed", 0)) + int(data.get("warnings", 0))
            failed = int(data.get("failed", 0))
            outcome = outcome_of(data)
            if done and failed:
                yield from self._unseen(event, known.parties, SUCCESS, done)
                yield from self._unseen(event, known.parties, SERIOUS_FAILURE, failed)
            else:
                yield from self._unseen(event, known.parties, SUCCESS if done else outcome, done or failed)
        if known.parties.is_user:
            yield from self._settle(event)

    def _unseen(self, event: Event, parties: Parties, outcome: int, count: int) -> Iterator[AuditMessage]:
        data, header = event.data, event.data.get("header")
        third, studies = str(data.get("destination", "")), getattr(header, "study_instance_uid", "").split("\\")
        if third and third not in (parties.local_ae, parties.peer_ae):
            source = parties.peer("source") if parties.is_user else parties.local("source")
            asked = parties.local() if parties.is_user else parties.peer()
            who = [source, application(third, roles=["destination"]), asked]
            who += [person(parties.user)] if parties.user else []
        else:
            who = parties.both(is_sent=not parties.is_user)
        counted = [SopClassInstances("", count)]
        about = [
            *(study_object(study, [] if number else counted) for number, study in enumerate(studies)),
            patient_object(getattr(header, "patient_id", ""), getattr(header, "patient_name", "")),
        ]
        reason = reason_of(data) if outcome else ""
        yield from self._made(TRANSFERRED, event.time, who, about, outcome, reason, "R")

    # ---- everything else -------------------------------------------------------------------------------------------

    def _query(self, event: Event) -> Iterator[AuditMessage]:
        parties, identifier = self._association(event).parties, event.data.get("identifier")
        encoded, syntax = getattr(identifier, "encoded", b""), getattr(identifier, "transfer_syntax_uid", "")
        about = [query_object(str(event.data.get("sop_class_uid", "")), encoded, syntax)]
        yield from self._made(QUERY, event.time, parties.both(is_sent=parties.is_user), about)

    def _requested(self, event: Event) -> Iterator[AuditMessage]:
        """Tell of a procedure step that was made, changed or read, and of what was printed."""
        parties, data, header = self._association(event).parties, event.data, event.data.get("header")
        sop_class, operation = str(data.get("sop_class_uid", "")), str(data.get("operation", ""))
        outcome, reason = outcome_of(data), reason_of(data)
        patient = patient_object(getattr(header, "patient_id", ""), getattr(header, "patient_name", ""))
        if sop_class in _FILMS and operation == "N-ACTION":
            sides = (parties.local, parties.peer) if parties.is_user else (parties.peer, parties.local)
            user, provider = sides[0]("source", is_requestor=True), sides[1]("destination", is_requestor=False)
            film = AuditCode("110010", "DCM", "Film")
            medium = replace(person("film", roles=["destination media"], is_requestor=False), media_type=film)
            yield from self._made(EXPORT, event.time, [provider, user, medium], [patient], outcome, reason)
        elif sop_class in _STEPS and operation in _ACTIONS:
            asked, asking = (parties.peer(), parties.local()) if parties.is_user else (parties.local(), parties.peer())
            who = [person(parties.user), asking] if parties.user else [asking, asked]
            numbers = [number] if (number := getattr(header, "accession_number", "")) else []
            uid = str(data.get("sop_instance_uid", ""))
            listed = [SopClassInstances(sop_class, 1, (uid,) if uid else ())]
            study = study_object(getattr(header, "study_instance_uid", ""), listed, accessions=numbers)
            study = replace(study, mpps=(uid,)) if uid and sop_class in _PERFORMED else study
            yield from self._made(PROCEDURE, event.time, who, [study, patient], outcome, reason, _ACTIONS[operation])

    def _deleted(self, event: Event) -> Iterator[AuditMessage]:
        data, header = event.data, event.data.get("header")
        user = str(data.get("user") or self.user)
        who = [this_process(is_requestor=not user), *([person(user)] if user else [])]
        listed = [
            SopClassInstances(uid, len(uids), tuple(uids[: self.most_instances]))
            for uid, uids in data.get("sop_classes", {}).items()
        ]
        numbers = [number] if (number := getattr(header, "accession_number", "")) else []
        about = [
            study_object(getattr(header, "study_instance_uid", ""), listed, accessions=numbers),
            patient_object(getattr(header, "patient_id", ""), getattr(header, "patient_name", "")),
        ]
        kind = DELETED if event.name == "study deleted" else ACCESSED
        yield from self._made(kind, event.time, who, about, action="D")

    def _alert(self, event: Event, parties: Parties, outcome: int, description: str) -> Iterator[AuditMessage]:
        text = printable(description, 1024)
        who = [parties.local(is_requestor=False), parties.peer(is_requestor=False)]
        about = [alert_object(parties.peer_host or parties.peer_ae, text)]
        yield from self._made(ALERT, event.time, who, about, outcome, text, type=NODE_AUTHENTICATION)

    def _authentication(self, event: Event, parties: Parties, outcome: int) -> Iterator[AuditMessage]:
        who = [person(parties.user), parties.local(is_requestor=False)]
        yield from self._made(AUTHENTICATION, event.time, who, [], outcome, type=LOGIN)

    def _made(
        self,
        kind: str,
        time: float,
        who: list[ActiveParticipant],
        about: list[Any],
        outcome: int = SUCCESS,
        description: str = "",
        action: str = "",
        type: str = "",
    ) -> Iterator[AuditMessage]:
        """Make a message, where its kind is wanted."""
        if kind in self.kinds:
            yield audit_message(
                kind,
                who,
                self.source,
                about,
                action=action,
                type=type,
                outcome=outcome,
                description=description,
                time=datetime.fromtimestamp(time, UTC),
            )


def _cut(text: str) -> str:
    return text if len(text) <= 256 else text[:255] + "…"


_TAKES: Mapping[str, Callable[[AuditFold, Event], Iterator[AuditMessage]]] = MappingProxyType(
    {
        "association requested": AuditFold._begin,
        "association received": AuditFold._begin,
        "association granted": AuditFold._granted,
        "association refused": AuditFold._refused,
        "association rejected": AuditFold._refused,
        "connection failed": AuditFold._failed,
        "connection refused": AuditFold._failed,
        "no association": AuditFold._failed,
        "association failed": AuditFold._failed,
        "association ended": AuditFold._failed,
        "association released": AuditFold._over,
        "association aborted": AuditFold._over,
        "association abandoned": AuditFold._over,
        "performer failed": AuditFold._faulty,
        "instance stored": AuditFold._instance,
        "instance refused": AuditFold._instance,
        "instance lost": AuditFold._instance,
        "instance delivered": AuditFold._instance,
        "instance undelivered": AuditFold._instance,
        "storing finished": AuditFold._settle,
        "retrieval finished": AuditFold._retrieval,
        "request answered": AuditFold._requested,
        "query issued": AuditFold._query,
        "query arrived": AuditFold._query,
        "study deleted": AuditFold._deleted,
        "instances deleted": AuditFold._deleted,
    }
)
"""What is done with an event, by its name."""
