"""Unified procedure steps as a user asks for them: of our provider, with both drivers, and of pynetdicom's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import peers
import pytest
from dimse_drivers import DRIVERS, LOCALHOST, Driver

from dicomkit.archive.workitems import Workitems
from dicomkit.dataset.dataset import DataSet
from dicomkit.dimse import procedure_step_events as events
from dicomkit.dimse import procedure_steps as steps
from dicomkit.dimse import ups, ups_aio
from dicomkit.dimse.normalized_provider import with_services
from dicomkit.dimse.peer import Peer
from dicomkit.dimse.procedure_step_requests import Claim, uid_of
from dicomkit.dimse.procedure_step_watch import watch
from dicomkit.dimse.provider import Provider, provide
from dicomkit.errors import QueryError, ValueFormatError
from dicomkit.net.errors import ContextNotAcceptedError, StatusError
from dicomkit.net.timeouts import Timeouts
from dicomkit.objects.procedure_step import PROGRESS, make_procedure_step, performed, progress
from dicomkit.objects.procedure_step_event import StepEvent
from dicomkit.serve.unified_procedure_steps import procedure_steps
from dicomkit.standard.procedure_steps import EVENT, FILTERED, GLOBAL, PULL, PUSH, QUERY, WATCH

ROOM = ("R1", "99ROOMS", "Room 1")
READING = ("110005", "DCM", "Interpretation")
QUICK = Timeouts(connect=10, read=10, write=10, artim=10)


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


def status_of(caught: pytest.ExceptionInfo[StatusError]) -> str:
    return f"{caught.value.status.code:04X}"


# ---- our provider --------------------------------------------------------------------------------------------------


def test_a_step_from_its_creation_to_its_end(driver: Driver) -> None:
    worklist = Workitems()
    with serving(driver, worklist) as peer:
        made = driver.run(steps.create(peer, step(patient=DataSet(PatientName="Müller^Änne", PatientID="A-17"))))
        [found] = driver.collect(steps.find(peer, ProcedureStepState="SCHEDULED", PatientName="müller*"))
        assert (found.SOPInstanceUID, found.SOPClassUID, found.PatientID) == (made.sop_instance_uid, PUSH, "A-17")
        driver.run(steps.update(peer, found, {"ScheduledProcedureStepPriority": "HIGH"}))
        claim = driver.run(steps.claim(peer, found))
        driver.run(steps.update(peer, claim, progress(50, "half way")))
        assert driver.run(steps.get(peer, claim))[PROGRESS, 0, "ProcedureStepProgress"] == 50
        with pytest.raises(StatusError) as caught:
            driver.run(steps.complete(peer, claim))
        assert status_of(caught) == "C304"
        driver.run(steps.complete(peer, claim, performed(found)))
        with pytest.raises(StatusError) as caught:
            driver.run(steps.update(peer, claim, progress(99)))
        assert status_of(caught) == "C300"
        ended = driver.run(steps.get(peer, claim, ["ProcedureStepState", "ScheduledProcedureStepPriority"]))
    assert (ended.ProcedureStepState, ended.ScheduledProcedureStepPriority, len(ended)) == ("COMPLETED", "HIGH", 3)
    assert ended.SpecificCharacterSet == "ISO_IR 192"


def test_only_who_claimed_a_step_may_touch_it(driver: Driver) -> None:
    worklist = Workitems()
    uid = worklist.create(step()).uid
    with serving(driver, worklist) as peer:
        claim = driver.run(steps.claim(peer, uid, transaction_uid="2.25.9"))
        assert claim == Claim(uid, "2.25.9")
        stranger = Claim(uid, "2.25.10")
        for operation, status in (
            (steps.claim(peer, uid), "C301"),
            (steps.claim(peer, uid, transaction_uid="2.25.9"), "C302"),
            (steps.update(peer, uid, progress(1)), "C301"),
            (steps.update(peer, stranger, progress(1)), "C301"),
            (steps.complete(peer, stranger), "C301"),
            (steps.cancel(peer, stranger), "C301"),
            (steps.request_cancel(peer, uid), "C312"),
            (steps.claim(peer, "2.25.404"), "C307"),
            (steps.create(peer, step(), uid=uid), "0111"),
        ):
            with pytest.raises(StatusError) as caught:
                driver.run(operation)
            assert status_of(caught) == status
        driver.run(steps.update(peer, claim, progress(30, "begun")))
        reply = driver.run(steps.cancel(peer, claim, "scanner is down"))
        assert reply.status.category == "Success"
        item = worklist.get(uid)[PROGRESS, 0]
        assert (item.ProcedureStepProgress, item.ReasonForCancellation) == (30, "scanner is down")
        assert driver.run(steps.request_cancel(peer, uid)).status.code == 0xB304


def test_nobody_learns_the_transaction_over_the_wire(driver: Driver) -> None:
    worklist = Workitems()
    uid = worklist.create(step()).uid
    with serving(driver, worklist) as peer:
        driver.run(steps.claim(peer, uid, transaction_uid="2.25.9"))
        asked = driver.run(steps.get(peer, uid, ["TransactionUID", "ProcedureStepState"]))
        [found] = driver.collect(steps.find(peer, return_keys=["TransactionUID", "ProcedureStepLabel"]))
        whole = driver.run(steps.get(peer, uid))
    assert all("TransactionUID" not in ds for ds in (asked, found, whole))
    assert asked.ProcedureStepState == "IN PROGRESS"


def test_a_search_in_each_information_model(driver: Driver) -> None:
    worklist = Workitems()
    for number in range(3):
        worklist.create(step(), f"2.25.{number + 1}")
    with serving(driver, worklist) as peer:
        for sop_class in (PULL, WATCH, QUERY):
            assert len(driver.collect(steps.find(peer, sop_classes=[sop_class]))) == 3
        assert len(driver.collect(steps.find(peer, limit=1))) == 1
        with pytest.raises(ContextNotAcceptedError):
            driver.collect(steps.find(peer, sop_classes=["1.2.3"]))
        assert len(driver.collect(steps.find(peer, sop_classes=["1.2.3", WATCH]))) == 3


def test_the_one_who_asks_to_cancel_is_named(driver: Driver) -> None:
    worklist = Workitems()
    uid = worklist.create(step()).uid
    worklist.subscribe(uid, "PERFORMER")
    heard: list[StepEvent] = []
    worklist.listen(heard.extend)
    with serving(driver, worklist) as peer:
        driver.run(steps.claim(peer, uid))
        told = {"contact": "Müller", "contact_uri": "tel:1"}
        reply = driver.run(steps.request_cancel(peer, uid, ("110514", "DCM", "Incorrect worklist entry"), **told))
    assert reply.status.code == 0
    assert (heard[-1].number, heard[-1].requesting_ae, heard[-1].reason) == (2, "DICOMKIT", "Incorrect worklist entry")
    assert heard[-1].data.ContactDisplayName == "Müller"


@pytest.mark.parametrize("which", ["one", "all", "matching"])
def test_events_are_watched(driver: Driver, which: str) -> None:
    worklist = Workitems()
    first = worklist.create(step()).uid
    port = peers.free_port()
    with serving(driver, worklist, destinations={"DICOMKIT": Peer(LOCALHOST, port, "DICOMKIT")}, wait=0.05) as peer:
        keys = {"ProcedureStepLabel": "Read*"} if which == "matching" else None

        def work() -> None:
            peers.wait_until(lambda: bool(worklist.subscriptions(first)))
            claim = ups.claim(peer, first)
            ups.update(peer, claim, progress(50))
            ups.complete(peer, claim, performed(step()))

        worker = threading.Thread(target=work)
        worker.start()
        asked = watch(
            peer, first if which == "one" else None, port=port, keys=keys, until=lambda e: e.state == "COMPLETED"
        )
        events = driver.collect(asked)
        worker.join(20)
        assert worklist.subscriptions() == () == worklist.subscriptions(first)
    told = [(event.number, event.state, event.progress) for event in events]
    initial = [(1, "SCHEDULED", None)] if which == "one" else []
    assert told == [*initial, (1, "IN PROGRESS", None), (3, None, 50.0), (1, "COMPLETED", None)]
    assert {event.uid for event in events} == {first}


def test_a_watch_without_events_ends(driver: Driver) -> None:
    worklist = Workitems()
    with serving(driver, worklist, destinations={"DICOMKIT": Peer(LOCALHOST, 1)}) as peer:
        assert driver.collect(watch(peer, idle=0.1)) == []
        assert driver.collect(watch(peer, cancelled=lambda: True)) == []
        assert worklist.subscriptions() == ()


def test_a_subscription_may_be_refused(driver: Driver) -> None:
    worklist = Workitems()
    uid = worklist.create(step()).uid
    with serving(driver, worklist) as peer:
        with pytest.raises(StatusError) as caught:
            driver.run(events.subscribe(peer, uid))
        assert status_of(caught) == "C315"
    with serving(driver, worklist, destinations={}) as peer:
        with pytest.raises(StatusError) as caught:
            driver.collect(watch(peer, uid))
        assert status_of(caught) == "C308"


def test_subscriptions_of_others(driver: Driver) -> None:
    worklist = Workitems(deletion_locks=False)
    uid = worklist.create(step()).uid
    with serving(driver, worklist, destinations={"OTHER": Peer(LOCALHOST, 1)}, attempts=1) as peer:
        reply = driver.run(events.subscribe(peer, uid, receiver="OTHER", lock=True))
        assert f"{reply.status.code:04X}" == "B301"
        driver.run(events.subscribe(peer, receiver="OTHER"))
        assert [one.ae for one in worklist.subscriptions()] == ["OTHER"]
        driver.run(events.suspend(peer, receiver="OTHER"))
        assert (worklist.subscriptions(), len(worklist.subscriptions(uid))) == ((), 1)
        driver.run(events.unsubscribe(peer, receiver="OTHER"))
        assert worklist.subscriptions(uid) == ()


def test_a_step_needs_a_name() -> None:
    with pytest.raises(ValueFormatError):
        uid_of(DataSet(ProcedureStepLabel="x"))
    with pytest.raises(QueryError):
        events.subscribe(Peer(LOCALHOST, 1), "2.25.1", keys={"ProcedureStepLabel": "x"})


# ---- the verbs -----------------------------------------------------------------------------------------------------


@contextmanager
def served(worklist: Workitems, port: int) -> Iterator[Peer]:
    from dicomkit.serve.dimse import serve_dimse

    service = procedure_steps(worklist, destinations={"DICOMKIT": Peer(LOCALHOST, port)}, wait=0.05)
    with serve_dimse(port=0, services=[service]) as server:
        yield server.peer(timeouts=QUICK)


def test_leaving_the_loop_unsubscribes() -> None:
    worklist, port = Workitems(), peers.free_port()
    uid = worklist.create(step()).uid
    with served(worklist, port) as peer:
        for event in ups.watch(peer, uid, port=port):
            assert event.state == "SCHEDULED"
            break
        peers.wait_until(lambda: not worklist.subscriptions(uid))
        with ups.watch(peer, port=port) as watching:
            assert (watching.port, watching.reply.status.code) == (port, 0)
            worklist.create(step(), "2.25.5")  # by this program, and not over the wire
            assert next(watching).uid == "2.25.5"
        assert worklist.subscriptions() == ()


def test_what_is_found_is_a_table() -> None:
    worklist = Workitems()
    worklist.create(step(priority="HIGH"), "2.25.1")
    with served(worklist, 1) as peer:
        found = ups.find(peer, ProcedureStepState="SCHEDULED")
        assert found.to_table().loc[0, ["ProcedureStepLabel", "ScheduledWorkitemCodeSequence"]].tolist() == [
            "Read the CT",
            "Interpretation",
        ]
        assert found.steps[0].stations == ("Room 1",)
        assert "Read the CT" in repr(found)
        assert "Read the CT" in found.steps[0]._repr_html_()


def test_the_verbs_for_asyncio() -> None:
    worklist, port = Workitems(), peers.free_port()

    async def work(peer: Peer) -> list[StepEvent]:
        uid = (await ups_aio.create(peer, step())).sop_instance_uid
        assert len(await ups_aio.find(peer)) == 1
        events = []
        async for event in ups_aio.watch(peer, uid, port=port, until=lambda e: e.state == "CANCELED"):
            events.append(event)
            if event.state == "SCHEDULED":
                claim = await ups_aio.claim(peer, uid)
                await ups_aio.cancel(peer, claim)
        return events

    with served(worklist, port) as peer:
        events = asyncio.run(work(peer))
    assert [event.state for event in events] == ["SCHEDULED", "IN PROGRESS", "CANCELED"]


# ---- pynetdicom's provider -----------------------------------------------------------------------------------------


@contextmanager
def pynetdicom_worklist(seen: list[tuple[str, Any]], answers: dict[str, Any]) -> Iterator[Peer]:
    """A provider that notes what it is asked, and answers what it is told to."""
    pynetdicom = pytest.importorskip("pynetdicom")
    pydicom = pytest.importorskip("pydicom")
    evt = pynetdicom.evt

    def note(name: str, uid: str, data: Any = None, number: int | None = None) -> Any:
        seen.append((name, (str(uid), data, number)))
        return answers.get(name, (0x0000, None))

    def data_of(event: Any, name: str) -> Any:
        return getattr(event, name)

    def find(event: Any) -> Iterator[tuple[int, Any]]:
        note("find", event.request.AffectedSOPClassUID, event.identifier)
        match = pydicom.Dataset()
        match.SOPInstanceUID, match.ProcedureStepState = "2.25.1", "SCHEDULED"
        yield 0xFF00, match

    def get(event: Any) -> Any:
        note("get", event.request.RequestedSOPInstanceUID, event.attribute_identifiers)
        ds = pydicom.Dataset()
        ds.ProcedureStepState = "SCHEDULED"
        return 0x0000, ds

    def act(event: Any) -> Any:
        data = event.action_information if event.request.ActionInformation is not None else None
        return note("action", event.request.RequestedSOPInstanceUID, data, event.action_type)

    handlers = [
        (evt.EVT_C_FIND, find),
        (evt.EVT_N_GET, get),
        (
            evt.EVT_N_CREATE,
            lambda event: note("create", event.request.AffectedSOPInstanceUID, event.attribute_list),
        ),
        (
            evt.EVT_N_SET,
            lambda event: note("set", event.request.RequestedSOPInstanceUID, event.modification_list),
        ),
        (evt.EVT_N_ACTION, act),
    ]
    contexts = [pynetdicom.build_context(uid) for uid in (PUSH, WATCH, PULL, EVENT, QUERY)]
    with peers.pynetdicom_scp(handlers=handlers, contexts=contexts) as server:
        yield Peer(LOCALHOST, server.port, server.aet, timeouts=QUICK)


def test_pynetdicom_understands_what_we_ask(driver: Driver) -> None:
    seen: list[tuple[str, Any]] = []
    with pynetdicom_worklist(seen, {}) as peer:
        driver.run(steps.create(peer, step(), uid="2.25.1"))
        [found] = driver.collect(steps.find(peer, ProcedureStepState="SCHEDULED"))
        got = driver.run(steps.get(peer, found, ["ProcedureStepState"]))
        claim = driver.run(steps.claim(peer, "2.25.1", transaction_uid="2.25.9"))
        driver.run(steps.update(peer, claim, progress(10)))
        driver.run(steps.complete(peer, claim, performed(step())))
        driver.run(steps.request_cancel(peer, "2.25.1", "no"))
        driver.run(events.subscribe(peer, lock=True))
        driver.run(events.subscribe(peer, keys={"ProcedureStepLabel": "Read*"}))
        driver.run(events.unsubscribe(peer, "2.25.1"))
        driver.run(events.suspend(peer))
    assert got.ProcedureStepState == "SCHEDULED"
    asked = {name: [what for other, what in seen if other == name] for name, _ in seen}
    assert asked["create"][0][0] == "2.25.1"
    assert asked["create"][0][1].ProcedureStepState == "SCHEDULED"
    assert (asked["find"][0][0], asked["find"][0][1].ProcedureStepState) == (PULL, "SCHEDULED")
    assert [int(tag) for tag in asked["get"][0][1]] == [0x00741000]
    assert [data.TransactionUID for _, data, _ in asked["set"]] == ["2.25.9", "2.25.9"]
    actions = [(uid, number) for uid, _, number in asked["action"]]
    assert actions == [
        ("2.25.1", 1),
        ("2.25.1", 1),
        ("2.25.1", 2),
        (GLOBAL, 3),
        (FILTERED, 3),
        ("2.25.1", 4),
        (GLOBAL, 5),
    ]
    told = [data for _, data, _ in asked["action"]]
    assert [told[0].ProcedureStepState, told[1].ProcedureStepState] == ["IN PROGRESS", "COMPLETED"]
    assert told[2].ReasonForCancellation == "no"
    assert (told[3].ReceivingAE, told[3].DeletionLock, told[4].ProcedureStepLabel) == ("DICOMKIT", "TRUE", "Read*")


@pytest.mark.parametrize(("code", "category"), [(0xC301, None), (0xB300, "Warning"), (0x0000, "Success")])
def test_what_pynetdicom_answers_has_a_meaning(driver: Driver, code: int, category: str | None) -> None:
    with pynetdicom_worklist([], {"create": (code, None), "action": (code, None)}) as peer:
        if category is None:
            with pytest.raises(StatusError) as caught:
                driver.run(steps.claim(peer, "2.25.1"))
            assert "Transaction UID" in str(caught.value)
        else:
            assert driver.run(steps.create(peer, step())).status.category == category


def test_pynetdicom_reports_events_to_us() -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    pydicom = pytest.importorskip("pydicom")
    seen: list[tuple[str, Any]] = []
    with pynetdicom_worklist(seen, {}) as peer, ups.watch(peer, "2.25.1", idle=20) as watching:
        ae = pynetdicom.AE("WORKLIST")
        ae.add_requested_context(EVENT)
        role = pynetdicom.build_role(EVENT, scp_role=True)
        association = ae.associate(LOCALHOST, watching.port, ext_neg=[role])
        for state in ("SCHEDULED", "IN PROGRESS"):
            information = pydicom.Dataset()
            information.ProcedureStepState, information.InputReadinessState = state, "READY"
            status, _ = association.send_n_event_report(information, 1, PUSH, "2.25.1", meta_uid=EVENT)
            assert status.Status == 0
        association.release()
        events = [next(watching), next(watching)]
    assert [(event.uid, event.state, event.readiness) for event in events] == [
        ("2.25.1", "SCHEDULED", "READY"),
        ("2.25.1", "IN PROGRESS", "READY"),
    ]
    assert [number for name, (_, _, number) in seen if name == "action"] == [3, 4]


def test_a_listener_takes_so_many_events(driver: Driver) -> None:
    destinations = {"DICOMKIT": Peer(LOCALHOST, 1)}
    with serving(driver, Workitems(), destinations=destinations) as peer, ups.watch(peer, most=2) as watching:
        sender = Peer(LOCALHOST, watching.port, timeouts=QUICK)
        refused = driver.run(events.report(sender, [StepEvent(1, f"2.25.{number}") for number in range(4)]))
        assert [(event.uid, f"{error.status.code:04X}") for event, error in refused] == [
            ("2.25.2", "0213"),
            ("2.25.3", "0213"),
        ]
