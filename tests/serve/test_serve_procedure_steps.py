"""A worklist behind DIMSE: pynetdicom asks, and is told of events; nobody waits for those who can't be told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, Driver

from dicomkit.archive.workitems import Workitems
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import ups
from dicomkit.dimse.association import Association
from dicomkit.dimse.blocking_driver import SocketServer
from dicomkit.dimse.negotiation import NATIVE, Proposal
from dicomkit.dimse.normalized import request
from dicomkit.dimse.normalized_provider import Service, with_services
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.pool import using
from dicomkit.dimse.procedure_step_watch import receiving_events
from dicomkit.dimse.provider import Provider, Refused, provide
from dicomkit.dimse.steps import Operation, Serve
from dicomkit.encoding.writer import to_bytes
from dicomkit.net.errors import StatusError
from dicomkit.net.events import Event
from dicomkit.net.timeouts import Timeouts
from dicomkit.objects.procedure_step import discontinued, make_procedure_step, performed, progress
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.serve.dimse import serve_dimse, serve_dimse_async
from dicomkit.serve.step_reports import StepReports
from dicomkit.serve.unified_procedure_steps import procedure_steps
from dicomkit.standard.procedure_steps import EVENT, GLOBAL, PULL, PUSH, QUERY, WATCH

ROOM = ("R1", "99ROOMS", "Room 1")
READING = ("110005", "DCM", "Interpretation")
QUICK = Timeouts(connect=5, read=5, write=5, artim=5)
EXPLICIT = "1.2.840.10008.1.2.1"


def step(**attributes: Any) -> DataSet:
    return make_procedure_step("Read the CT", station=ROOM, workitem=READING, **attributes)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> Driver:
    found: Driver = request.param
    return found


@contextmanager
def serving(driver: Driver, worklist: Workitems, **options: Any) -> Iterator[Peer]:
    provider = with_services(Provider({}, lambda _: ()), [procedure_steps(worklist, **options)])
    with driver.serve(partial(provide, provider)) as port:
        yield Peer(LOCALHOST, port, "WORKLIST", timeouts=QUICK)


def to_pydicom(ds: DataSet) -> Any:
    pydicom = pytest.importorskip("pydicom")
    return pydicom.filereader.read_dataset(BytesIO(to_bytes(ds, EXPLICIT)), False, True)


@contextmanager
def pynetdicom_user(peer: Peer, *sop_classes: str) -> Iterator[Any]:
    pynetdicom = pytest.importorskip("pynetdicom")
    ae = pynetdicom.AE("MODALITY")
    ae.network_timeout = ae.dimse_timeout = ae.acse_timeout = 20
    for sop_class in sop_classes:
        ae.add_requested_context(sop_class)
    association = ae.associate(LOCALHOST, peer.port, ae_title=peer.aet)
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


# ---- pynetdicom asks -----------------------------------------------------------------------------------------------


def test_pynetdicom_works_through_a_step(driver: Driver) -> None:
    pydicom = pytest.importorskip("pydicom")
    worklist = Workitems()

    def state(name: str, transaction: str) -> Any:
        ds = pydicom.Dataset()
        ds.ProcedureStepState, ds.TransactionUID = name, transaction
        return ds

    with serving(driver, worklist) as peer, pynetdicom_user(peer, PUSH, WATCH, PULL, QUERY, EVENT) as association:
        status, _ = association.send_n_create(to_pydicom(step()), PUSH, "2.25.1")
        assert status.Status == 0
        identifier = pydicom.Dataset()
        identifier.ProcedureStepState, identifier.SOPInstanceUID, identifier.PatientName = "SCHEDULED", "", ""
        for model in (PULL, WATCH, QUERY):
            answers = list(association.send_c_find(identifier, model))
            assert [answer.Status for answer, _ in answers] == [0xFF00, 0x0000]
            assert (answers[0][1].SOPInstanceUID, len(answers[0][1])) == ("2.25.1", 3)
        claim = ("2.25.9", PUSH, "2.25.1")
        assert (
            association.send_n_action(state("IN PROGRESS", claim[0]), 1, PUSH, "2.25.1", meta_uid=PULL)[0].Status == 0
        )
        status, _ = association.send_n_action(state("IN PROGRESS", "2.25.8"), 1, PUSH, "2.25.1", meta_uid=PULL)
        assert status.Status == 0xC301
        changes = to_pydicom(progress(50).assign(TransactionUID="2.25.9"))
        assert association.send_n_set(changes, PUSH, "2.25.1", meta_uid=PULL)[0].Status == 0
        for sop_class in (PUSH, PULL, WATCH):
            status, got = association.send_n_get([0x00741000, 0x00741002], PUSH, "2.25.1", meta_uid=sop_class)
            assert (status.Status, got.ProcedureStepState) == (0, "IN PROGRESS")
        status, got = association.send_n_get([0x00081195, 0x00741000], PUSH, "2.25.1", meta_uid=PULL)
        assert (status.Status, len(got)) == (0x0001, 1)
        assert (
            association.send_n_action(state("COMPLETED", "2.25.9"), 1, PUSH, "2.25.1", meta_uid=PULL)[0].Status
            == 0xC304
        )
        done = to_pydicom(performed(step()).assign(TransactionUID="2.25.9"))
        assert association.send_n_set(done, PUSH, "2.25.1", meta_uid=PULL)[0].Status == 0
        assert association.send_n_action(state("COMPLETED", "2.25.9"), 1, PUSH, "2.25.1", meta_uid=PULL)[0].Status == 0
        assert (
            association.send_n_action(state("COMPLETED", "2.25.9"), 1, PUSH, "2.25.1", meta_uid=PULL)[0].Status
            == 0xB306
        )
        assert association.send_n_action(None, 2, PUSH, "2.25.1", meta_uid=WATCH)[0].Status == 0xC311
    assert worklist.get("2.25.1").ProcedureStepState == "COMPLETED"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"ProcedureStepState": "IN PROGRESS"}, 0xC309),
        ({"ProcedureStepLabel": None}, 0x0121),
        ({"TransactionUID": "2.25.2"}, 0x0106),
    ],
)
def test_pynetdicom_is_refused(driver: Driver, changes: dict[str, Any], status: int) -> None:
    with serving(driver, Workitems()) as peer, pynetdicom_user(peer, PUSH) as association:
        answer, _ = association.send_n_create(to_pydicom(step().assign(changes)), PUSH, "2.25.1")
    assert f"{answer.Status:04X}" == f"{status:04X}"


def test_a_uid_is_chosen_where_the_user_leaves_that_to_us(driver: Driver) -> None:
    worklist = Workitems()

    def body(association: Association) -> Operation:
        return (yield from request(association, "N-CREATE", PUSH, None, step(), service="UPS"))

    with serving(driver, worklist) as peer:
        reply = driver.run(using(peer, Proposal.of((PUSH, NATIVE)), body))
    assert reply.sop_instance_uid in worklist


# ---- what the SOP classes have -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("under", "operation", "number", "status"),
    [
        (PUSH, "N-SET", None, 0x0211),
        (WATCH, "N-SET", None, 0x0211),
        (PULL, "N-CREATE", None, 0x0211),
        (QUERY, "N-GET", None, 0x0211),
        (EVENT, "N-GET", None, 0x0211),
        (PUSH, "N-DELETE", None, 0x0122),
        (PUSH, "N-ACTION", 1, 0x0123),
        (PULL, "N-ACTION", 2, 0x0123),
        (PULL, "N-ACTION", 3, 0x0123),
        (WATCH, "N-ACTION", 1, 0x0123),
        (WATCH, "N-ACTION", 99, 0x0123),
        (WATCH, "N-ACTION", 3, 0x0115),
        (WATCH, "N-ACTION", 4, 0x0115),
        (WATCH, "N-ACTION", 5, 0x0115),
        (PULL, "N-ACTION", 1, 0x0115),
    ],
)
def test_each_sop_class_has_its_operations(
    driver: Driver, under: str, operation: str, number: int | None, status: int
) -> None:
    worklist = Workitems()
    uid = worklist.create(step()).uid

    def body(association: Association) -> Operation:
        data = DataSet(ProcedureStepLabel="x") if operation in ("N-SET", "N-CREATE") else None
        return (yield from request(association, operation, PUSH, uid, data, number=number, under=under))

    destinations = {"X": Peer(LOCALHOST, 1)}
    with serving(driver, worklist, destinations=destinations) as peer, pytest.raises(StatusError) as caught:
        driver.run(using(peer, Proposal.of((under, NATIVE)), body))
    if operation != "N-DELETE":
        assert f"{caught.value.status.code:04X}" == f"{status:04X}"


def test_a_check_may_refuse(driver: Driver) -> None:
    def check(asked: Any) -> None:
        if asked.caller.calling_aet != "TRUSTED":
            raise Refused("not you", status=0x0124)

    worklist = Workitems()

    def body(association: Association) -> Operation:
        return (yield from request(association, "N-CREATE", PUSH, "2.25.1", step()))

    with serving(driver, worklist, check=check) as peer, pytest.raises(StatusError) as caught:
        driver.run(using(peer, Proposal.of((PUSH, NATIVE)), body))
    assert (caught.value.status.code, len(worklist)) == (0x0124, 0)


def test_hostile_data_sets_change_nothing(driver: Driver) -> None:
    """Each is answered, and the association goes on."""
    worklist = Workitems(most_bytes=50_000)
    uid = worklist.create(step()).uid
    before = worklist.get(uid)
    deep = DataSet(ContentSequence=[{}])
    for _ in range(60):
        deep = DataSet(ContentSequence=[deep])
    hostile = [
        DataSet(TextValue="y" * 60_000),
        deep.assign(ProcedureStepState="SCHEDULED"),
        DataSet(),
        DataSet(ScheduledStationNameCodeSequence=[{"CodeMeaning": "x"}]),
    ]
    statuses = []

    def body(association: Association) -> Operation:
        for data in hostile:
            for operation, under in (("N-SET", PULL), ("N-CREATE", PUSH)):
                name = uid if operation == "N-SET" else None
                try:
                    yield from request(association, operation, PUSH, name, data, under=under)
                    statuses.append(0)
                except StatusError as error:
                    statuses.append(error.status.code)

    with serving(driver, worklist) as peer:
        driver.run(using(peer, Proposal.of((PULL, NATIVE), (PUSH, NATIVE)), body))
    assert len(statuses) == 8
    assert len(worklist) == 1
    assert statuses[0] == 0x0213
    assert worklist.get(uid).ProcedureStepLabel == before.ProcedureStepLabel


# ---- events --------------------------------------------------------------------------------------------------------


@contextmanager
def pynetdicom_watcher(heard: list[tuple[int, str, Any]], status: int = 0, **roles: bool) -> Iterator[int]:
    """Somebody whom events are reported to."""
    pynetdicom = pytest.importorskip("pynetdicom")

    def hear(event: Any) -> Any:
        heard.append((event.event_type, str(event.request.AffectedSOPInstanceUID), event.event_information))
        return status, None

    ae = pynetdicom.AE("WATCHER")
    ae.add_supported_context(EVENT, **(roles or {"scu_role": True, "scp_role": True}))
    server = ae.start_server((LOCALHOST, 0), block=False, evt_handlers=[(pynetdicom.evt.EVT_N_EVENT_REPORT, hear)])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        ae.shutdown()


def subscribing(peer: Peer, uid: str = GLOBAL, ae: str = "WATCHER") -> None:
    ups.subscribe(peer, None if uid == GLOBAL else uid, receiver=ae)


def test_pynetdicom_hears_of_events_in_their_order(driver: Driver) -> None:
    worklist, heard = Workitems(), []
    uid = worklist.create(step()).uid
    with pynetdicom_watcher(heard) as port:
        destinations = {"WATCHER": Peer(LOCALHOST, port, "WATCHER", timeouts=QUICK)}
        with serving(driver, worklist, destinations=destinations) as peer:
            subscribing(peer, uid)
            claim = ups.claim(peer, uid)
            for percent in range(0, 100, 10):
                ups.update(peer, claim, progress(percent))
            ups.request_cancel(peer, uid, "hurry")
            ups.cancel(peer, claim)
            peers.wait_until(lambda: len(heard) >= 14)
    assert [kind for kind, _, _ in heard] == [1, 1, *[3] * 10, 2, 1]
    assert {name for _, name, _ in heard} == {uid}
    states = [data.ProcedureStepState for kind, _, data in heard if kind == 1]
    assert states == ["SCHEDULED", "IN PROGRESS", "CANCELED"]
    assert heard[0][2].InputReadinessState == "READY"
    percents = [data[0x00741002].value[0].ProcedureStepProgress for kind, _, data in heard if kind == 3]
    assert percents == list(range(0, 100, 10))
    assert (heard[12][2].RequestingAE, heard[12][2].ReasonForCancellation) == ("DICOMKIT", "hurry")


@pytest.mark.parametrize("fault", ["nobody", "no role", "refuses"])
def test_events_that_nobody_takes_are_dropped_and_told_of(driver: Driver, fault: str) -> None:
    worklist, heard, told = Workitems(), [], []
    uid = worklist.create(step()).uid

    def play(port: int) -> None:
        peer = Peer(LOCALHOST, port, "WATCHER", timeouts=QUICK)
        with serving(driver, worklist, destinations={"WATCHER": peer}, wait=0.01, on_event=told.append) as ours:
            began = time.monotonic()
            subscribing(ours, uid)
            assert time.monotonic() - began < 5
            peers.wait_until(lambda: any(event.name.startswith("step event") for event in told))

    if fault == "nobody":
        play(peers.free_port())
    elif fault == "no role":
        with pynetdicom_watcher(heard, scu_role=True, scp_role=False) as port:
            play(port)
    else:
        with pynetdicom_watcher(heard, status=0x0110) as port:
            play(port)
    [event] = [event for event in told if event.name.startswith("step event")]
    assert event.name == ("step event refused" if fault == "refuses" else "step event dropped")
    assert (event.level, event.data["receiver"], event.data["step"]) == ("warning", "WATCHER", uid)
    assert len(heard) == (fault == "refuses")


def test_who_comes_late_is_told_after_another_attempt(driver: Driver) -> None:
    worklist, heard = Workitems(), []
    uid = worklist.create(step()).uid
    port = peers.free_port()
    peer = Peer(LOCALHOST, port, "WATCHER", timeouts=QUICK)
    with serving(driver, worklist, destinations={"WATCHER": peer}, wait=0.5, attempts=8) as ours:
        subscribing(ours, uid)
        time.sleep(0.3)
        with late(port, heard):
            peers.wait_until(lambda: bool(heard))
    assert [(event.number, event.uid) for event in heard] == [(1, uid)]


@contextmanager
def late(port: int, heard: list[StepEvent]) -> Iterator[None]:
    """Somebody of ours whom events are reported to, on a port that was known before."""
    provider = with_services(Provider({}, lambda _: ()), [receiving_events(heard.append)])
    server = SocketServer(Serve(partial(provide, provider), LOCALHOST, port))
    try:
        yield
    finally:
        server.stop()


def test_one_who_is_not_there_keeps_nobody_waiting(driver: Driver) -> None:
    worklist, heard = Workitems(), []
    with pynetdicom_watcher(heard) as port:
        destinations = {
            name: Peer(LOCALHOST, at, name) for name, at in (("GONE", peers.free_port()), ("WATCHER", port))
        }
        with serving(driver, worklist, destinations=destinations, wait=30) as peer:
            subscribing(peer, ae="GONE")
            subscribing(peer)
            began = time.monotonic()
            for _ in range(5):
                ups.create(peer, step())
            peers.wait_until(lambda: len(heard) == 10)
            assert time.monotonic() - began < 20


@contextmanager
def served_in_a_loop(service: Service) -> Iterator[None]:
    """serve_dimse_async, in a loop that runs in a thread of its own."""

    async def serve() -> None:
        async with serve_dimse_async(port=0, services=[service]):
            started.set()
            await asyncio.to_thread(stopping.wait, 30)

    started, stopping = threading.Event(), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(20)
    try:
        yield
    finally:
        stopping.set()
        thread.join(20)


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_what_the_program_does_itself_is_told_too(kind: str, tmp_path: Path) -> None:
    heard: list[tuple[int, str, Any]] = []
    with pynetdicom_watcher(heard) as port, Workitems(tmp_path / "worklist") as worklist:
        service = procedure_steps(worklist, destinations={"WATCHER": Peer(LOCALHOST, port, "WATCHER")})
        worklist.subscribe(GLOBAL, "WATCHER")
        with serve_dimse(port=0, services=[service]) if kind == "threads" else served_in_a_loop(service):
            peers.wait_until(lambda: len(heard) == 1)
            uid = worklist.create(step()).uid
            worklist.change_state(uid, "IN PROGRESS", "2.25.9")
            worklist.set(uid, discontinued().assign(TransactionUID="2.25.9"))
            worklist.change_state(uid, "CANCELED", "2.25.9")
            peers.wait_until(lambda: len(heard) == 5)
    assert [kind for kind, _, _ in heard] == [4, 1, 5, 1, 1]
    states = [data.ProcedureStepState for kind, _, data in heard if kind == 1]
    assert states == ["SCHEDULED", "IN PROGRESS", "CANCELED"]
    assert (heard[0][2].SCPStatus, heard[0][2].SubscriptionListStatus) == ("RESTARTED", "WARM START")


def test_what_one_server_did_not_deliver_the_next_one_does() -> None:
    worklist, heard = Workitems(), []
    port = peers.free_port()
    told: list[Event] = []
    service = procedure_steps(
        worklist, destinations={"WATCHER": Peer(LOCALHOST, port, "WATCHER")}, wait=3600, on_event=told.append
    )
    with serve_dimse(port=0, services=[service]) as server:
        ups.create(server.peer(), step(), uid="2.25.1")
        subscribing(server.peer(), "2.25.1")
        time.sleep(0.2)
    with late(port, heard), serve_dimse(port=0, services=[service]):
        peers.wait_until(lambda: any(event.number == 1 for event in heard))
    assert [event.uid for event in heard if event.number == 1] == ["2.25.1"]
    assert told == []


def test_so_many_events_wait_and_no_more() -> None:
    told: list[Event] = []
    reports = StepReports({"A": Peer(LOCALHOST, 1)}.get, most=3, on_event=told.append)
    reports.add(StepEvent(1, f"2.25.{number}", DataSet(), ("A", "STRANGER")) for number in range(5))
    assert len(reports) == 3
    dropped = [(event.name, event.data["step"]) for event in told if event.level == "warning"]
    assert dropped == [("step event dropped", "2.25.3"), ("step event dropped", "2.25.4")]
    assert {event.data["receiver"] for event in told if event.level == "debug"} == {"STRANGER"}
