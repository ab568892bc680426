"""Every transfer, query, deletion and refusal yields its audit messages: counted on both sides, valid, none twice."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import peers
import pytest
from audit_schema import STANDARD, why_invalid
from dimse_drivers import DRIVERS, Driver, serving
from faulty_proxy import TO_CLIENT, Fault, faulty_proxy
from peers import dcmqrscp, findscu, getscu, movescu, needs, small_instances, storescp, storescu

import dicomkit as dk
from dicomkit.archive import MemoryArchive
from dicomkit.archive.deletion import delete_with_events
from dicomkit.dimse import aio
from dicomkit.dimse.pdu import AssociateRJ
from dicomkit.dimse.store import store
from dicomkit.dimse.store_provider import Incoming, Refused
from dicomkit.errors import DicomError
from dicomkit.files.read import read
from dicomkit.net import tls
from dicomkit.net.audit import AuditMessage, audit_from_json, audit_to_json, audit_to_xml, audit_trail, violations
from dicomkit.net.errors import NetworkError
from dicomkit.net.events import Event
from dicomkit.query import query
from dicomkit.serve import Hooks, serve_dimse

certificates = peers.certificates

TRANSFERRED, QUERY, ALERT, LOGIN = "DicomInstancesTransferred", "Query", "SecurityAlert", "UserAuthentication"


class Trail(list[AuditMessage]):
    """The messages of one system, which are checked as they come."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__()
        self.on_event = audit_trail(self.take, source=name, **options)

    def take(self, message: AuditMessage) -> None:
        if STANDARD.exists():
            assert why_invalid(audit_to_xml(message)) == ""
        assert violations(message) == ()
        assert audit_from_json(audit_to_json(message)) == message
        self.append(message)

    def settled(self) -> list[AuditMessage]:
        """All of them: none was lost on the way."""
        assert self.on_event.failures == 0
        return list(self)

    @property
    def kinds(self) -> Counter[str]:
        return Counter(message.kind for message in self.settled())


def wait_for(trail: Trail, count: int) -> None:
    """Wait until the server has seen the end of an association, too."""
    peers.wait_until(lambda: len(trail) >= count, f"{count} messages; there are {trail}", 10)


def instances_in(message: AuditMessage) -> list[str]:
    return sorted(uid for given in message.objects for entry in given.sop_classes for uid in entry.instances)


def count_in(message: AuditMessage) -> int:
    return sum(entry.count for given in message.objects for entry in given.sop_classes)


def study_in(message: AuditMessage) -> str:
    return message.objects[0].id


def titles(message: AuditMessage) -> list[str]:
    """The AE titles of source and destination, and of others."""
    return [who.alternative_user_id.removeprefix("AETITLES=") for who in message.participants]


def requestor(message: AuditMessage) -> str:
    [who] = [who for who in message.participants if who.is_requestor]
    return who.alternative_user_id.removeprefix("AETITLES=") or who.user_id


@pytest.fixture
def studies() -> list[list[dk.DataSet]]:
    """Two studies of two patients."""
    return [dk.samples.ct_series(3, 8, seed=seed) for seed in range(2)]


def uids(instances: list[dk.DataSet]) -> list[str]:
    return sorted(str(ds.SOPInstanceUID) for ds in instances)


@contextmanager
def archive_of(trail: Trail | None, instances: Any = (), **options: Any) -> Iterator[Any]:
    archive = MemoryArchive()
    for ds in instances:
        archive.store(ds)
    with serve_dimse(
        archive, ae="PACS", port=0, on_event=None if trail is None else trail.on_event, **options
    ) as server:
        yield server


# ---- stores --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_a_store_is_one_message_for_each_study_on_both_sides(driver: Driver, studies: Any, tmp_path: Path) -> None:
    ours, theirs = Trail("user"), Trail("provider")
    with serving(driver, str(tmp_path), on_event=theirs.on_event) as peer:
        driver.run(store(peer, [*studies[0], *studies[1]], on_event=ours.on_event))
        wait_for(theirs, 2)
    for trail in (ours, theirs):
        assert trail.kinds == {TRANSFERRED: 2}
        by_study = {study_in(message): message for message in trail}
        for study in studies:
            message = by_study[study[0].StudyInstanceUID]
            assert instances_in(message) == uids(study)
            assert count_in(message) == 3
            assert message.objects[0].sop_classes[0].uid == study[0].SOPClassUID
            assert (message.objects[1].id, message.objects[1].name) == (study[0].PatientID, str(study[0].PatientName))
            assert message.event.outcome == 0
            assert titles(message) == ["DICOMKIT", "OURS"]
            assert requestor(message) == "DICOMKIT"
    assert ours[0].participants[1].access_point == "127.0.0.1"
    assert theirs[0].participants[0].access_point == "127.0.0.1"
    assert {message.source.id for message in theirs} == {"provider"}


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_what_fails_has_a_message_of_its_own(driver: Driver, studies: Any, tmp_path: Path) -> None:
    ours, theirs = Trail("user"), Trail("provider")

    def take(ds: dk.DataSet) -> None:
        if ds.InstanceNumber == 2:
            raise Refused("no room", status=0xA700)

    with serving(driver, take, on_event=theirs.on_event) as peer:
        driver.run(store(peer, studies[0], on_event=ours.on_event))
        wait_for(theirs, 2)
    for trail in (ours, theirs):
        done, failed = sorted(trail.settled(), key=lambda message: message.event.outcome)
        assert (done.event.outcome, count_in(done)) == (0, 2)
        assert (failed.event.outcome, count_in(failed)) == (12, 1)
        assert "A700" in failed.event.description
        assert instances_in(failed) == [str(studies[0][1].SOPInstanceUID)]
    assert "no room" in theirs[-1].event.description


def test_instances_that_can_not_be_sent_are_failures(studies: Any) -> None:
    ours, theirs = Trail("user"), Trail("provider")
    with archive_of(theirs, sop_classes=["1.2.840.10008.5.1.4.1.1.4"]) as server:
        report = dk.store(server.peer(), studies[0], on_event=ours.on_event)
    assert len(report.failed) == 3
    [message] = ours.settled()
    assert (message.event.outcome, count_in(message), study_in(message)) == (8, 3, studies[0][0].StudyInstanceUID)
    assert theirs.settled() == []


def test_an_association_that_breaks_is_told_with_what_was_under_way(studies: Any, tmp_path: Path) -> None:
    ours = Trail("user")
    with (
        serving(DRIVERS[0], str(tmp_path)) as peer,
        faulty_proxy(peer.port, Fault(TO_CLIENT, cut_after=900)) as proxy,
    ):
        report = dk.store(dk.Peer("127.0.0.1", proxy.port, "OURS"), studies[0] * 10, on_event=ours.on_event)
    assert report.failed
    assert ours.kinds[ALERT] == len(report.failed)
    counted = Counter[int]()
    for message in ours:
        if message.kind == TRANSFERRED:
            counted[message.event.outcome] += count_in(message)
    assert counted == {0: len(report.stored), 8: len(report.failed)}


def test_a_store_that_is_cut_in_the_middle_of_an_instance_is_told_by_the_provider(tmp_path: Path) -> None:
    theirs = Trail("provider")
    large = dk.samples.ct_series(1, 512)[0]
    with serving(DRIVERS[0], str(tmp_path), on_event=theirs.on_event) as peer:
        with faulty_proxy(peer.port, Fault(cut_after=100_000)) as proxy, suppress(NetworkError):
            dk.store(dk.Peer("127.0.0.1", proxy.port, "OURS"), large)
        wait_for(theirs, 2)
    assert theirs.kinds == {TRANSFERRED: 1, ALERT: 1}
    [message] = [message for message in theirs if message.kind == TRANSFERRED]
    assert (message.event.outcome, study_in(message)) == (8, large.StudyInstanceUID)
    assert "closed the connection" in message.event.description


def test_a_pool_tells_each_operation(studies: Any) -> None:
    ours = Trail("user")
    with archive_of(None) as server, dk.connect(server.peer(), on_event=ours.on_event) as pool:
        for number, ds in enumerate(studies[0], 1):
            dk.store(pool, ds)
            assert ours.kinds == {TRANSFERRED: number}
        dk.find(pool, "study").to_table()
    assert ours.kinds == {TRANSFERRED: 3, QUERY: 1}


def test_several_associations_have_their_own_messages(studies: Any) -> None:
    ours, theirs = Trail("user"), Trail("provider")
    with archive_of(theirs) as server:
        dk.store(server.peer(), studies[0], associations=3, most_per_association=1, on_event=ours.on_event)
        wait_for(theirs, 3)
    for trail in (ours, theirs):
        assert trail.kinds == {TRANSFERRED: 3}
        assert sorted(uid for message in trail for uid in instances_in(message)) == uids(studies[0])


# ---- queries and retrievals ----------------------------------------------------------------------------------------


def test_a_query_holds_what_was_asked(studies: Any) -> None:
    ours, theirs = Trail("user", user="jane@hospital.example"), Trail("provider")
    with archive_of(theirs, studies[0]) as server:
        dk.find(server.peer(), "study", PatientName="CT*", on_event=ours.on_event).to_table()
        wait_for(theirs, 1)
    for trail in (ours, theirs):
        [message] = trail.settled()
        assert (message.kind, message.objects[0].id) == (QUERY, "1.2.840.10008.5.1.4.1.2.2.1")
        [(name, syntax)] = message.objects[0].details
        assert name == "TransferSyntax"
        asked = read(message.objects[0].query, transfer_syntax=syntax.decode())
        assert (asked.QueryRetrieveLevel, asked.PatientName) == ("STUDY", "CT*")
        assert titles(message)[:2] == ["DICOMKIT", "PACS"]
    assert requestor(ours[0]) == "jane@hospital.example"
    assert requestor(theirs[0]) == "DICOMKIT"


def test_a_get_is_told_by_who_sends_and_who_receives(studies: Any) -> None:
    ours, theirs = Trail("user"), Trail("provider")
    with archive_of(theirs, [*studies[0], *studies[1]]) as server:
        uid = studies[1][0].StudyInstanceUID
        assert len(list(dk.get(server.peer(), "study", StudyInstanceUID=uid, on_event=ours.on_event))) == 3
        wait_for(theirs, 1)
    for trail in (ours, theirs):
        [message] = trail.settled()
        assert (message.kind, study_in(message), instances_in(message)) == (TRANSFERRED, uid, uids(studies[1]))
        assert titles(message) == ["PACS", "DICOMKIT"]
        assert requestor(message) == "DICOMKIT"


def test_a_get_in_an_event_loop_is_told_too(studies: Any) -> None:
    ours = Trail("user")

    async def fetch(peer: dk.Peer) -> int:
        uid = studies[0][0].StudyInstanceUID
        return len([ds async for ds in aio.get(peer, "study", StudyInstanceUID=uid, on_event=ours.on_event)])

    with archive_of(None, studies[0]) as server:
        assert asyncio.run(fetch(server.peer())) == 3
    assert ours.kinds == {TRANSFERRED: 1}


def test_a_get_that_is_left_early_is_told(studies: Any) -> None:
    ours = Trail("user")
    many = dk.samples.ct_series(50, 8)
    with archive_of(None, many) as server:
        keys = {"StudyInstanceUID": many[0].StudyInstanceUID}
        with dk.get(server.peer(), "study", on_event=ours.on_event, **keys) as arriving:
            next(iter(arriving))
    [message] = [message for message in ours.settled() if message.kind == TRANSFERRED]
    assert count_in(message) >= 1


def test_a_move_is_told_by_all_three(studies: Any) -> None:
    ours, theirs, third = Trail("user"), Trail("provider"), Trail("third")
    with archive_of(third) as destination:
        with archive_of(theirs, studies[0], destinations={"THIRD": destination.peer()}) as server:
            uid = studies[0][0].StudyInstanceUID
            moved = dk.move(server.peer(), "study", "THIRD", StudyInstanceUID=uid, on_event=ours.on_event)
            assert moved.outcome.completed == 3
            wait_for(theirs, 1)
        wait_for(third, 1)
    for trail in (ours, theirs, third):
        [message] = trail.settled()
        assert (message.kind, study_in(message), count_in(message)) == (TRANSFERRED, uid, 3)
        assert message.event.outcome == 0
    assert titles(ours[0]) == ["PACS", "THIRD", "DICOMKIT"]
    assert [requestor(trail[0]) for trail in (ours, theirs, third)] == ["DICOMKIT"] * 3
    assert instances_in(theirs[0]) == instances_in(third[0]) == uids(studies[0])


def test_a_move_to_here_is_told_once(studies: Any) -> None:
    ours, theirs = Trail("user"), Trail("provider")
    port = peers.free_port()
    here = dk.Peer("127.0.0.1", port, "DICOMKIT")
    with archive_of(theirs, studies[0], destinations={"DICOMKIT": here}) as server:
        uid = studies[0][0].StudyInstanceUID
        moved = dk.move(server.peer(), "study", port=port, StudyInstanceUID=uid, on_event=ours.on_event)
        assert len(list(moved)) == 3
        wait_for(theirs, 1)
    for trail in (ours, theirs):
        [message] = trail.settled()
        assert (message.kind, instances_in(message)) == (TRANSFERRED, uids(studies[0]))


@pytest.mark.parametrize(
    ("destination", "uid", "outcome"),
    [("NOBODY", None, 8), ("DEAD", None, 12), ("NOBODY", "1.2.3", 8), ("DEAD", "1.2.3", 0)],
)
def test_a_move_that_moves_nothing_is_told(studies: Any, destination: str, uid: str | None, outcome: int) -> None:
    ours, theirs = Trail("user"), Trail("provider")
    dead = dk.Peer("127.0.0.1", peers.free_port(), "DEAD")
    asked = uid or studies[0][0].StudyInstanceUID
    with archive_of(theirs, studies[0], destinations={"DEAD": dead}) as server:
        with suppress(DicomError):
            list(dk.move(server.peer(), "study", destination, StudyInstanceUID=asked, on_event=ours.on_event))
        wait_for(theirs, 1)
    for trail in (ours, theirs):
        [message] = [message for message in trail.settled() if message.kind == TRANSFERRED]
        assert (message.event.outcome, study_in(message)) == (outcome, asked)
        assert titles(message) == ["PACS", destination, "DICOMKIT"]
    assert theirs.kinds[ALERT] == (destination == "DEAD" and uid is None)


# ---- refusals, identities ------------------------------------------------------------------------------------------


def test_a_refused_association_is_an_alert_on_both_sides() -> None:
    ours, theirs = Trail("user"), Trail("provider")
    with archive_of(theirs, only_called=True) as server:
        peer = dk.Peer("127.0.0.1", server.port, "WRONG", calling_aet="STRANGER")
        with pytest.raises(NetworkError):
            dk.echo(peer, on_event=ours.on_event)
        wait_for(theirs, 1)
    for trail in (ours, theirs):
        [message] = trail.settled()
        assert (message.kind, message.event.outcome) == (ALERT, 8)
        assert "called-AE-title-not-recognized" in message.event.description
        assert message.objects[0].id == "127.0.0.1"
    assert titles(theirs[0]) == ["WRONG", "STRANGER"]


def test_a_peer_that_is_not_there_is_an_alert() -> None:
    ours = Trail("user")
    with pytest.raises(NetworkError):
        dk.store(dk.Peer("127.0.0.1", peers.free_port(), "GONE"), dk.samples.ct_series(1, 8), on_event=ours.on_event)
    [message] = ours.settled()
    assert (message.kind, message.event.outcome, titles(message)) == (ALERT, 4, ["DICOMKIT", "GONE"])


def test_a_refused_identity_is_a_failed_login() -> None:
    ours, theirs = Trail("user"), Trail("provider")

    def accept(request: Any, caller: Any) -> Any:
        return None if request.user.identity.passcode == "right" else AssociateRJ(1, 1, 1)

    with archive_of(theirs, accept=accept) as server:
        for word in ("right", "wrong"):
            identity = dk.dimse.UserIdentity.username("jane", passcode=word)
            with suppress(NetworkError):
                dk.echo(server.peer(identity=identity), on_event=ours.on_event)
        wait_for(theirs, 3)
    assert theirs.kinds == {LOGIN: 2, ALERT: 1}
    logins = [message for message in theirs if message.kind == LOGIN]
    assert [message.event.outcome for message in logins] == [0, 8]
    assert [requestor(message) for message in logins] == ["jane", "jane"]
    assert "wrong" not in "".join(map(audit_to_json, theirs))
    assert ours.kinds == {ALERT: 1}


def test_a_stranger_at_the_tls_door_is_an_alert(certificates: peers.Certificates) -> None:
    ours, theirs = Trail("user"), Trail("provider")
    door = tls.server(
        certificates.server.certificate, certificates.server.key, client_authorities=certificates.authority
    )
    stranger = tls.client(
        authorities=certificates.authority,
        certificate=certificates.stranger.certificate,
        key=certificates.stranger.key,
    )
    with archive_of(theirs, tls=door) as server:
        with pytest.raises(NetworkError):
            dk.echo(server.peer(tls=stranger), on_event=ours.on_event)
        wait_for(theirs, 1)
    [message] = theirs.settled()
    assert (message.kind, message.event.outcome, message.objects[0].id) == (ALERT, 8, "127.0.0.1")
    assert ours.kinds[ALERT] == 1


def test_nonsense_at_the_port_is_an_alert() -> None:
    import socket

    theirs = Trail("provider")
    with archive_of(theirs) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
            with suppress(OSError):
                sock.recv(100)
        wait_for(theirs, 1)
    assert theirs.kinds == {ALERT: 1}


# ---- deletions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_deletions_are_told(studies: Any, kind: str, tmp_path: Path) -> None:
    if kind == "folder":
        pytest.importorskip("sqlalchemy")
    trail = Trail("archive")
    archive = MemoryArchive() if kind == "memory" else dk.FolderArchive(tmp_path)
    for ds in [*studies[0], *studies[1]]:
        archive.store(ds)
    one = query("image", SOPInstanceUID=studies[0][0].SOPInstanceUID)
    assert delete_with_events(archive, one, trail.on_event, user="jane@hospital.example") == 1
    assert delete_with_events(archive, query("patient", PatientID="*"), trail.on_event) == 5
    assert [message.kind for message in trail] == ["DicomInstancesAccessed", "DicomStudyDeleted", "DicomStudyDeleted"]
    assert [message.event.action for message in trail] == ["D"] * 3
    assert [instances_in(message) for message in trail] == [
        [str(studies[0][0].SOPInstanceUID)],
        uids(studies[0][1:]),
        uids(studies[1]),
    ]
    assert trail[0].objects[1].name == str(studies[0][0].PatientName)
    assert requestor(trail[0]) == "jane@hospital.example"


# ---- DCMTK ---------------------------------------------------------------------------------------------------------


@needs("storescu", "findscu", "getscu", "movescu")
def test_clients_of_dcmtk_are_told(tmp_path: Path) -> None:
    files = small_instances(tmp_path / "files", patients=2)
    theirs, third = Trail("provider"), Trail("third")
    study = f"StudyInstanceUID={read(files[0]).StudyInstanceUID}"
    level = "QueryRetrieveLevel=STUDY"
    with archive_of(third) as destination:
        with archive_of(theirs, destinations={"THIRD": destination.peer()}) as server:
            storescu(server.port, files, aec="PACS").check()
            wait_for(theirs, 2)
            findscu(server.port, [level, "PatientName=*"], aec="PACS").check()
            wait_for(theirs, 3)
            (tmp_path / "got").mkdir()
            getscu(server.port, [level, study], tmp_path / "got", aec="PACS").check()
            wait_for(theirs, 4)
            movescu(server.port, [level, study], "THIRD", aec="PACS").check()
            wait_for(theirs, 5)
        wait_for(third, 1)
    assert [message.kind for message in theirs.settled()] == [TRANSFERRED, TRANSFERRED, QUERY, TRANSFERRED, TRANSFERRED]
    assert [count_in(message) for message in theirs] == [3, 3, 0, 3, 3]
    assert [titles(message) for message in theirs] == [
        ["STORESCU", "PACS"],
        ["STORESCU", "PACS"],
        ["FINDSCU", "PACS"],
        ["PACS", "GETSCU"],
        ["DICOMKIT", "PACS", "MOVESCU"],
    ]
    assert third.kinds == {TRANSFERRED: 1}
    assert titles(third[0]) == ["DICOMKIT", "PACS", "MOVESCU"]


@needs("dcmqrscp", "storescp")
def test_servers_of_dcmtk_are_told(tmp_path: Path) -> None:
    files = small_instances(tmp_path / "files", patients=2)
    ours = Trail("user")
    uid = str(read(files[0]).StudyInstanceUID)
    with storescp() as third, dcmqrscp(files, destinations={"THIRD": third.port}) as server:
        archive = dk.Peer("127.0.0.1", server.port, server.aet)
        dk.store(dk.Peer("127.0.0.1", third.port, third.aet), files, on_event=ours.on_event)
        assert ours.kinds == {TRANSFERRED: 2}
        dk.find(archive, "study", PatientName="*", on_event=ours.on_event).to_table()
        assert ours.kinds == {TRANSFERRED: 2, QUERY: 1}
        assert len(list(dk.get(archive, "study", StudyInstanceUID=uid, on_event=ours.on_event))) == 3
        assert ours.kinds == {TRANSFERRED: 3, QUERY: 1}
        moved = dk.move(archive, "study", "THIRD", StudyInstanceUID=uid, on_event=ours.on_event)
        assert moved.outcome.completed == 3
    assert ours.kinds == {TRANSFERRED: 4, QUERY: 1}
    assert [count_in(message) for message in ours] == [3, 3, 0, 3, 3]


# ---- options -------------------------------------------------------------------------------------------------------


def test_kinds_are_chosen(studies: Any) -> None:
    begun = Trail("user", kinds=["Begin Transferring DICOM Instances"])
    queries = Trail("user", kinds=["110112"])
    with archive_of(None) as server:
        for trail in (begun, queries):
            dk.store(server.peer(), [*studies[0], *studies[1]], on_event=trail.on_event)
            dk.find(server.peer(), "study", on_event=trail.on_event).to_table()
    assert begun.kinds == {"BeginTransferringDicomInstances": 2}
    assert queries.kinds == {QUERY: 1}
    with pytest.raises(DicomError, match="there are ApplicationActivity"):
        audit_trail(kinds=["Gossip"])


def test_lists_of_instances_are_bounded_and_counts_are_not(studies: Any) -> None:
    ours = Trail("user", most_instances=2)
    with archive_of(None) as server:
        dk.store(server.peer(), studies[0], on_event=ours.on_event)
    [message] = ours.settled()
    assert (len(instances_in(message)), count_in(message)) == (2, 3)


def test_nothing_is_looked_at_where_nobody_listens(studies: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("somebody looked")

    for module in ("store_sending", "retrieve_provider"):
        monkeypatch.setattr(f"dicomkit.dimse.{module}.header_of", fail)
    for module in ("store_provider", "retrieve", "retrieve_provider"):
        monkeypatch.setattr(f"dicomkit.dimse.{module}.instance_header", fail)
    with archive_of(None) as server:
        assert len(dk.store(server.peer(), studies[0]).stored) == 3
        uid = studies[0][0].StudyInstanceUID
        assert len(list(dk.get(server.peer(), "study", StudyInstanceUID=uid))) == 3


def test_many_threads_share_a_trail(studies: Any) -> None:
    trail = Trail("both")
    with archive_of(trail) as server:

        def work(seed: int) -> None:
            dk.store(server.peer(), dk.samples.ct_series(2, 8, seed=seed), on_event=trail.on_event)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        wait_for(trail, 16)
    assert trail.kinds == {TRANSFERRED: 16}
    assert Counter(study_in(message) for message in trail).most_common()[-1][1] == 2


def test_an_event_that_makes_no_sense_breaks_nothing() -> None:
    trail = audit_trail(lambda message: None)
    for event in (Event("instance stored", data={"status": "x"}), Event("study deleted", data={"sop_classes": 7})):
        trail(event)
    assert trail.failures == 2
    trail(Event("connection failed"))
    assert trail.counts == {ALERT: 1}


def test_incoming_hooks_that_refuse_are_told(studies: Any) -> None:
    theirs = Trail("provider")

    def refuse(incoming: Incoming) -> None:
        raise Refused("not today")

    with archive_of(theirs, hooks=Hooks(before=refuse)) as server:
        dk.store(server.peer(), studies[0])
        wait_for(theirs, 1)
    [message] = theirs.settled()
    assert (message.event.outcome, count_in(message)) == (8, 3)
    assert study_in(message) == studies[0][0].StudyInstanceUID
    assert "not today" in message.event.description
